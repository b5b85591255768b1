package dev.jeton.benchmarks.demo;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A byte-level BPE vocabulary: ids 0..255 are the bytes, each merge adds one id, the special tokens come last.
 *
 * <p>Immutable and safe to share between threads.
 */
public final class BytePairTokenizer {
    private static final int BYTES = 256;

    private final List<Merge> merges;
    private final List<byte[]> tokenBytes;
    private final Map<Merge, Integer> ranks;

    /**
     * Two ids that become one.
     *
     * @param left id of the first half
     * @param right id of the second half
     */
    public record Merge(int left, int right) {}

    /** A tokenizer with these merges, the most frequent first. */
    public BytePairTokenizer(List<Merge> merges) {
        this.merges = List.copyOf(merges);
        this.tokenBytes = new ArrayList<>();
        this.ranks = new HashMap<>();
        for (int i = 0; i < BYTES; i++) {
            tokenBytes.add(new byte[] {(byte) i});
        }
        for (Merge merge : this.merges) {
            if (merge.left() >= tokenBytes.size() || merge.right() >= tokenBytes.size()) {
                throw new IllegalArgumentException("merge of ids that do not exist yet: " + merge);
            }
            var bytes = new ByteArrayOutputStream();
            bytes.writeBytes(tokenBytes.get(merge.left()));
            bytes.writeBytes(tokenBytes.get(merge.right()));
            ranks.put(merge, tokenBytes.size());
            tokenBytes.add(bytes.toByteArray());
        }
    }

    /** The merges, the most frequent first. */
    public List<Merge> merges() {
        return merges;
    }

    /** Ids in all, special tokens included. */
    public int size() {
        return tokenBytes.size() + SpecialToken.values().length;
    }

    /** The id of a special token. */
    public int id(SpecialToken token) {
        return tokenBytes.size() + token.ordinal();
    }

    /** The bytes of an ordinary token; none for a special one. */
    public byte[] bytes(int id) {
        return id < tokenBytes.size() ? tokenBytes.get(id).clone() : new byte[0];
    }

    /** The ids of ordinary text: a special token's spelling in it is encoded as the characters it is made of. */
    public int[] encode(String text) {
        List<Integer> ids = new ArrayList<>();
        for (String piece : PreTokenizer.pieces(text)) {
            ids.addAll(encodePiece(piece));
        }
        return ids.stream().mapToInt(Integer::intValue).toArray();
    }

    /** The text of the ids, special tokens left out; broken UTF-8 becomes U+FFFD. */
    public String decode(int[] ids) {
        var bytes = new ByteArrayOutputStream();
        for (int id : ids) {
            bytes.writeBytes(bytes(id));
        }
        return bytes.toString(StandardCharsets.UTF_8);
    }

    private List<Integer> encodePiece(String piece) {
        List<Integer> ids = new ArrayList<>();
        for (byte b : piece.getBytes(StandardCharsets.UTF_8)) {
            ids.add(b & 0xff);
        }
        while (ids.size() > 1) {
            int best = Integer.MAX_VALUE;
            int at = -1;
            for (int i = 0; i + 1 < ids.size(); i++) {
                Integer rank = ranks.get(new Merge(ids.get(i), ids.get(i + 1)));
                if (rank != null && rank < best) {
                    best = rank;
                    at = i;
                }
            }
            if (at < 0) {
                break;
            }
            ids.set(at, best);
            ids.subList(at + 1, at + 2).clear();
        }
        return ids;
    }
}
