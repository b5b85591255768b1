package dev.jeton.server.api;

import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/** Counts the requests being worked on against their bound, and closes the door while draining; thread-safe. */
final class Admission {

    private final int bound;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition idle = lock.newCondition();
    /** By the tenants' salts; without those who have none running. */
    private final Map<Long, Integer> tenants = new HashMap<>();

    private int running;
    private volatile boolean draining;

    /** @param bound most requests at once */
    Admission(int bound) {
        this.bound = bound;
    }

    /**
     * Begins a request; {@link #leave} ends it. A tenant has three quarters of the places, so that others come in
     * whatever one sends.
     *
     * @throws ApiException 503 while draining, 429 at the bound
     */
    void enter(Caller caller) {
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
            int own = tenants.getOrDefault(caller.salt(), 0);
            if (caller.salt() != 0 && own >= Math.max(1, bound - bound / 4)) {
                throw ApiException.overloaded(
                        "The server works on as many requests of this tenant as it may, %d; try again later"
                                .formatted(own));
            }
            running++;
            tenants.put(caller.salt(), own + 1);
        } finally {
            lock.unlock();
        }
    }

    void leave(Caller caller) {
        lock.lock();
        try {
            running--;
            int own = tenants.getOrDefault(caller.salt(), 1);
            if (own > 1) {
                tenants.put(caller.salt(), own - 1);
            } else {
                tenants.remove(caller.salt());
            }
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
