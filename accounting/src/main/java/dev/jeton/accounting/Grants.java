package dev.jeton.accounting;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Grants tokens to requests: what a request may compute is in the journal, durable, before it is computed. So after a
 * crash the journal tells for every request a bound on what its client can have received.
 *
 * <p>Step loops ask for renewals without a lock, by pushing the request's {@link Grant} on a stack; one thread takes
 * all of them and appends the facts. Where the journal is full the request waits there and is tried again.
 */
public final class Grants implements AutoCloseable {

    /** Most tokens of a grant, per sequence. */
    static final int MOST = 64;
    /** Tokens of the first grant, per sequence: it doubles from there, so that short requests waste little. */
    static final int FIRST = 16;

    private static final Logger LOG = LoggerFactory.getLogger(Grants.class);
    private static final long RETRY_NANOS = 10_000_000;
    /** Renewals that are reserved for; requests that need more compete for what nobody reserved. */
    private static final long MAX_RESERVED = 4096;

    private final Journal journal;
    private final Budgets budgets;
    private final LongSupplier micros;
    private final AtomicReference<@Nullable Grant> asking = new AtomicReference<>();
    private final Thread thread;
    private volatile boolean closing;

    /**
     * Starts the renewing thread.
     *
     * @param budgets what is granted is charged to
     * @param micros microseconds since 1970, by which facts are dated
     */
    public Grants(Journal journal, Budgets budgets, LongSupplier micros) {
        this.journal = journal;
        this.budgets = budgets;
        this.micros = micros;
        thread = Thread.ofPlatform().name("grants").daemon(true).unstarted(this::renew);
        thread.start();
    }

    /**
     * Admits a request to the books: its beginning and its first grant are appended and become durable in one commit,
     * while the prompt is computed.
     *
     * @param hold what budgets are above it: waits, for a bounded time, where others have reserved what it needs
     * @param most tokens that its sequences may generate together; {@link Long#MAX_VALUE} for no bound
     * @param wake called whenever a grant has become durable, by the journal's thread, so it must not block:
     *     {@code Dispatcher::wake}
     * @return what the scheduler takes tokens from; nothing is there until the first grant is durable
     * @throws BudgetRefusal if a budget does not pay for it
     * @throws AccountingException if the journal is full, failing or closed: the request must be refused
     */
    Grant open(BudgetHold hold, long most, Runnable wake) throws InterruptedException {
        Grant grant = grant(hold, most, wake);
        budgets.admit(hold, Math.min(most, grant.asked()), total -> admit(grant, most, total));
        return grant;
    }

    /** A grant that nothing was given to yet. */
    Grant grant(BudgetHold hold, long most, Runnable wake) {
        if (most < 0) {
            throw new IllegalArgumentException("a request cannot generate %d tokens".formatted(most));
        }
        Grant grant = new Grant(this::ask, hold, Math.max(1, most), wake);
        hold.grant = grant;
        return grant;
    }

    /** Appends a request's beginning and its first grant, of so many tokens. */
    void admit(Grant grant, long most, long total) {
        Fact.Opened opened = grant.hold.opened;
        Fact.Granted first = grant.give(total, opened.at());
        long perRenewal = JournalFormat.RECORD + FactCodec.encode(first).length + Long.BYTES;
        long renewals = Math.min(MAX_RESERVED, most / ((long) MOST * opened.sequences()) + 2);
        journal.whenDurable(journal.admit(opened, first, renewals * perRenewal), grant::landed);
    }

    /** A grant wants to grow; called by step loops: no lock, no allocation. */
    void ask(Grant grant) {
        Grant head = asking.get();
        while (true) {
            grant.below = head;
            Grant witness = asking.compareAndExchange(head, grant);
            if (witness == head) {
                break;
            }
            head = witness;
        }
        if (head == null) {
            LockSupport.unpark(thread);
        }
    }

    private void renew() {
        List<Grant> refused = new ArrayList<>();
        while (!closing) {
            List<Grant> work = new ArrayList<>(refused);
            refused.clear();
            for (Grant grant = asking.getAndSet(null); grant != null; ) {
                work.add(grant);
                Grant below = grant.below;
                grant.below = null;
                grant = below;
            }
            for (Grant grant : work) {
                if (!grant.ended() && !renewedOrEnded(grant)) {
                    refused.add(grant);
                }
            }
            if (asking.get() == null && !closing) {
                if (refused.isEmpty()) {
                    LockSupport.park(this);
                } else {
                    LockSupport.parkNanos(this, RETRY_NANOS);
                }
            }
        }
    }

    /** Whatever fails of one request, the others still get their grants. */
    private boolean renewedOrEnded(Grant grant) {
        try {
            return renewed(grant);
        } catch (RuntimeException e) {
            LOG.error("a request could not be granted more and ends", e);
            grant.stop(true);
            return true;
        }
    }

    private boolean renewed(Grant grant) {
        if (grant.hold.empty()) {
            return appended(grant, grant.asked());
        }
        return budgets.renew(grant, total -> append(grant, total));
    }

    private boolean appended(Grant grant, long total) {
        try {
            append(grant, total);
            return true;
        } catch (AccountingException e) {
            LOG.debug("a grant has to wait", e);
            return false;
        }
    }

    private void append(Grant grant, long total) {
        long sequence = journal.append(grant.give(total, micros.getAsLong()));
        journal.whenDurable(sequence, grant::landed);
    }

    /** Ends the renewing thread: what is granted can still be spent, nothing more is granted. */
    @Override
    public void close() {
        closing = true;
        LockSupport.unpark(thread);
        boolean interrupted = false;
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
