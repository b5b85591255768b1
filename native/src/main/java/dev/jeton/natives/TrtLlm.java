package dev.jeton.natives;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.LongBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * TensorRT-LLM's executor through the shim in {@code native/trtllm} (JNI, C++). Any thread may enqueue and cancel; one
 * thread awaits. Everything that the library throws is a {@link TrtLlmException}; an executor that was closed answers
 * every call with one, also calls that are under way.
 *
 * <p>What comes back are flat events in a buffer of 64-bit words, as {@code native/trtllm/src/bridge.h} describes them;
 * the constants are here.
 */
public final class TrtLlm implements AutoCloseable {

    /** {@code kind, number, nanoseconds, rows}; then for each row {@code id, prefill, generated, context}. */
    public static final long ITERATION = 1;
    /** {@code kind, id, count, flags}; then for each token the token and the bits of its log-probability. */
    public static final long TOKENS = 2;
    /** {@code kind, id, bytes}; then the message, padded to words. */
    public static final long FAILURE = 3;
    /** {@code kind, active, queued, blocks, free blocks, tokens of a block}. */
    public static final long STATE = 4;

    /** Flag of {@link #TOKENS}: the sequence's last. */
    public static final long LAST = 1;
    /** With {@link #LAST}: a stop token was told. */
    public static final long STOPPED = 2;
    /** With {@link #LAST}: its most tokens, or the context's end. */
    public static final long LENGTH = 4;
    /** With {@link #LAST}: it was cancelled. */
    public static final long CANCELLED = 8;

    /** How an executor is made; 0 leaves a bound to the engine. */
    public record Settings(
            Path folder, int maxBatchSize, int maxBatchedTokens, long kvTokens, float kvFraction, boolean reuse) {}

    /**
     * How a sequence's tokens are chosen.
     *
     * @param retention how long its KV blocks are kept beside others', 0 to 100
     * @param priority 0 to 1, more is sooner
     */
    public record Sampling(
            float temperature,
            int topK,
            float topP,
            float minP,
            float repetitionPenalty,
            float presencePenalty,
            float frequencyPenalty,
            long seed,
            int minTokens,
            boolean logProbabilities,
            int retention,
            float priority) {}

    /** Iterations whose statistics the library keeps until they are asked for. */
    private static final int STATISTICS = 4_096;

    /** The JVM binds a library to a class once for all, so that is the class's to know. */
    private static volatile boolean loaded;

    private final long handle;
    private final ByteBuffer buffer;
    private final LongBuffer words;
    private final AtomicBoolean closed = new AtomicBoolean();

    private TrtLlm(long handle, int room) {
        this.handle = handle;
        buffer = ByteBuffer.allocateDirect(Long.BYTES * room).order(ByteOrder.nativeOrder());
        words = buffer.asLongBuffer();
    }

    /**
     * Loads the shim and what it needs; once is enough, and again does nothing.
     *
     * @param shim {@code libjeton_trtllm.so}; empty to have the system's loader find it
     * @throws LibraryMissingException naming what was looked for
     */
    public static void load(Optional<Path> shim) {
        if (loaded) {
            return;
        }
        try {
            if (shim.isEmpty()) {
                System.loadLibrary("jeton_trtllm");
            } else if (Files.isRegularFile(shim.get())) {
                System.load(shim.get().toAbsolutePath().toString());
            } else {
                throw new LibraryMissingException("there is no file " + shim.get());
            }
            loaded = true;
        } catch (UnsatisfiedLinkError e) {
            throw new LibraryMissingException(
                    "the shim for TensorRT-LLM cannot be loaded: %s; build it (native/trtllm/README.md) and name it in"
                                    .formatted(e.getMessage())
                            + " JETON_TRTLLM");
        }
    }

    /** The version of the library that the shim was built against and runs with. */
    public static String version() {
        return version0();
    }

    /**
     * Opens an engine's folder.
     *
     * @param room words of the buffer that {@link #await} fills
     */
    public static TrtLlm open(Settings settings, int room) {
        long handle = create0(
                settings.folder().toString(),
                settings.maxBatchSize(),
                settings.maxBatchedTokens(),
                settings.kvTokens(),
                settings.kvFraction(),
                settings.reuse(),
                STATISTICS);
        return new TrtLlm(handle, room);
    }

    /**
     * Starts a sequence.
     *
     * @param id the caller's, of none that runs
     * @param length tokens of the prompt that count
     */
    public void enqueue(long id, int[] tokens, int length, int maxTokens, int[] stopTokens, Sampling sampling) {
        float[] floats = {
            sampling.temperature(),
            sampling.topP(),
            sampling.minP(),
            sampling.repetitionPenalty(),
            sampling.presencePenalty(),
            sampling.frequencyPenalty(),
            sampling.priority()
        };
        int[] numbers = {
            sampling.topK(), sampling.minTokens(), sampling.logProbabilities() ? 1 : 0, sampling.retention()
        };
        enqueue0(handle, id, tokens, length, maxTokens, stopTokens, floats, numbers, sampling.seed());
    }

    /** Ends a sequence within an iteration or two; one that does not run is left alone. */
    public void cancel(long id) {
        cancel0(handle, id);
    }

    /**
     * Waits until there is something to tell.
     *
     * @return whole events, as many as there is room for, valid until the next call
     */
    public LongBuffer await(long milliseconds) {
        int written = await0(handle, milliseconds, buffer);
        return words.clear().limit(written);
    }

    /** Ends all sequences and lets go of the device. */
    @Override
    public void close() {
        if (!closed.getAndSet(true)) {
            close0(handle);
        }
    }

    private static native String version0();

    private static native long create0(
            String folder,
            int maxBatchSize,
            int maxBatchedTokens,
            long kvTokens,
            float kvFraction,
            boolean reuse,
            int statistics);

    private static native void enqueue0(
            long handle,
            long id,
            int[] tokens,
            int length,
            int maxTokens,
            int[] stopTokens,
            float[] floats,
            int[] numbers,
            long seed);

    private static native int await0(long handle, long milliseconds, ByteBuffer events);

    private static native void cancel0(long handle, long id);

    private static native void close0(long handle);
}
