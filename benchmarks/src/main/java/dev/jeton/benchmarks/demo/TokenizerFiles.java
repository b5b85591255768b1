package dev.jeton.benchmarks.demo;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The tokenizer in Hugging Face's file formats. */
final class TokenizerFiles {
    private static final int BYTES = 256;

    private TokenizerFiles() {}

    /** tokenizer.json, as the tokenizers library reads it. */
    static String tokenizerJson(BytePairTokenizer tokenizer) {
        List<Object> added = new ArrayList<>();
        for (SpecialToken token : SpecialToken.values()) {
            added.add(ordered(
                    "id", tokenizer.id(token),
                    "content", token.text(),
                    "single_word", false,
                    "lstrip", false,
                    "rstrip", false,
                    "normalized", false,
                    "special", true));
        }
        Map<String, Object> vocabulary = new LinkedHashMap<>();
        int ordinary = tokenizer.size() - SpecialToken.values().length;
        for (int id = 0; id < ordinary; id++) {
            vocabulary.put(spelled(tokenizer.bytes(id)), id);
        }
        for (SpecialToken token : SpecialToken.values()) {
            vocabulary.put(token.text(), tokenizer.id(token));
        }
        List<Object> merges = new ArrayList<>();
        for (BytePairTokenizer.Merge merge : tokenizer.merges()) {
            merges.add(spelled(tokenizer.bytes(merge.left())) + " " + spelled(tokenizer.bytes(merge.right())));
        }
        Object byteLevel =
                ordered("type", "ByteLevel", "add_prefix_space", false, "trim_offsets", false, "use_regex", false);
        Object split = ordered(
                "type",
                "Split",
                "pattern",
                ordered("Regex", PreTokenizer.PATTERN),
                "behavior",
                "Isolated",
                "invert",
                false);
        return Json.write(ordered(
                "version",
                "1.0",
                "truncation",
                Json.Null.NULL,
                "padding",
                Json.Null.NULL,
                "added_tokens",
                added,
                "normalizer",
                Json.Null.NULL,
                "pre_tokenizer",
                ordered("type", "Sequence", "pretokenizers", List.of(split, byteLevel)),
                "post_processor",
                byteLevel,
                "decoder",
                byteLevel,
                "model",
                ordered(
                        "type",
                        "BPE",
                        "dropout",
                        Json.Null.NULL,
                        "unk_token",
                        Json.Null.NULL,
                        "continuing_subword_prefix",
                        Json.Null.NULL,
                        "end_of_word_suffix",
                        Json.Null.NULL,
                        "fuse_unk",
                        false,
                        "byte_fallback",
                        false,
                        "ignore_merges",
                        false,
                        "vocab",
                        vocabulary,
                        "merges",
                        merges)));
    }

    /** tokenizer_config.json with the chat template. */
    static String tokenizerConfig(ModelShape shape) {
        return Json.write(ordered(
                "tokenizer_class",
                "PreTrainedTokenizerFast",
                "bos_token",
                SpecialToken.BOS.text(),
                "eos_token",
                SpecialToken.END.text(),
                "pad_token",
                SpecialToken.PAD.text(),
                "add_bos_token",
                false,
                "add_eos_token",
                false,
                "clean_up_tokenization_spaces",
                false,
                "model_max_length",
                shape.context(),
                "chat_template",
                ChatFormat.TEMPLATE));
    }

    /** Bytes as GPT-2's vocabulary spells them: printable ones as themselves, the others from U+0100 on. */
    private static String spelled(byte[] bytes) {
        StringBuilder out = new StringBuilder();
        for (byte b : bytes) {
            out.append(spelled(b & 0xff));
        }
        return out.toString();
    }

    private static char spelled(int value) {
        if (printable(value)) {
            return (char) value;
        }
        int rank = 0;
        for (int i = 0; i < value; i++) {
            rank += printable(i) ? 0 : 1;
        }
        return (char) (BYTES + rank);
    }

    private static boolean printable(int value) {
        return (value >= '!' && value <= '~') || (value >= 0xa1 && value <= 0xac) || value >= 0xae;
    }

    /** A map in the order of the arguments: key, value, key, value. */
    static Map<String, Object> ordered(Object... pairs) {
        Map<String, Object> map = new LinkedHashMap<>();
        for (int i = 0; i < pairs.length; i += 2) {
            map.put((String) pairs[i], pairs[i + 1]);
        }
        return map;
    }
}
