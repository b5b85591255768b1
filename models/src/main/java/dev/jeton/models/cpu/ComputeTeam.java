package dev.jeton.models.cpu;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * The threads that compute steps: the caller of {@link #run} and {@code threads - 1} daemon platform threads.
 *
 * <p>A program is a sequence of phases, a phase a number of tiles that may run in any order on any thread. One 64-bit
 * word holds the phase's tile count and the next tile to claim; claiming is one atomic add. A second word counts tiles
 * not done yet; whoever brings it to zero advances the program and publishes the next phase. So a phase waits for its
 * tiles, never for threads: a thread that the operating system has set aside holds up at most the tile it was in, and
 * with a core taken by another process the others do its share.
 *
 * <p>A thread without a tile spins for at most {@value #SPIN_NANOS} nanoseconds and parks; publishing a phase unparks
 * as many as there are tiles for. Everything a tile reads was written before the phase was published, and everything it
 * writes is visible to the next phase (both words are volatile).
 *
 * <p>{@link #run} is called by one thread at a time; nothing is allocated by it.
 */
final class ComputeTeam implements AutoCloseable {

    /** What the team computes. */
    interface Program {
        /** Sets up the next phase; called by one thread between phases. Returns its tiles, 0 at the end. */
        int advance();

        /** Computes a tile of the current phase as member {@code member} of the team. */
        void tile(int tile, int member);
    }

    private static final long SPIN_NANOS = 20_000;
    private static final int SPINS_PER_LOOK = 64;

    /** Two cache lines apart, so that claiming does not slow down finishing. */
    private static final int CLAIM = 32;

    private static final int REMAINING = 64;
    private static final VarHandle WORDS = MethodHandles.arrayElementVarHandle(long[].class);

    /** One thread's place; {@code parked} is its own and read by publishers. */
    private static final class Member {
        volatile boolean parked;
        volatile @Nullable Thread thread;
    }

    private static final Program NOTHING = new Program() {
        @Override
        public int advance() {
            return 0;
        }

        @Override
        public void tile(int tile, int member) {
            throw new IllegalStateException("no program");
        }
    };

    private final long[] words = new long[96];
    private final Member[] members;
    private final Thread[] threads;
    private Program program = NOTHING;
    private @Nullable Throwable failure;
    private volatile boolean done = true;
    private volatile boolean closed;

    ComputeTeam(int size) {
        members = new Member[size];
        for (int i = 0; i < size; i++) {
            members[i] = new Member();
        }
        threads = new Thread[size - 1];
        for (int i = 1; i < size; i++) {
            int member = i;
            Thread thread = Thread.ofPlatform().daemon().name("jeton-cpu-" + i).unstarted(() -> work(member));
            members[i].thread = thread;
            threads[i - 1] = thread;
        }
        for (Thread thread : threads) {
            thread.start();
        }
    }

    /** Threads that compute, the caller included. */
    int size() {
        return members.length;
    }

    /** Runs a program to its end; a failure of a tile ends it and is thrown here. */
    void run(Program toRun) {
        assert done : "one program at a time";
        members[0].thread = Thread.currentThread();
        program = toRun;
        failure = null;
        done = false;
        advance();
        participate(0);
        program = NOTHING;
        Throwable thrown = failure;
        if (thrown != null) {
            throw new IllegalStateException("a compute tile failed: " + thrown, thrown);
        }
    }

    @Override
    public void close() {
        closed = true;
        for (Thread thread : threads) {
            LockSupport.unpark(thread);
        }
        boolean interrupted = false;
        for (Thread thread : threads) {
            while (thread.isAlive()) {
                try {
                    thread.join();
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private void work(int member) {
        while (!closed) {
            participate(member);
        }
    }

    /** Takes tiles while there are any; the caller of run returns when the program is done, others after a park. */
    private void participate(int member) {
        long idleSince = 0;
        int spins = 0;
        while (true) {
            if (claimable((long) WORDS.getVolatile(words, CLAIM))) {
                long claim = (long) WORDS.getAndAdd(words, CLAIM, 1L);
                if (claimable(claim)) {
                    compute((int) claim, member);
                    idleSince = 0;
                    continue;
                }
            }
            if (member == 0 ? done : closed) {
                return;
            }
            Thread.onSpinWait();
            if (++spins % SPINS_PER_LOOK == 0) {
                long now = System.nanoTime();
                if (idleSince == 0) {
                    idleSince = now;
                } else if (now - idleSince > SPIN_NANOS) {
                    park(member);
                    idleSince = 0;
                }
            }
        }
    }

    /** Whether a claim word has a tile left: the count is its upper, the next tile its lower half. */
    private static boolean claimable(long claim) {
        return (int) claim < (int) (claim >>> 32);
    }

    private void compute(int tile, int member) {
        try {
            program.tile(tile, member);
        } catch (Throwable e) {
            failure = e;
        }
        if ((long) WORDS.getAndAdd(words, REMAINING, -1L) == 1) {
            advance();
        }
    }

    /** Publishes the next phase, or the end. Called where no tile is running. */
    private void advance() {
        int tiles = 0;
        try {
            tiles = failure == null ? program.advance() : 0;
        } catch (Throwable e) {
            failure = e;
        }
        if (tiles == 0) {
            done = true;
            wake(members[0]);
            return;
        }
        WORDS.setVolatile(words, REMAINING, (long) tiles);
        WORDS.setVolatile(words, CLAIM, (long) tiles << 32);
        int wanted = tiles - 1;
        for (int i = 0; i < members.length && wanted > 0; i++) {
            if (wake(members[i])) {
                wanted--;
            }
        }
    }

    private static boolean wake(Member member) {
        if (!member.parked) {
            return false;
        }
        member.parked = false;
        LockSupport.unpark(member.thread);
        return true;
    }

    private void park(int member) {
        Member self = members[member];
        self.parked = true;
        if (claimable((long) WORDS.getVolatile(words, CLAIM)) || (member == 0 ? done : closed)) {
            self.parked = false;
            return;
        }
        LockSupport.park(this);
        self.parked = false;
    }
}
