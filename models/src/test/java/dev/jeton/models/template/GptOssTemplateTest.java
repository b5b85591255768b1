package dev.jeton.models.template;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.models.TemplateException;
import dev.jeton.models.reasoning.ReasoningFormat;
import dev.jeton.models.tools.HarmonyFormat;
import dev.jeton.models.tools.PastCallStyle;
import dev.jeton.models.tools.ToolFormat;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.json.JsonMapper;

/** The chat template of the gpt-oss models, against what python3-jinja2 rendered of it. */
class GptOssTemplateTest {

    private static final String FOLDER = "/templates/gpt-oss/";
    private static final Clock CLOCK = Clock.fixed(Instant.parse("2026-07-04T09:05:03Z"), ZoneOffset.UTC);

    private static byte[] read(String name) throws IOException {
        try (InputStream in = GptOssTemplateTest.class.getResourceAsStream(FOLDER + name)) {
            return in.readAllBytes();
        }
    }

    private static String source() throws IOException {
        return new String(read("chat_template.jinja"), StandardCharsets.UTF_8);
    }

    private static JinjaTemplate template() throws IOException {
        return new JinjaTemplate(source(), Map.of("bos_token", "<|startoftext|>", "eos_token", "<|return|>"), CLOCK);
    }

    /** One rendering by the oracle. */
    record Case(Map<String, Object> fields) {
        @Override
        public String toString() {
            return fields.get("name") + (prompt() ? ", with a prompt" : "");
        }

        boolean prompt() {
            return (Boolean) fields.get("add_generation_prompt");
        }

        @SuppressWarnings("unchecked")
        String render() throws IOException {
            return template()
                    .render(
                            (List<Map<String, Object>>) fields.get("messages"),
                            (List<Map<String, Object>>) fields.get("tools"),
                            prompt(),
                            (Map<String, Object>) fields.get("variables"));
        }
    }

    @SuppressWarnings("unchecked")
    static Stream<Case> cases() throws IOException {
        return ((List<Map<String, Object>>) JsonMapper.shared().readValue(read("golden.json"), List.class))
                .stream().map(Case::new);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("cases")
    void rendersAsPythonDoes(Case wanted) throws IOException {
        if (wanted.fields().containsKey("error")) {
            assertThatThrownBy(wanted::render).isInstanceOf(TemplateException.class);
        } else {
            assertThat(wanted.render()).isEqualTo(wanted.fields().get("expected"));
        }
    }

    @Test
    void takesOneCallAndOneTextInAMessage() throws IOException {
        assertThat(PastCallStyle.of(template())).isEqualTo(new PastCallStyle(false, true, true, true));
    }

    @Test
    void isRecognised() throws IOException {
        assertThat(ReasoningFormat.of(source())).contains(ReasoningFormat.HARMONY);
        assertThat(ToolFormat.of(source())).contains(new HarmonyFormat());
    }
}
