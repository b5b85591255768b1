package dev.jeton.models.tools;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.ChatTemplate;
import dev.jeton.models.SharedData;
import dev.jeton.models.template.JinjaTemplate;
import dev.jeton.models.tools.Heard.Called;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** What is known of a model by its chat template: of real ones, and of ones that show a call as real ones do. */
class ModelTemplatesTest {

    private static final String HERMES = """
            {% for m in messages %}<|im_start|>{{ m.role }}
            {% if m.tool_calls %}{% for c in m.tool_calls %}<tool_call>
            {"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson }}}
            </tool_call>{% endfor %}{% elif '</think>' in m.content %}{{ m.content.split('</think>')[-1] }}\
            {% else %}{{ m.content }}{% endif %}<|im_end|>
            {% endfor %}""";

    private static final String LLAMA = """
            {% if tools %}Respond in the format {"name": function name, "parameters": arguments}.{% endif %}\
            {% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>

            {% if 'tool_calls' in m %}{% set f = m.tool_calls[0].function %}{{ '{"name": "' + f.name + '", "parameters": ' }}\
            {{ f.arguments | tojson }}{{ "}" }}{% else %}{{ m.content | trim }}{% endif %}<|eot_id|>{% endfor %}""";

    private static final String MISTRAL = """
            {% for m in messages %}{% if m.tool_calls is defined %}{% for c in m.tool_calls %}{% if c.id|length != 9 %}\
            {{ raise_exception("ids have nine characters") }}{% endif %}{% endfor %}[TOOL_CALLS][{% for c in m.tool_calls %}\
            {{ c.function | tojson }}{% if not loop.last %}, {% endif %}{% endfor %}]{% else %}\
            [INST]{{ m.content }}[/INST]{% endif %}{% endfor %}""";

    private static final String MISTRAL_NAMED = """
            {% for m in messages %}{% if m.tool_calls is defined %}{% for c in m.tool_calls %}[TOOL_CALLS]\
            {{ c.function.name }}[ARGS]{{ c.function.arguments | tojson }}{% endfor %}{% else %}\
            [INST]{{ m.content }}[/INST]{% endif %}{% endfor %}""";

    private static final String QWEN_CODER = """
            {% for m in messages %}<|im_start|>{{ m.role }}
            {% if m.tool_calls %}{% for c in m.tool_calls %}<tool_call>
            <function={{ c.function.name }}>
            {% for name, value in c.function.arguments|items %}<parameter={{ name }}>
            {{ value if value is string else value | tojson }}
            </parameter>
            {% endfor %}</function>
            </tool_call>{% endfor %}{% else %}{{ m.content }}{% endif %}<|im_end|>
            {% endfor %}""";

    private static final String GLM = """
            [gMASK]<sop>{% if tools %}<|system|>
            {% for t in tools %}{{ t | tojson(ensure_ascii=False) }}
            {% endfor %}{% endif %}\
            {% macro visible(content) %}{% if content is string %}{{ content }}{% else %}{{ content }}{% endif %}{% endmacro %}\
            {% for m in messages %}{% if m.role == 'assistant' %}<|assistant|>
            <think></think>{% if visible(m.content).strip() %}
            {{ visible(m.content).strip() }}{% endif %}{% for c in m.tool_calls or [] %}{% set c = c.function or c %}
            <tool_call>{{ c.name }}
            {% set args = c.arguments or {} %}{% for k, v in args.items() %}<arg_key>{{ k }}</arg_key>
            <arg_value>{{ v | tojson(ensure_ascii=False) if v is not string else v }}</arg_value>
            {% endfor %}</tool_call>{% endfor %}{% else %}<|user|>
            {{ m.content }}{% endif %}{% endfor %}""";

    private static final String GLM_DENSE = """
            [gMASK]<sop>{% for m in messages %}{% if m.role == 'assistant' %}<|assistant|></think>\
            {% for c in m.tool_calls or [] %}<tool_call>{{ c.function.name }}\
            {% for k, v in c.function.arguments.items() %}<arg_key>{{ k }}</arg_key><arg_value>\
            {{ v | tojson(ensure_ascii=False) if v is not string else v }}</arg_value>{% endfor %}</tool_call>{% endfor %}\
            {% else %}<|user|>{{ m.content }}{% endif %}{% endfor %}{# <arg_key>k</arg_key><arg_value>v</arg_value> #}""";

