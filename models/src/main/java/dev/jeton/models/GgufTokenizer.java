package dev.jeton.models;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Writes the tokenizer of a GGUF file's metadata as a tokenizer.json, so that Hugging Face's library encodes with it.
 *
 * <p>{@code gpt2} is byte-level BPE with its merges; how text is split before is {@link GgufSplits}' business.
 * {@code llama} is SentencePiece's BPE: its merges are every way to put a piece together from two others, the
 * best-scored piece first, as Hugging Face's own converter has them. Among pieces of equal score SentencePiece merges
 * the leftmost, and the merges here the one of lower id; vocabularies that SentencePiece trains have no equal scores.
 */
final class GgufTokenizer {

    private static final String PREFIX = "tokenizer.ggml.";
    private static final String SPACE = "\u2581";

    /** Types of tokens as llama.cpp numbers them. */
    private static final long NORMAL = 1;

    private static final long UNKNOWN = 2;
    private static final long CONTROL = 3;
    private static final long USER_DEFINED = 4;

    private final GgufFile file;
    private final JsonObject metadata;
    private final List<String> tokens = new ArrayList<>();
    private final List<Object> types;
    private final Map<String, Integer> ids = new LinkedHashMap<>();
    private final StringBuilder json = new StringBuilder();

    private GgufTokenizer(GgufFile file) {
        this.file = file;
        this.metadata = file.metadata();
        for (Object token : file.list(PREFIX + "tokens")) {
            if (!(token instanceof String piece)) {
                throw new ModelException("%s: \"%stokens\" holds what is no string".formatted(file.path(), PREFIX));
            }
            ids.putIfAbsent(piece, tokens.size());
            tokens.add(piece);
        }
        types = file.list(PREFIX + "token_type");
        if (tokens.isEmpty()) {
            throw new ModelException(
                    "%s has no tokenizer (\"%stokens\"); take a file with one, or the Hugging Face folder"
                            .formatted(file.path(), PREFIX));
        }
        if (!types.isEmpty() && types.size() != tokens.size()) {
            throw new ModelException(
                    "%s has %d tokens and %d types of them".formatted(file.path(), tokens.size(), types.size()));
        }
    }

    /**
     * The bytes of a tokenizer.json.
     *
     * @throws ModelException naming what of the tokenizer is missing or not supported
     */
    static byte[] json(GgufFile file) {
        GgufTokenizer tokenizer = new GgufTokenizer(file);
        String model = tokenizer
                .metadata
                .string(PREFIX + "model")
                .orElseThrow(() -> new ModelException("%s: \"%smodel\" is missing".formatted(file.path(), PREFIX)));
        switch (model) {
            case "gpt2" -> tokenizer.byteLevel();
            case "llama" -> tokenizer.sentencePiece();
            default ->
                throw new ModelException(
                        "%s: tokenizer \"%s\" is not supported; gpt2 and llama are".formatted(file.path(), model));
        }
        return tokenizer.json.toString().getBytes(StandardCharsets.UTF_8);
    }

    /** Whether a token of this type is text like any other: neither special nor a single byte. */
    static boolean isText(Object type) {
        return !(type instanceof Long number) || number == NORMAL;
    }

    private long type(int id) {
        return types.isEmpty() || !(types.get(id) instanceof Long type) ? NORMAL : type;
    }

    private void byteLevel() {
        GgufSplits splits = GgufSplits.named(metadata.source(), metadata.string(PREFIX + "pre"));
        begin(splits.normalizer(), splits.json());
        post(metadata.flag(PREFIX + "add_bos_token", splits.beginsByDefault()));
        json.append("\"decoder\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"trim_offsets\":true,")
                .append("\"use_regex\":true},");
        List<String> merges = new ArrayList<>();
        for (Object merge : file.list(PREFIX + "merges")) {
            merges.add(String.valueOf(merge));
        }
        if (merges.isEmpty()) {
            throw new ModelException(
                    "%s: \"%smerges\" is missing; convert the model again".formatted(file.path(), PREFIX));
        }
        for (String merge : merges) {
            requireMerge(merge);
        }
        model("null", false, splits.wholeWords(), merges);
    }

    private void requireMerge(String merge) {
        int space = merge.indexOf(' ', 1);
        if (space < 0
                || !ids.containsKey(merge.substring(0, space))
                || !ids.containsKey(merge.substring(space + 1))
                || !ids.containsKey(merge.substring(0, space) + merge.substring(space + 1))) {
            throw new ModelException(
                    "%s: merge \"%s\" is of pieces that are not among the tokens".formatted(file.path(), merge));
        }
    }

    private void sentencePiece() {
        boolean prefix = metadata.flag(PREFIX + "add_space_prefix", true);
        if (metadata.flag(PREFIX + "remove_extra_whitespaces", false)) {
            throw new ModelException(
                    "%s: \"%sremove_extra_whitespaces\" is not supported".formatted(file.path(), PREFIX));
        }
        String replace = "{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"" + SPACE + "\"}";
        String normalizer = prefix
                ? "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Prepend\",\"prepend\":\"" + SPACE + "\"},"
                        + replace + "]}"
                : replace;
        begin(normalizer, "null");
        post(metadata.flag(PREFIX + "add_bos_token", true));
        json.append("\"decoder\":{\"type\":\"Sequence\",\"decoders\":[")
                .append("{\"type\":\"Replace\",\"pattern\":{\"String\":\"")
                .append(SPACE)
                .append("\"},\"content\":\" \"},{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"}")
                .append(prefix ? ",{\"type\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}" : "")
                .append("]},");
        int unknown = metadata.optionalInteger(PREFIX + "unknown_token_id", 0, tokens.size() - 1)
                .orElseGet(this::unknown);
        StringBuilder quoted = new StringBuilder();
        quote(quoted, tokens.get(unknown));
        model(quoted.toString(), true, false, mergesOfScores());
    }

