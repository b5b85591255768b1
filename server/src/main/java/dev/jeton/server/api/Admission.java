package dev.jeton.server.api;

import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/** Counts the requests being worked on against their bound, and closes the door while draining; thread-safe. */
final class Admission {

    private final int bound;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition idle = lock.newCondition();
    private int running;
    private volatile boolean draining;

    /** @param bound most requests at once */
    Admission(int bound) {
        this.bound = bound;
    }

    /**
     * Begins a request; {@link #leave} ends it.
     *
     * @throws ApiException 503 while draining, 429 at the bound
     */
    void enter() {
        lock.lock();
        try {
            if (draining) {
                throw ApiException.unavailable(
                        "draining", "The server is draining and takes no new requests; try another one");
            }
            if (running >= bound) {
                throw ApiException.overloaded(
                        "The server works on as many requests as it may, %d; try again later".formatted(bound));
            }
            running++;
        } finally {
            lock.unlock();
        }
    }

    void leave() {
        lock.lock();
        try {
            running--;
            if (running == 0) {
                idle.signalAll();
            }
        } finally {
            lock.unlock();
        }
    }

    int running() {
        lock.lock();
        try {
            return running;
        } finally {
            lock.unlock();
        }
    }

    void drain() {
        lock.lock();
        try {
            draining = true;
        } finally {
            lock.unlock();
        }
    }

    boolean draining() {
        return draining;
    }

    /** Waits until nothing is running; false if the time passed before. */
    boolean awaitIdle(long nanos) throws InterruptedException {
        long left = nanos;
        lock.lock();
        try {
            while (running > 0 && left > 0) {
                left = idle.awaitNanos(left);
            }
            return running == 0;
        } finally {
            lock.unlock();
        }
    }
}
