package dev.jeton.scheduler;

import dev.jeton.models.engine.PreparedAdapter;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;

/**
 * Adapters that come and go while a loop turns: whoever has one to add waits here until the loop has handed it to the
 * engine; one that is to leave is given up by the loop once no request goes through it.
 *
 * <p>Any thread, but for {@link #obey}, which is the loop's.
 */
final class AdapterCommands {

    /** Adapters that may wait for the step under way to end. */
    private static final int MOST_WAITING = 16;

    private record Adding(PreparedAdapter adapter, CompletableFuture<Integer> number) {}

    private final AdapterUses uses = new AdapterUses();
    private final BlockingQueue<Adding> adding = new ArrayBlockingQueue<>(MOST_WAITING);
    private final int ofEngine;
    private int last;

    /** @param ofEngine adapters that the engine was opened with */
    AdapterCommands(int ofEngine) {
        this.ofEngine = ofEngine;
        last = ofEngine;
    }

    /** Whether there is nothing to obey at once. */
    boolean isEmpty() {
        return adding.isEmpty();
    }

    /**
     * A request begins.
     *
     * @throws RejectedException if its adapter is gone
     */
    void begin(GenerationRequest request) {
        if (request.adapter() > ofEngine && !uses.begin(request.adapter())) {
            throw new RejectedException(
                    RejectedException.Reason.ADAPTER_GONE, "The model was unloaded; GET /v1/models lists those served");
        }
    }

    /** A request that had begun has ended. */
    void end(GenerationRequest request) {
        if (request.adapter() > ofEngine) {
            uses.end(request.adapter());
        }
    }

    /** Leaves an adapter for the loop to add; {@link #number} waits for it. */
    CompletableFuture<Integer> add(PreparedAdapter adapter) {
        Adding one = new Adding(adapter, new CompletableFuture<>());
        if (!adding.offer(one)) {
            adapter.close();
            throw new RejectedException(
                    RejectedException.Reason.QUEUE_FULL,
                    "%d adapters wait to be added already; try again later".formatted(MOST_WAITING));
        }
        return one.number;
    }

    /** Waits for the loop. */
    static int number(CompletableFuture<Integer> adding) throws InterruptedException {
        try {
            return adding.get();
        } catch (ExecutionException e) {
            throw new RejectedException(
                    RejectedException.Reason.ENGINE_DOWN, "the adapter could not be added: " + e.getCause());
        }
    }

    /** No request goes through it from now on. */
    void leave(int adapter) {
        uses.leave(adapter);
    }

    /** Adds what waits, and gives up what nobody goes through any more; between steps. */
    void obey(Turns scheduler) {
        for (Adding each = adding.poll(); each != null; each = adding.poll()) {
            int number = ++last;
            try {
                scheduler.addAdapter(number, each.adapter);
                uses.add(number);
                each.number.complete(number);
            } catch (RuntimeException e) {
                refuse(each, e);
            } catch (Error e) {
                // the loop ends of it, but nobody may wait for it for ever
                refuse(each, e);
                throw e;
            }
        }
        for (int unused = uses.takeUnused(); unused != 0; unused = uses.takeUnused()) {
            scheduler.removeAdapter(unused);
        }
    }

    /** Refuses what waits: nothing is computed any more. */
    void refuse() {
        for (Adding each = adding.poll(); each != null; each = adding.poll()) {
            refuse(each, new IllegalStateException("the engine computes nothing any more"));
        }
    }

    private static void refuse(Adding one, Throwable why) {
        one.adapter.close();
        one.number.completeExceptionally(why);
    }
}
