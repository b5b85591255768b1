package dev.jeton.server.api;

import dev.jeton.server.config.Configuration.IdempotencySettings;
import dev.jeton.server.http.Recording;
import dev.jeton.server.metrics.RepeatStats;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;
import java.util.regex.Pattern;

/**
 * Answers a request once, and gives who repeats it under the same {@code Idempotency-Key} the same answer again,
 * without doing or billing anything. A key is known to the API key that sent it alone. Only answers that went well
 * (2xx, to their end) are kept: what failed may be tried again. A stream is given again whole.
 *
 * <p>Kept in memory, so a restart forgets them. Bounded in entries, bytes and time; a tenant has at most a quarter of
 * the room, and makes room for its own. The one that was not used for longest goes first. Thread-safe.
 */
final class Repeats {

    /** The request's header. */
    static final String HEADER = "idempotency-key";
    /** The answer's, where it is a repetition. */
    static final String REPLAYED = "x-jeton-replayed";
    /** Code of the error while the first request is answered. */
    static final String IN_PROGRESS = "idempotency_in_progress";

    private static final Pattern KEY = Pattern.compile("[!-~]{1,255}");
    private static final int SHARES = 4;
    /** What an entry takes beside its body, about. */
    private static final int OVERHEAD = 512;

    /** What answers. */
    @FunctionalInterface
    interface Answering {
        Outcome run() throws InterruptedException;
    }

    private record Key(String tenant, String project, String apiKey, String text) {}

    /** One that is being answered has no answer yet; one whose answer was too long never has. */
    private record Entry(String request, Optional<Recording> answer, boolean running, long bytes, long since) {}

    /** A tenant's part. */
    private static final class Share {
        int entries;
        long bytes;
    }

    private final IdempotencySettings settings;
    private final LongSupplier nanos;
    private final ReentrantLock lock = new ReentrantLock();
    private final Map<Key, Entry> entries = new LinkedHashMap<>(16, 0.75f, true);
    private final Map<String, Share> shares = new HashMap<>();
    private long bytes;
    private long replayed;
    private long dropped;

    /**
     * Without any.
     *
     * @param nanos a monotonic clock
     */
    Repeats(IdempotencySettings settings, LongSupplier nanos) {
        this.settings = settings;
        this.nanos = nanos;
    }

    /** How full it is. */
    RepeatStats stats() {
        lock.lock();
        try {
            return new RepeatStats(
                    entries.size(), settings.maxEntries(), bytes, settings.maxBytes(), replayed, dropped);
        } finally {
            lock.unlock();
        }
    }

    /**
     * Answers a call that has the header, by {@code answering} or with what it was answered before.
     *
     * @throws ApiException 400 for a key that is none; 422 where it was another request's; 409 while the first is
     *     answered, or where its answer was too long to be kept; 429 where there is no room
     */
    Outcome answered(Call call, Answering answering) throws InterruptedException {
        String text = call.exchange().header(HEADER).orElse("");
        if (!KEY.matcher(text).matches()) {
            throw ApiException.invalid(
                    "Idempotency-Key", "The header Idempotency-Key has 1 to 255 printable ASCII characters, no spaces");
        }
        var payer = call.caller().payer();
        Key key = new Key(payer.tenant(), payer.project(), payer.key(), text);
        String request = digest(call);
        Optional<Recording> before = begin(key, request);
        if (before.isPresent()) {
            Map<String, String> headers = new LinkedHashMap<>(before.get().headers());
            headers.put(REPLAYED, "true");
            call.replay(before.get().status(), headers, before.get().body());
            return Outcome.OK;
        }
        AtomicBoolean ended = new AtomicBoolean();
        // before the last byte is sent: who has it may send the next request under the key at once
        call.exchange().record(settings.maxAnswer(), answer -> {
            ended.set(true);
            end(key, request, Optional.of(answer).filter(Recording::wentWell));
        });
        try {
            return answering.run();
        } finally {
            if (!ended.get()) {
                end(key, request, Optional.empty());
            }
        }
    }

