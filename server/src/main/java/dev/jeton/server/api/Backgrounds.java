package dev.jeton.server.api;

import dev.jeton.accounting.Payer;
import dev.jeton.server.http.AnswerNotKeptException;
import dev.jeton.server.http.DetachedExchange;
import dev.jeton.server.http.Exchange;
import dev.jeton.server.json.JsonObject;
import dev.jeton.server.json.JsonWriter;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;

/**
 * Responses that are made in the background: each is a request of its own, with the headers of the one that asked for
 * it, whose stream is kept while it is made, for whoever wants to read it. Bounded in number, a tenant having a
 * quarter, and in bytes of streams; one for whose stream there is no room is made all the same. Thread-safe.
 */
final class Backgrounds implements DetachedExchange.Room {

    private static final int SHARES = 4;
    private static final byte[] BOUNDARY = "\n\n".getBytes(StandardCharsets.US_ASCII);

    private static final List<String> HEADERS = List.of(
            "authorization",
            "x-request-id",
            "traceparent",
            "tracestate",
            "x-stainless-retry-count",
            RequestBudgets.HEADER,
            RequestTags.FALLBACK);

    /** Answers a request that the server asks itself. */
    @FunctionalInterface
    interface Answering {
        void answer(Exchange exchange, Endpoint endpoint) throws InterruptedException;
    }

    private final int most;
    private final long mostBytes;
    private final Duration stallTimeout;
    private final Answering answering;
    private final AtomicLong bytes = new AtomicLong();
    private final ReentrantLock lock = new ReentrantLock();
    private final List<Background> running = new ArrayList<>();
    private final List<String> tenants = new ArrayList<>();

    /**
     * Without any.
     *
     * @param most most of them at once
     * @param mostBytes most bytes of their streams
     * @param stallTimeout how long a client may leave one unread
     */
    Backgrounds(int most, long mostBytes, Duration stallTimeout, Answering answering) {
        this.most = most;
        this.mostBytes = mostBytes;
        this.stallTimeout = stallTimeout;
        this.answering = answering;
    }

    /** How many are made. */
    int count() {
        lock.lock();
        try {
            return running.size();
        } finally {
            lock.unlock();
        }
    }

    /** One that is made. */
    Optional<Background> find(Payer payer, String id) {
        lock.lock();
        try {
            return running.stream().filter(each -> each.is(payer, id)).findFirst();
        } finally {
            lock.unlock();
        }
    }

    /**
     * Begins one, and answers with how it stands, or with its stream.
     *
     * @param body of the request
     * @param making what makes it
     */
    void begin(Call call, JsonObject body, Function<Background, Endpoint> making) throws InterruptedException {
        DetachedExchange exchange = new DetachedExchange(ResponsesEndpoint.PATH, headers(call), streamed(body), this);
        Background background = new Background(call.caller().payer(), exchange);
        enter(background, call.caller().payer().tenant());
        Thread.ofVirtual().name("background").start(() -> make(background, making.apply(background)));
        if (!exchange.awaitBegun()) {
            call.replay(exchange.status(), exchange.answerHeaders(), exchange.part(0));
        } else if (body.flag("stream", false)) {
            read(call, background, -1);
        } else {
            call.answer(
                    200,
                    Map.of("content-type", "application/json"),
                    background.now().body());
        }
    }

    private void make(Background background, Endpoint endpoint) {
        try {
            answering.answer(background.exchange(), endpoint);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            background.exchange().abort();
            leave(background);
            background.exchange().release();
        }
    }

    private void enter(Background background, String tenant) {
        lock.lock();
        try {
            long own = tenants.stream().filter(tenant::equals).count();
            if (running.size() >= most || own >= Math.max(1, most / SHARES)) {
                throw ApiException.overloaded(
                        "%d responses are made in the background, %d of them for this tenant, who has a quarter of %d"
                                .formatted(running.size(), own, most));
            }
            running.add(background);
            tenants.add(tenant);
        } finally {
            lock.unlock();
        }
    }

    private void leave(Background background) {
        lock.lock();
        try {
            int at = running.indexOf(background);
            running.remove(at);
            tenants.remove(at);
        } finally {
            lock.unlock();
        }
    }

    @Override
    public boolean take(long more) {
        if (bytes.addAndGet(more) <= mostBytes) {
            return true;
        }
        bytes.addAndGet(-more);
        return false;
    }

    @Override
    public void give(long back) {
        bytes.addAndGet(-back);
    }

    private static Map<String, String> headers(Call call) {
        Map<String, String> headers = new TreeMap<>();
        List<String> names = new ArrayList<>(HEADERS);
        names.addAll(Labels.HEADERS_OF_WORK);
        names.forEach(name -> call.exchange().header(name).ifPresent(value -> headers.put(name, value)));
        headers.put("x-request-id", call.id());
        return headers;
    }

    private static byte[] streamed(JsonObject body) {
        JsonWriter out = new JsonWriter().beginObject();
        body.fields().forEach((name, value) -> {
            if (!name.equals("stream")) {
                out.name(name).tree(value);
            }
        });
        return out.name("stream").value(true).endObject().toBytes();
    }

    /**
     * Answers with the stream of one that is made.
     *
     * @param after number of the last event that is not wanted; -1 for all
     */
    void read(Call call, Background background, long after) throws InterruptedException {
        DetachedExchange from = background.exchange();
        long next = 0;
        try {
            byte[] part = from.part(0);
            call.beginEvents();
            for (int number = 1; part.length > 0; number++) {
                int skip = 0;
                for (int at = 0; at < part.length && next <= after; next++) {
                    at = end(part, at);
                    skip = at;
                }
                next += count(part, skip);
                call.awaitReader(stallTimeout);
                call.exchange().write(Arrays.copyOfRange(part, skip, part.length));
                part = from.part(number);
            }
            call.exchange().end(new byte[0]);
        } catch (AnswerNotKeptException e) {
            // Whoever repeats the request that began it has another one made, and pays for both.
            throw new ApiException(
                    503,
                    ApiException.SERVER_ERROR,
                    "",
                    "stream_not_kept",
                    ("The streams of responses that are made now are longer than what is kept of them; '%s' is made all"
                                    + " the same, ask for it by its id")
                            .formatted(background.id()),
                    Map.of("x-should-retry", "false"));
        }
    }

    /** Where the event ends that begins there. */
    private static int end(byte[] part, int from) {
        for (int i = from; i + 1 < part.length; i++) {
            if (part[i] == BOUNDARY[0] && part[i + 1] == BOUNDARY[1]) {
                return i + BOUNDARY.length;
            }
        }
        return part.length;
    }

    private static int count(byte[] part, int from) {
        int events = 0;
        for (int at = from; at < part.length; at = end(part, at)) {
            events++;
        }
        return events;
    }
}