    private static final String SEED = """
            {% for m in messages %}<seed:bos>{{ m.role }}
            {% for c in m.tool_calls or [] %}{{ "\\n<seed:tool_call>\\n<function=" + c.function.name + ">\\n" }}\
            {% for k, v in c.function.arguments | items %}<parameter={{ k }}>{{ v if v is string else v | string }}</parameter>
            {% endfor %}</function>
            </seed:tool_call>{% endfor %}{{ m.content if m.content }}<seed:eos>{% endfor %}""";

    private static final String MINIMAX = """
            {% set begin = '<minimax:tool_call>' %}{% for m in messages %}{{ ']~b]' ~ m.role }}
            {% if m.tool_calls %}{{ begin ~ '\\n' }}{% for c in m.tool_calls %}{% set c = c.function or c %}\
            {{ '<invoke name="' + c.name + '">\\n' }}{% set args = c.arguments %}{% for k, v in args | items %}\
            {{ '<parameter name="' + k + '">' }}{{ v | tojson | string if v is not string else v }}{{ '</parameter>\\n' }}\
            {% endfor %}{{ '</invoke>\\n' }}{% endfor %}</minimax:tool_call>{% else %}{{ m.content }}{% endif %}[e~[
            {% endfor %}""";

    private static final String KIMI = """
            {% for m in messages %}<|im_{{ m.role }}|>{{ m.get('name') or m.role }}<|im_middle|>\
            {% if m.role == 'tool' %}## Return of {{ m.tool_call_id }}
            {% endif %}{% if m.content is string %}{{ m.content }}{% endif %}{% if m.get('tool_calls') %}\
            <|tool_calls_section_begin|>{% for c in m.tool_calls %}<|tool_call_begin|>{{ c.id }}<|tool_call_argument_begin|>\
            {{ c.function.arguments if c.function.arguments is string else c.function.arguments | tojson }}\
            <|tool_call_end|>{% endfor %}<|tool_calls_section_end|>{% endif %}<|im_end|>{% endfor %}""";

    private static final String PYTHONIC = """
            {% if tools %}Use exact format: [func_name1(param1=value1, param2=value2), func_name2(...)]{% endif %}\
            {% for m in messages %}<|header_start|>{{ m.role }}<|header_end|>

            {{ m.content if m.content }}{% if m.tool_calls %}[{% for c in m.tool_calls %}{{ c.function.name + '(' }}\
            {% for p in c.function.arguments %}{{ p + '=' }}{{ '%s' | format(c.function.arguments[p] | tojson) }}\
            {{ ', ' if not loop.last }}{% endfor %}){{ ', ' if not loop.last }}{% endfor %}]{% endif %}<|eot|>{% endfor %}""";

    private static final String OLMO3 = """
            {% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' }}{% if m.get('content') is not none %}\
            {{ m.content }}{% endif %}{% if m.get('tool_calls') is not none %}<function_calls>{% for c in m.tool_calls %}\
            {% set ns = namespace(parts=[]) %}{% for k, v in c.function.arguments.items() %}\
            {% set ns.parts = ns.parts + [k ~ '=' ~ (v | tojson)] %}{% endfor %}\
            {{ c.function.name + '(' + (ns.parts | join(', ')) + ')' }}{{ '\\n' if not loop.last }}{% endfor %}\
            </function_calls>{% endif %}<|im_end|>
            {% endfor %}""";

    private static final String GRANITE = """
            {% if tools %}Respond with <|tool_call|> followed by a JSON list of tools used.{% endif %}{% for m in messages %}\
            {{ '<|start_of_role|>' + m.role + '<|end_of_role|>' }}{% if m.tool_calls %}<|tool_call|>[{% for c in m.tool_calls %}\
            {{ {"name": c.function.name, "arguments": c.function.arguments} | tojson }}{{ ", " if not loop.last }}{% endfor %}]\
            {% else %}{{ m.content }}{% endif %}<|end_of_text|>
            {% endfor %}""";

    private static final String DEEPSEEK_V3 = """
            {% for m in messages %}{% if m.tool_calls %}<｜tool▁calls▁begin｜>{% for c in m.tool_calls %}\
            {{ '<｜tool▁call▁begin｜>' + c.type + '<｜tool▁sep｜>' + c.function.name + '\\n```json\\n' + c.function.arguments\
             + '\\n```<｜tool▁call▁end｜>' }}{% endfor %}<｜tool▁calls▁end｜>{% endif %}{% if m.content is not none %}\
            {{ m.content }}{% endif %}{% endfor %}""";

