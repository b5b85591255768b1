package dev.jeton.accounting;

import java.util.List;

/** What is added to one row of a device's hour; the order of the measures is the order of the columns. */
final class DeviceSum {

    /** The row. */
    record Key(long hour, String node, String device, String corrects) {}

    /** Columns of device_hour that are summed; the states stand as in the scheduler's DeviceState. */
    enum Measure {
        WINDOWS,
        STEP_NANOS,
        COPY_NANOS,
        STALLED_NANOS,
        IDLE_NANOS,
        LOADING_NANOS,
        DRAINING_NANOS,
        DOWN_NANOS,
        IMBALANCE,
        MICROJOULES,
        DEVICE_MONEY,
        TENANT_MONEY,
        IDLE_MONEY,
        OVERHEAD_MONEY,
        HOUSE_MONEY,
        ROUNDING_MONEY
    }

    /** How many states have a column. */
    static final int STATES = 7;

    private static final int MEASURES = Measure.values().length;

    private final long[] sums = new long[MEASURES];

    void add(Measure measure, long amount) {
        sums[measure.ordinal()] = Math.addExact(sums[measure.ordinal()], amount);
    }

    long sum(int column) {
        return sums[column];
    }

    static int columns() {
        return MEASURES;
    }

    /** Adds a window's time and energy. */
    void add(Fact.Window window) {
        add(Measure.WINDOWS, 1);
        List<Long> states = window.states();
        for (int i = 0; i < states.size(); i++) {
            int column = Measure.STEP_NANOS.ordinal() + i;
            sums[column] = Math.addExact(sums[column], states.get(i));
        }
        add(Measure.IMBALANCE, imbalance(window));
        add(Measure.MICROJOULES, window.joules());
    }

    /** Adds a posting of the device's windows. */
    void add(Posting posting) {
        if (posting.unit() != Posting.Unit.MONEY) {
            return;
        }
        add(
                switch (posting.account()) {
                    case DEVICE -> Measure.DEVICE_MONEY;
                    case TENANT -> Measure.TENANT_MONEY;
                    case IDLE -> Measure.IDLE_MONEY;
                    case OVERHEAD -> Measure.OVERHEAD_MONEY;
                    case HOUSE -> Measure.HOUSE_MONEY;
                    case ROUNDING -> Measure.ROUNDING_MONEY;
                },
                posting.amount());
    }

    /** Nanoseconds of a window that no state accounts for; below 0 where states overlap. */
    static long imbalance(Fact.Window window) {
        long booked = 0;
        for (long nanos : window.states()) {
            booked = Math.addExact(booked, nanos);
        }
        return Math.subtractExact(Math.subtractExact(window.toNanos(), window.fromNanos()), booked);
    }
}
