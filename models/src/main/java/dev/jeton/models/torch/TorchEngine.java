package dev.jeton.models.torch;

import ai.djl.ndarray.types.DataType;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.jni.IValue;
import dev.jeton.models.DecoderSpec;
import dev.jeton.models.EngineOptions;
import dev.jeton.models.Experts;
import dev.jeton.models.MachineMemory;
import dev.jeton.models.ModelException;
import dev.jeton.models.WindowGroups;
import dev.jeton.models.engine.DeviceLostException;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.EngineException;
import dev.jeton.models.engine.EngineInfo;
import dev.jeton.models.engine.LayerGroup;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.SequenceSpec;
import dev.jeton.models.engine.StepBatch;
import dev.jeton.models.engine.StepResult;
import dev.jeton.models.engine.StepTicket;
import dev.jeton.models.rows.HostEngine;
import dev.jeton.models.rows.StepRows;
import dev.jeton.models.sampler.Sampler;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * A decoder in libtorch. A step is one call of the script; its logits are sampled on the host.
 *
 * <p>Logits depend on the batch within rounding: libtorch's products take other kernels for other shapes. With float32
 * weights that is some 1e-5 of a log-probability, with bf16 some 0.1.
 *
 * <p>Owned by one thread; see {@link Engine}. A row whose logits are not finite fails alone. What libtorch refuses in a
 * step (memory, above all) fails the step's rows, and the engine goes on; an error of CUDA loses the device. A step
 * allocates what DJL's JNI needs for its calls.
 */
final class TorchEngine extends HostEngine {

    /** Rows of logits computed at once. */
    private static final int LOGIT_ROWS = 64;
    /** KV memory where none is configured, if the context does not need more and the sequences not less. */
    private static final long DEFAULT_KV_BYTES = 512L << 20;
    /** What scores and gathered keys of a step may take at most. */
    private static final long WORK_BYTES = 192L << 20;

    private final TorchDevice device;
    private final int threads;
    private final TorchModule module;
    private final StepPlan plan;
    private final Sampler sampler;
    private final float[] logits;

    private @Nullable Thread owner;
    private Optional<DeviceLostException> lost = Optional.empty();

    private TorchEngine(
            DecoderSpec spec, EngineInfo info, TorchDevice device, int threads, TorchType type, TorchModule module) {
        super(info);
        this.device = device;
        this.threads = threads;
        this.module = module;
        plan = new StepPlan(spec, info.groups(), type);
        sampler = new Sampler(spec.vocabulary());
        logits = new float[Math.multiplyExact(spec.vocabulary(), Math.min(LOGIT_ROWS, info.maxTokens()))];
    }

    /**
     * Loads a model folder.
     *
     * @throws ModelException naming what the engine cannot do with this model, or what the machine lacks
     */
    static TorchEngine load(Path folder, EngineOptions options, TorchDevice device) {
        return load(folder, options, device, MachineMemory.OF_MACHINE);
    }

    static TorchEngine load(Path folder, EngineOptions options, TorchDevice device, MachineMemory memory) {
        DecoderSpec spec = DecoderSpec.read(folder)
                .within(options.maxModelLength())
                .requireOnly("torch", TorchEngineProvider.ABLE);
        check(options);
        DecoderTensors tensors = DecoderTensors.of(spec);
        try (TorchWeights weights = TorchWeights.open(folder, spec, tensors, device.isGpu())) {
            TorchType type = weights.computeType();
            int context =
                    options.maxModelLength() > 0 ? Math.min(options.maxModelLength(), spec.context()) : spec.context();
            List<LayerGroup> groups = groups(spec, options, context, type);
            int threads = options.threads() > 0 ? options.threads() : TorchRuntime.defaultThreads();
            EngineInfo info = info(spec, options, context, groups, device, threads);
            if (!device.isGpu()) {
                checkMemory(folder, spec, info, weights.bytes(), memory);
            }
            TorchRuntime.start();
            TorchRuntime.enter(threads);
            DecoderScript script = new DecoderScript(spec, tensors, type, device.torchName(), options.blockSize());
            TorchModule module = TorchModule.load(script.archive());
            try {
                return start(new TorchEngine(spec, info, device, threads, type, module), weights, spec);
            } catch (RuntimeException | Error e) {
                module.close();
                throw e;
            }
        } catch (EngineException e) {
            throw new ModelException("the torch engine cannot load %s: %s".formatted(folder, e.getMessage()), e);
        }
    }

