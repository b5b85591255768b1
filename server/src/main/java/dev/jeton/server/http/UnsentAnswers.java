package dev.jeton.server.http;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Ends of answers that are handed over and not sent: a client that asks and does not read leaves them in memory. Past
 * the bound the one that waited longest is dropped, which is a client's that does not read, and not the one that came
 * last. Thread-safe.
 */
final class UnsentAnswers {

    /** One of them; equal to no other. */
    private static final class Unsent {
        final int bytes;
        final Runnable drop;

        Unsent(int bytes, Runnable drop) {
            this.bytes = bytes;
            this.drop = drop;
        }
    }

    private final long most;
    private final ReentrantLock lock = new ReentrantLock();
    private final Set<Unsent> unsent = new LinkedHashSet<>();
    private long bytes;

    /** @param most bytes of them all; a longer one is held alone */
    UnsentAnswers(long most) {
        this.most = most;
    }

    /**
     * Holds one.
     *
     * @param drop closes its connection, on any thread
     * @return to be run once it is sent, or will never be
     */
    Runnable hold(int size, Runnable drop) {
        Unsent held = new Unsent(size, drop);
        List<Unsent> dropped = new ArrayList<>();
        lock.lock();
        try {
            unsent.add(held);
            bytes += size;
            while (bytes > most && unsent.size() > 1) {
                Unsent eldest = unsent.iterator().next();
                remove(eldest);
                dropped.add(eldest);
            }
        } finally {
            lock.unlock();
        }
        dropped.forEach(eldest -> eldest.drop.run());
        return () -> sent(held);
    }

    private void sent(Unsent held) {
        lock.lock();
        try {
            remove(held);
        } finally {
            lock.unlock();
        }
    }

    private void remove(Unsent held) {
        if (unsent.remove(held)) {
            bytes -= held.bytes;
        }
    }

    /** Bytes held. */
    long bytes() {
        lock.lock();
        try {
            return bytes;
        } finally {
            lock.unlock();
        }
    }
}
