package dev.jeton.models.onnx;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Supplier;

/**
 * Runs what starts ONNX Runtime on a thread whose stack is large. As it starts, version 1.29 matches the process's
 * whole command line against a regular expression by recursion over its characters: some five kilobytes, a class path
 * of seventy jars, overflow a stack of one megabyte and kill the process.
 */
final class DeepStack {

    /** Of virtual memory; what is not reached takes none. A command line has at most 2 MiB, usually far less. */
    private static final long BYTES = 512L << 20;

    private DeepStack() {}

    /** Waits for the result; what is thrown there is thrown here. */
    static <T> T call(Supplier<T> work) {
        CompletableFuture<T> result = new CompletableFuture<>();
        Thread thread = new Thread(null, () -> run(work, result), "onnx-start", BYTES);
        thread.setDaemon(true);
        thread.start();
        try {
            return result.join();
        } catch (CompletionException e) {
            switch (e.getCause()) {
                case RuntimeException cause -> throw cause;
                case Error cause -> throw cause;
                case null, default -> throw e;
            }
        }
    }

    private static <T> void run(Supplier<T> work, CompletableFuture<T> result) {
        try {
            result.complete(work.get());
        } catch (RuntimeException | Error e) {
            result.completeExceptionally(e);
        }
    }
}
