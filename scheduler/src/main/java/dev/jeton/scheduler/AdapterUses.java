package dev.jeton.scheduler;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * How many requests go through each adapter that came after the start, so that one that is to leave is given up when
 * the last of them has ended, and no later one begins. Any thread; never blocks.
 */
final class AdapterUses {

    /** Added to the count of one that is to leave. */
    private static final int LEAVING = Integer.MIN_VALUE;

    private final Map<Integer, AtomicInteger> uses = new ConcurrentHashMap<>();
    private final AtomicInteger leaving = new AtomicInteger();

    /** Requests may go through it from now on. */
    void add(int adapter) {
        uses.put(adapter, new AtomicInteger());
    }

    /** A request begins; false where the adapter is gone, or about to. */
    boolean begin(int adapter) {
        AtomicInteger count = uses.get(adapter);
        if (count == null) {
            return false;
        }
        for (int now = count.get(); now >= 0; now = count.get()) {
            if (count.compareAndSet(now, now + 1)) {
                return true;
            }
        }
        return false;
    }

    /** A request that had begun has ended. */
    void end(int adapter) {
        AtomicInteger count = uses.get(adapter);
        if (count != null) {
            count.decrementAndGet();
        }
    }

    /** None begins from now on. */
    void leave(int adapter) {
        AtomicInteger count = uses.get(adapter);
        if (count != null && count.getAndAccumulate(LEAVING, (now, mark) -> now < 0 ? now : now + mark) >= 0) {
            leaving.incrementAndGet();
        }
    }

    /** Takes one that is to leave and that nobody goes through any more; 0 where there is none. */
    int takeUnused() {
        if (leaving.get() == 0) {
            return 0;
        }
        for (Map.Entry<Integer, AtomicInteger> each : uses.entrySet()) {
            if (each.getValue().get() == LEAVING && uses.remove(each.getKey(), each.getValue())) {
                leaving.decrementAndGet();
                return each.getKey();
            }
        }
        return 0;
    }
}
