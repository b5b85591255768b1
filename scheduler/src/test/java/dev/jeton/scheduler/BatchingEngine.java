package dev.jeton.scheduler;

import dev.jeton.models.engine.Capability;
import dev.jeton.models.engine.EngineException;
import dev.jeton.models.engine.EngineInfo;
import dev.jeton.models.engine.Iteration;
import dev.jeton.models.engine.LayerGroup;
import dev.jeton.models.engine.SequenceEngine;
import dev.jeton.models.engine.SequenceSpec;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Semaphore;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * An engine that batches by itself, on a thread of its own: a sequence's next token follows from its tokens and, where
 * it samples, its seed. A test can hold it before an iteration, or let it be lost.
 */
final class BatchingEngine implements SequenceEngine {

    static final int VOCABULARY = 1_000;

    private static final class Running {
        final int[] tokens;
        final long seed;
        final Set<Integer> stops;
        final int most;
        int length;
        int generated;
        volatile boolean cancelled;

        Running(SequenceSpec spec, int most) {
            tokens = Arrays.copyOf(spec.tokens(), spec.length() + most);
            length = spec.length();
            seed = spec.sampling().temperature() == 0 ? 0 : spec.sampling().seed();
            stops = Set.copyOf(
                    Arrays.stream(spec.sampling().stopTokens()).boxed().toList());
            this.most = most;
        }

        int next() {
            long hash = seed;
            for (int i = 0; i < length; i++) {
                hash = (hash ^ tokens[i]) * 0x9e3779b97f4a7c15L;
                hash ^= hash >>> 29;
            }
            return (int) Long.remainderUnsigned(hash, VOCABULARY);
        }
    }

    private final EngineInfo info;
    private final LongSupplier clock;
    private final Map<Long, Running> sequences = new LinkedHashMap<>();
    private final Semaphore allowed = new Semaphore(0);
    private final Thread thread =
            Thread.ofPlatform().name("batching").daemon(true).unstarted(this::run);
    private volatile boolean held;
    private volatile boolean lose;
    private volatile boolean closed;
    private @Nullable Sink sink;
    private volatile long iterations;
    private volatile long busyNanos;

    BatchingEngine(int context, int slots, LongSupplier clock) {
        this.clock = clock;
        info = new EngineInfo(
                "batching",
                VOCABULARY,
                context,
                List.of("test"),
                List.of(new LayerGroup(16, 4_096, 64, 0)),
                slots,
                slots,
                1_024,
                1,
                Set.of(Capability.LOG_PROBABILITIES));
    }

    void hold() {
        held = true;
    }

    void allow(int count) {
        allowed.release(count);
    }

    void release() {
        held = false;
        allowed.release();
    }

    void lose() {
        lose = true;
        release();
    }

    @Override
    public EngineInfo info() {
        return info;
    }

    @Override
    public int maxOverrun() {
        return 2;
    }

    @Override
    public void start(Sink to) {
        sink = to;
        thread.start();
    }

    @Override
    public synchronized void submit(long id, SequenceSpec spec, int maxTokens, int priority) {
        if (spec.sampling().minTokens() > 0) {
            throw new EngineException("no least number of tokens here");
        }
        sequences.put(id, new Running(spec, maxTokens));
        notifyAll();
    }

    @Override
    public synchronized void cancel(long id) {
        Running running = sequences.get(id);
        if (running != null) {
            running.cancelled = true;
            notifyAll();
        }
    }

    @Override
    public synchronized Stats stats() {
        return new Stats(sequences.size(), 0, busyNanos, iterations);
    }

    private void run() {
        Iteration iteration = new Iteration();
        try {
            while (true) {
                List<Map.Entry<Long, Running>> batch = batch();
                if (closed) {
                    batch.forEach(each -> sink().finished(each.getKey(), Finish.CANCELLED, "closed"));
                    return;
                }
                if (held) {
                    allowed.acquire();
                }
                if (lose) {
                    sink().lost("as the test wants it");
                    return;
                }
                iterate(batch, iteration);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private Sink sink() {
        Sink to = sink;
        if (to == null) {
            throw new IllegalStateException("not started");
        }
        return to;
    }

    private synchronized List<Map.Entry<Long, Running>> batch() throws InterruptedException {
        while (sequences.isEmpty() && !closed) {
            wait();
        }
        return new ArrayList<>(sequences.entrySet()).subList(0, Math.min(info.maxSlots(), sequences.size()));
    }

    private void iterate(List<Map.Entry<Long, Running>> batch, Iteration iteration) {
        iteration.clear();
        iteration.startNanos = clock.getAsLong();
        List<Long> over = new ArrayList<>();
        for (Map.Entry<Long, Running> each : batch) {
            Running running = each.getValue();
            if (!running.cancelled) {
                iteration.add(each.getKey(), running.generated == 0 ? running.length : 0, 1, running.length);
                running.tokens[running.length] = running.next();
                running.length++;
                running.generated++;
            }
        }
        iteration.endNanos = Math.max(clock.getAsLong(), iteration.startNanos + 1);
        busyNanos += iteration.endNanos - iteration.startNanos;
        iterations++;
        if (iteration.rows() > 0) {
            sink().iteration(iteration);
        }
        for (Map.Entry<Long, Running> each : batch) {
            long id = each.getKey();
            Running running = each.getValue();
            int token = running.tokens[running.length - 1];
            boolean computed = Arrays.stream(iteration.id, 0, iteration.rows()).anyMatch(row -> row == id);
            if (computed) {
                sink().token(id, token, -0.5f);
            }
            if (running.cancelled) {
                sink().finished(id, Finish.CANCELLED, "");
                over.add(id);
            } else if (running.stops.contains(token)) {
                sink().finished(id, Finish.STOP, "");
                over.add(id);
            } else if (running.generated == running.most) {
                sink().finished(id, Finish.LENGTH, "");
                over.add(id);
            }
        }
        synchronized (this) {
            over.forEach(sequences::remove);
        }
    }

    @Override
    public void close() {
        synchronized (this) {
            closed = true;
            notifyAll();
        }
        release();
        try {
            thread.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
