package dev.jeton.models;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * How text is split before byte-level BPE, by the name that {@code tokenizer.ggml.pre} has: the expressions that the
 * models' own tokenizers apply one after the other, each cutting what the one before left whole.
 */
enum GgufSplits {
    GPT2(
            Expressions.GPT2,
            List.of("gpt-2", "gpt2", "phi-2", "mpt", "olmo", "jais", "dbrx", "roberta-bpe", "granite-docling")),
    /** What llama.cpp takes for files that name nothing. */
    DEFAULT(List.of(Expressions.PUNCTUATION, Expressions.GPT2_WORDS, "\\p{N}+", "[0-9][0-9][0-9]"), List.of("default")),
    LLAMA3(
            List.of(Expressions.CONTRACTIONS + Expressions.WORDS + "\\p{N}{1,3}" + Expressions.REST),
            List.of("llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "smaug-bpe", "lfm2")),
    QWEN2(
            List.of(Expressions.CONTRACTIONS + Expressions.WORDS + "\\p{N}" + Expressions.REST),
            List.of("qwen2", "deepseek-r1-qwen", "stablelm2", "hunyuan", "megrez")),
    DIGITS(
            List.of("\\p{N}", Expressions.GPT2_WORDS),
            List.of("smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b")),
    TEKKEN(
            List.of(Expressions.CASED_WORDS + "|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*" + Expressions.SPACES),
            List.of("tekken")),
    GPT4O(
            List.of(Expressions.CASED_WORDS_WITH_CONTRACTIONS
                    + "|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*"
                    + Expressions.SPACES),
            List.of("gpt-4o", "llama4", "kanana2")),
    FALCON(List.of("[\\p{P}\\$\\+<=>\\^~\\|`]+", Expressions.GPT2_WORDS, "[0-9][0-9][0-9]"), List.of("falcon")),
    DEEPSEEK_CODER(
            List.of("[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+", "\\p{N}"),
            List.of("deepseek-coder"));

    /** Parts that several tokenizers share. */
    private static final class Expressions {
        static final String GPT2_WORDS =
                "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
        static final List<String> GPT2 = List.of(GPT2_WORDS);
        static final String PUNCTUATION = "[\\p{P}\\$\\+<=>\\^~\\|]+";
        static final String CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
        static final String WORDS = "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|";
        static final String SPACES = "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
        static final String REST = "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*" + SPACES;
        private static final String UPPER = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]";
        private static final String LOWER = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]";
        private static final String BEFORE = "[^\\r\\n\\p{L}\\p{N}]?";
        static final String CASED_WORDS = BEFORE + UPPER + "*" + LOWER + "+|" + BEFORE + UPPER + "+" + LOWER + "*";
        static final String CASED_WORDS_WITH_CONTRACTIONS = BEFORE + UPPER + "*" + LOWER + "+" + CONTRACTIONS + "?|"
                + BEFORE + UPPER + "+" + LOWER + "*" + CONTRACTIONS + "?";
    }

    private final List<String> expressions;
    private final List<String> names;

    GgufSplits(List<String> expressions, List<String> names) {
        this.expressions = expressions;
        this.names = names;
    }

    /**
     * The splits that a file names; the default where it names none, as llama.cpp has it.
     *
     * @throws ModelException for a name that is not known: other splits would give other tokens, silently
     */
    static GgufSplits named(String source, Optional<String> name) {
        String wanted = name.orElse("default");
        return Arrays.stream(values())
                .filter(splits -> splits.names.contains(wanted))
                .findFirst()
                .orElseThrow(() -> new ModelException(
                        "%s: pre-tokenizer \"%s\" is not supported; serve the model's Hugging Face folder. Supported: %s"
                                .formatted(
                                        source,
                                        wanted,
                                        Arrays.stream(values())
                                                .flatMap(splits -> splits.names.stream())
                                                .collect(Collectors.joining(", ")))));
    }

    /** Qwen's tokenizers compose characters first. */
    String normalizer() {
        return this == QWEN2 ? "{\"type\":\"NFC\"}" : "null";
    }

    /** Whether a word that is a token is not put together by merges. */
    boolean wholeWords() {
        return this == LLAMA3 || this == TEKKEN;
    }

    /** Whether texts begin with the begin token where the file does not say. */
    boolean beginsByDefault() {
        return this == LLAMA3 || this == TEKKEN;
    }

    /** As a pre-tokenizer of tokenizer.json. */
    String json() {
        List<String> steps = new ArrayList<>();
        for (String expression : expressions) {
            steps.add("{\"type\":\"Split\",\"pattern\":{\"Regex\":\"%s\"},\"behavior\":\"Isolated\",\"invert\":false}"
                    .formatted(expression.replace("\\", "\\\\")));
        }
        steps.add("{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,\"use_regex\":false}");
        return "{\"type\":\"Sequence\",\"pretokenizers\":[" + String.join(",", steps) + "]}";
    }
}
