package dev.jeton.benchmarks;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A byte-level BPE tokenizer of any vocabulary size, as the files of a model folder: five special tokens, the 256
 * bytes, and merges that spell lower-case strings of two, three, four letters, with or without a leading space, in
 * order until the vocabulary is full. Every text encodes and decodes back.
 */
final class MadeTokenizer {

    /** Id of the token that begins a text. */
    static final int BEGIN = 0;

    /** Id of the token that ends a turn. */
    static final int END = 1;

    private static final List<String> SPECIAL =
            List.of("<|begin|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>");
    private static final String TEMPLATE = "<|begin|>{% for message in messages %}<|{{ message['role'] }}|>"
            + "{{ message['content'] }}<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}";

    private MadeTokenizer() {}

    /**
     * Its tokens, and the merges that make them.
     *
     * @param tokens by id
     * @param merges two tokens with a space between
     */
    record Vocabulary(List<String> tokens, List<String> merges) {

        /** How many of the first tokens are special. */
        int special() {
            return SPECIAL.size();
        }

        /** The chat template that uses them. */
        String template() {
            return TEMPLATE;
        }
    }

    /** A vocabulary of that many tokens. */
    static Vocabulary vocabulary(int size) {
        List<String> tokens = new ArrayList<>(SPECIAL);
        for (int b = 0; b < 256; b++) {
            tokens.add(String.valueOf(byteCharacter(b)));
        }
        if (size < tokens.size()) {
            throw new IllegalArgumentException("a vocabulary of %d does not hold the bytes".formatted(size));
        }
        List<String> merges = new ArrayList<>();
        merge(tokens, merges, size);
        return new Vocabulary(List.copyOf(tokens), List.copyOf(merges));
    }

    /** Writes tokenizer.json, tokenizer_config.json and generation_config.json. */
    static void write(Path folder, int size, int context) throws IOException {
        Vocabulary vocabulary = vocabulary(size);
        Files.writeString(folder.resolve("tokenizer.json"), tokenizer(vocabulary.tokens, vocabulary.merges));
        Files.writeString(folder.resolve("tokenizer_config.json"), """
                {
                  "tokenizer_class": "PreTrainedTokenizerFast",
                  "bos_token": "<|begin|>",
                  "eos_token": "<|end|>",
                  "model_max_length": %d,
                  "chat_template": "%s"
                }
                """.formatted(context, TEMPLATE));
        Files.writeString(
                folder.resolve("generation_config.json"),
                "{\"bos_token_id\": %d, \"eos_token_id\": [%d]}\n".formatted(BEGIN, END));
    }

    /** Every string of the length before, with each letter appended, is one merge. */
    private static void merge(List<String> tokens, List<String> merges, int vocabulary) {
        List<String> level = new ArrayList<>();
        for (char c = 'a'; c <= 'z'; c++) {
            level.add(String.valueOf(c));
        }
        level.add(String.valueOf(byteCharacter(' ')));
        while (tokens.size() < vocabulary) {
            List<String> next = new ArrayList<>();
            for (String left : level) {
                for (char c = 'a'; c <= 'z' && tokens.size() < vocabulary; c++) {
                    merges.add(left + " " + c);
                    tokens.add(left + c);
                    next.add(left + c);
                }
            }
            level = next;
        }
    }

    private static String tokenizer(List<String> tokens, List<String> merges) {
        StringBuilder added = new StringBuilder();
        for (int id = 0; id < SPECIAL.size(); id++) {
            added.append(id == 0 ? "" : ",\n    ").append("""
                            {"id": %d, "content": "%s", "single_word": false, "lstrip": false, "rstrip": false, \
                            "normalized": false, "special": true}\
                            """.formatted(id, SPECIAL.get(id)));
        }
        StringBuilder vocabulary = new StringBuilder();
        for (int id = 0; id < tokens.size(); id++) {
            vocabulary
                    .append(id == 0 ? "" : ", ")
                    .append(quoted(tokens.get(id)))
                    .append(": ")
                    .append(id);
        }
        StringBuilder joined = new StringBuilder();
        for (String merge : merges) {
            joined.append(joined.isEmpty() ? "" : ", ").append(quoted(merge));
        }
        return """
                {
                  "version": "1.0",
                  "truncation": null,
                  "padding": null,
                  "added_tokens": [
                    %s
                  ],
                  "normalizer": null,
                  "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
                  "post_processor": null,
                  "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
                  "model": {
                    "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
                    "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
                    "vocab": {%s},
                    "merges": [%s]
                  }
                }
                """.formatted(added, vocabulary, joined);
    }

    private static String quoted(String text) {
        return "\"" + text.replace("\\", "\\\\").replace("\"", "\\\"") + "\"";
    }

    /** The printable character that stands for a byte in byte-level BPE (GPT-2's table). */
    private static char byteCharacter(int b) {
        boolean printable = (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || (b >= 0xAE && b <= 0xFF);
        if (printable) {
            return (char) b;
        }
        int skipped = b <= ' ' ? b : b <= 0xA0 ? b - 0x7F + 33 : 67;
        return (char) (256 + skipped);
    }
}
