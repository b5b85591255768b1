package dev.jeton.server.batch;

import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Iterator;
import java.util.Map;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * How many requests of batches are answered at once. A tenant has three quarters of the places, so that another's batch
 * moves on beside it; of those who may come in, who waits longest is next. Thread-safe.
 */
final class BatchPlaces {

    private static final class Waiter {
        final String tenant;
        final Condition admission;
        boolean admitted;

        Waiter(String tenant, Condition admission) {
            this.tenant = tenant;
            this.admission = admission;
        }
    }

    private final int most;
    private final int mostOfTenant;
    private final ReentrantLock lock = new ReentrantLock();
    private final ArrayDeque<Waiter> waiters = new ArrayDeque<>();
    private final Map<String, Integer> tenants = new HashMap<>();
    private int taken;

    BatchPlaces(int most) {
        this.most = most;
        mostOfTenant = Math.max(1, most - most / 4);
    }

    /** Waits for a place; {@link #leave} gives it back. */
    void enter(String tenant) throws InterruptedException {
        lock.lock();
        try {
            Waiter waiter = new Waiter(tenant, lock.newCondition());
            waiters.add(waiter);
            admit();
            try {
                while (!waiter.admitted) {
                    waiter.admission.await();
                }
            } catch (InterruptedException e) {
                if (waiter.admitted) {
                    leave(tenant);
                } else {
                    waiters.remove(waiter);
                }
                throw e;
            }
        } finally {
            lock.unlock();
        }
    }

    void leave(String tenant) {
        lock.lock();
        try {
            taken--;
            tenants.computeIfPresent(tenant, (key, count) -> count == 1 ? null : count - 1);
            admit();
        } finally {
            lock.unlock();
        }
    }

    private void admit() {
        for (Iterator<Waiter> all = waiters.iterator(); taken < most && all.hasNext(); ) {
            Waiter waiter = all.next();
            if (tenants.getOrDefault(waiter.tenant, 0) < mostOfTenant) {
                all.remove();
                taken++;
                tenants.merge(waiter.tenant, 1, Integer::sum);
                waiter.admitted = true;
                waiter.admission.signal();
            }
        }
    }

    /** Requests that are being answered. */
    int taken() {
        lock.lock();
        try {
            return taken;
        } finally {
            lock.unlock();
        }
    }
}
