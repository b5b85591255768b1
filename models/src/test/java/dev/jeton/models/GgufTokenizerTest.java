package dev.jeton.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class GgufTokenizerTest {

    private static final long SEED = 1_234;

    @TempDir
    private Path folder;

    @Test
    void aSentencePieceVocabularyGivesTheIdsOfItsOwnTokenizer() throws IOException {
        Path stories = SharedData.find("stories260K");
        Path gguf = GgufStories.write(stories, folder.resolve("stories.gguf"), name -> TensorType.F32);
        try (FolderTokenizer own = FolderTokenizer.load(stories);
                FolderTokenizer read = FolderTokenizer.load(gguf)) {
            assertThat(read.vocabularySize()).isEqualTo(own.vocabularySize());
            Random random = new Random(SEED);
            for (int round = 0; round < 2000; round++) {
                String text = text(random, own);
                int[] ids = own.encode(text, true);
                assertThat(read.encode(text, true))
                        .as("seed %d, round %d: %s", SEED, round, text)
                        .isEqualTo(ids);
                assertThat(read.encode(text, false)).isEqualTo(own.encode(text, false));
                assertThat(read.decode(ids, true)).isEqualTo(own.decode(ids, true));
                Detokenizer stream = read.detokenizer(true);
                StringBuilder streamed = new StringBuilder();
                for (int id : ids) {
                    streamed.append(stream.add(id));
                }
                assertThat(streamed + stream.finish()).isEqualTo(own.decode(ids, true));
            }
            for (int id = 0; id < own.vocabularySize(); id++) {
                assertThat(read.token(id)).isEqualTo(own.token(id));
                assertThat(read.special(id)).isEqualTo(own.special(id));
            }
        }
    }

    /** Words, pieces, characters of many scripts, white space, and special tokens. */
    private static String text(Random random, FolderTokenizer tokenizer) {
        String[] words = {"Once upon a time", "Lily", "said", "the", "Timmy's", "dog.", "\"Wow!\"", "<s>", "</s>", "\n"
        };
        String[] strange = {" ", "  ", "\t", "\u00e9", "\u4e2d\u6587", "\ud83d\ude00", "\u2581", "\u0301", "<0x41>", ""
        };
        StringBuilder text = new StringBuilder();
        for (int i = random.nextInt(12); i >= 0; i--) {
            switch (random.nextInt(4)) {
                case 0 -> text.append(strange[random.nextInt(strange.length)]);
                case 1 -> text.append(tokenizer.token(259 + random.nextInt(250)).replace('\u2581', ' '));
                default -> text.append(words[random.nextInt(words.length)]).append(random.nextBoolean() ? " " : "");
            }
        }
        return text.toString();
    }

    @ParameterizedTest
    @CsvSource({
        "gpt-2, 1234",
        "default, 123|4",
        "llama-bpe, 123|4",
        "qwen2, 1|2|3|4",
        "qwen35, 1|2|3|4",
        "smollm, 1|2|3|4",
        "tekken, 1|2|3|4",
        "gpt-4o, 123|4",
        "falcon, 123|4",
        "deepseek-coder, 1|2|3|4",
        "deepseek-llm, 1|2|3|4",
        "deepseek-v3, 123|4",
        "glm4, 123|4",
        "kimi-k2, 123|4",
        "minimax-m2, 123|4",
        "exaone4, 1234",
        "seed-coder, 1|2|3|4",
        "dbrx, 123|4",
        "smaug-bpe, 123|4"
    })
    void splitsDigitsAsTheNamedTokenizerDoes(String pre, String expected) throws IOException {
        try (FolderTokenizer tokenizer =
                FolderTokenizer.load(byteLevel().put("tokenizer.ggml.pre", pre).write(folder.resolve("m.gguf")))) {
            assertThat(pieces(tokenizer, "1234")).isEqualTo(Arrays.asList(expected.split("\\|")));
        }
    }

    @ParameterizedTest
    @EnumSource(GgufSplits.class)
    void everyTextComesBackWhateverSplitsIt(GgufSplits splits) throws IOException {
        String pre = splits == GgufSplits.GPT2
                ? "gpt-2"
                : Stream.of(
                                "default",
                                "llama-bpe",
                                "qwen2",
                                "qwen35",
                                "smollm",
                                "tekken",
                                "gpt-4o",
                                "falcon",
                                "deepseek-coder",
                                "deepseek-llm",
                                "deepseek-v3",
                                "glm4",
                                "kimi-k2",
                                "seed-coder",
                                "smaug-bpe")
                        .filter(name -> GgufSplits.named("test", java.util.Optional.of(name)) == splits)
                        .findFirst()
                        .orElseThrow();
        try (FolderTokenizer tokenizer =
                FolderTokenizer.load(byteLevel().put("tokenizer.ggml.pre", pre).write(folder.resolve("m.gguf")))) {
            Random random = new Random(SEED);
            for (int round = 0; round < 200; round++) {
                StringBuilder text = new StringBuilder();
                for (int i = random.nextInt(20); i >= 0; i--) {
                    text.appendCodePoint("aB1 \n\t'.\u00e9\u4e2d!sS".codePointAt(random.nextInt(13)));
                }
                assertThat(tokenizer.decode(tokenizer.encode(text.toString(), false), false))
                        .as("seed %d, round %d", SEED, round)
                        .isEqualTo(text.toString());
            }
        }
    }

    @Test
    void wordsAreCutAsLlama3Does() throws IOException {
        try (FolderTokenizer tokenizer = FolderTokenizer.load(
                byteLevel().put("tokenizer.ggml.pre", "llama-bpe").write(folder.resolve("m.gguf")))) {
            // a space goes with the word after it, and so does a dot; before the contraction there is a cut
            assertThat(pieces(tokenizer, "ab ab.ab")).containsExactly("ab", "\u0120ab", ".ab");
        }
    }

    /** Whether a merge across a place is made says whether there is a cut. */
    @ParameterizedTest
    @CsvSource({
        "deepseek-llm, ' ab.ab', \u0120ab|.|ab",
        "deepseek-v3, ' ab.ab', \u0120ab|.ab",
        "deepseek-v3, '\"ab', \"ab",
        "glm4, ' ab.ab', \u0120ab|.ab",
        "kimi-k2, ' ab.ab', \u0120ab|.ab",
        "seed-coder, ' ab.ab', \u0120ab|.ab",
        "glm4, '\u4e2dab', \u00e4\u00b8\u0143ab",
        "deepseek-llm, '\u4e2dab', \u00e4|\u00b8|\u0143|ab",
        "deepseek-v3, '\u4e2dab', \u00e4|\u00b8|\u0143|ab",
        "kimi-k2, '\u4e2dab', \u00e4|\u00b8|\u0143|ab"
    })
    void cutsWordsAsTheNamedTokenizerDoes(String pre, String text, String expected) throws IOException {
        try (FolderTokenizer tokenizer =
                FolderTokenizer.load(byteLevel().put("tokenizer.ggml.pre", pre).write(folder.resolve("m.gguf")))) {
            assertThat(pieces(tokenizer, text)).isEqualTo(Arrays.asList(expected.split("\\|")));
        }
    }

    /** As tiktoken does, whose vocabularies have tokens that no merges make. */
    @ParameterizedTest
    @CsvSource({"llama-bpe, zz", "tekken, zz", "kimi-k2, zz", "glm4, z|z"})
    void someTokenizersTakeAWordThatIsATokenWhole(String pre, String expected) throws IOException {
        try (FolderTokenizer tokenizer = FolderTokenizer.load(
                byteLevel("zz").put("tokenizer.ggml.pre", pre).write(folder.resolve("m.gguf")))) {
            assertThat(pieces(tokenizer, "zz")).isEqualTo(Arrays.asList(expected.split("\\|")));
        }
    }

    @Test
    void specialTokensAreFoundInTextAndPutBeforeIt() throws IOException {
        GgufWriter writer = byteLevel()
                .put("tokenizer.ggml.pre", "llama-bpe")
                .put("tokenizer.ggml.bos_token_id", 0)
                .put("tokenizer.ggml.eos_token_id", 1)
                .put("tokenizer.ggml.add_eos_token", true);
        try (FolderTokenizer tokenizer = FolderTokenizer.load(writer.write(folder.resolve("m.gguf")))) {
            assertThat(tokenizer.encode("<|end|><tool>", true)).containsExactly(0, 1, 2, 1);
            assertThat(tokenizer.encode("<|end|>", false)).containsExactly(1);
            assertThat(tokenizer.special(1)).isTrue();
            assertThat(tokenizer.special(2)).isFalse();
            assertThat(tokenizer.decode(new int[] {0, 2, 1}, true)).isEqualTo("<tool>");
        }
        Path without = byteLevel()
                .put("tokenizer.ggml.pre", "llama-bpe")
                .put("tokenizer.ggml.bos_token_id", 0)
                .put("tokenizer.ggml.add_bos_token", false)
                .write(folder.resolve("w.gguf"));
        try (FolderTokenizer tokenizer = FolderTokenizer.load(without)) {
            assertThat(tokenizer.encode("<|end|>", true)).containsExactly(1);
        }
    }

    @Test
    void refusesByNameWhatItDoesNotKnow() throws IOException {
        refused(byteLevel().put("tokenizer.ggml.pre", "brand-new"), "pre-tokenizer \"brand-new\"");
        refused(new GgufWriter().put("tokenizer.ggml.tokens", List.of("a")), "\"tokenizer.ggml.model\" is missing");
        refused(
                new GgufWriter().put("tokenizer.ggml.model", "bert").put("tokenizer.ggml.tokens", List.of("a")),
                "tokenizer \"bert\"");
        refused(new GgufWriter().put("tokenizer.ggml.model", "llama"), "has no tokenizer");
        refused(
                new GgufWriter().put("tokenizer.ggml.model", "llama").put("tokenizer.ggml.tokens", List.of("a")),
                "\"tokenizer.ggml.scores\" of 0");
        refused(
                new GgufWriter()
                        .put("tokenizer.ggml.model", "gpt2")
                        .put("tokenizer.ggml.tokens", List.of("a"))
                        .put("tokenizer.ggml.merges", List.of("a b")),
                "merge \"a b\"");
    }

    private void refused(GgufWriter writer, String message) throws IOException {
        Path file =
                writer.tensor("t", TensorType.F32, new int[] {1}, new byte[4]).write(folder.resolve("m.gguf"));
        assertThatThrownBy(() -> FolderTokenizer.load(file))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining(message);
    }

    /**
     * Three special tokens (the last a tool's, which is text), the bytes, merges of digits and letters, and tokens that
     * no merges make.
     */
    private static GgufWriter byteLevel(String... unmerged) {
        List<String> tokens = new ArrayList<>(List.of("<|begin|>", "<|end|>", "<tool>"));
        int next = 256;
        for (int b = 0; b < 256; b++) {
            boolean printable = b >= '!' && b <= '~' || b >= 0xa1 && b <= 0xac || b >= 0xae;
            tokens.add(Character.toString(printable ? b : next++));
        }
        List<String> merges = List.of(
                "1 2",
                "12 3",
                "123 4",
                "a b",
                "\u0120 ab",
                ". ab",
                "\u00c3 \u00a9",
                "\u0120 \u0120",
                "\" ab",
                "\u0143 ab",
                "\u00b8 \u0143ab",
                "\u00e4 \u00b8\u0143ab");
        merges.forEach(merge -> tokens.add(merge.replace(" ", "")));
        tokens.addAll(List.of(unmerged));
        int[] types = new int[tokens.size()];
        Arrays.fill(types, 1);
        System.arraycopy(new int[] {3, 3, 4}, 0, types, 0, 3);
        return new GgufWriter()
                .put("tokenizer.ggml.model", "gpt2")
                .put("tokenizer.ggml.tokens", tokens)
                .put("tokenizer.ggml.token_type", types)
                .put("tokenizer.ggml.merges", merges);
    }

    private static List<String> pieces(FolderTokenizer tokenizer, String text) {
        return Arrays.stream(tokenizer.encode(text, false))
                .mapToObj(tokenizer::token)
                .toList();
    }
}
