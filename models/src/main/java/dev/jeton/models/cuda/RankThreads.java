package dev.jeton.models.cuda;

import dev.jeton.models.engine.EngineException;
import dev.jeton.natives.NativeException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * The threads of an engine's devices: the first device's is the engine's own, which calls {@link #all}; each other has
 * one for itself, as long as the engine lives. Work goes to all at once and is over when all are done with it. Who
 * waits spins shortly, since steps follow each other closely, then sleeps. Handing work over allocates nothing.
 *
 * <p>A device that fails leaves the others waiting for it on their streams, or in a call; so whoever fails, first gives
 * them up, on its own thread.
 *
 * <p>Owned by the engine's thread.
 */
final class RankThreads implements AutoCloseable {

    /** Looks before a thread sleeps: some tens of microseconds. */
    private static final int SPINS = 10_000;

    /** What is done for a rank. */
    interface Work {
        void run(int rank);
    }

    private final class Runner implements Runnable {
        private final int rank;
        private final Thread thread;
        private volatile boolean asleep;
        private volatile long done;

        Runner(int rank) {
            this.rank = rank;
            thread = Thread.ofPlatform().name("cuda-rank-" + rank).daemon(true).unstarted(this);
        }

        @Override
        public void run() {
            long seen = 0;
            while (!stopped) {
                seen = next(seen);
                if (!stopped) {
                    perform(rank);
                }
                done = seen;
                if (callerAsleep) {
                    LockSupport.unpark(caller);
                }
            }
        }

        private long next(long seen) {
            for (int i = 0; i < spins && round == seen; i++) {
                Thread.onSpinWait();
            }
            while (round == seen) {
                asleep = true;
                if (round == seen) {
                    LockSupport.park(RankThreads.this);
                }
                asleep = false;
            }
            return round;
        }
    }

    private final List<Runner> runners = new ArrayList<>();
    private final Runnable giveUp;
    private final AtomicReference<@Nullable Throwable> first = new AtomicReference<>();
    private final AtomicInteger refusals = new AtomicInteger();
    private final int count;
    private final int spins;
    private Work work = rank -> {};
    private Thread caller = Thread.currentThread();
    private volatile boolean callerAsleep;
    private long rounds;
    private volatile long round;
    private volatile boolean stopped;

    /** @param giveUp lets go of whatever waits for another device; from any thread, again and again */
    RankThreads(int ranks, Runnable giveUp) {
        this.giveUp = giveUp;
        count = ranks;
        spins = Runtime.getRuntime().availableProcessors() > ranks ? SPINS : 0;
        for (int rank = 1; rank < ranks; rank++) {
            runners.add(new Runner(rank));
        }
        runners.forEach(runner -> runner.thread.start());
    }

    /**
     * Does work for every rank, and waits until it is done for all.
     *
     * @throws EngineException where all ranks refused it for the same reason, and go on
     * @throws RuntimeException the first rank's failure; others may have failed for its sake
     */
    void all(Work next) {
        all(next, true);
    }

    /**
     * The same of work that may be refused by some and done for others, and nobody is the worse for it.
     *
     * @throws EngineException the first that refused it
     * @throws RuntimeException the first rank's failure; others may have failed for its sake
     */
    void each(Work next) {
        all(next, false);
    }

    private void all(Work next, boolean alike) {
        if (runners.isEmpty()) {
            next.run(0);
            return;
        }
        work = next;
        caller = Thread.currentThread();
        round = ++rounds;
        for (int i = 0; i < runners.size(); i++) {
            if (runners.get(i).asleep) {
                LockSupport.unpark(runners.get(i).thread);
            }
        }
        perform(0);
        for (int i = 0; i < runners.size(); i++) {
            await(runners.get(i));
        }
        Throwable cause = first.getAndSet(null);
        if (cause != null) {
            raise(cause, alike);
        }
    }

    private void await(Runner runner) {
        for (int i = 0; i < spins && runner.done != round; i++) {
            Thread.onSpinWait();
        }
        while (runner.done != round) {
            callerAsleep = true;
            if (runner.done != round) {
                LockSupport.park(this);
            }
            callerAsleep = false;
        }
    }

    private void perform(int rank) {
        try {
            work.run(rank);
        } catch (Throwable e) {
            first.compareAndSet(null, e);
            if (e instanceof EngineException) {
                refusals.incrementAndGet();
            } else {
                giveUp.run();
            }
        }
    }

    private void raise(Throwable cause, boolean alike) {
        int refused = refusals.getAndSet(0);
        if (alike && cause instanceof EngineException && refused < count) {
            giveUp.run();
            throw new NativeException(
                    "one of %d GPUs refused what others did: %s".formatted(count, cause.getMessage()), cause);
        }
        switch (cause) {
            case RuntimeException e -> throw e;
            case Error e -> throw e;
            default -> throw new IllegalStateException(cause);
        }
    }

    /** Ends the threads. */
    @Override
    public void close() {
        stopped = true;
        round = ++rounds;
        for (Runner runner : runners) {
            LockSupport.unpark(runner.thread);
        }
        for (Runner runner : runners) {
            join(runner.thread);
        }
    }

    private static void join(Thread thread) {
        boolean interrupted = false;
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
