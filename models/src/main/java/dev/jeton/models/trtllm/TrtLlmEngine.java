package dev.jeton.models.trtllm;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.ModelException;
import dev.jeton.models.TrtLlmFolder;
import dev.jeton.models.engine.Capability;
import dev.jeton.models.engine.EngineException;
import dev.jeton.models.engine.EngineInfo;
import dev.jeton.models.engine.Iteration;
import dev.jeton.models.engine.LayerGroup;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.SequenceEngine;
import dev.jeton.models.engine.SequenceSpec;
import dev.jeton.natives.NativeException;
import dev.jeton.natives.TrtLlm;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.LongBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Sequences on TensorRT-LLM's executor. One thread of its own awaits what the library has to tell and tells the sink,
 * in that order: iterations, then the tokens that came of them.
 *
 * <p><b>Time.</b> The library says how long an iteration took, not when it was. Its end is taken to be when its
 * statistics were read, or the beginning of the next one that was read with it, so spans never overlap and none is
 * longer than was said.
 *
 * <p>{@link #submit}, {@link #cancel} and {@link #stats} may be called by any thread.
 */
final class TrtLlmEngine implements SequenceEngine {

    /** What it can do beyond plain sampling. Of log-probabilities those of the tokens themselves, no alternatives. */
    static final Set<Capability> CAPABILITIES = Set.of(Capability.LOG_PROBABILITIES);

    /** Words of the buffer for events: an iteration of 1,024 rows has 4,100. */
    private static final int ROOM = 1 << 16;

    private static final long AWAIT_MILLIS = 100;
    /** Where sequences' blocks stand that are usual, in the library's order from 0 to 100. */
    private static final int USUAL_RETENTION = 35;

    private static final int LOW_RETENTION = 20;

    private final EngineInfo info;
    private final TrtLlm executor;
    private final Thread thread;
    private final Iteration iteration = new Iteration();
    /** Sequences that have not ended; those that run when the executor is closed are told so. Guarded by itself. */
    private final Set<Long> open = new HashSet<>();

    private @Nullable Sink sink;
    private volatile boolean closing;
    private volatile int running;
    private volatile int waiting;
    private volatile long busyNanos;
    private volatile long iterations;
    private long tellsTo = Long.MIN_VALUE;

    private TrtLlmEngine(EngineInfo info, TrtLlm executor) {
        this.info = info;
        this.executor = executor;
        thread = Thread.ofPlatform().name("trtllm").daemon(true).unstarted(this::run);
    }

    /** Opens an engine's folder; the shim is loaded. */
    static TrtLlmEngine load(Path folder, EngineOptions options) {
        TrtLlmFolder engine = TrtLlmFolder.read(folder);
        refuse(engine, options);
        int context =
                options.maxModelLength() > 0 ? Math.min(options.maxModelLength(), engine.context()) : engine.context();
        int slots = Math.min(options.maxSequences(), engine.maxBatchSize());
        long bytes = engine.bytesPerToken() * engine.tokensPerBlock();
        long blocks = options.kvBytes() > 0
                ? options.kvBytes() / bytes
                : (long) slots * Math.ceilDiv(context, engine.tokensPerBlock());
        if (blocks < 1 || blocks > Integer.MAX_VALUE) {
            throw new ModelException("kv-memory of %d bytes is %d blocks of %d bytes; give more or less"
                    .formatted(options.kvBytes(), blocks, bytes));
        }
        TrtLlm executor;
        try {
            executor = TrtLlm.open(
                    new TrtLlm.Settings(
                            folder,
                            slots,
                            Math.min(options.maxBatchedTokens(), engine.maxBatchedTokens()),
                            options.kvBytes() > 0 ? blocks * engine.tokensPerBlock() : 0,
                            0,
                            true),
                    ROOM);
        } catch (NativeException e) {
            throw new ModelException("TensorRT-LLM does not load %s: %s".formatted(folder, e.getMessage()), e);
        }
        EngineInfo info = new EngineInfo(
                "trtllm",
                engine.vocabulary(),
                context,
                List.of("TensorRT-LLM %s, %d rank%s"
                        .formatted(TrtLlm.version(), engine.ranks(), engine.ranks() == 1 ? "" : "s")),
                List.of(new LayerGroup(engine.tokensPerBlock(), (int) blocks, bytes, 0)),
                slots,
                slots,
                engine.maxBatchedTokens(),
                1,
                CAPABILITIES);
        return new TrtLlmEngine(info, executor);
    }

    private static void refuse(TrtLlmFolder engine, EngineOptions options) {
        options.device().requireOneDevice("trtllm");
        if (!options.quantize().equals("none")) {
            throw new ModelException(
                    "quantize \"%s\": an engine of TensorRT-LLM is quantised when trtllm-build builds it"
                            .formatted(options.quantize()));
        }
        options.refuseAdapters("trtllm");
        options.refuseHostKv("trtllm", "manages its blocks by itself");
        if (!options.device().device().isEmpty() || !options.device().kvType().equals("auto")) {
            throw new ModelException(
                    "device and kv-cache-dtype are chosen when an engine of TensorRT-LLM is built; use CUDA_VISIBLE_DEVICES");
        }
        if (!engine.version().isEmpty() && !engine.version().equals(TrtLlm.version())) {
            throw new ModelException(
                    "the engine was built by TensorRT-LLM %s, and the shim runs with %s; build it anew with that version"
                            .formatted(engine.version(), TrtLlm.version()));
        }
    }

    @Override
    public EngineInfo info() {
        return info;
    }

    /** An iteration may be under way when a sequence is cancelled, and the next one launched already. */
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
    public void submit(long id, SequenceSpec spec, int maxTokens, int priority) {
        SamplingParameters sampling = spec.sampling();
        if (sampling.bias().tokens().length > 0) {
            throw new EngineException("logit_bias is not supported by the trtllm engine");
        }
        for (int i = 0; i < spec.length(); i++) {
            if (spec.tokens()[i] < 0 || spec.tokens()[i] >= info.vocabulary()) {
                throw new EngineException(
                        "token %d is outside the vocabulary of %d".formatted(spec.tokens()[i], info.vocabulary()));
            }
        }
        synchronized (open) {
            open.add(id);
        }
        try {
            executor.enqueue(
                    id,
                    spec.tokens(),
                    spec.length(),
                    maxTokens,
                    sampling.stopTokens(),
                    new TrtLlm.Sampling(
                            (float) sampling.temperature(),
                            sampling.topK(),
                            (float) sampling.topP(),
                            (float) sampling.minP(),
                            (float) sampling.repetitionPenalty(),
                            (float) sampling.presencePenalty(),
                            (float) sampling.frequencyPenalty(),
                            sampling.seed(),
                            sampling.minTokens(),
                            sampling.logProbabilities() >= 0,
                            priority > 0 ? LOW_RETENTION : USUAL_RETENTION,
                            Math.clamp(0.5f - 0.1f * priority, 0, 1)));
        } catch (NativeException e) {
            synchronized (open) {
                open.remove(id);
            }
            throw new EngineException("TensorRT-LLM refuses the request: " + e.getMessage());
        }
    }

    @Override
    public void cancel(long id) {
        if (!closing) {
            executor.cancel(id);
        }
    }

    @Override
    public Stats stats() {
        return new Stats(running, waiting, busyNanos, iterations);
    }

    // ---- the thread ----

    private void run() {
        Sink to = sink;
        if (to == null) {
            throw new IllegalStateException("started without a sink");
        }
        try {
            while (!closing) {
                tell(executor.await(AWAIT_MILLIS), System.nanoTime(), to);
            }
        } catch (RuntimeException e) {
            // without this thread nobody would hear of any sequence again, so whatever ended it is told
            if (!closing) {
                to.lost(e instanceof NativeException ? String.valueOf(e.getMessage()) : e.toString());
                return;
            }
        }
        List<Long> left;
        synchronized (open) {
            left = List.copyOf(open);
            open.clear();
        }
        left.forEach(id -> to.finished(id, Finish.CANCELLED, "the engine was closed"));
    }

    private void tell(LongBuffer words, long now, Sink to) {
        long ahead = durations(words.duplicate());
        while (words.hasRemaining()) {
            long kind = words.get();
            if (kind == TrtLlm.ITERATION) {
                ahead = iteration(words, now, ahead, to);
            } else if (kind == TrtLlm.TOKENS) {
                tokens(words, to);
            } else if (kind == TrtLlm.FAILURE) {
                long id = words.get();
                end(id, Finish.FAILED, text(words, (int) words.get()), to);
            } else {
                running = (int) words.get();
                waiting = (int) words.get();
                words.position(words.position() + 3);
            }
        }
    }

    /** How long the iterations took that are told at a time. */
    private static long durations(LongBuffer words) {
        long sum = 0;
        while (words.hasRemaining()) {
            long kind = words.get();
            if (kind == TrtLlm.ITERATION) {
                words.get();
                sum += words.get();
                skip(words, 4 * words.get());
            } else if (kind == TrtLlm.TOKENS) {
                words.get();
                long count = words.get();
                skip(words, 1 + 2 * count);
            } else if (kind == TrtLlm.FAILURE) {
                words.get();
                skip(words, Math.ceilDiv(words.get(), Long.BYTES));
            } else {
                skip(words, 5);
            }
        }
        return sum;
    }

    private static void skip(LongBuffer words, long count) {
        words.position(words.position() + (int) count);
    }

    /** @return how long those took that are still to be told of the same reading */
    private long iteration(LongBuffer words, long now, long ahead, Sink to) {
        words.get();
        long took = words.get();
        long rows = words.get();
        iteration.clear();
        for (long row = 0; row < rows; row++) {
            iteration.add(words.get(), (int) words.get(), (int) words.get(), (int) words.get());
        }
        long end = Math.max(tellsTo, now - (ahead - took));
        iteration.startNanos = Math.max(tellsTo, end - took);
        iteration.endNanos = end;
        tellsTo = end;
        busyNanos += took;
        iterations++;
        if (rows > 0) {
            to.iteration(iteration);
        }
        return ahead - took;
    }

    private void tokens(LongBuffer words, Sink to) {
        long id = words.get();
        long count = words.get();
        long flags = words.get();
        for (long i = 0; i < count; i++) {
            int token = (int) words.get();
            to.token(id, token, Float.intBitsToFloat((int) words.get()));
        }
        if ((flags & TrtLlm.LAST) != 0) {
            Finish how = (flags & TrtLlm.STOPPED) != 0
                    ? Finish.STOP
                    : (flags & TrtLlm.LENGTH) != 0 ? Finish.LENGTH : Finish.CANCELLED;
            end(id, how, "", to);
        }
    }

    private void end(long id, Finish how, String message, Sink to) {
        synchronized (open) {
            open.remove(id);
        }
        to.finished(id, how, message);
    }

    private static String text(LongBuffer words, int bytes) {
        ByteBuffer buffer = ByteBuffer.allocate(Math.ceilDiv(bytes, Long.BYTES) * Long.BYTES)
                .order(ByteOrder.nativeOrder());
        while (buffer.hasRemaining()) {
            buffer.putLong(words.get());
        }
        return new String(buffer.array(), 0, bytes, StandardCharsets.UTF_8);
    }

    @Override
    public void close() {
        closing = true;
        executor.close();
        if (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
