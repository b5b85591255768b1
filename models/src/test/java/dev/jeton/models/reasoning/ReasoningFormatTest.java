package dev.jeton.models.reasoning;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.SharedData;
import dev.jeton.models.reasoning.ReasoningFormat.Opening;
import dev.jeton.models.template.JinjaTemplate;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What is known of a model's thinking by its template: of ones that open and close it as real ones do. */
class ReasoningFormatTest {

    private static final String QWEN3 = """
            {% for m in messages %}<|im_start|>{{ m.role }}
            {% if m.reasoning_content is string %}<think>
            {{ m.reasoning_content.strip('\\n') }}
            </think>

            {% endif %}{{ m.content.split('</think>')[-1] }}<|im_end|>
            {% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
            {% if enable_thinking is defined and enable_thinking is false %}<think>

            </think>

            {% endif %}{% endif %}""";

    private static final String QWQ = """
            {% for m in messages %}<|im_start|>{{ m.role }}
            {{ m.content.split('</think>')[-1] }}<|im_end|>
            {% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
            <think>
            {% endif %}""";

    private static final String GLM45 = """
            [gMASK]<sop>{% for m in messages %}{% if m.role == 'user' %}<|user|>
            {{ m.content }}{{ '/nothink' if enable_thinking is defined and not enable_thinking }}\
            {% else %}<|assistant|>{{ m.content.split('</think>')[-1] }}{% endif %}{% endfor %}\
            {% if add_generation_prompt %}<|assistant|>\
            {{- '\\n<think></think>' if enable_thinking is defined and not enable_thinking }}{% endif %}""";

    private static final String GLM47 = """
            [gMASK]<sop>{% for m in messages %}<|user|>{{ m.content }}{% endfor %}{% if add_generation_prompt %}<|assistant|>\
            {{- '</think>' if enable_thinking is defined and not enable_thinking else '<think>' }}{% endif %}""";

    private static final String DEEPSEEK_R1 = """
            {% for m in messages %}{% if m.role == 'user' %}<｜User｜>{{ m.content }}{% else %}<｜Assistant｜>\
            {{ m.content.split('</think>')[-1] }}<｜end▁of▁sentence｜>{% endif %}{% endfor %}\
            {% if add_generation_prompt %}<｜Assistant｜>{% endif %}""";

    private static final String DEEPSEEK_V31 = """
            {% for m in messages %}{{ '<｜tool▁output▁begin｜>' if m.role == 'tool' else '<｜User｜>' }}\
            {{ m.content.split('</think>')[-1] }}{% endfor %}{% if add_generation_prompt and messages[-1].role != 'tool' %}<｜Assistant｜>{{ '<think>' if thinking else '</think>' }}{% endif %}""";

    private static final String MINIMAX = """
            {% for m in messages %}]~b]{{ m.role }}
            {{ m.content.split('</think>')[-1] }}[e~[
            {% endfor %}{% if add_generation_prompt %}]~b]ai
            <think>
            {% endif %}""";

    private static final String KIMI = """
            {% for m in messages %}<|im_{{ m.role }}|>{{ m.role }}<|im_middle|>{% if m.role == 'assistant' %}<think></think>\
            {% endif %}{{ m.content }}<|im_end|>{% endfor %}{% if add_generation_prompt %}<|im_assistant|>assistant<|im_middle|>\
            {% endif %}""";

    private static final String MAGISTRAL = """
            {% if messages[0].role != 'system' %}[SYSTEM_PROMPT]First draft: [THINK]thoughts[/THINK]answer[/SYSTEM_PROMPT]\
            {% endif %}{% for m in messages %}[INST]{{ m.content }}[/INST]{% endfor %}""";

    private static Optional<Opening> opening(String source, Map<String, Object> variables) {
        return opening(
                source,
                variables,
                List.of(
                        Map.of("role", "user", "content", "What is <think>?"),
                        Map.of("role", "assistant", "content", "<think>Hm</think>A mark."),
                        Map.of("role", "user", "content", "And </think>?")));
    }

    private static Optional<Opening> opening(
            String source, Map<String, Object> variables, List<Map<String, Object>> messages) {
        String prompt =
                new JinjaTemplate(source, Map.of(), Clock.systemUTC()).render(messages, List.of(), true, variables);
        return ReasoningFormat.of(source).map(format -> format.opening(prompt));
    }

