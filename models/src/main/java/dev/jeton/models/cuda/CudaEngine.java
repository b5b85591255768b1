package dev.jeton.models.cuda;

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
import dev.jeton.natives.CudaException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * A decoder on one GPU. {@link #launch} puts a step on the device's stream and returns; {@link #await} waits for its end.
 * Two steps may be in flight: the second takes its tokens from the slots, where the first leaves them, so the host is not
 * asked between them.
 *
 * <p>Owned by one thread; see {@link Engine}. Logits that are not finite fail their row alone; a lost device fails the
 * engine and leaves the process.
 */
public final class CudaEngine implements Engine {

    /** Of the memory that is free after weights and work space, what K and V get where nothing is configured. */
    private static final double KV_SHARE = 0.9;

    private final Device device;
    private final EngineInfo info;
    private final EngineChecks checks;
    private final Slots slots;
    private final StepQueue queue;
    private final BlockCopies copies;
    private final long[] epochs;
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
     * @throws ModelException naming what the engine cannot do with this model, or what memory it lacks
     * @throws EngineException if the device fails
     */
    static CudaEngine load(Path folder, EngineOptions options, DeviceLibraries libraries) {
        DecoderSpec spec = DecoderSpec.read(folder);
        DeviceShape.Type type = DeviceWeights.type(folder);
        DeviceShape.KvType kv = type == DeviceShape.Type.BF16 ? DeviceShape.KvType.BF16 : DeviceShape.KvType.FP16;
        if (!options.quantize().equals("none")) {
            throw new ModelException(
                    "quantize \"%s\" is not known to the cuda engine; none is".formatted(options.quantize()));
        }
        DeviceShape shape = new DeviceShape(spec, type, kv, options.blockSize());
        Device device = Device.open(libraries, type);
        try {
            return load(folder, options, shape, device);
        } catch (RuntimeException | Error e) {
            device.close();
            throw e;
        }
    }

    private static CudaEngine load(Path folder, EngineOptions options, DeviceShape shape, Device device) {
        DecoderSpec spec = shape.spec();
        int context =
                options.maxModelLength() > 0 ? Math.min(options.maxModelLength(), spec.context()) : spec.context();
        int rows = options.maxSequences();
        int tokens = Math.max(options.maxBatchedTokens(), rows);
        StepKernels kernels = StepKernels.load(device, shape);
        DeviceWeights weights = DeviceWeights.load(folder, shape, new WeightUpload(device, shape.type(), kernels));
        Slots slots = new Slots(
                device, kernels.get("clear_slot"), kernels.get("count_tokens"), rows, spec.vocabulary(), context);
        StepQueue queue =
                new StepQueue(device, slots, WindowGroups.of(spec).count(), context, options.blockSize(), rows, tokens);
        // What steps need is allocated before the pages take their share of what is left.
        DecoderProgram program =
                new DecoderProgram(device, shape, weights, kernels, slots, rows, tokens, queue.outputs());
        queue.run(program, spec.vocabulary());
        List<LayerGroup> groups = groups(device, shape, options, context);
        EngineInfo info = new EngineInfo(
                "cuda",
                spec.vocabulary(),
                context,
                List.of(device.name()),
                groups,
                rows,
                rows,
                tokens,
                2,
                Set.of(
                        Capability.LOG_PROBABILITIES,
                        Capability.PROMPT_LOG_PROBABILITIES,
                        Capability.MASKS,
                        Capability.DRAFTS));
        List<Long> pools = new ArrayList<>();
        for (int g = 0; g < groups.size(); g++) {
            LayerGroup group = groups.get(g);
            pools.add(device.memory(group.bytesPerBlock() * group.blockCount()).address());
            program.pages(g, pools.get(g), group.bytesPerBlock());
        }
        return new CudaEngine(
                device, info, slots, queue, new BlockCopies(device, kernels.get("copy_blocks"), groups, pools));
    }

    private static List<LayerGroup> groups(Device device, DeviceShape shape, EngineOptions options, int context) {
        if (options.maxSequences() < 1 || options.maxBatchedTokens() < 1 || options.kvBytes() < 0) {
            throw new ModelException("sequences %d and batched tokens %d must be positive, KV bytes %d not negative"
                    .formatted(options.maxSequences(), options.maxBatchedTokens(), options.kvBytes()));
        }
        WindowGroups groups = WindowGroups.of(shape.spec());
        long free = device.freeBytes();
        long bytes = options.kvBytes() > 0 ? options.kvBytes() : (long) (free * KV_SHARE);
        if (bytes > free) {
            throw new ModelException(
                    "%d bytes of KV memory are asked for, %s has %d free beside the weights; lower --kv-memory"
                            .formatted(bytes, device.name(), free));
        }
        return groups.divide(options, context, shape.layerBytes(), bytes);
    }

    @Override
    public EngineInfo info() {
        return info;
    }

    @Override
    public void open(int slot, SequenceSpec spec) {
        checks.open(slot, spec);
        device.enter();
        try {
            slots.open(slot, spec);
        } catch (CudaException e) {
            throw failed(e);
        } catch (RuntimeException e) {
            checks.close(slot);
            throw e;
        }
        epochs[slot]++;
    }

    @Override
    public void close(int slot) {
        if (checks.close(slot)) {
            epochs[slot]++;
        }
    }

    @Override
    public StepTicket launch(StepBatch batch) {
        if (closed) {
            throw new EngineException("the engine is closed");
        }
        checks.check(batch);
        device.enter();
        try {
            return queue.launch(batch, epochs);
        } catch (CudaException e) {
            throw failed(e);
        }
    }

    @Override
    public void masks(StepTicket ticket, TokenMasks masks) {
        device.enter();
        try {
            queue.masks(ticket, masks);
        } catch (CudaException e) {
            throw failed(e);
        }
    }

    @Override
    public StepResult await(@Nullable StepTicket ticket) {
        device.enter();
        try {
            return queue.await(ticket, epochs);
        } catch (CudaException e) {
            throw failed(e);
        }
    }

    @Override
    public void transfer(int group, int[] from, int[] to, int count) {
        checks.transfer(group, from, to, count);
        device.enter();
        try {
            copies.copy(group, from, to, count);
        } catch (CudaException e) {
            throw failed(e);
        }
    }

    /**
     * What a failed call means to the caller. Work already queued cannot be taken back, so after any failure of the device
     * nothing on it is believed any more.
     */
    private static DeviceLostException failed(CudaException e) {
        return new DeviceLostException(
                "the GPU failed, and every sequence on it with it; load the model anew: " + e.getMessage(), e);
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
