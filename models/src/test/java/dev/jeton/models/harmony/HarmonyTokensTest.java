package dev.jeton.models.harmony;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.Detokenizer;
import dev.jeton.models.Tokenizer;
import dev.jeton.models.grammar.GrammarVocabulary;
import dev.jeton.models.harmony.HarmonyTokens.Place;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class HarmonyTokensTest {

    /** Tokens are characters, and marks where the vocabulary has them. */
    private record Characters(boolean marks) implements Tokenizer {

        private static final int FIRST = 0x1_0000;

        @Override
        public int[] encode(String text, boolean addSpecialTokens) {
            List<Integer> ids = new ArrayList<>();
            for (int at = 0; at < text.length(); ) {
                String rest = text.substring(at);
                Optional<HarmonyMark> mark = Arrays.stream(HarmonyMark.values())
                        .filter(each -> marks && rest.startsWith(each.text()))
                        .findFirst();
                ids.add(mark.map(each -> FIRST + each.ordinal()).orElse((int) text.charAt(at)));
                at += mark.map(each -> each.text().length()).orElse(1);
            }
            return ids.stream().mapToInt(Integer::intValue).toArray();
        }

        @Override
        public int[] encodePair(String first, String second) {
            return encode(first + second, false);
        }

        @Override
        public String decode(int[] ids, boolean skipSpecialTokens) {
            StringBuilder text = new StringBuilder();
            for (int id : ids) {
                text.append(id < FIRST ? String.valueOf((char) id) : skipSpecialTokens ? "" : token(id));
            }
            return text.toString();
        }

        @Override
        public String token(int id) {
            return id < FIRST ? String.valueOf((char) id) : HarmonyMark.values()[id - FIRST].text();
        }

        @Override
        public int id(String token) {
            return HarmonyMark.of(token)
                    .filter(mark -> marks)
                    .map(mark -> FIRST + mark.ordinal())
                    .orElse(-1);
        }

        @Override
        public boolean special(int id) {
            return id >= FIRST;
        }

        @Override
        public int vocabularySize() {
            return FIRST + HarmonyMark.values().length;
        }

        @Override
        public Optional<GrammarVocabulary> grammarVocabulary(int size) {
            return Optional.empty();
        }

        @Override
        public Detokenizer detokenizer(boolean skipSpecialTokens) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void close() {}
    }

    private static String signed(String text) {
        String signed = text;
        for (HarmonyMark mark : HarmonyMark.values()) {
            signed = signed.replace(mark.text(), String.valueOf(mark.sign()));
        }
        return signed;
    }

    @ParameterizedTest
    @CsvSource({
        "<|start|>user<|message|>a<|end|><|start|>assistant,assistant,false",
        "<|start|>user<|message|>a<|end|><|start|>,'',false",
        "<|start|>user<|message|>a<|end|>,'',false",
        "<|start|>assistant<|channel|>final<|message|>a<|return|>,'',false",
        "<|start|>assistant<|channel|>analysis<|message|>,assistant<|channel|>analysis,true",
        "<|start|>user<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>b,assistant<|channel|>final,true",
        "<|start|>assistant<|channel|>commentary to=functions.f,assistant<|channel|>commentary to=functions.f,false",
        "no marks at all,'',false",
        "<|start|>assistant<|channel|>final<|message|>\ud83c\udfff \ud83c\udffb,assistant<|channel|>final,true",
        "<|message|>a,'',false"
    })
    void tellsWhereAPromptLeavesTheModel(String prompt, String header, boolean within) {
        for (boolean marks : new boolean[] {true, false}) {
            Characters tokenizer = new Characters(marks);
            assertThat(new HarmonyTokens(tokenizer).place(tokenizer.encode(prompt, false)))
                    .as("%s", marks)
                    .isEqualTo(new Place(signed(header), within));
        }
    }

    @Test
    void findsTheHeaderOfALongTextThatIsBegun() {
        Characters tokenizer = new Characters(true);
        int[] prompt =
                tokenizer.encode("<|start|>assistant<|channel|>final<|message|>" + "word ".repeat(10_000), false);
        assertThat(new HarmonyTokens(tokenizer).place(prompt))
                .isEqualTo(new Place(signed("assistant<|channel|>final"), true));
    }

    @Test
    void takesAHeaderThatIsTooLongForNone() {
        Characters tokenizer = new Characters(true);
        HarmonyTokens tokens = new HarmonyTokens(tokenizer);
        assertThat(tokens.place(tokenizer.encode("<|start|>" + "a".repeat(500), false)))
                .isEqualTo(Place.BEFORE);
        assertThat(tokens.place(tokenizer.encode("<|start|>" + "a".repeat(500) + "<|message|>b", false)))
                .isEqualTo(Place.BEFORE);
        assertThat(tokens.place(new int[0])).isEqualTo(Place.BEFORE);
    }

    @Test
    void knowsItsMarksAndThoseThatEndAnAnswer() {
        Characters tokenizer = new Characters(true);
        HarmonyTokens tokens = new HarmonyTokens(tokenizer);
        assertThat(tokens.known()).isTrue();
        assertThat(tokens.mark(tokenizer.id("<|end|>"))).contains(HarmonyMark.END);
        assertThat(tokens.mark('a')).isEmpty();
        assertThat(tokens.ends()).containsExactly(tokenizer.id("<|return|>"), tokenizer.id("<|call|>"));
        HarmonyTokens none = new HarmonyTokens(new Characters(false));
        assertThat(none.known()).isFalse();
        assertThat(none.ends()).isEmpty();
    }
}