    /** What makes two requests the same: path, body and task. */
    private static String digest(Call call) {
        try {
            MessageDigest sha = MessageDigest.getInstance("SHA-256");
            String head = call.exchange().path() + "\n"
                    + call.exchange().header(RequestTags.TASK).orElse("") + "\n";
            sha.update(head.getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(sha.digest(call.exchange().body()));
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every Java has SHA-256", e);
        }
    }

    /** The answer that the request had; empty where it is the first. */
    private Optional<Recording> begin(Key key, String request) {
        lock.lock();
        try {
            Entry entry = entries.get(key);
            if (entry != null && expired(entry)) {
                remove(key, entry);
                entry = null;
            }
            if (entry == null) {
                if (!makeRoom(key.tenant(), 0)) {
                    throw ApiException.overloaded(
                            "As many requests with an Idempotency-Key are answered as may be; try again later");
                }
                put(key, new Entry(request, Optional.empty(), true, 0, nanos.getAsLong()));
                return Optional.empty();
            }
            refuse(entry, request);
            replayed++;
            return entry.answer();
        } finally {
            lock.unlock();
        }
    }

    private static void refuse(Entry entry, String request) {
        if (!entry.request().equals(request)) {
            throw new ApiException(
                    422,
                    ApiException.INVALID_REQUEST,
                    "Idempotency-Key",
                    "idempotency_key_reused",
                    "This Idempotency-Key was sent with another request; take a new one for each");
        }
        if (entry.running()) {
            throw new ApiException(
                    409,
                    ApiException.INVALID_REQUEST,
                    "Idempotency-Key",
                    IN_PROGRESS,
                    "The first request with this Idempotency-Key is being answered; try again later");
        }
        if (entry.answer().isEmpty()) {
            throw new ApiException(
                    409,
                    ApiException.INVALID_REQUEST,
                    "Idempotency-Key",
                    "idempotency_not_stored",
                    "The request with this Idempotency-Key was answered, and billed, but its answer was too long to be"
                            + " kept; raise idempotency.max-answer");
        }
    }

    /** Puts the answer in the place of who runs; without one, who runs may be run again. */
    private void end(Key key, String request, Optional<Recording> answer) {
        lock.lock();
        try {
            Entry running = entries.get(key);
            if (running == null) {
                return;
            }
            remove(key, running);
            if (answer.isEmpty()) {
                return;
            }
            boolean tooLong = answer.get().tooLong();
            long size = OVERHEAD + (tooLong ? 0 : answer.get().body().length);
            boolean fits = makeRoom(key.tenant(), size);
            Optional<Recording> kept = tooLong || !fits ? Optional.empty() : answer;
            put(key, new Entry(request, kept, false, kept.isPresent() ? size : 0, nanos.getAsLong()));
        } finally {
            lock.unlock();
        }
    }

    private boolean expired(Entry entry) {
        return !entry.running()
                && nanos.getAsLong() - entry.since() > settings.timeToLive().toNanos();
    }

    /** Makes room for one more entry of so many bytes; false where those that are there cannot go. */
    private boolean makeRoom(String tenant, long more) {
        long ownBytes = settings.maxBytes() / SHARES;
        int ownEntries = Math.max(1, settings.maxEntries() / SHARES);
        if (more > ownBytes) {
            return false;
        }
        while (true) {
            Share share = shares.getOrDefault(tenant, new Share());
            boolean own = share.entries >= ownEntries || share.bytes + more > ownBytes;
            if (!own && entries.size() < settings.maxEntries() && bytes + more <= settings.maxBytes()) {
                return true;
            }
            if (!dropEldest(own ? Optional.of(tenant) : Optional.empty())) {
                return false;
            }
        }
    }

    private boolean dropEldest(Optional<String> tenant) {
        for (Iterator<Map.Entry<Key, Entry>> all = entries.entrySet().iterator(); all.hasNext(); ) {
            Map.Entry<Key, Entry> eldest = all.next();
            if (!eldest.getValue().running()
                    && tenant.map(eldest.getKey().tenant()::equals).orElse(true)) {
                dropped += expired(eldest.getValue()) ? 0 : 1;
                all.remove();
                count(eldest.getKey(), -1, -eldest.getValue().bytes());
                return true;
            }
        }
        return false;
    }

    private void put(Key key, Entry entry) {
        entries.put(key, entry);
        count(key, 1, entry.bytes());
    }

    private void remove(Key key, Entry entry) {
        entries.remove(key);
        count(key, -1, -entry.bytes());
    }

    private void count(Key key, int moreEntries, long moreBytes) {
        bytes += moreBytes;
        Share share = shares.computeIfAbsent(key.tenant(), added -> new Share());
        share.entries += moreEntries;
        share.bytes += moreBytes;
        if (share.entries == 0) {
            shares.remove(key.tenant());
        }
    }
}
