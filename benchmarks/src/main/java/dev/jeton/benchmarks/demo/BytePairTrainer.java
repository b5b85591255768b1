package dev.jeton.benchmarks.demo;

import dev.jeton.benchmarks.demo.BytePairTokenizer.Merge;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * Learns byte-pair merges (Sennrich, Haddow and Birch, 2016): the most frequent adjacent pair becomes a token, again
 * and again. Ties go to the smaller ids, so the same text always gives the same vocabulary.
 *
 * <p>Pairs are counted anew for each merge: with a few thousand distinct words that takes seconds and spares the
 * bookkeeping of a priority queue.
 */
public final class BytePairTrainer {
    private static final int BYTES = 256;
    private static final int SEEN_ONCE = 1;

    private BytePairTrainer() {}

    private record Word(int[] ids, long count) {}

    /**
     * Learns a tokenizer of at most {@code vocabulary} ids, special tokens included; fewer if pairs run out.
     *
     * @param texts ordinary text, in any order
     */
    public static BytePairTokenizer train(Stream<String> texts, int vocabulary) {
        int wanted = vocabulary - BYTES - SpecialToken.values().length;
        if (wanted < 0) {
            throw new IllegalArgumentException("a vocabulary of " + vocabulary + " has no room for the bytes");
        }
        List<Word> words = words(texts);
        List<Merge> merges = new ArrayList<>();
        while (merges.size() < wanted) {
            Map<Merge, Long> counts = count(words);
            var best = counts.entrySet().stream()
                    .max(Map.Entry.<Merge, Long>comparingByValue()
                            .thenComparing(Map.Entry::getKey, byIds().reversed()));
            if (best.isEmpty() || best.get().getValue() <= SEEN_ONCE) {
                break;
            }
            int id = BYTES + merges.size();
            Merge merge = best.get().getKey();
            merges.add(merge);
            words.replaceAll(word -> merged(word, merge, id));
        }
        return new BytePairTokenizer(merges);
    }

    private static Comparator<Merge> byIds() {
        return Comparator.comparingInt(Merge::left).thenComparingInt(Merge::right);
    }

    private static List<Word> words(Stream<String> texts) {
        Map<String, Long> counts = new TreeMap<>();
        texts.forEach(text -> PreTokenizer.pieces(text).forEach(piece -> counts.merge(piece, 1L, Long::sum)));
        List<Word> words = new ArrayList<>();
        counts.forEach((piece, count) -> {
            byte[] bytes = piece.getBytes(StandardCharsets.UTF_8);
            int[] ids = new int[bytes.length];
            for (int i = 0; i < bytes.length; i++) {
                ids[i] = bytes[i] & 0xff;
            }
            words.add(new Word(ids, count));
        });
        return words;
    }

    private static Map<Merge, Long> count(List<Word> words) {
        Map<Merge, Long> counts = new HashMap<>();
        for (Word word : words) {
            for (int i = 0; i + 1 < word.ids().length; i++) {
                counts.merge(new Merge(word.ids()[i], word.ids()[i + 1]), word.count(), Long::sum);
            }
        }
        return counts;
    }

    private static Word merged(Word word, Merge merge, int id) {
        int[] ids = word.ids();
        int[] out = new int[ids.length];
        int length = 0;
        for (int i = 0; i < ids.length; i++) {
            boolean pair = i + 1 < ids.length && ids[i] == merge.left() && ids[i + 1] == merge.right();
            out[length++] = pair ? id : ids[i];
            if (pair) {
                i++;
            }
        }
        return length == ids.length ? word : new Word(java.util.Arrays.copyOf(out, length), word.count());
    }
}
