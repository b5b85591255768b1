package dev.jeton.scheduler;

import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * Requests that the step loop should look at: they are new, cancelled, or have a sequence to stop.
 *
 * <p>A stack through the requests themselves: to tell the loop of one needs no place, no lock and no allocation, so
 * nobody ever waits for the loop, least of all an event loop whose client has hung up. A request is in it at most once,
 * however much it has to tell, so there are never more in it than requests.
 *
 * <p>Any thread adds; one thread at a time takes, and has them in the order in which they were added.
 */
final class Inbox {

    private final AtomicReference<@Nullable GenerationState> newest = new AtomicReference<>();
    /** Taken from the stack and turned around; whoever takes owns it. */
    private @Nullable GenerationState next;

    /** Adds a request that is not in it; only {@link GenerationState#tell} knows that. */
    void add(GenerationState generation) {
        GenerationState head = newest.get();
        while (true) {
            generation.below = head;
            GenerationState witness = newest.compareAndExchange(head, generation);
            if (witness == head) {
                return;
            }
            head = witness;
        }
    }

    boolean isEmpty() {
        return next == null && newest.get() == null;
    }

    /** Takes the request that was added first, or null where there is none. */
    @Nullable
    GenerationState poll() {
        if (next == null) {
            GenerationState generation = newest.getAndSet(null);
            while (generation != null) {
                GenerationState below = generation.below;
                generation.below = next;
                next = generation;
                generation = below;
            }
        }
        GenerationState taken = next;
        if (taken != null) {
            next = taken.below;
            taken.below = null;
        }
        return taken;
    }
}
