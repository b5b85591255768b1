package dev.jeton.scheduler;

import dev.jeton.models.engine.Iteration;
import dev.jeton.models.engine.SequenceEngine;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * What an engine that batches by itself has told and its loop has not taken yet: a ring of flat events from the
 * engine's one thread to the loop's. Where it is full the engine waits: the loop takes them as they come, so that lasts
 * no longer than a turn.
 *
 * <p>An iteration is its rows, then an event with its span. Written events are seen once {@code tail} has moved.
 */
final class SequenceEvents implements SequenceEngine.Sink {

    /** What an event tells. */
    enum Kind {
        /** {@code a} prompt tokens, {@code b} generated, {@code c} in the context. */
        ROW,
        /** From {@code id} to {@code until}. */
        ITERATION,
        /** {@code a}, with the log-probability whose bits are {@code b}. */
        TOKEN,
        /** {@code a} is the ordinal of how. */
        FINISHED,
        /** The engine can compute no more. */
        LOST
    }

    private static final int CAPACITY = 1 << 15;
    private static final int MASK = CAPACITY - 1;
    private static final long FULL_NANOS = 20_000;

    private final Runnable wake;
    private final Kind[] kinds = new Kind[CAPACITY];
    private final long[] ids = new long[CAPACITY];
    private final long[] untils = new long[CAPACITY];
    private final int[] as = new int[CAPACITY];
    private final int[] bs = new int[CAPACITY];
    private final int[] cs = new int[CAPACITY];
    private final @Nullable String[] messages = new String[CAPACITY];
    private volatile long head;
    private volatile long tail;
    private volatile boolean closed;
    /** The engine's thread alone. */
    private long written;

    /** The event that was taken last; the loop's thread alone. */
    Kind kind = Kind.LOST;

    long id;
    long until;
    int a;
    int b;
    int c;
    String message = "";

    /** @param wake called when there is something to take; must not block */
    SequenceEvents(Runnable wake) {
        this.wake = wake;
    }

    // ---- the engine's side ----

    @Override
    public void iteration(Iteration iteration) {
        for (int row = 0; row < iteration.rows(); row++) {
            write(
                    Kind.ROW,
                    iteration.id[row],
                    0,
                    iteration.prefill[row],
                    iteration.generated[row],
                    iteration.context[row],
                    null);
        }
        write(Kind.ITERATION, iteration.startNanos, iteration.endNanos, 0, 0, 0, null);
    }

    @Override
    public void token(long sequence, int token, float logProbability) {
        write(Kind.TOKEN, sequence, 0, token, Float.floatToRawIntBits(logProbability), 0, null);
    }

    @Override
    public void finished(long sequence, SequenceEngine.Finish how, String why) {
        write(Kind.FINISHED, sequence, 0, how.ordinal(), 0, 0, why);
    }

    @Override
    public void lost(String why) {
        write(Kind.LOST, 0, 0, 0, 0, 0, why);
    }

    private void write(Kind what, long sequence, long end, int first, int second, int third, @Nullable String why) {
        while (written - head == CAPACITY) {
            if (closed) {
                return;
            }
            wake.run();
            LockSupport.parkNanos(this, FULL_NANOS);
        }
        int place = (int) written & MASK;
        kinds[place] = what;
        ids[place] = sequence;
        untils[place] = end;
        as[place] = first;
        bs[place] = second;
        cs[place] = third;
        messages[place] = why;
        tail = ++written;
        wake.run();
    }

    // ---- the loop's side ----

    boolean isEmpty() {
        return head == tail;
    }

    /** Takes the next event into the fields above. */
    boolean poll() {
        long at = head;
        if (at == tail) {
            return false;
        }
        int place = (int) at & MASK;
        kind = kinds[place];
        id = ids[place];
        until = untils[place];
        a = as[place];
        b = bs[place];
        c = cs[place];
        String why = messages[place];
        message = why == null ? "" : why;
        messages[place] = null;
        head = at + 1;
        return true;
    }

    /** Nobody takes any more: an engine that waits for room goes on. */
    void close() {
        closed = true;
    }
}
