package dev.jeton.accounting;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The meters of a process, one for each device group, and the windows of them that have ended and are not journaled
 * yet: at most {@value #MAX_WINDOWS}, after which the windows under way grow until the journal takes the old ones.
 *
 * <p>Any thread may ask for a meter; all else is the thread's alone that ends windows, until it has ended.
 */
final class MeterWindows {

    private static final Logger LOG = LoggerFactory.getLogger(MeterWindows.class);
    private static final int MAX_WINDOWS = 3_600;
    /** A window that has ended waits for its steps, which take milliseconds; longer than this nobody waits. */
    private static final long LANDING_NANOS = 2_000_000_000L;

    private static final long LANDING_PAUSE_NANOS = 200_000;

    private final Journal journal;
    private final BookClock clock;
    private final PriceBook prices;
    private final Function<String, EnergyCounter> counters;
    private final Map<String, Meter> meters = new ConcurrentHashMap<>();
    private final Deque<Fact.Window> ended = new ArrayDeque<>();

    /**
     * No meters yet.
     *
     * @param prices whose devices' energy is modelled where it is not measured
     * @param counters of the energy of a device group
     */
    MeterWindows(Journal journal, BookClock clock, PriceBook prices, Function<String, EnergyCounter> counters) {
        this.journal = journal;
        this.clock = clock;
        this.prices = prices;
        this.counters = counters;
    }

    /** The meter of a device group; the same for all its engines. */
    Meter meter(String device) {
        return meters.computeIfAbsent(
                device,
                name -> new Meter(name, clock, new EnergyModel(prices.device(name)), counters.apply(name), ended::add));
    }

    /**
     * Ends windows in which something was used, and journals those that are complete.
     *
     * @param all whether quiet ones end, too
     */
    void tick(boolean all) {
        if (ended.size() < MAX_WINDOWS) {
            meters.values().forEach(meter -> meter.tick(all));
        }
        journalEnded();
    }

    /** Whether a window should end before it is due. */
    boolean crowded() {
        return meters.values().stream().anyMatch(Meter::crowded);
    }

    /** Ends all windows now, and waits until they are complete. */
    void endAll() {
        settle();
        meters.values().forEach(meter -> meter.tick(true));
        settle();
    }

    private void settle() {
        long end = System.nanoTime() + LANDING_NANOS;
        for (Meter meter : meters.values()) {
            while (!meter.handOn() && System.nanoTime() - end < 0) {
                LockSupport.parkNanos(LANDING_PAUSE_NANOS);
            }
        }
    }

    /** Whether the journal has all windows that are complete. */
    boolean journalEnded() {
        try {
            while (!ended.isEmpty()) {
                journal.append(ended.getFirst());
                ended.removeFirst();
            }
        } catch (AccountingException e) {
            LOG.warn("{} windows of device time wait for the journal: {}", ended.size(), e.getMessage());
        }
        return ended.isEmpty();
    }

    /** Nanoseconds missing (positive) or booked twice in any device's open window: always 0. */
    long imbalance() {
        return meters.values().stream().mapToLong(Meter::imbalance).sum();
    }
}
