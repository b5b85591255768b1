package dev.jeton.accounting;

import dev.jeton.scheduler.Allowance;
import org.jspecify.annotations.Nullable;

/**
 * What one request may spend, all its sequences together, since they have one allowance: {@code Granted} facts name the
 * sequence {@link #ALL}. Its grants are as many times larger as there are sequences.
 *
 * <p>Taken from by one step loop, which alone owns {@code spent}, {@code asked} and {@code size}; grown by the journal's
 * writer thread, once a grant is durable, by storing {@code granted}. While {@code asked > granted} a renewal is under way,
 * and the step loop leaves {@code asked} alone; that it sees the new {@code granted} orders everything else.
 */
public final class Grant implements Allowance {

    /** In {@code Granted}: all sequences of the request together. */
    public static final int ALL = -1;

    private final Grants grants;
    private final String request;
    private final int sequences;
    private final long most;
    private final Runnable wake;
    private volatile long granted;
    private volatile boolean ended;
    private volatile long confirmed;
    private long asked;
    private long size;
    private volatile long spent;

    /** The grant below it on the stack of those that ask; whoever has the grant in hand owns this. */
    @Nullable
    Grant below;

    Grant(Grants grants, String request, int sequences, long most, Runnable wake) {
        this.grants = grants;
        this.request = request;
        this.sequences = sequences;
        this.most = most;
        this.wake = wake;
        size = (long) Grants.FIRST * sequences;
        asked = Math.min(most, size);
    }

    @Override
    public int grant(int tokens) {
        long now = granted;
        long before = spent;
        int taken = (int) Math.min(tokens, now - before);
        if (taken > 0) {
            spent = before + taken;
        }
        // ahead of need: when half of the newest grant is left
        if (asked == now && now < most && now - before - taken <= size / 2) {
            size = Math.min(2 * size, (long) Grants.MOST * sequences);
            asked = most - now < size ? most : now + size;
            grants.ask(this);
        }
        return taken;
    }

    @Override
    public boolean exhausted() {
        return ended || spent >= most;
    }

    /** The fact that makes what was asked for durable. */
    Fact.Granted fact(long at) {
        return new Fact.Granted(at, request, ALL, asked, confirmed);
    }

    /** What was asked for is durable. */
    void landed() {
        granted = asked;
        wake.run();
    }

    /**
     * The next grant says of so many of the request's tokens that they are on their way to its client for certain. The
     * request's thread.
     */
    void confirm(long tokens) {
        confirmed = tokens;
    }

    /** No further grant is wanted: the request has ended. Any thread; what is granted stays so. */
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

    /** Tokens that were taken for computing, delivered or not; any thread. */
    public long spent() {
        return spent;
    }
}
