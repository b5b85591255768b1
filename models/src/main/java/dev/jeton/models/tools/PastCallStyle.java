package dev.jeton.models.tools;

import dev.jeton.models.ChatTemplate;
import dev.jeton.models.TemplateException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * How a chat template takes earlier messages that call tools. Templates differ, and none says so: each is asked at
 * load, by having it render a call.
 *
 * @param textArguments whether arguments are given as text, rather than as an object
 * @param emptyContent whether a message without content is given an empty one, rather than none
 * @param oneCall whether of several calls in a message only the first is shown
 * @param oneText whether a message that calls tools may have a content or thinking, but not both
 */
public record PastCallStyle(boolean textArguments, boolean emptyContent, boolean oneCall, boolean oneText) {

    /** What most templates take. */
    public static final PastCallStyle USUAL = new PastCallStyle(false, false);

    /** Of a template that shows all of a message. */
    public PastCallStyle(boolean textArguments, boolean emptyContent) {
        this(textArguments, emptyContent, false, false);
    }

    /** The names by which templates ask what the model thought before an earlier answer. */
    public static final List<String> THOUGHTS = List.of("reasoning", "reasoning_content", "thinking");

    private static final String PROBE = "jetonprobe";
    private static final String TEXT = "{\"" + PROBE + "\": 1}";

    private static final Map<String, Object> TOOL = Map.of(
            "type",
            "function",
            "function",
            Map.of(
                    "name",
                    "probe",
                    "description",
                    "Probes",
                    "parameters",
                    Map.of(
                            "type",
                            "object",
                            "properties",
                            Map.of("x", Map.of("type", "integer", "description", "what is probed")))));

    /** A template's: of those with which it shows a call, or else takes one, the most usual. */
    public static PastCallStyle of(ChatTemplate template) {
        for (boolean text : new boolean[] {false, true}) {
            for (boolean empty : new boolean[] {false, true}) {
                PastCallStyle style = new PastCallStyle(text, empty);
                if (style.shows(template) && !style.printsNone(template)) {
                    return style.of(template, style.shows(template, List.of(TOOL)) ? List.of(TOOL) : List.of());
                }
            }
        }
        PastCallStyle empty = new PastCallStyle(false, true);
        return USUAL.renders(template) || !empty.renders(template) ? USUAL : empty;
    }

    private boolean renders(ChatTemplate template) {
        return rendered(template, List.of(), message(List.of(""))).isPresent();
    }

    /** The same with what is left to be asked of the template. */
    private PastCallStyle of(ChatTemplate template, List<Map<String, Object>> tools) {
        boolean first = rendered(template, tools, message(List.of("one", "two")))
                .filter(text -> text.contains("probeone") && !text.contains("probetwo"))
                .isPresent();
        Map<String, Object> both = message(List.of("one"));
        both.put("content", "said");
        boolean said = rendered(template, tools, both).isPresent();
        THOUGHTS.forEach(name -> both.put(name, "thought"));
        return new PastCallStyle(
                textArguments,
                emptyContent,
                first,
                said && rendered(template, tools, both).isEmpty());
    }

    /** Whether a template prints that there is no content, as Python names it, and prints nothing for an empty one. */
    private boolean printsNone(ChatTemplate template) {
        PastCallStyle other = new PastCallStyle(textArguments, true);
        return !emptyContent && other.shows(template) && nones(template) > other.nones(template);
    }

    private long nones(ChatTemplate template) {
        return rendered(template, List.of(), message(List.of("")))
                .map(text -> Pattern.compile("None").matcher(text).results().count())
                .orElse(0L);
    }

    /** A model may have a template of its own for chats with tools. */
    private boolean shows(ChatTemplate template) {
        return shows(template, List.of(TOOL)) || shows(template, List.of());
    }

    private boolean shows(ChatTemplate template, List<Map<String, Object>> tools) {
        // Python's way of showing an object is no JSON.
        return rendered(template, tools, message(List.of("")))
                .filter(text ->
                        textArguments ? text.contains(TEXT) : text.contains(PROBE) && !text.contains("'" + PROBE + "'"))
                .isPresent();
    }

    @SuppressWarnings("NullAway") // A template sees null as its own none; the port does not say so in its types.
    private Map<String, Object> message(List<String> names) {
        Object arguments = textArguments ? TEXT : Map.of(PROBE, 1L);
        Map<String, Object> assistant = new HashMap<>();
        assistant.put("role", "assistant");
        assistant.put("content", emptyContent ? "" : null);
        assistant.put(
                "tool_calls",
                names.stream()
                        .map(name -> Map.of("name", "probe" + name, "arguments", arguments))
                        .map(function -> Map.of("id", "abcdefghi", "type", "function", "function", function))
                        .toList());
        return assistant;
    }

    private static Optional<String> rendered(
            ChatTemplate template, List<Map<String, Object>> tools, Map<String, Object> assistant) {
        try {
            return Optional.of(template.render(
                    List.of(Map.of("role", "user", "content", "hello"), assistant), tools, false, Map.of()));
        } catch (TemplateException e) {
            return Optional.empty();
        }
    }
}
