package dev.jeton.models.harmony;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class HarmonyHeaderTest {

    private static HarmonyHeader parse(String text) {
        String signed = text;
        for (HarmonyMark mark : HarmonyMark.values()) {
            signed = signed.replace(mark.text(), String.valueOf(mark.sign()));
        }
        return HarmonyHeader.parse(signed);
    }

    @ParameterizedTest
    @CsvSource({
        "'',,,",
        "assistant,,,",
        "assistant<|channel|>analysis,analysis,,",
        "<|channel|>final,final,,",
        "assistant<|channel|> final,final,,",
        "assistant<|channel|>final<|constrain|>json,final,,",
        "assistant<|channel|>commentary to=functions.f <|constrain|>json,commentary,functions.f,",
        "assistant to=functions.f<|channel|>commentary json,commentary,functions.f,",
        "assistant to=functions.f <|constrain|> json<|channel|>commentary,commentary,functions.f,",
        "functions.f to=assistant<|channel|>commentary,commentary,assistant,",
        "user<|channel|>commentary,commentary,,",
        "assistant<|channel|>commentaryto=f,commentary,f,",
        "assistant<|channel|>to=f,,f,",
        "assistant<|channel|>news code,news,,",
        "assistant<|channel|>final We think,final,,' We think'",
        "assistant<|channel|>commentary to=functions.f {,commentary,functions.f,' {'",
        "assistant Hello,,,' Hello'",
        "assistant<|channel|>analysis<|channel|>final,final,,"
    })
    void readsWhatAHeaderSaysHoweverItIsWritten(String text, String channel, String recipient, String rest) {
        assertThat(parse(text))
                .isEqualTo(new HarmonyHeader(
                        Optional.ofNullable(channel).orElse(""),
                        Optional.ofNullable(recipient).orElse(""),
                        Optional.ofNullable(rest).orElse("")));
    }

    @Test
    void knowsFunctionsByTheirPrefixAndThoseThatThereAreWithoutIt() {
        assertThat(parse("<|channel|>commentary to=functions.f").function(name -> false))
                .contains("f");
        assertThat(parse("<|channel|>commentary to=f").function("f"::equals)).contains("f");
        assertThat(parse("<|channel|>commentary to=f").function(name -> false)).isEmpty();
        assertThat(parse("<|channel|>commentary to=functions.").function(name -> false))
                .isEmpty();
        assertThat(parse("<|channel|>commentary to=assistant").function(name -> true))
                .isEmpty();
        assertThat(parse("<|channel|>commentary to=assistant").toTool()).isFalse();
        assertThat(parse("<|channel|>analysis to=python").toTool()).isTrue();
    }

    @Test
    void hasSignsThatNoTextHasAndFindsTheirMarks() {
        for (HarmonyMark mark : HarmonyMark.values()) {
            assertThat(Character.isLowSurrogate(mark.sign())).isTrue();
            assertThat(HarmonyMark.of(mark.sign())).contains(mark);
            assertThat(HarmonyMark.of(mark.text())).contains(mark);
            assertThat(mark.text().indexOf(mark.text().charAt(0), 1)).isEqualTo(-1);
        }
        assertThat(HarmonyMark.of('a')).isEmpty();
        assertThat(HarmonyMark.of(Character.MIN_LOW_SURROGATE)).isEmpty();
    }
}
