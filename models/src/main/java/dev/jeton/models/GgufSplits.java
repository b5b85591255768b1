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
            List.of("gpt-2", "gpt2", "phi-2", "mpt", "olmo", "jais", "roberta-bpe", "granite-docling", "exaone4")),
    /** What llama.cpp takes for files that name nothing. */
    DEFAULT(List.of(Expressions.PUNCTUATION, Expressions.GPT2_WORDS, "\\p{N}+", "[0-9][0-9][0-9]"), List.of("default")),
    LLAMA3(
            List.of(Expressions.CONTRACTIONS + Expressions.WORDS + "\\p{N}{1,3}" + Expressions.REST),
            List.of("llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "lfm2")),
    QWEN2(
            List.of(Expressions.CONTRACTIONS + Expressions.WORDS + "\\p{N}" + Expressions.REST),
            List.of("qwen2", "deepseek-r1-qwen", "stablelm2", "hunyuan", "megrez")),
    /** As Qwen 2's, with marks among letters. */
    QWEN35(
            List.of(Expressions.CONTRACTIONS
                    + "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*"
                    + Expressions.SPACES),
            List.of("qwen35")),
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
            List.of("gpt-4o", "llama4", "kanana2", "minimax-m2")),
    FALCON(List.of("[\\p{P}\\$\\+<=>\\^~\\|`]+", Expressions.GPT2_WORDS, "[0-9][0-9][0-9]"), List.of("falcon")),
    DEEPSEEK_CODER(
            List.of("[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+", "\\p{N}"),
            List.of("deepseek-coder")),
    DEEPSEEK_LLM(
            List.of(
                    "[\\r\\n]",
                    "\\s?" + Expressions.LETTERS_WITH_CASE + "+",
                    "\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+",
                    "\\s+$",
                    "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+",
                    "\\p{N}"),
            List.of("deepseek-llm")),
    DEEPSEEK_V3(
            List.of(
                    "\\p{N}{1,3}",
                    "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
                    "[!-/:-@\\[-`{-~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*"
                            + Expressions.SPACES),
            List.of("deepseek-v3", "hunyuan-dense")),
    /** As Llama 3's, of tokenizers that put every word together by merges and begin with nothing. */
    GLM4(
            List.of(Expressions.CONTRACTIONS + Expressions.WORDS + "\\p{N}{1,3}" + Expressions.REST),
            List.of("glm4", "chatglm-bpe", "dbrx")),
    /** As Llama 3's, of files whose texts begin with nothing unless they say so. */
    SMAUG(
            List.of(Expressions.CONTRACTIONS + Expressions.WORDS + "\\p{N}{1,3}" + Expressions.REST),
            List.of("smaug-bpe")),
    /** Han by itself, so that the other classes of letters are without it. */
    KIMI_K2(
            List.of("\\p{Han}+|" + Expressions.CASED_WORDS_BUT_HAN + "|\\p{N}{1,3}" + Expressions.REST),
            List.of("kimi-k2")),
    /** Line breaks are never at the end of what is no letter, digit or space. */
    SEED_CODER(
            List.of(Expressions.CONTRACTIONS + Expressions.WORDS + "\\p{N}| ?[^\\s\\p{L}\\p{N}]+" + Expressions.SPACES),
            List.of("seed-coder"));

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
        /** Letters that have case in most scripts of those that do: as DeepSeek's first tokenizers list them. */
        static final String LETTERS_WITH_CASE = letters();

        private static final String UPPER = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]";
        private static final String LOWER = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]";
        private static final String BEFORE = "[^\\r\\n\\p{L}\\p{N}]?";
        static final String CASED_WORDS = BEFORE + UPPER + "*" + LOWER + "+|" + BEFORE + UPPER + "+" + LOWER + "*";
        static final String CASED_WORDS_WITH_CONTRACTIONS = BEFORE + UPPER + "*" + LOWER + "+" + CONTRACTIONS + "?|"
                + BEFORE + UPPER + "+" + LOWER + "*" + CONTRACTIONS + "?";
        private static final String UPPER_BUT_HAN = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]";
        private static final String LOWER_BUT_HAN = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]";
        static final String CASED_WORDS_BUT_HAN = BEFORE + UPPER_BUT_HAN + "*" + LOWER_BUT_HAN + "+" + CONTRACTIONS
                + "?|" + BEFORE + UPPER_BUT_HAN + "+" + LOWER_BUT_HAN + "*" + CONTRACTIONS + "?";

        /** A class of ranges that are given by their ends. */
        private static String letters() {
            String ranges = "41-5A 61-7A B5 C0-D6 D8-F6 F8-1BA 1BC-1BF 1C4-293 295-2AF 370-373 376 377 37B-37D 37F"
                    + " 386 388-38A 38C 38E-3A1 3A3-3F5 3F7-481 48A-52F 531-556 10A0-10C5 13A0-13F5 13F8-13FD"
                    + " 1C90-1CBA 1CBD-1CBF 1D00-1D2B 1D6B-1D77 1D79-1D9A 1E00-1F15 1F18-1F1D 1F20-1F45"
                    + " 1F48-1F4D 1F50-1F57 1F59 1F5B 1F5D 1F5F-1F7D 1F80-1FB4 1FB6-1FBC 1FBE 1FC2-1FC4"
                    + " 1FC6-1FCC 1FD0-1FD3 1FD6-1FDB 1FE0-1FEC 1FF2-1FF4 1FF6-1FFC 2102 2107 210A-2113 2115"
                    + " 2119-211D 2124 2126 2128 212A-212D 212F-2134 2139 213C-213F 2145-2149 214E 2183 2184"
                    + " 2C00-2C7B 2C7E-2CE4 2CEB-2CEE 2CF2 2CF3 A640-A66D A680-A69B A722-A76F A771-A787"
                    + " A78B-A78E AB70-ABBF FB00-FB06 FB13-FB17 FF21-FF3A FF41-FF5A 10400-1044F 104B0-104D3"
                    + " 104D8-104FB 10C80-10CB2 10CC0-10CF2 118A0-118DF 1E900-1E943";
            return Arrays.stream(ranges.split(" "))
                    .map(range -> Arrays.stream(range.split("-"))
                            .map("\\x{%s}"::formatted)
                            .collect(Collectors.joining("-")))
                    .collect(Collectors.joining("", "[", "]"));
        }
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
        return this == QWEN2 || this == QWEN35 ? "{\"type\":\"NFC\"}" : "null";
    }

    /** Whether a word that is a token is not put together by merges. */
    boolean wholeWords() {
        return this == LLAMA3 || this == SMAUG || this == TEKKEN || this == KIMI_K2;
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
