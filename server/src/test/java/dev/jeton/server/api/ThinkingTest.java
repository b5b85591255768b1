package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.harmony.HarmonyMark;
import dev.jeton.models.reasoning.ReasoningDialect;
import dev.jeton.models.reasoning.ReasoningFormat;
import dev.jeton.models.reasoning.ReasoningFormat.Opening;
import dev.jeton.models.reasoning.ReasoningPlace;
import dev.jeton.server.api.ReasoningOptions.Shown;
import dev.jeton.server.testing.ByteTokenizer;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

class ThinkingTest {

    private final StringBuilder text = new StringBuilder();

    private Thinking thinking(boolean streamed) {
        ReasoningUse use = new ReasoningUse(
                new ReasoningDialect(ReasoningFormat.HARMONY, ByteTokenizer.marking()),
                ReasoningPlace.of(Opening.ANSWERING),
                new ReasoningOptions(Shown.APART, streamed, OptionalInt.empty()),
                true);
        Thinking.Progress progress = new Thinking.Progress() {
            @Override
            public void pass() {}

            @Override
            public int text() {
                return text.length();
            }

            @Override
            public int calls() {
                return 0;
            }
        };
        return new Thinking(use, Optional.empty(), progress, text, text);
    }

    private static String signed(String of) {
        String signed = of;
        for (HarmonyMark mark : HarmonyMark.values()) {
            signed = signed.replace(mark.text(), String.valueOf(mark.sign()));
        }
        return signed;
    }

    @Test
    void saysBehindHowMuchTextAThoughtCame() {
        Thinking thinking = thinking(true);
        thinking.add(signed("one<|end|><|start|>assistant<|channel|>analysis<|message|>a"));
        thinking.add(signed("b<|end|><|start|>assistant<|channel|>final<|message|>two<|channel|>analysis<|message|>c"));
        assertThat(thinking.news()).hasSize(2);
        assertThat(thinking.news().get(0).text().toString()).isEqualTo("ab");
        assertThat(thinking.news().get(0).after()).isEqualTo("one".length());
        assertThat(thinking.news().get(1).after()).isEqualTo("one\n\ntwo".length());
    }

    @Test
    void goesBehindTextThatIsWrittenWhileItWaitsToBeWhole() {
        Thinking thinking = thinking(false);
        thinking.add(signed("one<|end|><|start|>assistant<|channel|>analysis<|message|>a"));
        assertThat(thinking.news()).isEmpty();
        text.setLength(0);
        thinking.markWritten();
        thinking.add(signed("b<|end|>"));
        assertThat(thinking.news().stream()
                        .map(news -> news.after() + news.text().toString()))
                .containsExactly("0ab");
    }
}
