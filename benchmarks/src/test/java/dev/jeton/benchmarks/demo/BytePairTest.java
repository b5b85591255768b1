package dev.jeton.benchmarks.demo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class BytePairTest {
    private static final List<String> TEXTS = List.of(
            "What is the KV cache?", "What is the KV cache for?", "What is the batch size?", "Explain the cache.");

    private final BytePairTokenizer tokenizer = BytePairTrainer.train(TEXTS.stream(), 300);

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                " ",
                "What is the KV cache?",
                "  two  spaces\n\nand lines\t",
                "3 + 14 = 17.",
                "it's a caf\u00e9, \u4f60\u597d, \ud83d\ude00",
                "<|end|> spelled out"
            })
    void shouldDecodeWhatItEncodes(String text) {
        assertThat(tokenizer.decode(tokenizer.encode(text))).isEqualTo(text);
    }

    @Test
    void shouldDecodeWhatItEncodesForRandomText() {
        long seed = 42;
        Random random = new Random(seed);
        for (int round = 0; round < 500; round++) {
            int[] codePoints = random.ints(random.nextInt(30), 0, 0x3000)
                    .filter(c -> !Character.isSurrogate((char) c))
                    .toArray();
            String text = new String(codePoints, 0, codePoints.length);
            assertThat(tokenizer.decode(tokenizer.encode(text)))
                    .as("seed %d, round %d", seed, round)
                    .isEqualTo(text);
        }
    }

    @Test
    void shouldMergeWhatIsFrequent() {
        assertThat(tokenizer.encode("What is the").length).isLessThan(5);
        assertThat(tokenizer.merges()).hasSizeLessThanOrEqualTo(300 - 256 - SpecialToken.values().length);
    }

    @Test
    void shouldLearnTheSameFromTheSameTextInAnyOrder() {
        var again = BytePairTrainer.train(TEXTS.reversed().stream(), 300);

        assertThat(again.merges()).isEqualTo(tokenizer.merges());
    }

    @Test
    void shouldKeepSpecialTokensOutOfText() {
        int end = tokenizer.id(SpecialToken.END);

        assertThat(tokenizer.encode("<|end|>")).doesNotContain(end);
        assertThat(tokenizer.decode(new int[] {end})).isEmpty();
        assertThat(tokenizer.size()).isEqualTo(tokenizer.id(SpecialToken.ASSISTANT) + 1);
    }

    @Test
    void shouldSplitDigitsOneByOne() {
        assertThat(PreTokenizer.pieces("a 12 b")).containsExactly("a", " ", "1", "2", " b");
    }

    @Test
    void shouldRefuseAVocabularyWithoutRoomForTheBytes() {
        assertThatThrownBy(() -> BytePairTrainer.train(Stream.of("x"), 100))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("100");
    }

    @Test
    void shouldWriteEveryByteAndMergeIntoTheTokenizerFile() {
        String json = TokenizerFiles.tokenizerJson(tokenizer);

        assertThat(json).contains("\"\\u0120the\"", "\"<|assistant|>\": " + tokenizer.id(SpecialToken.ASSISTANT));
        assertThat(json.getBytes(StandardCharsets.US_ASCII)).isEqualTo(json.getBytes(StandardCharsets.UTF_8));
    }

    @Test
    void shouldFormatAConversationAsTheTemplateSays() {
        var format = new ChatFormat(tokenizer);
        List<Turn> turns = List.of(Turn.system("Explain"), Turn.user("What"), Turn.assistant("cache"));

        ChatFormat.Sequence sequence = format.sequence(turns);

        assertThat(sequence.ids()[0]).isEqualTo(tokenizer.id(SpecialToken.BOS));
        assertThat(Arrays.stream(sequence.ids()).filter(id -> id == tokenizer.id(SpecialToken.END)))
                .hasSize(3);
        assertThat(sequence.weights()[sequence.weights().length - 1]).isEqualTo(ChatFormat.SAID_WEIGHT);
        int[] prompt = format.prompt(turns.subList(0, 2));
        assertThat(Arrays.copyOf(sequence.ids(), prompt.length)).isEqualTo(prompt);
    }
}
