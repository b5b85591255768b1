package dev.jeton.models.cuda;

import dev.jeton.models.CheckpointQuantization;
import dev.jeton.models.DecoderSpec;
import dev.jeton.models.EngineOptions;
import dev.jeton.models.ModelException;
import dev.jeton.models.VectorHead;
import dev.jeton.models.VectorSpec;
import dev.jeton.models.WindowGroups;
import dev.jeton.models.engine.LayerGroup;
import dev.jeton.natives.DeviceMemory;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What an engine has on one of its devices: the model or a {@link Shard} of it, slots, pages, and the steps in flight.
 * Made in three parts, each on all devices before the next: all but pages; steps without rows, after which it is known
 * how much memory is left; and pages.
 *
 * <p>Owned by the device's thread, see {@link RankThreads}.
 */
final class DeviceRank implements AutoCloseable {

    /**
     * Memory left free beside pages: what the driver needs for graphs and for kernels that it loads late, and what
     * masks take. A tenth of small devices.
     */
    private static final long RESERVE = 1L << 30;

    private final Device device;
    private final StepKernels kernels;
    private final Slots slots;
    private final DecoderProgram program;
    private final StepQueue queue;
    private Optional<HostPages> host = Optional.empty();
    private long moved;

    private DeviceRank(Device device, StepKernels kernels, Slots slots, DecoderProgram program, StepQueue queue) {
        this.device = device;
        this.kernels = kernels;
        this.slots = slots;
        this.program = program;
        this.queue = queue;
    }

    /**
     * Everything but pages, which takes memory and asks nothing of other devices.
     *
     * @param context most tokens of a sequence
     * @throws ModelException where the device has too little memory
     */
    static DeviceRank load(
            Path folder,
            EngineOptions options,
            DeviceShape shape,
            CheckpointQuantization checkpoint,
            int context,
            Device device,
            StepKernels kernels) {
        DecoderSpec spec = shape.spec();
        WeightFormat wanted = WeightFormat.of(options.quantize());
        int rows = options.maxSequences();
        int tokens = Math.max(options.maxBatchedTokens(), rows);
        DeviceWeights weights = DeviceWeights.load(folder, shape, device, kernels, checkpoint, wanted);
        DeviceAdapters adapters = DeviceAdapters.load(options.adapters(), shape, weights, device, kernels, tokens);
        Slots slots = new Slots(
                device, kernels.get("clear_slot"), kernels.get("count_tokens"), rows, spec.vocabulary(), context);
        int windows = WindowGroups.of(spec).count();
        DeviceMemory outputs = device.memory(outputBytes(spec, rows, tokens));
        DecoderProgram program =
                new DecoderProgram(device, shape, weights, adapters, kernels, slots, rows, tokens, outputs.address());
        long blocks = (long) windows * rows * Kernel.blocks(context, options.blockSize());
        boolean told = shape.shard().rank() == 0;
        StepQueue queue = new StepQueue(
                device,
                slots,
                program,
                told,
                vectors(folder, shape),
                adapters.any(),
                windows,
                rows,
                tokens,
                spec.vocabulary(),
                blocks,
                outputs);
        return new DeviceRank(device, kernels, slots, program, queue);
    }

    /** Bytes of the results of any step. */
    private static long outputBytes(DecoderSpec spec, int maxRows, int maxTokens) {
        return spec.vectors()
                ? StepVectors.bytes(maxRows, spec.hidden())
                : 4L * new StepOutputs.Layout(maxRows, maxTokens).scores();
    }

    private static Optional<StepVectors> vectors(Path folder, DeviceShape shape) {
        DecoderSpec spec = shape.shard().whole();
        return !spec.vectors()
                ? Optional.empty()
                : VectorSpec.ofDecoder(folder)
                        .map(of -> new StepVectors(
                                VectorHead.ofDecoder(folder, spec, of), shape.type(), spec.hidden(), of.width()));
    }

    /** Refuses weights for which a device has too little memory, before anything is brought to it. */
    static void requireRoom(
            Path folder, EngineOptions options, DeviceShape shape, CheckpointQuantization checkpoint, Device device) {
        WeightFormat format = WeightFormat.of(checkpoint, WeightFormat.of(options.quantize()));
        boolean mxfp4 = DeviceWeights.expertsInMxfp4(folder, shape.shard().whole());
        WeightFormat experts = mxfp4 ? WeightFormat.MXFP4 : format;
        long weightBytes =
                DeviceWeights.bytes(shape, format, experts, DeviceWeights.headFormat(folder, shape, checkpoint));
        if (weightBytes > device.freeBytes()) {
            String part = shape.shard().ranks() == 1
                    ? ""
                    : "part %d of %d of "
                            .formatted(shape.shard().rank() + 1, shape.shard().ranks());
            throw new ModelException("the weights of %s%s take %d bytes; %s has %d free"
                    .formatted(part, folder, weightBytes, device.name(), device.freeBytes()));
        }
    }

    /**
     * Tries steps without rows. No device may be taking memory meanwhile: that waits for others which have begun a sum,
     * and they wait for it.
     *
     * @param search how long algorithms of products may be timed
     */
    void warmUp(Duration search) {
        queue.warmUp(search);
    }

    /** Bytes that pages may take. */
    long mostPageBytes() {
        long free = device.freeBytes();
        return free - Math.min(RESERVE, free / 10);
    }

    /** Takes the memory of pages and records steps; the copies of their blocks. */
    BlockCopies pages(List<LayerGroup> groups) {
        List<DeviceMemory> pages = new ArrayList<>();
        for (int g = 0; g < groups.size(); g++) {
            LayerGroup group = groups.get(g);
            pages.add(device.memory(group.bytesPerBlock() * group.blockCount()));
            program.attention().pages(g, pages.get(g).address(), group.bytesPerBlock());
        }
        queue.capture();
        List<Long> pools = pages.stream().map(DeviceMemory::address).toList();
        BlockCopies copies = new BlockCopies(device, kernels.get("copy_blocks"), groups, pools);
        if (groups.getFirst().hostBlocks() > 0) {
            host = Optional.of(new HostPages(device, groups, pages));
        }
        return copies;
    }

    /** The sampling state of sequences. */
    Slots slots() {
        return slots;
    }

    /** Steps. */
    StepQueue queue() {
        return queue;
    }

    /** Its part of pages on the host. */
    Optional<HostPages> host() {
        return host;
    }

    /** Counts blocks whose part is on the host. */
    void countOffloaded() {
        moved = host.orElseThrow().offloaded();
    }

    /** Counts blocks whose part is back. */
    void countOnloaded() {
        moved = host.orElseThrow().onloaded();
    }

    /** What was counted last. */
    long moved() {
        return moved;
    }

    /** Lets go of recorded steps, which must be gone before the devices part. */
    @Override
    public void close() {
        queue.close();
    }
}
