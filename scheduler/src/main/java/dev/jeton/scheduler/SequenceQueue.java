package dev.jeton.scheduler;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;

/**
 * Sequences that run, in the order in which they are served: by priority, then arrival. Insertion looks from the end,
 * where new arrivals belong, so it is usually one comparison.
 *
 * <p>Owned by the loop's thread; bounded by the scheduler's limit on running sequences.
 */
final class SequenceQueue implements Iterable<Sequence> {

    private final List<Sequence> sequences = new ArrayList<>();

    int size() {
        return sequences.size();
    }

    boolean isEmpty() {
        return sequences.isEmpty();
    }

    Sequence get(int i) {
        return sequences.get(i);
    }

    Sequence first() {
        return sequences.getFirst();
    }

    Sequence last() {
        return sequences.getLast();
    }

    void clear() {
        sequences.clear();
    }

    void add(Sequence sequence) {
        int at = sequences.size();
        while (at > 0 && sequence.before(sequences.get(at - 1))) {
            at--;
        }
        sequences.add(at, sequence);
    }

    void remove(Sequence sequence) {
        for (int i = sequences.size() - 1; i >= 0; i--) {
            if (sequences.get(i) == sequence) {
                sequences.remove(i);
                return;
            }
        }
    }

    @Override
    public Iterator<Sequence> iterator() {
        return sequences.iterator();
    }
}
