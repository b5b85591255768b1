package dev.jeton.accounting;

/**
 * How fast a budget is spent: what was spent, each part counted less the longer ago it is, by its half-life. Guarded by
 * who owns it.
 */
final class BurnRate {

    private static final double LN2 = Math.log(2);

    private double weighted;
    private long at;
    private long before;
    private boolean begun;
    private long since;

    /**
     * Takes note of what is spent by now.
     *
     * @param halfLife microseconds
     */
    void observe(long spent, long now, long halfLife) {
        if (!begun || spent < before) {
            begun = true;
            weighted = 0;
            since = now;
        } else if (now > at) {
            double decay = Math.exp(-LN2 * (now - at) / halfLife);
            weighted = weighted * decay + (spent - before);
        }
        at = now;
        before = spent;
    }

    /** Spent per microsecond, of late. */
    double perMicro(long halfLife) {
        // the weight of all the time that was observed: young rates are not taken for low ones
        double seen = halfLife / LN2 * (1 - Math.exp(-LN2 * (at - since) / halfLife));
        return seen < 1 ? 0 : weighted / seen;
    }

    /** For how long it was observed, microseconds. */
    long seen() {
        return begun ? at - since : 0;
    }

    /** Forgets everything: another window has begun. */
    void reset() {
        begun = false;
    }
}
