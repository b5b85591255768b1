package dev.jeton.scheduler;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Requests that wait for their first admission and their prompts' tokens, against the bounds of both: a thousand
 * prompts of a hundred thousand tokens are more than the memory that a thousand usual ones take. Counted up by those
 * who submit, down by the loop; thread-safe.
 */
final class QueuedRequests {

    private final AtomicInteger requests = new AtomicInteger();
    private final AtomicLong tokens = new AtomicLong();

    /** Counts a request in, whatever the bounds are. */
    void add(GenerationRequest request) {
        requests.incrementAndGet();
        tokens.addAndGet(request.prompt().length);
    }

    /**
     * Counts a request in if there is room. A prompt alone always has room, however long it is.
     *
     * @throws RejectedException if there is none
     */
    void admit(GenerationRequest request, SchedulerConfig config) {
        int waiting = requests.incrementAndGet();
        long held = tokens.addAndGet(request.prompt().length);
        if (waiting > config.maxWaiting()) {
            remove(request);
            throw new RejectedException(
                    RejectedException.Reason.QUEUE_FULL,
                    "%d requests are waiting already; try again later".formatted(config.maxWaiting()));
        }
        if (waiting > 1 && held > config.maxWaitingTokens()) {
            remove(request);
            throw new RejectedException(
                    RejectedException.Reason.QUEUE_FULL,
                    "prompts of %d tokens are waiting already, and %d may wait (engine.max-waiting-tokens); try again later"
                            .formatted(held - request.prompt().length, config.maxWaitingTokens()));
        }
    }

    /** A request waits no more. */
    void remove(GenerationRequest request) {
        requests.decrementAndGet();
        tokens.addAndGet(-request.prompt().length);
    }

    /** How many wait. */
    int requests() {
        return requests.get();
    }

    /** Tokens of their prompts. */
    long tokens() {
        return tokens.get();
    }
}