    private static TorchEngine start(TorchEngine engine, TorchWeights weights, DecoderSpec spec) {
        try {
            engine.module.start(DecoderScript.frequencies(spec));
            weights.load(engine.module);
            engine.module.run(
                    "pages",
                    TorchModule.numbers(engine.info().groups().stream()
                            .mapToLong(LayerGroup::blockCount)
                            .toArray()));
            engine.warmUp();
            return engine;
        } catch (RuntimeException | Error e) {
            engine.plan.close();
            throw e;
        }
    }

    /** What the torch engine never does, with a decoder or an encoder. */
    static void refuse(EngineOptions options) {
        options.device().requireOneDevice("torch");
        if (!options.quantize().equals("none")) {
            throw new ModelException(
                    "quantize \"%s\": the torch engine computes in the weights' type; take --engine cpu or cuda"
                            .formatted(options.quantize()));
        }
        options.refuseAdapters("torch");
        options.refuseHostKv("torch", "has no copies beside its steps");
        if (!options.device().kvType().equals("auto")) {
            throw new ModelException(
                    "kv-cache-dtype \"%s\" is for the cpu and cuda engines; the torch engine keeps K and V in the weights' type"
                            .formatted(options.device().kvType()));
        }
    }

    private static void check(EngineOptions options) {
        refuse(options);
        int blockSize = options.blockSize();
        if (blockSize < 16 || blockSize > 256 || Integer.bitCount(blockSize) != 1) {
            throw new ModelException(
                    "block size %d: the torch engine takes 16, 32, 64, 128 or 256".formatted(blockSize));
        }
        if (options.maxSequences() < 1 || options.maxBatchedTokens() < 1 || options.kvBytes() < 0) {
            throw new ModelException("sequences %d and batched tokens %d must be positive, KV bytes %d not negative"
                    .formatted(options.maxSequences(), options.maxBatchedTokens(), options.kvBytes()));
        }
    }

    private static List<LayerGroup> groups(DecoderSpec spec, EngineOptions options, int context, TorchType type) {
        WindowGroups groups = WindowGroups.of(spec);
        long layer = 2L * spec.keyValueWidth() * options.blockSize() * type.bytes();
        long perSequence = groups.sequenceBytes(options, context, layer);
        long bytes = options.kvBytes() > 0
                ? options.kvBytes()
                : Math.max(perSequence, Math.min(perSequence * options.maxSequences(), DEFAULT_KV_BYTES));
        return groups.divide(options, context, layer, bytes);
    }

    private static EngineInfo info(
            DecoderSpec spec,
            EngineOptions options,
            int context,
            List<LayerGroup> groups,
            TorchDevice device,
            int threads) {
        return new EngineInfo(
                "torch",
                spec.vocabulary(),
                context,
                List.of(device.isGpu() ? device.torchName() : "cpu: %d threads".formatted(threads)),
                groups,
                options.maxSequences(),
                options.maxSequences(),
                Math.max(options.maxBatchedTokens(), options.maxSequences()),
                1,
                TorchEngineProvider.CAPABILITIES);
    }

    /** Weights, pages and what a step works with must fit into what is free now. */
    private static void checkMemory(
            Path folder, DecoderSpec spec, EngineInfo info, long weightBytes, MachineMemory memory) {
        long pageBytes = info.groups().stream()
                .mapToLong(g -> g.bytesPerBlock() * g.blockCount())
                .sum();
        Experts experts = spec.experts();
        long perToken = 16L * spec.hidden() + 12L * spec.intermediate() + 16L * spec.queryWidth();
        // rows sorted, what experts give, and that in float32 while it is summed
        perToken += experts.perToken() * (12L * spec.hidden() + 8L) + 12L * experts.intermediate();
        // what all tokens go through beside them, and keys, scores and their order
        perToken += 12L * experts.shared().width() + 32L * experts.count();
        long logitBytes = 8L * spec.vocabulary() * Math.min(LOGIT_ROWS, info.maxTokens());
        long needed = weightBytes + pageBytes + perToken * info.maxTokens() + logitBytes + WORK_BYTES;
        OptionalLong available = memory.available();
        if (available.isPresent() && needed > available.getAsLong()) {
            throw new ModelException(
                    ("%s needs %d MB on the torch engine: %d of weights, %d of KV memory, the rest to work with; this"
                                    + " machine has %d free; take a smaller model, --kv-memory or --max-batched-tokens")
                            .formatted(
                                    folder,
                                    needed >> 20,
                                    weightBytes >> 20,
                                    pageBytes >> 20,
                                    available.getAsLong() >> 20));
        }
    }

