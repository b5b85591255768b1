package dev.jeton.server.webhooks;

import java.util.random.RandomGenerator;

/**
 * How long is waited between attempts: each time twice as long, up to a bound, and by chance up to a half less, so that
 * events that failed together do not come back together.
 *
 * @param firstMicros after the first attempt
 * @param mostMicros at most
 */
record Pauses(long firstMicros, long mostMicros) {

    /** A server's: some hours for a dozen attempts. */
    static final Pauses USUAL = new Pauses(5_000_000L, 3_600_000_000L);

    private static final int MAX_DOUBLINGS = 30;

    /**
     * The pause after an attempt.
     *
     * @param attempt its number, from 1
     * @param asked what the receiver asked for, microseconds; 0 for nothing
     */
    long after(int attempt, long asked, RandomGenerator random) {
        long grown = Math.min(mostMicros, firstMicros << Math.min(attempt - 1, MAX_DOUBLINGS));
        long pause = grown / 2 + random.nextLong(grown / 2 + 1);
        return Math.min(mostMicros, Math.max(pause, asked));
    }
}
