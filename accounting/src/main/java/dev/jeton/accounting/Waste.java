package dev.jeton.accounting;

/**
 * Device time that served nobody. The kinds do not overlap.
 *
 * @param recompute prefilled again after preemption; the house pays
 * @param overrun past a stop or a limit; the house pays
 * @param house the rest of what the house pays: failed steps, cached blocks that nobody holds
 * @param cancelled thrown away because the client hung up; the tenant pays
 * @param failed the rest of what tenants paid for requests that the server ended, or that failed or were aborted
 * @param idle without work; the operator's report only
 * @param overhead copying, stalls, loading, draining, out of order; the operator's report only
 */
public record Waste(Part recompute, Part overrun, Part house, Part cancelled, Part failed, Part idle, Part overhead) {

    /**
     * One kind.
     *
     * @param nanos device time
     * @param money nano-units
     */
    public record Part(long nanos, long money) {

        static final Part NONE = new Part(0, 0);

        Part plus(Posting.Unit unit, long amount) {
            return switch (unit) {
                case NANOS -> new Part(Math.addExact(nanos, amount), money);
                case MONEY -> new Part(nanos, Math.addExact(money, amount));
                case MICROJOULES -> this;
            };
        }
    }
}
