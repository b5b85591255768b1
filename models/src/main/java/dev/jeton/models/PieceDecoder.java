package dev.jeton.models;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * How ids become bytes, for the decoders of nearly all models: byte-level BPE, and SentencePiece-like ones (replace,
 * byte fallback, strip; metaspace). The bytes of every id are computed once. Other decoders are left to
 * {@link WindowDetokenizer}.
 */
final class PieceDecoder {

    /** What happens to white space at the very beginning of a text. */
    enum Start {
        /** It stays. */
        KEEP,
        /** One leading space goes. */
        STRIP_ONE,
        /** Every replaced space of the first token goes. */
        STRIP_FIRST_TOKEN
    }

    private final byte[][] bytes;
    private final boolean[] fallback;
    private final Start start;

    private PieceDecoder(byte[][] bytes, boolean[] fallback, Start start) {
        this.bytes = bytes;
        this.fallback = fallback;
        this.start = start;
    }

    /** The bytes of an id. Not to be changed. */
    byte[] bytes(int id) {
        return id >= 0 && id < bytes.length ? bytes[id] : new byte[0];
    }

    /** Whether the id is a single byte of a character that has no piece. */
    boolean fallback(int id) {
        return id >= 0 && id < fallback.length && fallback[id];
    }

    Start start() {
        return start;
    }

    /** The decoder of a tokenizer, where its kind is one of those named above. */
    static Optional<PieceDecoder> of(TokenizerFile file) {
        Optional<Map<String, Object>> json = file.decoder();
        if (json.isEmpty()) {
            return Optional.empty();
        }
        List<Map<String, Object>> steps = new ArrayList<>();
        flatten(json.get(), steps);
        List<String> kinds =
                steps.stream().map(step -> String.valueOf(step.get("type"))).toList();
        if (kinds.equals(List.of("ByteLevel"))) {
            return Optional.of(byteLevel(file));
        }
        if (kinds.equals(List.of("Metaspace"))) {
            return metaspace(file, steps.getFirst());
        }
        if (List.of("Replace", "ByteFallback", "Fuse").containsAll(kinds)
                || kinds.equals(List.of("Replace", "ByteFallback", "Fuse", "Strip"))) {
            return sentencePiece(file, steps);
        }
        return Optional.empty();
    }

    private static void flatten(Map<String, Object> step, List<Map<String, Object>> into) {
        if ("Sequence".equals(step.get("type")) && step.get("decoders") instanceof List<?> inner) {
            for (Object part : inner) {
                if (part instanceof Map<?, ?> map) {
                    @SuppressWarnings("unchecked")
                    Map<String, Object> typed = (Map<String, Object>) map;
                    flatten(typed, into);
                }
            }
        } else {
            into.add(step);
        }
    }

    private static PieceDecoder byteLevel(TokenizerFile file) {
        int[] byteOf = byteOfCharacter();
        byte[][] bytes = new byte[file.size()][];
        for (int id = 0; id < bytes.length; id++) {
            bytes[id] = byteLevel(file.piece(id), byteOf);
        }
        return new PieceDecoder(bytes, new boolean[bytes.length], Start.KEEP);
    }

    /** A piece with any character outside GPT-2's table stands for its own UTF-8 bytes. */
    private static byte[] byteLevel(String piece, int[] byteOf) {
        byte[] out = new byte[piece.length()];
        for (int i = 0; i < out.length; i++) {
            char c = piece.charAt(i);
            if (c >= byteOf.length || byteOf[c] < 0) {
                return piece.getBytes(StandardCharsets.UTF_8);
            }
            out[i] = (byte) byteOf[c];
        }
        return out;
    }

    /** GPT-2's table: printable bytes stand for themselves, the others for characters from 256 on. */
    private static int[] byteOfCharacter() {
        int[] byteOf = new int[512];
        Arrays.fill(byteOf, -1);
        int next = 256;
        for (int b = 0; b < 256; b++) {
            boolean printable = b >= '!' && b <= '~' || b >= 0xa1 && b <= 0xac || b >= 0xae;
            byteOf[printable ? b : next++] = b;
        }
        return byteOf;
    }

    private static Optional<PieceDecoder> metaspace(TokenizerFile file, Map<String, Object> step) {
        String mark = step.get("replacement") instanceof String s ? s : "\u2581";
        boolean never =
                "never".equals(step.get("prepend_scheme")) || Boolean.FALSE.equals(step.get("add_prefix_space"));
        byte[][] bytes = new byte[file.size()][];
        for (int id = 0; id < bytes.length; id++) {
            bytes[id] = file.piece(id).replace(mark, " ").getBytes(StandardCharsets.UTF_8);
        }
        Start start = never ? Start.KEEP : Start.STRIP_FIRST_TOKEN;
        return Optional.of(new PieceDecoder(bytes, new boolean[bytes.length], start));
    }

    private static Optional<PieceDecoder> sentencePiece(TokenizerFile file, List<Map<String, Object>> steps) {
        List<String[]> replacements = new ArrayList<>();
        boolean fallbackBytes = false;
        Start start = Start.KEEP;
        for (Map<String, Object> step : steps) {
            switch (String.valueOf(step.get("type"))) {
                case "Replace" -> {
                    String from = pattern(step.get("pattern"));
                    if (from == null || !(step.get("content") instanceof String to)) {
                        return Optional.empty();
                    }
                    replacements.add(new String[] {from, to});
                }
                case "ByteFallback" -> fallbackBytes = true;
                case "Strip" -> {
                    boolean oneSpace = " ".equals(step.get("content"))
                            && Integer.valueOf(1).equals(step.get("start"))
                            && Integer.valueOf(0).equals(step.get("stop"));
                    if (!oneSpace) {
                        return Optional.empty();
                    }
                    start = Start.STRIP_ONE;
                }
                default -> {}
            }
        }
        byte[][] bytes = new byte[file.size()][];
        boolean[] fallback = new boolean[bytes.length];
        for (int id = 0; id < bytes.length; id++) {
            String piece = file.piece(id);
            for (String[] replacement : replacements) {
                piece = piece.replace(replacement[0], replacement[1]);
            }
            fallback[id] = fallbackBytes && piece.matches("<0x[0-9A-Fa-f]{2}>");
            bytes[id] = fallback[id]
                    ? new byte[] {(byte) Integer.parseInt(piece.substring(3, 5), 16)}
                    : piece.getBytes(StandardCharsets.UTF_8);
        }
        return Optional.of(new PieceDecoder(bytes, fallback, start));
    }

    private static @Nullable String pattern(@Nullable Object pattern) {
        return pattern instanceof Map<?, ?> map && map.get("String") instanceof String s ? s : null;
    }
}
