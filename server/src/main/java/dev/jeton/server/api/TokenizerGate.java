package dev.jeton.server.api;

import java.util.concurrent.Semaphore;
import java.util.function.Supplier;

/**
 * Templating and tokenizing are CPU-bound, and virtual threads are not time-sliced: at most half the cores do them at
 * once, so that streams and compute threads go on.
 */
final class TokenizerGate {

    private final Semaphore permits;

    TokenizerGate(int permits) {
        this.permits = new Semaphore(Math.max(1, permits), true);
    }

    <T> T run(Supplier<T> work) throws InterruptedException {
        permits.acquire();
        try {
            return work.get();
        } finally {
            permits.release();
        }
    }
}
