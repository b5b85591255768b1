package dev.jeton.accounting;

/** What is added to one row of hourly usage; the order of the measures is the order of the columns. */
final class UsageSum {

    /** Columns of usage_hour that are summed. */
    enum Measure {
        REQUESTS,
        COMPLETED,
        CANCELLED,
        FAILED,
        INPUT,
        CACHED,
        OUTPUT,
        EGRESS_BYTES,
        PAYABLE,
        HOUSE,
        CANCELLED_NANOS,
        RECOMPUTE_NANOS,
        OVERRUN_NANOS,
        SAVED_NANOS,
        KV_BYTE_SECONDS,
        MICROJOULES,
        LIST_MONEY,
        METERED,
        HOUSE_MONEY,
        EGRESS_MONEY,
        STEPS,
        STEP_MONEY
    }

    private static final Measure[] MEASURES = Measure.values();

    private final long[] sums = new long[MEASURES.length];

    void add(Measure measure, long amount) {
        sums[measure.ordinal()] = Math.addExact(sums[measure.ordinal()], amount);
    }

    long sum(Measure measure) {
        return sums[measure.ordinal()];
    }

    /** Adds all of another. */
    void add(UsageSum other) {
        for (Measure measure : MEASURES) {
            add(measure, other.sum(measure));
        }
    }

    /** Adds a request that ended. */
    void add(Fact.Closed closed) {
        add(Measure.REQUESTS, 1);
        switch (closed.outcome()) {
            case COMPLETED -> add(Measure.COMPLETED, 1);
            case CANCELLED -> add(Measure.CANCELLED, 1);
            case STOPPED, FAILED, ABORTED -> add(Measure.FAILED, 1);
        }
        add(Measure.INPUT, closed.tokens().input());
        add(Measure.CACHED, closed.tokens().cached());
        add(Measure.OUTPUT, closed.tokens().output());
        add(Measure.EGRESS_BYTES, closed.egressBytes());
        add(Measure.LIST_MONEY, closed.list());
        add(Measure.EGRESS_MONEY, closed.egress());
    }

    /** Adds what a request used of a device. */
    void add(Line line) {
        add(Measure.PAYABLE, line.payable());
        add(Measure.HOUSE, line.house());
        add(Measure.CANCELLED_NANOS, line.cancelled());
        add(Measure.RECOMPUTE_NANOS, line.recompute());
        add(Measure.OVERRUN_NANOS, line.overrun());
        add(Measure.SAVED_NANOS, line.saved());
        add(Measure.KV_BYTE_SECONDS, line.kvByteSeconds());
        add(Measure.MICROJOULES, line.joules());
    }
}