    private int unknown() {
        for (int id = 0; id < tokens.size(); id++) {
            if (type(id) == UNKNOWN) {
                return id;
            }
        }
        return 0;
    }

    private record Merge(String left, String right, double score, int leftId, int rightId) {}

    private List<String> mergesOfScores() {
        List<Object> scores = file.list(PREFIX + "scores");
        if (scores.size() != tokens.size()) {
            throw new ModelException("%s has %d tokens and \"%sscores\" of %d"
                    .formatted(file.path(), tokens.size(), PREFIX, scores.size()));
        }
        Map<String, Integer> text = new HashMap<>();
        ids.forEach((piece, id) -> {
            if (type(id) == NORMAL) {
                text.put(piece, id);
            }
        });
        List<Merge> merges = new ArrayList<>();
        text.forEach((piece, id) -> {
            double score = scores.get(id) instanceof Double value ? value : 0;
            for (int at = 1; at < piece.length(); at++) {
                if (!Character.isLowSurrogate(piece.charAt(at))) {
                    String left = piece.substring(0, at);
                    String right = piece.substring(at);
                    if (text.containsKey(left) && text.containsKey(right)) {
                        merges.add(new Merge(left, right, score, text.get(left), text.get(right)));
                    }
                }
            }
        });
        merges.sort(Comparator.comparingDouble(Merge::score)
                .reversed()
                .thenComparingInt(Merge::leftId)
                .thenComparingInt(Merge::rightId));
        return merges.stream().map(merge -> merge.left + " " + merge.right).toList();
    }

    private void begin(String normalizer, String splits) {
        json.append("{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\"added_tokens\":[");
        boolean first = true;
        for (int id = 0; id < tokens.size(); id++) {
            long type = type(id);
            boolean special = type == CONTROL || type == UNKNOWN;
            if ((special || type == USER_DEFINED) && ids.getOrDefault(tokens.get(id), -1) == id) {
                json.append(first ? "" : ",").append("{\"id\":").append(id).append(",\"content\":");
                quote(json, tokens.get(id));
                json.append(",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false,")
                        .append("\"special\":")
                        .append(special)
                        .append('}');
                first = false;
            }
        }
        json.append("],\"normalizer\":").append(normalizer);
        json.append(",\"pre_tokenizer\":").append(splits).append(',');
    }

    /** Tokens put before and after each text, where the model wants them. */
    private void post(boolean begins) {
        Optional<Integer> begin = begins ? token("bos") : Optional.empty();
        Optional<Integer> end = metadata.flag(PREFIX + "add_eos_token", false) ? token("eos") : Optional.empty();
        if (begin.isEmpty() && end.isEmpty()) {
            json.append("\"post_processor\":null,");
            return;
        }
        json.append("\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[");
        template(begin, "A", end, 0);
        json.append("],\"pair\":[");
        template(begin, "A", end, 0);
        json.append(',');
        template(begin, "B", end, 1);
        json.append("],\"special_tokens\":{");
        begin.ifPresent(this::special);
        if (end.isPresent() && !end.equals(begin)) {
            json.append(begin.isPresent() ? "," : "");
            special(end.get());
        }
        json.append("}},");
    }

    private void template(Optional<Integer> begin, String sequence, Optional<Integer> end, int type) {
        begin.ifPresent(id -> {
            specialToken(id, type);
            json.append(',');
        });
        json.append("{\"Sequence\":{\"id\":\"")
                .append(sequence)
                .append("\",\"type_id\":")
                .append(type)
                .append("}}");
        end.ifPresent(id -> {
            json.append(',');
            specialToken(id, type);
        });
    }

    private void specialToken(int id, int type) {
        json.append("{\"SpecialToken\":{\"id\":");
        quote(json, tokens.get(id));
        json.append(",\"type_id\":").append(type).append("}}");
    }

    private void special(int id) {
        quote(json, tokens.get(id));
        json.append(":{\"id\":");
        quote(json, tokens.get(id));
        json.append(",\"ids\":[").append(id).append("],\"tokens\":[");
        quote(json, tokens.get(id));
        json.append("]}");
    }

    private Optional<Integer> token(String name) {
        return metadata.optionalInteger(PREFIX + name + "_token_id", 0, tokens.size() - 1);
    }

    private void model(String unknown, boolean byteFallback, boolean wholeWords, List<String> merges) {
        json.append("\"model\":{\"type\":\"BPE\",\"dropout\":null,\"unk_token\":")
                .append(unknown)
                .append(",\"continuing_subword_prefix\":null,\"end_of_word_suffix\":null,\"fuse_unk\":")
                .append(byteFallback)
                .append(",\"byte_fallback\":")
                .append(byteFallback)
                .append(",\"ignore_merges\":")
                .append(wholeWords)
                .append(",\"vocab\":{");
        boolean[] first = {true};
        ids.forEach((piece, id) -> {
            json.append(first[0] ? "" : ",");
            quote(json, piece);
            json.append(':').append((int) id);
            first[0] = false;
        });
        json.append("},\"merges\":[");
        for (int i = 0; i < merges.size(); i++) {
            json.append(i == 0 ? "" : ",");
            quote(json, merges.get(i));
        }
        json.append("]}}");
    }

    private static void quote(StringBuilder out, String text) {
        out.append('"');
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '"' || c == '\\') {
                out.append('\\').append(c);
            } else if (c < ' ') {
                out.append("\\u%04x".formatted((int) c));
            } else {
                out.append(c);
            }
        }
        out.append('"');
    }
}
