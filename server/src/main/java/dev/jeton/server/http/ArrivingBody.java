package dev.jeton.server.http;

import java.util.ArrayDeque;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * A request's body while it arrives, for what is too large to be held whole. An event loop adds, the request's virtual
 * thread takes; where it is slower, the connection is not read, so no more is held than {@value #HELD} bytes and what
 * one read brings.
 */
public final class ArrivingBody {

    /** Bytes that wait at which the connection is not read any more. */
    static final int HELD = 256 << 10;

    private static final byte[] END = new byte[0];

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition arrived = lock.newCondition();
    private final ArrayDeque<byte[]> parts = new ArrayDeque<>();
    private final long most;
    private final Runnable resume;
    private long received;
    private int held;
    private boolean paused;
    private boolean whole;
    private int status;
    private String why = "";

    /**
     * Nothing yet.
     *
     * @param most most bytes
     * @param resume told, by the thread that takes, when there is room again after {@link #add} has said that there is
     *     none
     */
    ArrivingBody(long most, Runnable resume) {
        this.most = most;
        this.resume = resume;
    }

    /**
     * Takes the next part; waits for it.
     *
     * @return empty at the end
     * @throws UnfinishedBodyException where the rest does not come
     */
    public byte[] next() throws InterruptedException {
        byte[] part;
        boolean room;
        lock.lock();
        try {
            while (parts.isEmpty() && !whole && why.isEmpty()) {
                arrived.await();
            }
            if (parts.isEmpty() && !why.isEmpty()) {
                throw new UnfinishedBodyException(status, why);
            }
            part = parts.isEmpty() ? END : parts.remove();
            held -= part.length;
            room = paused && held <= HELD / 2;
            paused &= !room;
        } finally {
            lock.unlock();
        }
        if (room) {
            resume.run();
        }
        return part;
    }

    /** Adds a part; whether there is room for more. Past the most bytes the body fails. */
    boolean add(byte[] part) {
        lock.lock();
        try {
            received += part.length;
            if (received > most) {
                fail(413, "the body has more than the %d bytes that are accepted".formatted(most));
                return true;
            }
            parts.add(part);
            held += part.length;
            paused |= held > HELD;
            arrived.signalAll();
            return !paused;
        } finally {
            lock.unlock();
        }
    }

    /** All is there. */
    void end() {
        lock.lock();
        try {
            whole = why.isEmpty();
            arrived.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /** The rest does not come: the first reason counts. */
    void fail(int answer, String reason) {
        lock.lock();
        try {
            if (!whole && why.isEmpty()) {
                status = answer;
                why = reason;
                parts.clear();
                held = 0;
            }
            arrived.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /** Whether all of it has arrived. */
    boolean whole() {
        lock.lock();
        try {
            return whole;
        } finally {
            lock.unlock();
        }
    }

    /** Whether it waits for room. */
    boolean paused() {
        lock.lock();
        try {
            return paused;
        } finally {
            lock.unlock();
        }
    }

    /** Whether it has failed. */
    boolean failed() {
        lock.lock();
        try {
            return !why.isEmpty();
        } finally {
            lock.unlock();
        }
    }
}
