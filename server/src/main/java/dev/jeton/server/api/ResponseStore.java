package dev.jeton.server.api;

import dev.jeton.accounting.Payer;
import dev.jeton.server.config.Configuration.ResponseSettings;
import dev.jeton.server.metrics.ResponseStats;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;

/**
 * Responses that may be asked for, and gone on from, by their ids. One is known to the keys of its tenant's project
 * alone. Thread-safe.
 *
 * <p>Kept in memory, so a restart forgets them. Bounded in entries, bytes and time; a tenant has at most a quarter of
 * the room, and makes room for its own. The oldest go first. Responses of one conversation share what went before
 * ({@link Turn}), which goes once none of them is there any more: so a response can be gone on from when those before
 * it have gone.
 */
final class ResponseStore {

    /**
     * A response.
     *
     * @param body as it was answered, JSON
     * @param turn what it adds to its conversation
     */
    record Stored(byte[] body, Turn turn) {}

    private static final int SHARES = 4;
    /** What an entry takes beside its body, about. */
    private static final int OVERHEAD = 512;

    private record Key(String tenant, String project, String id) {}

    private record Entry(Stored stored, long since) {
        long bytes() {
            return OVERHEAD + stored.body().length;
        }
    }

    /** A tenant's part. */
    private static final class Share {
        int entries;
        long bytes;
    }

    private final ResponseSettings settings;
    private final LongSupplier nanos;
    private final ReentrantLock lock = new ReentrantLock();
    private final Map<Key, Entry> entries = new LinkedHashMap<>();
    private final Map<String, Share> shares = new HashMap<>();
    private long bytes;
    private long dropped;
    private long tooLarge;

    /**
     * Without any.
     *
     * @param nanos a monotonic clock
     */
    ResponseStore(ResponseSettings settings, LongSupplier nanos) {
        this.settings = settings;
        this.nanos = nanos;
    }

    /** Whether anything is stored here. */
    boolean open() {
        return settings.store();
    }

    /** How full it is. */
    ResponseStats stats() {
        lock.lock();
        try {
            dropExpired();
            return new ResponseStats(
                    entries.size(), settings.maxEntries(), bytes, settings.maxBytes(), dropped, tooLarge);
        } finally {
            lock.unlock();
        }
    }

    /** Stores a response, unless it alone is larger than what its tenant may have. */
    void put(Payer payer, String id, Stored response) {
        Key key = key(payer, id);
        Entry entry = new Entry(response, nanos.getAsLong());
        lock.lock();
        try {
            dropExpired();
            remove(key);
            if (entry.bytes() + response.turn().whole() > settings.maxBytes() / SHARES) {
                tooLarge++;
                return;
            }
            entries.put(key, entry);
            Share share = shares.computeIfAbsent(key.tenant(), added -> new Share());
            share.entries++;
            count(share, entry.bytes());
            hold(share, response.turn());
            makeRoom(key.tenant(), share);
        } finally {
            lock.unlock();
        }
    }

    /** The response of that id, if it is the payer's and still there. */
    Optional<Stored> find(Payer payer, String id) {
        lock.lock();
        try {
            dropExpired();
            return Optional.ofNullable(entries.get(key(payer, id))).map(Entry::stored);
        } finally {
            lock.unlock();
        }
    }

    /** Forgets a response; false where there is none. Those that go on from it stay as they are. */
    boolean remove(Payer payer, String id) {
        lock.lock();
        try {
            dropExpired();
            return remove(key(payer, id));
        } finally {
            lock.unlock();
        }
    }

    private static Key key(Payer payer, String id) {
        return new Key(payer.tenant(), payer.project(), id);
    }

    /** They are in the order of their time. */
    private void dropExpired() {
        long now = nanos.getAsLong();
        while (!entries.isEmpty()) {
            Map.Entry<Key, Entry> eldest = entries.entrySet().iterator().next();
            if (now - eldest.getValue().since() <= settings.timeToLive().toNanos()) {
                return;
            }
            remove(eldest.getKey());
        }
    }

    /** The newest, which fits by itself, is never reached. */
    private void makeRoom(String tenant, Share share) {
        long ownBytes = settings.maxBytes() / SHARES;
        int ownEntries = Math.max(1, settings.maxEntries() / SHARES);
        while (share.entries > ownEntries || share.bytes > ownBytes) {
            dropEldest(Optional.of(tenant));
        }
        while (entries.size() > settings.maxEntries() || bytes > settings.maxBytes()) {
            dropEldest(Optional.empty());
        }
    }

    private void dropEldest(Optional<String> tenant) {
        for (Iterator<Map.Entry<Key, Entry>> all = entries.entrySet().iterator(); all.hasNext(); ) {
            Key key = all.next().getKey();
            if (tenant.map(key.tenant()::equals).orElse(true)) {
                dropped++;
                remove(key);
                return;
            }
        }
        throw new IllegalStateException("nothing is left to drop, but the responses take %d bytes".formatted(bytes));
    }

    private boolean remove(Key key) {
        Entry entry = entries.remove(key);
        Share share = shares.get(key.tenant());
        if (entry == null || share == null) {
            return false;
        }
        share.entries--;
        count(share, -entry.bytes());
        release(share, entry.stored().turn());
        if (share.entries == 0) {
            shares.remove(key.tenant());
        }
        return true;
    }

    private void hold(Share share, Turn turn) {
        Optional<Turn> at = Optional.of(turn);
        while (at.isPresent() && at.get().held++ == 0) {
            count(share, at.get().bytes());
            at = at.get().before();
        }
    }

    private void release(Share share, Turn turn) {
        Optional<Turn> at = Optional.of(turn);
        while (at.isPresent() && --at.get().held == 0) {
            count(share, -at.get().bytes());
            at = at.get().before();
        }
    }

    private void count(Share share, long more) {
        share.bytes += more;
        bytes += more;
    }
}
