package dev.jeton.accounting;

import dev.jeton.scheduler.Allowance;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * What one request may spend, all its sequences together, since they have one allowance: {@code Granted} facts name the
 * sequence {@link #ALL}. Its grants are as many times larger as there are sequences.
 *
 * <p>Taken from by one step loop, which alone owns {@code spent}, {@code lent}, {@code seen} and {@code size}; grown by
 * the journal's writer thread, once a grant is durable, by storing {@code granted}. While {@code granted} is what it
 * was when more was asked for ({@code seen}) a renewal is under way, and the step loop leaves {@code asked} alone; that
 * it sees the new {@code granted} orders everything else. Who grants, under the budgets' lock or with the grant in
 * hand, owns {@code given}: it may be less than was asked for.
 */
public final class Grant implements Allowance {

    /** In {@code Granted}: all sequences of the request together. */
    public static final int ALL = -1;

    private final Consumer<Grant> renewals;
    private final String request;
    private final int sequences;
    private final long most;
    private final Runnable wake;
    private volatile long granted;
    private volatile boolean ended;
    private volatile boolean stopped;
    private volatile long confirmed;
    private long asked;
    private long seen;
    private volatile long given;
    private long size;
    private volatile long spent;
    /** Taken for drafts in flight: spent by those that turn out to be right. The step loop's. */
    private long lent;

    /** The grant below it on the stack of those that ask; whoever has the grant in hand owns this. */
    @Nullable
    Grant below;

    /** What budgets say of it. */
    final BudgetHold hold;

    /** @param renewals asked for more, by the step loop: takes no lock */
    Grant(Consumer<Grant> renewals, BudgetHold hold, long most, Runnable wake) {
        this.renewals = renewals;
        this.hold = hold;
        request = hold.opened.request();
        sequences = hold.opened.sequences();
        this.most = most;
        this.wake = wake;
        size = (long) Grants.FIRST * sequences;
        asked = Math.min(most, size);
    }

    @Override
    public int grant(int tokens) {
        long now = granted;
        long before = spent;
        int taken = takable(tokens, now - before - lent);
        if (taken > 0) {
            spent = before + taken;
        }
        renew(now, before + taken + lent);
        return taken;
    }

    /** Of what is granted it leaves a token for each of the other sequences, which would stand still without. */
    @Override
    public int lend(int tokens) {
        long now = granted;
        long before = spent;
        int taken = takable(tokens, Math.max(0, now - before - lent - (sequences - 1)));
        lent += taken;
        renew(now, before + lent);
        return taken;
    }

    @Override
    public void settle(int tokens, int used) {
        long before = spent;
        lent -= tokens;
        if (used > 0) {
            spent = before + used;
        }
    }

    private int takable(int tokens, long left) {
        return ended ? 0 : (int) Math.min(tokens, left);
    }

    /** Asks for more ahead of need: when half of the newest grant is left. */
    private void renew(long now, long taken) {
        if (seen != now && now < most && now - taken <= size / 2 && !stopped && !ended) {
            size = Math.min(2 * size, (long) Grants.MOST * sequences);
            asked = most - now < size ? most : now + size;
            seen = now;
            renewals.accept(this);
        }
    }

    @Override
    public boolean exhausted() {
        return ended || lent == 0 && (spent >= most || stopped && spent >= granted);
    }

    /** Tokens that it wants to have been granted, in all. */
    long asked() {
        return asked;
    }

    /** Gives it so many tokens in all; they are its own once {@link #landed} is called. */
    Fact.Granted give(long total, long at) {
        given = total;
        return new Fact.Granted(at, request, ALL, total, confirmed);
    }

    /** What was given last found no room in the journal. */
    void takeBack() {
        given = granted;
    }

    /** What was given is durable. */
    void landed() {
        granted = given;
        wake.run();
    }

    /**
     * It gets no more.
     *
     * @param atOnce nor may what it has be spent
     */
    void stop(boolean atOnce) {
        stopped = true;
        if (atOnce) {
            ended = true;
        }
        wake.run();
    }

    /** Tokens granted, or about to be, and not taken but for drafts; any thread with the grant in hand. */
    long unspent() {
        return Math.max(given, granted) - spent;
    }

    /**
     * The next grant says of so many of the request's tokens that they are on their way to its client for certain. The
     * request's thread.
     */
    void confirm(long tokens) {
        confirmed = tokens;
    }

    /** No further grant is wanted: the request has ended. Any thread; nothing more of what is granted is spent. */
    public void end() {
        ended = true;
    }

    boolean ended() {
        return ended;
    }

    /** Tokens that are granted, durable; any thread. */
    public long granted() {
        return granted;
    }

    /** Tokens that were taken for computing, delivered or not, but for drafts in flight; any thread. */
    public long spent() {
        return spent;
    }
}
