package dev.jeton.server.api;

import dev.jeton.scheduler.Dispatcher;
import dev.jeton.scheduler.FinishReason;
import dev.jeton.scheduler.Generation;
import dev.jeton.scheduler.GenerationEvent;
import dev.jeton.scheduler.GenerationRequest;
import dev.jeton.scheduler.GenerationUsage;
import dev.jeton.scheduler.RejectedException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.function.Supplier;

/**
 * A call's prompts on their way to vectors, some at a time: a long list must not fill the queue that it shares with
 * other callers. Used by the call's thread alone, but for {@link #cancel}.
 */
final class VectorRun {

    /** Prompts that are submitted at a time. */
    private static final int WINDOW = 128;
    /** Between two tries to get a place in a full queue, while nothing of the call's is under way. */
    private static final Duration PAUSE = Duration.ofMillis(10);
    /** Half a minute of them for a call. */
    private static final int MOST_PAUSES = 3_000;

    /** What is asked of the dispatcher for a prompt. */
    @FunctionalInterface
    interface Asking {
        GenerationRequest of(int[] prompt, int index);
    }

    private final List<int[]> prompts;
    private final Dispatcher dispatcher;
    private final Asking asking;
    private final Supplier<ApiException> without;
    private final Deque<Generation> underWay = new ArrayDeque<>();
    private final List<float[]> vectors = new ArrayList<>();
    private final List<GenerationUsage> usages = new ArrayList<>();
    private final GenerationEvent event = new GenerationEvent();
    private int pauses;
    private boolean cancelled;

    /** @param without why a prompt ended without its vector, though nothing failed */
    VectorRun(List<int[]> prompts, Dispatcher dispatcher, Asking asking, Supplier<ApiException> without) {
        this.prompts = prompts;
        this.dispatcher = dispatcher;
        this.asking = asking;
        this.without = without;
    }

    /**
     * Computes them.
     *
     * @throws ApiException if one failed; the others are cancelled then
     * @throws RejectedException if none can be submitted, or it waited half a minute for places
     */
    List<float[]> vectors() throws InterruptedException {
        for (int i = 0; i < prompts.size(); i++) {
            if (underWay.size() == WINDOW) {
                take();
            }
            submit(asking.of(prompts.get(i), i));
        }
        while (!underWay.isEmpty()) {
            take();
        }
        return List.copyOf(vectors);
    }

    /**
     * Submits a prompt. A call that has begun is not refused because others fill the queue meanwhile, which would throw
     * away what was computed for it: it waits for a place.
     */
    private void submit(GenerationRequest request) throws InterruptedException {
        while (true) {
            try {
                Generation generation = dispatcher.submit(request);
                synchronized (this) {
                    underWay.add(generation);
                    if (cancelled) {
                        generation.cancel();
                    }
                }
                return;
            } catch (RejectedException e) {
                if (e.reason() != RejectedException.Reason.QUEUE_FULL || !submitted()) {
                    throw e;
                }
                if (!underWay.isEmpty()) {
                    take();
                } else {
                    pause(request, e);
                }
            }
        }
    }

    private void pause(GenerationRequest request, RejectedException refusal) throws InterruptedException {
        if (cancelled()) {
            throw Choices.failure(FinishReason.CANCELLED, "");
        }
        if (request.deadlineNanos() < Long.MAX_VALUE && System.nanoTime() >= request.deadlineNanos()) {
            throw Choices.failure(FinishReason.DEADLINE, "");
        }
        if (pauses++ == MOST_PAUSES) {
            throw refusal;
        }
        Thread.sleep(PAUSE);
    }

    private synchronized boolean cancelled() {
        return cancelled;
    }

    /** Waits for the oldest. */
    private void take() throws InterruptedException {
        Generation oldest = underWay.element();
        while (oldest.next(event)) {
            if (event.finished && event.reason != FinishReason.LENGTH) {
                throw Choices.failure(event.reason, event.message);
            }
        }
        synchronized (this) {
            underWay.remove();
        }
        usages.add(oldest.usage());
        if (oldest.pooled().length == 0) {
            throw without.get();
        }
        vectors.add(oldest.pooled());
    }

    /** Ends all that is under way within a step; any thread. */
    synchronized void cancel() {
        cancelled = true;
        underWay.forEach(Generation::cancel);
    }

    /** Whether anything was submitted. */
    boolean submitted() {
        return !usages.isEmpty() || !underWay.isEmpty();
    }

    /** What was used so far; of prompts that no step has read yet, nothing. */
    UsageTotals usage() {
        List<GenerationUsage> all = new ArrayList<>(usages);
        underWay.forEach(generation -> all.add(generation.usage()));
        return UsageTotals.of(all);
    }
}