    @Test
    void recognisesTheFormatByTheMarksOfATemplate() {
        assertThat(ReasoningFormat.of(QWEN3)).contains(ReasoningFormat.QWEN3);
        assertThat(ReasoningFormat.of(QWQ)).contains(ReasoningFormat.QWEN3);
        assertThat(ReasoningFormat.of(GLM45)).contains(ReasoningFormat.GLM45);
        assertThat(ReasoningFormat.of(GLM47)).contains(ReasoningFormat.GLM45);
        assertThat(ReasoningFormat.of(DEEPSEEK_R1)).contains(ReasoningFormat.DEEPSEEK_R1);
        assertThat(ReasoningFormat.of(DEEPSEEK_V31)).contains(ReasoningFormat.DEEPSEEK_V3);
        assertThat(ReasoningFormat.of(MINIMAX)).contains(ReasoningFormat.MINIMAX_M2);
        assertThat(ReasoningFormat.of(KIMI)).contains(ReasoningFormat.KIMI_K2);
        assertThat(ReasoningFormat.of(MAGISTRAL)).contains(ReasoningFormat.MISTRAL);
        assertThat(ReasoningFormat.of("<seed:think>")).contains(ReasoningFormat.SEED_OSS);
        assertThat(ReasoningFormat.of("<｜Assistant｜>{{ think }}")).isEmpty();
    }

    @Test
    void recognisesNoneInRealTemplatesOfModelsThatDoNotThink() throws IOException {
        Path folder = SharedData.find("chat_templates");
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file :
                    files.filter(name -> name.toString().endsWith(".jinja")).toList()) {
                assertThat(ReasoningFormat.of(Files.readString(file)))
                        .as("%s", file)
                        .isEmpty();
            }
        }
    }

    @Test
    void learnsFromThePromptWhetherItHasBegunOrEndedTheThinking() {
        assertThat(opening(QWEN3, Map.of())).contains(Opening.EITHER);
        assertThat(opening(QWEN3, Map.of("enable_thinking", true))).contains(Opening.EITHER);
        assertThat(opening(QWEN3, Map.of("enable_thinking", false))).contains(Opening.ANSWERING);
        assertThat(opening(QWQ, Map.of())).contains(Opening.THINKING);
        assertThat(opening(GLM45, Map.of())).contains(Opening.EITHER);
        assertThat(opening(GLM45, Map.of("enable_thinking", false))).contains(Opening.ANSWERING);
        assertThat(opening(GLM47, Map.of())).contains(Opening.THINKING);
        assertThat(opening(GLM47, Map.of("enable_thinking", false))).contains(Opening.ANSWERING);
        assertThat(opening(DEEPSEEK_R1, Map.of())).contains(Opening.THINKING);
        assertThat(opening(DEEPSEEK_V31, Map.of())).contains(Opening.ANSWERING);
        assertThat(opening(DEEPSEEK_V31, Map.of("thinking", true))).contains(Opening.THINKING);
        assertThat(opening(MINIMAX, Map.of())).contains(Opening.THINKING);
        assertThat(opening(KIMI, Map.of())).contains(Opening.EITHER);
        assertThat(opening(MAGISTRAL, Map.of())).contains(Opening.EITHER);
    }

    @Test
    void takesAnAnswerBehindAToolsResultForOneWhereATemplateSaysNothingOfThinkingThere() {
        List<Map<String, Object>> messages =
                List.of(Map.of("role", "user", "content", "How warm?"), Map.of("role", "tool", "content", "21"));
        assertThat(opening(DEEPSEEK_V31, Map.of(), messages)).contains(Opening.EITHER);
    }

    @Test
    void choosesWhatIsNamedInPlaceOfWhatTheTemplateTells() {
        assertThat(ReasoningFormat.chosen("auto", QWQ)).contains(ReasoningFormat.QWEN3);
        assertThat(ReasoningFormat.chosen("none", QWQ)).isEmpty();
        assertThat(ReasoningFormat.chosen("deepseek_r1", QWQ)).contains(ReasoningFormat.DEEPSEEK_R1);
        assertThat(ReasoningFormat.choices())
                .containsExactly(
                        "auto",
                        "none",
                        "openai_gptoss",
                        "mistral",
                        "seed_oss",
                        "deepseek_v3",
                        "deepseek_r1",
                        "minimax_m2",
                        "kimi_k2",
                        "glm45",
                        "qwen3");
    }

    @ParameterizedTest
    @EnumSource(value = ReasoningFormat.class, mode = EnumSource.Mode.EXCLUDE, names = "HARMONY")
    void hasMarksThatCannotBeginWithinThemselves(ReasoningFormat format) {
        for (String mark : List.of(format.begin(), format.end())) {
            assertThat(mark.indexOf(mark.charAt(0), 1)).isEqualTo(-1);
            assertThat(mark.chars().allMatch(c -> c > ' ' && c < 0x7f)).isTrue();
        }
    }
}
