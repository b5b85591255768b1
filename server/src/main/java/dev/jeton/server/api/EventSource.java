package dev.jeton.server.api;

import dev.jeton.scheduler.Generation;
import dev.jeton.scheduler.GenerationEvent;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import org.jspecify.annotations.Nullable;

/** Events of one or several generations, in the order in which they came. */
abstract sealed class EventSource implements AutoCloseable {

    static EventSource of(List<Generation> generations) {
        return generations.size() == 1 ? new Single(generations.getFirst()) : new Merged(generations);
    }

    /** Waits for the next event and fills {@code event}; false once there will be none. */
    abstract boolean next(GenerationEvent event) throws InterruptedException;

    /** As {@link #next}, but false where nothing is there yet. */
    abstract boolean poll(GenerationEvent event);

    /** Which generation the last event came from. */
    abstract int generation();

    @Override
    public abstract void close();

    /** One generation, read directly. */
    private static final class Single extends EventSource {
        private final Generation generation;

        Single(Generation generation) {
            this.generation = generation;
        }

        @Override
        boolean next(GenerationEvent event) throws InterruptedException {
            return generation.next(event);
        }

        @Override
        boolean poll(GenerationEvent event) {
            return generation.poll(event);
        }

        @Override
        int generation() {
            return 0;
        }

        @Override
        public void close() {}
    }

    /**
     * Several generations, each read by a virtual thread of its own into one bounded queue: to wait for one of them
     * while another one's buffer fills could hold up both, if the one waits for the other's blocks.
     */
    private static final class Merged extends EventSource {

        private static final int CAPACITY = 256;

        /** An event of a generation; without an event its end. */
        private record Item(int generation, @Nullable GenerationEvent event) {}

        private final BlockingQueue<Item> queue = new ArrayBlockingQueue<>(CAPACITY);
        private final List<Thread> readers = new ArrayList<>();
        private int open;
        private int current;

        Merged(List<Generation> generations) {
            open = generations.size();
            for (int i = 0; i < generations.size(); i++) {
                int index = i;
                readers.add(Thread.ofVirtual().name("reader").start(() -> read(index, generations.get(index))));
            }
        }

        private void read(int index, Generation generation) {
            try {
                GenerationEvent event = new GenerationEvent();
                while (generation.next(event)) {
                    queue.put(new Item(index, event));
                    event = new GenerationEvent();
                }
                queue.put(new Item(index, null));
            } catch (InterruptedException e) {
                // The call is over: whoever interrupts has cancelled the generation.
                Thread.currentThread().interrupt();
            }
        }

        @Override
        boolean next(GenerationEvent event) throws InterruptedException {
            while (open > 0) {
                if (accept(queue.take(), event)) {
                    return true;
                }
            }
            return false;
        }

        @Override
        boolean poll(GenerationEvent event) {
            for (Item item = queue.poll(); item != null; item = queue.poll()) {
                if (accept(item, event)) {
                    return true;
                }
            }
            return false;
        }

        private boolean accept(Item item, GenerationEvent into) {
            GenerationEvent event = item.event();
            if (event == null) {
                open--;
                return false;
            }
            current = item.generation();
            into.sequence = event.sequence;
            into.token = event.token;
            into.logProbability = event.logProbability;
            into.topCount = event.topCount;
            System.arraycopy(event.topTokens, 0, into.topTokens, 0, event.topCount);
            System.arraycopy(event.topLogProbabilities, 0, into.topLogProbabilities, 0, event.topCount);
            into.finished = event.finished;
            into.reason = event.reason;
            into.message = event.message;
            return true;
        }

        @Override
        int generation() {
            return current;
        }

        @Override
        public void close() {
            readers.forEach(Thread::interrupt);
        }
    }
}
