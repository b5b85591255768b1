package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.models.ModelException;
import dev.jeton.models.template.JinjaTemplate;
import dev.jeton.server.testing.ByteTokenizer;
import java.time.Clock;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ModelDialectsTest {

    private static final String HARMONY = "{# <|channel|> <|message|> #}{{ messages[0].content }}";
    private static final String PLAIN = "{{ messages[0].content }}";

    private static ModelDialects of(String tools, String reasoning, String template) {
        return ModelDialects.of(
                tools,
                reasoning,
                Optional.of(new JinjaTemplate(template, Map.of(), Clock.systemUTC())),
                new ByteTokenizer());
    }

    private static String told(ModelDialects dialects) {
        String calls = dialects.tools()
                .dialect()
                .map(dialect -> dialect.format().name())
                .orElse("none");
        return calls + " "
                + dialects.reasoning()
                        .map(dialect -> dialect.format().text() + (dialect.apart() ? " apart" : " within"))
                        .orElse("none");
    }

    @ParameterizedTest
    @CsvSource({
        "auto, auto, true, openai openai_gptoss apart",
        "auto, auto, false, none none",
        "openai, auto, false, openai openai_gptoss apart",
        "auto, openai_gptoss, false, openai openai_gptoss apart",
        "openai, none, false, openai openai_gptoss within",
        "none, openai_gptoss, false, none openai_gptoss apart",
        "none, none, true, none none",
        "auto, none, true, openai openai_gptoss within",
        "none, auto, true, none openai_gptoss apart",
        "hermes, qwen3, true, hermes qwen3 apart",
        "hermes, none, true, hermes none"
    })
    void shouldReadAnswersAsOneFormatWhereEitherSettingSaysSo(
            String tools, String reasoning, boolean harmony, String told) {
        assertThat(told(of(tools, reasoning, harmony ? HARMONY : PLAIN))).isEqualTo(told);
    }

    @ParameterizedTest
    @CsvSource({"hermes, openai_gptoss", "openai, qwen3", "hermes, auto", "auto, qwen3"})
    void shouldRefuseSettingsThatContradictOneAnother(String tools, String reasoning) {
        assertThatThrownBy(() -> of(tools, reasoning, HARMONY))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining(tools)
                .hasMessageContaining(reasoning);
    }

    @Test
    void shouldEndAnswersWithTheMarksOfTheFormatToo() {
        ByteTokenizer tokenizer = new ByteTokenizer();
        assertThat(of("auto", "auto", HARMONY).ends(new int[] {1, tokenizer.id("<|return|>")}))
                .containsExactly(1, tokenizer.id("<|return|>"), tokenizer.id("<|call|>"));
        assertThat(of("auto", "auto", PLAIN).ends(new int[] {1})).containsExactly(1);
    }

    @Test
    void shouldKnowNothingOfAModelWithoutATemplate() {
        assertThat(told(ModelDialects.of("openai", "auto", Optional.empty(), new ByteTokenizer())))
                .isEqualTo("none none");
    }
}
