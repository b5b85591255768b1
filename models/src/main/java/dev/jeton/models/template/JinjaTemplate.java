package dev.jeton.models.template;

import dev.jeton.models.ChatTemplate;
import dev.jeton.models.TemplateException;
import dev.jeton.models.template.Values.Function;
import dev.jeton.models.template.Values.Namespace;
import java.time.Clock;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;

/**
 * A chat template in the Jinja2 subset that Hugging Face models use, rendered as {@code transformers} renders it:
 * {@code trim_blocks} and {@code lstrip_blocks} on, {@code tojson} without ASCII escapes, {@code raise_exception} and
 * {@code strftime_now} at hand, nothing that changes its arguments.
 *
 * <p>Compiled once; rendering keeps its state to itself, so one instance serves all threads.
 */
public final class JinjaTemplate implements ChatTemplate {

    /** Longest template source, in characters. */
    public static final int MAX_SOURCE = 1 << 18;

    /** Longest rendered prompt, in characters. */
    public static final int MAX_OUTPUT = 1 << 23;

    private static final int MAX_RANGE = 100_000;

    private final String source;
    private final List<Node.Statement> body;
    private final Map<String, Object> constants;
    private final Clock clock;

    /**
     * Compiles a template.
     *
     * @param source the template
     * @param constants names that every rendering sees: {@code bos_token}, {@code eos_token}, ...
     * @param clock what {@code strftime_now} reads
     * @throws TemplateException if it is too long, broken, or uses what is not supported
     */
    public JinjaTemplate(String source, Map<String, String> constants, Clock clock) {
        if (source.length() > MAX_SOURCE) {
            throw new TemplateException("chat template: longer than " + MAX_SOURCE + " characters");
        }
        this.source = source;
        body = new TemplateParser(new TemplateLexer(source).tokens()).parse();
        this.constants = Map.copyOf(constants);
        this.clock = clock;
    }

    @Override
    public String source() {
        return source;
    }

    @Override
    public String render(
            List<Map<String, Object>> messages,
            List<Map<String, Object>> tools,
            boolean addGenerationPrompt,
            Map<String, Object> variables) {
        Map<String, Object> globals = functions();
        globals.putAll(constants);
        variables.forEach((name, value) -> globals.put(name, Values.of(value)));
        globals.put("messages", Values.of(messages));
        globals.put("add_generation_prompt", addGenerationPrompt);
        globals.put("tools", tools.isEmpty() ? Values.NONE : Values.of(tools));
        try {
            return new Interpreter(globals, MAX_OUTPUT).run(body);
        } catch (ClassCastException
                | ArithmeticException
                | IndexOutOfBoundsException
                | NumberFormatException
                | NoSuchElementException e) {
            throw new TemplateException("chat template: " + e.getMessage());
        } catch (StackOverflowError e) {
            throw new TemplateException("chat template: nested too deeply");
        }
    }

    private Map<String, Object> functions() {
        Map<String, Object> functions = new HashMap<>();
        functions.put("raise_exception", (Function) (values, named) -> {
            throw new TemplateException(
                    values.isEmpty() ? "the chat template refused" : Values.text(values.getFirst()));
        });
        functions.put("strftime_now", (Function)
                (values, named) -> Strftime.format(LocalDateTime.now(clock), Values.text(values.getFirst())));
        functions.put("namespace", (Function) (values, named) -> new Namespace(new LinkedHashMap<>(named)));
        functions.put("dict", (Function) (values, named) -> new LinkedHashMap<Object, Object>(named));
        functions.put("range", (Function) (values, named) -> range(values));
        return functions;
    }

    private static List<Object> range(List<Object> values) {
        long from = values.size() > 1 ? Values.toLong(values.get(0)) : 0;
        long to = Values.toLong(values.get(values.size() > 1 ? 1 : 0));
        long step = values.size() > 2 ? Values.toLong(values.get(2)) : 1;
        if (step == 0 || Math.abs((double) to - from) / Math.abs(step) > MAX_RANGE) {
            throw new TemplateException("chat template: range() of more than " + MAX_RANGE + " numbers");
        }
        List<Object> numbers = new ArrayList<>();
        for (long i = from, next; step > 0 ? i < to : i > to; i = next) {
            numbers.add(i);
            next = i + step;
            if (step > 0 != next > i) {
                // past the greatest number there is, where adding comes round to the least
                break;
            }
        }
        return numbers;
    }
}