    /** One token and a few more: the first call of each kind sets things up in libtorch that later ones find. */
    private void warmUp() {
        int inputs = Math.min(StepPlan.FEW + 1, Math.min(info().maxTokens(), info().contextLength()));
        int[] tokens = new int[inputs];
        open(0, new SequenceSpec(SamplingParameters.GREEDY, tokens, inputs, inputs));
        StepBatch batch = new StepBatch(info().groups().size());
        for (int count : new int[] {inputs, 1}) {
            batch.clear();
            batch.addRow(0, StepBatch.SAMPLE, 0, tokens, 0, count);
            for (int g = 0; g < info().groups().size(); g++) {
                batch.addBlocks(g, new int[] {0}, 0, 1);
            }
            StepResult result = await(launch(batch));
            if (result.accepted[0] < 0) {
                // damaged weights are for each row to find; what libtorch refuses now it will refuse always
                String why = result.failure(0).orElse("");
                if (why.startsWith("libtorch")) {
                    throw new EngineException(why);
                }
            }
        }
        close(0);
    }

    @Override
    public StepTicket launch(StepBatch batch) {
        if (lost.isPresent()) {
            throw lost.get();
        }
        return super.launch(batch);
    }

    @Override
    protected void compute() {
        enter();
        try {
            step();
        } catch (EngineException e) {
            sampling().failAll(String.valueOf(checked(e).getMessage()));
        }
    }

    /** The step loop's thread is another than the one that loads. */
    private void enter() {
        if (owner != Thread.currentThread()) {
            TorchRuntime.enter(threads);
            owner = Thread.currentThread();
        }
    }

    private void step() {
        StepRows rows = rows();
        plan.plan(rows);
        try (PtNDArray indices = module.tensor(plan.indices(), DataType.INT64)) {
            module.run("step", IValue.from(indices), TorchModule.numbers(plan.steering()));
        }
        int vocabulary = info().vocabulary();
        int row = 0;
        for (int from = 0; from < rows.logitCount; from += LOGIT_ROWS) {
            int end = Math.min(from + LOGIT_ROWS, rows.logitCount);
            module.floats("logits", logits, TorchModule.number(from), TorchModule.number(end));
            while (row < rows.rows && rows.logitStart[row] < end) {
                int first = Math.max(from, rows.logitStart[row]);
                int last = Math.min(end, rows.logitStart[row + 1]);
                sampling().take(row, first, last, logits, (first - from) * vocabulary, vocabulary, sampler);
                if (rows.logitStart[row + 1] > end) {
                    break;
                }
                row++;
            }
        }
    }

    private EngineException checked(EngineException e) {
        EngineException meant = TorchRuntime.checked(e, device);
        if (meant instanceof DeviceLostException failure) {
            lost = Optional.of(failure);
            throw failure;
        }
        return meant;
    }

    @Override
    protected void copy(int group, int[] from, int[] to) {
        enter();
        long[] pairs = new long[2 * from.length];
        for (int i = 0; i < from.length; i++) {
            pairs[2 * i] = from[i];
            pairs[2 * i + 1] = to[i];
        }
        try {
            module.run("copy", TorchModule.number(group), TorchModule.numbers(pairs));
        } catch (EngineException e) {
            throw checked(e);
        }
    }

    @Override
    protected void release() {
        module.close();
        plan.close();
    }

    @Override
    public String toString() {
        return "torch engine, "
                + info().groups().stream().map(LayerGroup::toString).collect(Collectors.joining(", "));
    }
}
