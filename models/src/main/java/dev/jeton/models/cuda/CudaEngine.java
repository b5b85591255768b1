package dev.jeton.models.cuda;

import dev.jeton.models.CheckpointQuantization;
import dev.jeton.models.DecoderFeature;
import dev.jeton.models.DecoderSpec;
import dev.jeton.models.EngineOptions;
import dev.jeton.models.ModelException;
import dev.jeton.models.WindowGroups;
import dev.jeton.models.engine.Capability;
import dev.jeton.models.engine.DeviceLostException;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.EngineChecks;
import dev.jeton.models.engine.EngineException;
import dev.jeton.models.engine.EngineInfo;
import dev.jeton.models.engine.LayerGroup;
import dev.jeton.models.engine.SequenceSpec;
import dev.jeton.models.engine.StepBatch;
import dev.jeton.models.engine.StepResult;
import dev.jeton.models.engine.StepTicket;
import dev.jeton.models.engine.TokenMasks;
import dev.jeton.natives.DeviceMemory;
import dev.jeton.natives.NativeException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * A decoder on one GPU. {@link #launch} puts a step on the device's stream and returns; {@link #await} waits for its
 * end. Two steps may be in flight: the second takes its tokens from the slots, where the first leaves them, so the host
 * is not asked between them.
 *
 * <p>Owned by one thread; see {@link Engine}. Logits that are not finite fail their row alone; a lost device fails the
 * engine and leaves the process.
 */
public final class CudaEngine implements Engine {

    /** What it computes of what only some models need. */
    static final Set<DecoderFeature> ABLE = Set.of(
            DecoderFeature.EXPERTS,
            DecoderFeature.FUSED_TENSORS,
            DecoderFeature.PARTIAL_ROTARY,
            DecoderFeature.FACTORS_BY_LENGTH,
            DecoderFeature.WINDOW_ROTARY,
            DecoderFeature.BRANCH_NORMS,
            DecoderFeature.GELU,
            DecoderFeature.EMBEDDING_SCALE,
            DecoderFeature.QUERY_SCALE,
            DecoderFeature.SOFT_CAPS);

    /** What it can do beyond plain sampling. */
    static final Set<Capability> CAPABILITIES = Set.of(
            Capability.LOG_PROBABILITIES, Capability.PROMPT_LOG_PROBABILITIES, Capability.MASKS, Capability.DRAFTS);

    /** Rows of a step that the plan of attention has room for. */
    private static final int MOST_ROWS = 4096;

    /**
     * Memory left free beside pages: what the driver needs for graphs and for kernels that it loads late, and what
     * masks take. A tenth of small devices.
     */
    private static final long RESERVE = 1L << 30;

    private final Device device;
    private final EngineInfo info;
    private final EngineChecks checks;
    private final Slots slots;
    private final StepQueue queue;
    private final BlockCopies copies;
    private final long[] epochs;
    private Optional<DeviceLostException> lost = Optional.empty();
    private boolean closed;

    private CudaEngine(Device device, EngineInfo info, Slots slots, StepQueue queue, BlockCopies copies) {
        this.device = device;
        this.info = info;
        this.slots = slots;
        this.queue = queue;
        this.copies = copies;
        checks = new EngineChecks(info);
        epochs = new long[info.maxSlots()];
    }

    /**
     * Loads a model folder.
     *
     * @throws ModelException naming what the engine cannot do with this model, or what the machine lacks
     */
    static CudaEngine load(Path folder, EngineOptions options, DeviceLibraries libraries) {
        check(options);
        DecoderSpec spec = DecoderSpec.readQuantized(folder)
                .within(options.maxModelLength())
                .requireOnly("cuda", ABLE);
        CheckpointQuantization checkpoint = CheckpointQuantization.read(folder);
        DeviceShape.Type type = DeviceWeights.type(folder, spec);
        DeviceShape.KvType kv = DeviceShape.KvType.of(options.device().kvType(), type);
        DeviceShape shape = new DeviceShape(spec, type, kv, options.blockSize());
        try {
            Device device = Device.open(libraries, options.device(), type);
            try {
                return load(folder, options, shape, checkpoint, device);
            } catch (RuntimeException | Error e) {
                device.close();
                throw e;
            }
        } catch (NativeException e) {
            throw new ModelException("the cuda engine cannot load %s: %s".formatted(folder, e.getMessage()), e);
        }
    }

    private static void check(EngineOptions options) {
        if (options.maxSequences() < 1 || options.maxBatchedTokens() < 1 || options.kvBytes() < 0) {
            throw new ModelException("sequences %d and batched tokens %d must be positive, KV bytes %d not negative"
                    .formatted(options.maxSequences(), options.maxBatchedTokens(), options.kvBytes()));
        }
        if (options.maxSequences() > MOST_ROWS) {
            throw new ModelException("the cuda engine takes %d sequences at most, not %d; lower --max-num-seqs"
                    .formatted(MOST_ROWS, options.maxSequences()));
        }
    }

    private static CudaEngine load(
            Path folder, EngineOptions options, DeviceShape shape, CheckpointQuantization checkpoint, Device device) {
        DecoderSpec spec = shape.spec();
        WeightFormat wanted = WeightFormat.of(options.quantize());
        long weightBytes = DeviceWeights.bytes(spec, WeightFormat.of(checkpoint, wanted));
        if (weightBytes > device.freeBytes()) {
            throw new ModelException("the weights of %s take %d bytes; %s has %d free"
                    .formatted(folder, weightBytes, device.name(), device.freeBytes()));
        }
        int context =
                options.maxModelLength() > 0 ? Math.min(options.maxModelLength(), spec.context()) : spec.context();
        int rows = options.maxSequences();
        int tokens = Math.max(options.maxBatchedTokens(), rows);
        StepKernels kernels = StepKernels.load(device, shape);
        DeviceWeights weights = DeviceWeights.load(folder, shape, device, kernels, checkpoint, wanted);
        Slots slots = new Slots(
                device, kernels.get("clear_slot"), kernels.get("count_tokens"), rows, spec.vocabulary(), context);
        WindowGroups windows = WindowGroups.of(spec);
        DeviceMemory outputs = device.memory(StepQueue.outputBytes(rows, tokens));
        DecoderProgram program =
                new DecoderProgram(device, shape, weights, kernels, slots, rows, tokens, outputs.address());
        long blocks = (long) windows.count() * rows * Kernel.blocks(context, options.blockSize());
        StepQueue queue = new StepQueue(
                device, slots, program, windows.count(), rows, tokens, spec.vocabulary(), blocks, outputs);
        queue.warmUp(options.device().search());
        List<LayerGroup> groups = groups(device, windows, shape, options, context);
        List<Long> pools = new ArrayList<>();
        for (int g = 0; g < groups.size(); g++) {
            LayerGroup group = groups.get(g);
            pools.add(device.memory(group.bytesPerBlock() * group.blockCount()).address());
            program.pages(g, pools.get(g), group.bytesPerBlock());
        }
        queue.capture();
        BlockCopies copies = new BlockCopies(device, kernels.get("copy_blocks"), groups, pools);
        return new CudaEngine(device, info(device, spec, context, groups, rows, tokens), slots, queue, copies);
    }

    private static EngineInfo info(
            Device device, DecoderSpec spec, int context, List<LayerGroup> groups, int rows, int tokens) {
        return new EngineInfo(
                "cuda",
                spec.vocabulary(),
                context,
                List.of(device.name()),
                groups,
                rows,
                rows,
                tokens,
                2,
                CAPABILITIES);
    }

    private static List<LayerGroup> groups(
            Device device, WindowGroups windows, DeviceShape shape, EngineOptions options, int context) {
        long free = device.freeBytes();
        long most = free - Math.min(RESERVE, free / 10);
        long bytes = options.kvBytes() > 0 ? options.kvBytes() : most;
        if (bytes > most) {
            throw new ModelException(
                    ("%d bytes of KV memory are asked for; %s has %d for it beside the weights and what"
                                    + " else uses it; lower --kv-memory")
                            .formatted(bytes, device.name(), most));
        }
        return windows.divide(options, context, shape.layerBytes(), bytes);
    }

    @Override
    public EngineInfo info() {
        return info;
    }

    /** The device becomes the calling thread's, if there still is one. */
    private void enter() {
        if (closed) {
            throw new EngineException("the engine is closed");
        }
        if (lost.isPresent()) {
            throw lost.get();
        }
        device.enter();
    }

    /**
     * What a failed call means. Work already queued cannot be taken back, so after any failure of the device nothing
     * on it is believed any more.
     */
    private DeviceLostException failed(NativeException e) {
        DeviceLostException failure = new DeviceLostException(
                "the GPU failed, and every sequence on it with it; load the model anew: " + e.getMessage(), e);
        lost = Optional.of(failure);
        return failure;
    }

    @Override
    public void open(int slot, SequenceSpec spec) {
        enter();
        checks.open(slot, spec);
        try {
            if (queue.waitsForMasks(slot)) {
                throw new EngineException(
                        "slot %d is in a step that waits for grammar masks; hand them in first".formatted(slot));
            }
            slots.open(slot, spec);
            epochs[slot]++;
        } catch (NativeException e) {
            throw failed(e);
        } catch (EngineException e) {
            checks.close(slot);
            throw e;
        }
    }

    @Override
    public void close(int slot) {
        if (checks.close(slot)) {
            epochs[slot]++;
        }
    }

    @Override
    public StepTicket launch(StepBatch batch) {
        enter();
        checks.check(batch);
        try {
            return queue.launch(batch, epochs);
        } catch (NativeException e) {
            throw failed(e);
        }
    }

    @Override
    public void masks(StepTicket ticket, TokenMasks masks) {
        enter();
        try {
            queue.masks(ticket, masks);
        } catch (NativeException e) {
            throw failed(e);
        }
    }

    @Override
    public StepResult await(@Nullable StepTicket ticket) {
        enter();
        try {
            return queue.await(ticket, epochs);
        } catch (NativeException e) {
            throw failed(e);
        }
    }

    @Override
    public void transfer(int group, int[] from, int[] to, int count) {
        enter();
        checks.transfer(group, from, to, count);
        try {
            copies.copy(group, from, to, count);
        } catch (NativeException e) {
            throw failed(e);
        }
    }

    @Override
    public void close() {
        if (!closed) {
            closed = true;
            device.close();
        }
    }

    @Override
    public String toString() {
        return "cuda engine on %s, %s"
                .formatted(
                        device.name(),
                        info.groups().stream().map(LayerGroup::toString).collect(Collectors.joining(", ")));
    }
}