    private static final String DEEPSEEK_V31 = """
            {% for m in messages %}{% if m.tool_calls %}<｜tool▁calls▁begin｜>{% for c in m.tool_calls %}\
            {{ '<｜tool▁call▁begin｜>' + c.function.name + '<｜tool▁sep｜>' + c.function.arguments\
             + '<｜tool▁call▁end｜>' }}{% endfor %}<｜tool▁calls▁end｜>{% else %}{{ m.content }}{% endif %}{% endfor %}""";

    private static ChatTemplate compiled(String source) {
        return new JinjaTemplate(source, Map.of(), Clock.systemUTC());
    }

    private static String recognised(String source) {
        return ToolFormat.of(source).map(ToolFormat::name).orElse("none");
    }

    @Test
    void recognisesRealTemplates() throws IOException {
        Path folder = SharedData.find("chat_templates");
        Map<String, String> formats = new HashMap<>();
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.toList()) {
                String format = recognised(Files.readString(file));
                if (!format.equals("none")) {
                    formats.put(file.getFileName().toString(), format);
                }
            }
        }
        assertThat(formats).isEqualTo(Map.of("qwen2.5-instruct.jinja", "hermes"));
    }

    @Test
    void readsBackTheCallThatARealTemplateShows() throws IOException {
        String source = Files.readString(SharedData.find("chat_templates").resolve("qwen2.5-instruct.jinja"));
        shows(source, "hermes");
    }

    @Test
    void recognisesTheFormatThatATemplateShowsAndReadsItBack() {
        shows(HERMES, "hermes");
        shows(LLAMA, "llama3_json");
        shows(LLAMA.replace("<|start_header_id|>", "<|header_start|>"), "llama3_json");
        shows(MISTRAL, "mistral");
        shows(MISTRAL_NAMED, "mistral");
        shows(QWEN_CODER, "qwen3_coder");
        shows(SEED, "seed_oss");
        shows(MINIMAX, "minimax_m2");
        shows(KIMI, "kimi_k2");
        shows(PYTHONIC, "llama4_pythonic");
        shows(PYTHONIC.replace("header_start|>", "start_header_id|>"), "pythonic");
        shows(OLMO3, "olmo3");
        shows(GRANITE, "granite");
        shows(GLM, "glm45");
        shows(GLM_DENSE, "glm47");
        shows(DEEPSEEK_V3, "deepseek_v3");
        shows(DEEPSEEK_V31, "deepseek_v31");
    }

    /** The call that a template shows its model is one that the parser finds. */
    private static void shows(String source, String format) {
        assertThat(recognised(source)).isEqualTo(format);
        ChatTemplate template = compiled(source);
        PastCallStyle style = PastCallStyle.of(template);
        String json = "{\"text\": \"a \\\"b\\\"\", \"count\": 3}";
        Map<String, Object> arguments = new LinkedHashMap<>();
        arguments.put("text", "a \"b\"");
        arguments.put("count", 3L);
        Map<String, Object> function = new LinkedHashMap<>();
        function.put("name", "g");
        function.put("arguments", style.textArguments() ? json : arguments);
        Map<String, Object> assistant = new HashMap<>();
        assistant.put("role", "assistant");
        assistant.put("content", style.emptyContent() ? "" : null);
        String id = format.equals("mistral") ? "abcdefghi" : "functions.g:0";
        assistant.put("tool_calls", List.of(Map.of("id", id, "type", "function", "function", function)));
        String shown = template.render(List.of(assistant), List.of(), false, Map.of());
        // What the assistant's turn begins with is the prompt's.
        String answer = shown.replaceFirst("(?s).*?(?=[{\\[<](?:g\\(|\"name|TOOL|\\w*:?tool_call|\\|tool|｜tool))", "");
        Heard heard = Heard.of(ToolFormat.of(source).orElseThrow(), answer);
        assertThat(heard.calls()).as(answer).containsExactly(Called.whole("g", json));
    }

    @Test
    void recognisesNoFormatInTemplatesWithOtherCalls() {
        assertThat(recognised("<|start_header_id|> <function={{ name }}>{\"parameters\", \"name\"}</function>"))
                .isEqualTo("none");
        assertThat(recognised("<|tool_call|>[{\"name\": 1, \"arguments\": {}}]"))
                .isEqualTo("none");
        assertThat(recognised("<TOOLCALL>[{\"name\": 1, \"arguments\": {}}]</TOOLCALL>"))
                .isEqualTo("none");
        assertThat(recognised("")).isEqualTo("none");
    }

    @Test
    void choosesWhatIsNamedInPlaceOfWhatTheTemplateTells() {
        assertThat(ToolFormat.chosen("auto", HERMES)).contains(new HermesFormat());
        assertThat(ToolFormat.chosen("none", HERMES)).isEqualTo(Optional.empty());
        assertThat(ToolFormat.chosen("llama3_json", HERMES)).contains(new LlamaFormat());
        assertThat(ToolFormat.chosen("mistral", MISTRAL_NAMED))
                .contains(new MistralFormat(MistralFormat.Version.NAMED));
        assertThat(ToolFormat.chosen("mistral", HERMES)).contains(new MistralFormat(MistralFormat.Version.ARRAY));
        assertThat(ToolFormat.choices())
                .containsExactly(
                        "auto",
                        "none",
                        "openai",
                        "deepseek_v3",
                        "deepseek_v31",
                        "mistral",
                        "granite",
                        "glm45",
                        "glm47",
                        "kimi_k2",
                        "qwen3_coder",
                        "seed_oss",
                        "minimax_m2",
                        "hermes",
                        "pythonic",
                        "llama4_pythonic",
                        "olmo3",
                        "llama3_json");
    }

    @Test
    void findsOutHowATemplateTakesEarlierCalls() {
        assertThat(PastCallStyle.of(compiled(LLAMA))).isEqualTo(new PastCallStyle(false, false, true, false));
        assertThat(PastCallStyle.of(compiled(DEEPSEEK_V3))).isEqualTo(new PastCallStyle(true, false));
        assertThat(PastCallStyle.of(compiled(DEEPSEEK_V31))).isEqualTo(new PastCallStyle(true, false));
        assertThat(PastCallStyle.of(compiled("{% for m in messages %}{% if '</think>' in m.content %}{% endif %}"
                        + "{{ m.tool_calls[0].function.arguments | tojson if m.tool_calls }}{% endfor %}")))
                .isEqualTo(new PastCallStyle(false, true));
        assertThat(PastCallStyle.of(compiled("{% for m in messages %}{{ m.content }}{% endfor %}")))
                .isEqualTo(PastCallStyle.USUAL);
    }

    @Test
    void givesATemplateThatPrintsNoContentAsNoneAnEmptyOne() {
        assertThat(PastCallStyle.of(compiled(GLM))).isEqualTo(new PastCallStyle(false, true));
        String none = "None. {% for m in messages %}{{ m.tool_calls[0].function.arguments | tojson if m.tool_calls }}"
                + "{{ m.content if m.content }}{% endfor %}";
        assertThat(PastCallStyle.of(compiled(none))).isEqualTo(new PastCallStyle(false, false));
    }

    @Test
    void givesATemplateThatShowsNoCallsAContentWhereItTakesNoMessageWithout() {
        assertThat(PastCallStyle.of(compiled("{% for m in messages %}{{ m.role + m.content }}{% endfor %}")))
                .isEqualTo(new PastCallStyle(false, true));
    }

    @Test
    void givesATemplateThatPrintsArgumentsAsTheyAreTheirText() {
        assertThat(PastCallStyle.of(compiled(
                        "{% for m in messages %}{% if m.tool_calls %}{{ m.tool_calls[0].function.arguments }}{% endif %}"
                                + "{% endfor %}")))
                .isEqualTo(new PastCallStyle(true, false));
    }

    @Test
    void findsOutWhatATemplateShowsOfAMessageThatCallsTools() {
        String all = "{% for m in messages %}{% if m.tool_calls %}{% for c in m.tool_calls %}{{ c.function.name }}"
                + "{{ c.function.arguments | tojson }}{% endfor %}{% endif %}{% endfor %}";
        assertThat(PastCallStyle.of(compiled(all)).oneCall()).isFalse();
        String first = all.replace("in m.tool_calls %}", "in m.tool_calls[:1] %}");
        assertThat(PastCallStyle.of(compiled(first)).oneCall()).isTrue();
        String refuses =
                all + "{% if messages[-1].content and messages[-1].thinking %}{{ raise_exception('both') }}{% endif %}";
        assertThat(PastCallStyle.of(compiled(all)).oneText()).isFalse();
        assertThat(PastCallStyle.of(compiled(refuses)).oneText()).isTrue();
    }
}
