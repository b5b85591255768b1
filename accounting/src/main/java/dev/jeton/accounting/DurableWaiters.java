package dev.jeton.accounting;

import java.util.ArrayList;
import java.util.List;
import java.util.PriorityQueue;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Who waits for which number to become durable. Guarded by the journal's lock, but for {@link #tell}. */
final class DurableWaiters {

    private static final Logger LOG = LoggerFactory.getLogger(DurableWaiters.class);

    /**
     * One who waits.
     *
     * @param always whether to be told too when the journal closes without reaching the number
     */
    record Waiter(long sequence, Runnable then, boolean always) {}

    private final PriorityQueue<Waiter> waiters =
            new PriorityQueue<>((a, b) -> Long.compare(a.sequence(), b.sequence()));

    void add(Waiter waiter) {
        waiters.add(waiter);
    }

    void remove(Waiter waiter) {
        waiters.remove(waiter);
    }

    /** Takes out whom to tell that a number is durable. */
    List<Runnable> reached(long durable) {
        List<Runnable> due = new ArrayList<>();
        for (Waiter w = waiters.peek(); w != null && w.sequence() <= durable; w = waiters.peek()) {
            due.add(w.then());
            waiters.remove();
        }
        return due;
    }

    /** Takes out all, and returns those to tell that their numbers will never be durable. */
    List<Runnable> never() {
        List<Runnable> left = new ArrayList<>();
        for (Waiter waiter : waiters) {
            if (waiter.always()) {
                left.add(waiter.then());
            }
        }
        waiters.clear();
        return left;
    }

    /** Tells them; without the lock. */
    static void tell(List<Runnable> due) {
        for (Runnable then : due) {
            try {
                then.run();
            } catch (RuntimeException e) {
                LOG.error("a listener of the journal failed; whatever it serves may wait for ever", e);
            }
        }
    }
}
