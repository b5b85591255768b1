package dev.jeton.accounting;

import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * The books of one request under way: what it may compute, where its device time adds up, and how it is closed. Used by
 * the request's thread; the allowance by the step loop.
 */
public final class RequestBooks implements AutoCloseable {

    /** The request's allowance, which leads the meter to it. */
    private record Spending(Grant grant, RequestMeter meter) implements Metered {
        @Override
        public int grant(int tokens) {
            return grant.grant(tokens);
        }

        @Override
        public int lend(int tokens) {
            return grant.lend(tokens);
        }

        @Override
        public void settle(int lent, int used) {
            grant.settle(lent, used);
        }

        @Override
        public boolean exhausted() {
            return grant.exhausted();
        }
    }

    /**
     * How a request went.
     *
     * @param outcome how it ended
     * @param tokens what the list prices
     * @param egressBytes bytes of the answer's body
     * @param queueNanos from submit to the first step
     * @param firstTokenNanos from submit to the first token
     * @param totalNanos from submit to the end
     * @param deviceNanos device time attributed to it that the tenant pays for
     * @param discardedNanos device time that the meter has as its decoding, and that only made tokens past a stop which
     *     was found later: the house's
     * @param savedNanos device time that cached tokens would have cost
     * @param kvByteSeconds KV memory held, divided by its holders
     * @param retries the attempt's number as SDKs count
     */
    public record Used(
            Fact.Outcome outcome,
            Tokens tokens,
            long egressBytes,
            long queueNanos,
            long firstTokenNanos,
            long totalNanos,
            long deviceNanos,
            long discardedNanos,
            long savedNanos,
            long kvByteSeconds,
            int retries) {}

    private final Bookkeeper keeper;
    private final PriceBook book;
    private final Fact.Opened opened;
    private final Meter meter;
    private final String device;
    private final Spending spending;
    private final AtomicBoolean closed = new AtomicBoolean();

    /** Priced to its end by the book it was opened under. */
    RequestBooks(Bookkeeper keeper, PriceBook book, Fact.Opened opened, Meter meter, String device, Grant grant) {
        this.keeper = keeper;
        this.book = book;
        this.opened = opened;
        this.meter = meter;
        this.device = device;
        spending = new Spending(grant, new RequestMeter(opened.request(), grant.hold));
    }

    /** What the scheduler takes tokens from: one for all prompts and sequences of the request. */
    public Metered allowance() {
        return spending;
    }

    /**
     * Says that the system has so many of the request's tokens to send, so that its client gets them even if this
     * process dies. Becomes durable with the request's next grant.
     *
     * @param tokens of all its sequences together, never less than before
     */
    public void confirm(long tokens) {
        spending.grant().confirm(tokens);
    }

    /** What it cost, from what it used but for its answer's bytes: nothing is recorded. */
    public Bill bill(Used used) {
        long list = new ListPricing(book)
                .price(opened.model(), opened.payer().tenant(), used.tokens(), opened.at(), opened.work())
                .total();
        return Bill.estimate(book, device, keeper.clock().micros(), used.deviceNanos(), list);
    }

    /**
     * Records the end; only the first call does. What was used becomes durable soon; {@link #closeDurably} waits for
     * it.
     *
     * @return the number of the fact, 0 where the end was recorded before
     */
    public long close(Used used) {
        if (!closed.compareAndSet(false, true)) {
            return 0;
        }
        spending.grant().end();
        meter.discard(spending.meter(), used.discardedNanos());
        meter.memo(spending.meter(), used.savedNanos(), used.kvByteSeconds());
        Fact.Closed end = end(used);
        return keeper.budgets().settle(spending.grant().hold, end, () -> keeper.append(end));
    }

    private Fact.Closed end(Used used) {
        return new Fact.Closed(
                keeper.clock().micros(),
                opened.request(),
                used.outcome(),
                used.tokens(),
                used.egressBytes(),
                bill(used).list(),
                book.egress(opened.zones(), used.egressBytes()),
                used.queueNanos(),
                used.firstTokenNanos(),
                used.totalNanos(),
                used.retries());
    }

    /** The budgets above the request as they will be once it has ended like this, from the tenant's down. */
    public List<BudgetView> budgetsAfter(Used used) {
        BudgetHold hold = spending.grant().hold;
        return hold.empty() ? List.of() : keeper.budgets().after(hold, end(used));
    }

    /** Which budget let it have fewer tokens than it asked for. */
    public Optional<BudgetStop> shortenedBy() {
        return spending.grant().hold.shortenedBy;
    }

    /** Which budget ended it in mid-generation; any thread. */
    public Optional<BudgetStop> stoppedBy() {
        return spending.grant().hold.stoppedBy();
    }

    /**
     * Records the end and waits until it is durable: before that the client must not see the answer's last byte.
     *
     * @throws AccountingException if the journal is closed before
     */
    public void closeDurably(Used used) throws InterruptedException {
        long sequence = close(used);
        if (sequence > 0) {
            keeper.awaitDurable(sequence);
        }
    }

    /** Records a failure, where nothing else was recorded. */
    @Override
    public void close() {
        close(new Used(Fact.Outcome.FAILED, Tokens.NONE, 0, 0, 0, 0, 0, 0, 0, 0, 0));
    }
}
