package dev.jeton.scheduler;

import java.util.Iterator;
import java.util.TreeSet;

/**
 * Sequences that wait, in the order in which they are served: by priority, then arrival. A preempted sequence that
 * comes back takes the place it had. There may be many of them, and all may be given up at once, so that each is found
 * in a time that grows with the logarithm of their number.
 *
 * <p>Owned by the loop's thread; bounded by the scheduler's limit on waiting sequences, and by that on running ones,
 * which may be preempted.
 */
final class WaitingQueue implements Iterable<Sequence> {

    private final TreeSet<Sequence> sequences = new TreeSet<>(Sequence.ORDER);

    int size() {
        return sequences.size();
    }

    boolean isEmpty() {
        return sequences.isEmpty();
    }

    Sequence first() {
        return sequences.first();
    }

    void clear() {
        sequences.clear();
    }

    void add(Sequence sequence) {
        sequences.add(sequence);
    }

    void remove(Sequence sequence) {
        sequences.remove(sequence);
    }

    @Override
    public Iterator<Sequence> iterator() {
        return sequences.iterator();
    }
}
