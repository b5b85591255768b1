package dev.jeton.server.api;

import dev.jeton.server.metrics.ModelMetrics;

/**
 * Times between one call's tokens: gathered in arrays, and recorded in the registry once per some hundred tokens and at
 * the end.
 */
final class TokenTimes {

    private static final int CAPACITY = 256;

    private final ModelMetrics metrics;
    private final long startNanos;
    private final long[] lastNanos;
    private final int[] pending;
    private final long[] gaps = new long[CAPACITY];
    private final int[] counts = new int[CAPACITY];
    private int size;
    private boolean first = true;

    TokenTimes(ModelMetrics metrics, long startNanos, int choices) {
        this.metrics = metrics;
        this.startNanos = startNanos;
        this.lastNanos = new long[choices];
        this.pending = new int[choices];
    }

    /** A token of a choice was taken. */
    void token(int choice, long now) {
        if (first) {
            first = false;
            metrics.firstToken(now - startNanos);
        }
        pending[choice]++;
    }

    /** All tokens that were there at {@code now} are taken: those of one choice share the time since its last ones. */
    void taken(long now) {
        for (int choice = 0; choice < pending.length; choice++) {
            int tokens = pending[choice];
            if (tokens == 0) {
                continue;
            }
            pending[choice] = 0;
            if (lastNanos[choice] != 0) {
                record((now - lastNanos[choice]) / tokens, tokens);
            } else if (tokens > 1) {
                record(0, tokens - 1);
            }
            lastNanos[choice] = now;
        }
    }

    private void record(long gap, int tokens) {
        if (size == CAPACITY) {
            flush();
        }
        gaps[size] = gap;
        counts[size++] = tokens;
    }

    /** Records what was gathered. */
    void flush() {
        for (int i = 0; i < size; i++) {
            metrics.interToken(gaps[i], counts[i]);
        }
        size = 0;
    }
}
