package dev.jeton.accounting;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Who may still write how much. A request brings, when it is opened, a reservation out of which its grants and its end
 * are paid, so that work in flight never finds the journal full; what nobody reserved is for everything else. Requests
 * stay out of the part that is the house's.
 *
 * <p>Guarded by the journal's lock.
 */
final class JournalSpace {

    /** Bytes that the record of a request's end takes at most. */
    static final long CLOSE_BYTES = 1024;

    private static final class Holding {
        final long sequence;
        long left;

        Holding(long sequence, long left) {
            this.sequence = sequence;
            this.left = left;
        }
    }

    /**
     * A request that has ended.
     *
     * @param opened sequence number of its beginning
     * @param closed sequence number of its end
     */
    private record Ended(long opened, long closed) {}

    private final JournalConfig config;
    /** In the order of opening: the first is the oldest. */
    private final Map<String, Holding> open = new LinkedHashMap<>();

    /** Requests whose end is appended and not durable yet: after a crash they would still be open. */
    private final Deque<Ended> ended = new ArrayDeque<>();

    private long stored;
    private long pending;
    private long reserved;

    JournalSpace(JournalConfig config, long stored) {
        this.config = config;
        this.stored = stored;
    }

    /**
     * Takes room for a request's first facts and its reservation.
     *
     * @throws AccountingException if there is none; nothing was taken then
     */
    void open(Fact.Opened fact, long sequence, long bytes, long reserve) {
        long held = reserve + CLOSE_BYTES;
        if (taken() + bytes + held > config.maxBytes() - config.houseBytes()) {
            throw full("the request %s is not admitted".formatted(fact.request()));
        }
        if (pending + bytes > config.maxPendingBytes() / 2) {
            throw slow("the request %s is not admitted".formatted(fact.request()));
        }
        if (open.containsKey(fact.request())) {
            throw new AccountingException(
                    "the request %s is open already; give each request an id of its own".formatted(fact.request()));
        }
        open.put(fact.request(), new Holding(sequence, held));
        reserved += held;
        pending += bytes;
    }

    /**
     * Takes room for any other fact.
     *
     * @param sequence the number that it gets
     * @throws AccountingException if there is none; nothing was taken then
     */
    void take(Fact fact, long sequence, long bytes) {
        switch (fact) {
            case Fact.Closed f -> {
                Holding holding = open.remove(f.request());
                if (holding != null) {
                    reserved -= holding.left;
                    ended.add(new Ended(holding.sequence, sequence));
                } else {
                    demand(fact, bytes);
                }
            }
            case Fact.Granted f -> {
                Holding holding = open.get(f.request());
                if (holding != null && holding.left - bytes >= CLOSE_BYTES) {
                    holding.left -= bytes;
                    reserved -= bytes;
                } else {
                    demand(fact, bytes);
                }
            }
            // tenants' doing: what is kept for the house is not for them
            case Fact.TaskOpened f -> demand(fact, bytes, config.houseBytes());
            case Fact.TaskStepped f -> demand(fact, bytes, config.houseBytes());
            case Fact.TaskEnded f -> demand(fact, bytes, config.houseBytes());
            default -> demand(fact, bytes);
        }
        pending += bytes;
    }

    private void demand(Fact fact, long bytes) {
        demand(fact, bytes, 0);
    }

    private void demand(Fact fact, long bytes, long left) {
        String what = "a fact (%s) is not recorded".formatted(fact.getClass().getSimpleName());
        if (taken() + bytes > config.maxBytes() - left) {
            throw full(what);
        }
        // one fact may always wait, however large: or a window larger than the bound could never be recorded
        if (pending > 0 && pending + bytes > config.maxPendingBytes()) {
            throw slow(what);
        }
    }

    /** With the header of the segment that may be begun next. */
    private long taken() {
        return stored + pending + reserved + JournalFormat.HEADER;
    }

    private AccountingException full(String what) {
        String oldest = open.isEmpty() ? "none" : open.keySet().iterator().next();
        return new AccountingException(
                ("the journal is full, so %s: %d of %d bytes are stored, %d wait, %d are reserved by %d open requests; it"
                                + " empties as the ledger takes facts, but keeps all since the oldest open request began"
                                + " (%s): see whether the ledger's database is up, or raise the journal's bound")
                        .formatted(what, stored, config.maxBytes(), pending, reserved, open.size(), oldest));
    }

    private AccountingException slow(String what) {
        return new AccountingException(
                "the journal's disk does not keep up, so %s: %d bytes wait in memory, at most %d may; see to the disk"
                        .formatted(what, pending, config.maxPendingBytes()));
    }

    /** Records of so many bytes no longer wait. */
    void written(long bytes) {
        pending -= bytes;
    }

    /** The segments have so many bytes now. */
    void stored(long bytes) {
        stored = bytes;
    }

    /** Facts up to this one are durable. */
    void durable(long sequence) {
        while (!ended.isEmpty() && ended.getFirst().closed() <= sequence) {
            ended.removeFirst();
        }
    }

    /**
     * The sequence number at which the oldest request was opened whose end is not durable; {@link Long#MAX_VALUE} for
     * none.
     */
    long oldestOpen() {
        long oldest = open.isEmpty() ? Long.MAX_VALUE : open.values().iterator().next().sequence;
        for (Ended request : ended) {
            oldest = Math.min(oldest, request.opened());
        }
        return oldest;
    }

    int openRequests() {
        return open.size();
    }

    long stored() {
        return stored;
    }

    long pending() {
        return pending;
    }

    long reserved() {
        return reserved;
    }
}
