package dev.jeton.scheduler;

import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Requests that wait for their first admission and their prompts' tokens, against the bounds of both: a thousand
 * prompts of a hundred thousand tokens are more than the memory that a thousand usual ones take. What is predicted of
 * an answer counts with the prompt. A tenant, told by its salt, has three quarters of both, so that others come in
 * whatever one sends. Counted up by those who submit, down by the loop; thread-safe.
 */
final class QueuedRequests {

    /** The salt of requests that are no tenant's. */
    private static final long NOBODY = 0;

    private record Held(int requests, long tokens) {

        static final Held NONE = new Held(0, 0);

        Held plus(Held more) {
            return new Held(requests + more.requests, tokens + more.tokens);
        }
    }

    private final AtomicInteger requests = new AtomicInteger();
    private final AtomicLong tokens = new AtomicLong();
    /** By salt; as many as there are tenants. */
    private final ConcurrentHashMap<Long, Held> tenants = new ConcurrentHashMap<>();

    /** Counts a request in, whatever the bounds are. */
    void add(GenerationRequest request) {
        requests.incrementAndGet();
        tokens.addAndGet(length(request));
        count(request, 1);
    }

    /**
     * Counts a request in if there is room. A prompt alone always has room, however long it is.
     *
     * @throws RejectedException if there is none
     */
    void admit(GenerationRequest request, SchedulerConfig config) {
        long length = length(request);
        int waiting = requests.incrementAndGet();
        long held = tokens.addAndGet(length);
        Held own = count(request, 1);
        if (waiting > config.maxWaiting()) {
            refuse(request, "%d requests are waiting already; try again later".formatted(config.maxWaiting()));
        }
        if (waiting > 1 && held > config.maxWaitingTokens()) {
            refuse(
                    request,
                    "prompts of %d tokens are waiting already, and %d may wait (engine.max-waiting-tokens); try again later"
                            .formatted(held - length, config.maxWaitingTokens()));
        }
        if (own.requests() > share(config.maxWaiting())) {
            refuse(
                    request,
                    "%d requests of this tenant are waiting already, three quarters of all that may; try again later"
                            .formatted(own.requests() - 1));
        }
        if (own.requests() > 1 && own.tokens() > share(config.maxWaitingTokens())) {
            refuse(
                    request,
                    "prompts of %d tokens of this tenant are waiting already, and three quarters of %d may wait"
                                    .formatted(own.tokens() - length, config.maxWaitingTokens())
                            + " (engine.max-waiting-tokens); try again later");
        }
    }

    private static long length(GenerationRequest request) {
        return (long) request.prompt().length + request.prediction().length;
    }

    private static long share(long bound) {
        return Math.max(1, bound - bound / 4);
    }

    private void refuse(GenerationRequest request, String words) {
        remove(request);
        throw new RejectedException(RejectedException.Reason.QUEUE_FULL, words);
    }

    /** A request waits no more. */
    void remove(GenerationRequest request) {
        requests.decrementAndGet();
        tokens.addAndGet(-length(request));
        count(request, -1);
    }

    /** What the request's tenant has waiting then; nothing where it has none. */
    private Held count(GenerationRequest request, int sign) {
        return request.salt() == NOBODY
                ? Held.NONE
                : tenants.merge(request.salt(), new Held(sign, sign * length(request)), Held::plus);
    }

    /** How many wait. */
    int requests() {
        return requests.get();
    }

    /** Tokens of their prompts, and of what is predicted of their answers. */
    long tokens() {
        return tokens.get();
    }
}
