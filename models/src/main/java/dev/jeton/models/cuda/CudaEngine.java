package dev.jeton.models.cuda;

import dev.jeton.models.CheckpointQuantization;
import dev.jeton.models.DecoderFeature;
import dev.jeton.models.DecoderSpec;
import dev.jeton.models.EngineOptions;
import dev.jeton.models.MachineMemory;
import dev.jeton.models.ModelException;
import dev.jeton.models.TensorType;
import dev.jeton.models.WindowGroups;
import dev.jeton.models.engine.Capability;
import dev.jeton.models.engine.DeviceLostException;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.EngineChecks;
import dev.jeton.models.engine.EngineException;
import dev.jeton.models.engine.EngineInfo;
import dev.jeton.models.engine.LayerGroup;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.SequenceSpec;
import dev.jeton.models.engine.StepBatch;
import dev.jeton.models.engine.StepResult;
import dev.jeton.models.engine.StepTicket;
import dev.jeton.models.engine.TokenMasks;
import dev.jeton.natives.NativeException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A decoder on one GPU, or on several that each have a part of every matrix. {@link #launch} puts a step on the
 * device's stream and returns; {@link #await} waits for its end. Two steps may be in flight: the second takes its
 * tokens from the slots, where the first leaves them, so the host is not asked between them.
 *
 * <p>Of several devices all do every step, so a step's time is the group's: it is measured on the first, which waits in
 * it for the others, as they do for it. Results are the first's; all sample the same tokens.
 *
 * <p>Owned by one thread; see {@link Engine}. Logits that are not finite fail their row alone; a lost device fails the
 * engine and leaves the process.
 */
public final class CudaEngine implements Engine {

    /** What it computes of what only some models need. */
    static final Set<DecoderFeature> ABLE = Set.of(
            DecoderFeature.EXPERTS,
            DecoderFeature.EXPERT_ROUTING,
            DecoderFeature.SHARED_EXPERTS,
            DecoderFeature.FUSED_TENSORS,
            DecoderFeature.PARTIAL_ROTARY,
            DecoderFeature.FACTORS_BY_LENGTH,
            DecoderFeature.WINDOW_ROTARY,
            DecoderFeature.BRANCH_NORMS,
            DecoderFeature.GELU,
            DecoderFeature.EMBEDDING_SCALE,
            DecoderFeature.QUERY_SCALE,
            DecoderFeature.LATENT,
            DecoderFeature.SINKS,
            DecoderFeature.EXPERT_BIASES,
            DecoderFeature.CLAMPED_SWIGLU,
            DecoderFeature.SOFT_CAPS,
            DecoderFeature.NORMS_TOGETHER,
            DecoderFeature.NORMS_BEHIND,
            DecoderFeature.UNTURNED_LAYERS,
            DecoderFeature.QUERY_GROWTH,
            DecoderFeature.VECTORS);

    /** What it can do beyond plain sampling. */
    static final Set<Capability> CAPABILITIES = Set.of(
            Capability.LOG_PROBABILITIES,
            Capability.PROMPT_LOG_PROBABILITIES,
            Capability.MASKS,
            Capability.DRAFTS,
            Capability.ADAPTERS);

    /** The same of a model that gives vectors. */
    private static final Set<Capability> OF_VECTORS = Set.of(Capability.POOLING, Capability.ADAPTERS);

    /** All that it can do, of one model or another. */
    static final Set<Capability> ALL_CAPABILITIES = Stream.of(CAPABILITIES, OF_VECTORS, Set.of(Capability.HOST_TIER))
            .flatMap(Set::stream)
            .collect(Collectors.toUnmodifiableSet());

    /** Rows of a step that the plan of attention has room for. */
    private static final int MOST_ROWS = 4096;

    private static final SequenceSpec NO_SPEC = new SequenceSpec(SamplingParameters.GREEDY, new int[] {0}, 1, 1);
    private static final StepBatch NO_BATCH = new StepBatch(0);
    private static final StepTicket NO_TICKET = new StepTicket(-1);
    private static final TokenMasks NO_MASKS = new TokenMasks(0, 0, new long[0]);

    private final Ranks ranks;
    private final EngineInfo info;
    private final EngineChecks checks;
    private final long[] epochs;
    /** What the devices' threads read of a call while it lasts, and what the first of them answers. */
    private int openSlot;

    private SequenceSpec openSpec = NO_SPEC;
    private StepBatch launchBatch = NO_BATCH;
    private StepTicket launchTicket = NO_TICKET;

    private @Nullable StepTicket givenTicket;
    private TokenMasks maskBits = NO_MASKS;
    private StepResult awaited = new StepResult();

    private final Ranks.Work opening = rank -> rank.slots().open(openSlot, openSpec);
    private final Ranks.Work reserving = rank -> rank.queue().reserve(launchBatch);
    private final Ranks.Work launching = this::launch;
    private final Ranks.Work masking = rank -> rank.queue().masks(givenTicket, maskBits);
    private final Ranks.Work awaiting = this::await;
    private final Ranks.Work countingOut = DeviceRank::countOffloaded;
    private final Ranks.Work countingIn = DeviceRank::countOnloaded;
    private Optional<DeviceLostException> lost = Optional.empty();
    private boolean closed;

    private CudaEngine(Ranks ranks, EngineInfo info) {
        this.ranks = ranks;
        this.info = info;
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
        int count = options.device().tensorParallel();
        int step = DeviceWeights.expertsInMxfp4(folder, spec) ? TensorType.MXFP4.blockElements() : Shard.VECTOR;
        List<DeviceShape> shapes = IntStream.range(0, count)
                .mapToObj(rank -> new DeviceShape(Shard.of(spec, rank, count, step), type, kv, options.blockSize()))
                .toList();
        try {
            Ranks ranks = Ranks.open(libraries, options.device(), type);
            try {
                return load(folder, options, shapes, checkpoint, ranks);
            } catch (RuntimeException | Error e) {
                ranks.close();
                throw e;
            }
        } catch (NativeException e) {
            throw new ModelException("the cuda engine cannot load %s: %s".formatted(folder, e.getMessage()), e);
        }
    }

    private static void check(EngineOptions options) {
        if (options.maxSequences() < 1
                || options.maxBatchedTokens() < 1
                || options.kvBytes() < 0
                || options.hostKvBytes() < 0) {
            throw new ModelException(
                    "sequences %d and batched tokens %d must be positive, KV bytes %d and on the host %d not negative"
                            .formatted(
                                    options.maxSequences(),
                                    options.maxBatchedTokens(),
                                    options.kvBytes(),
                                    options.hostKvBytes()));
        }
        long available = MachineMemory.OF_MACHINE.available().orElse(Long.MAX_VALUE);
        if (options.hostKvBytes() > available) {
            throw new ModelException(
                    "kv-host-memory of %d bytes is asked for; this machine has %d available; lower --kv-host-memory"
                            .formatted(options.hostKvBytes(), available));
        }
        if (options.maxSequences() > MOST_ROWS) {
            throw new ModelException("the cuda engine takes %d sequences at most, not %d; lower --max-num-seqs"
                    .formatted(MOST_ROWS, options.maxSequences()));
        }
    }

    private static CudaEngine load(
            Path folder,
            EngineOptions options,
            List<DeviceShape> shapes,
            CheckpointQuantization checkpoint,
            Ranks ranks) {
        DecoderSpec spec = shapes.getFirst().spec();
        int context =
                options.maxModelLength() > 0 ? Math.min(options.maxModelLength(), spec.context()) : spec.context();
        ranks.load(folder, options, shapes, checkpoint, context);
        List<LayerGroup> groups = groups(ranks, shapes.getFirst(), options, context);
        ranks.pages(groups);
        int rows = options.maxSequences();
        EngineInfo info = new EngineInfo(
                "cuda",
                spec.vocabulary(),
                context,
                ranks.names(),
                together(groups, ranks.count()),
                rows,
                rows,
                Math.max(options.maxBatchedTokens(), rows),
                2,
                capabilities(spec, groups.getFirst().hostBlocks() > 0),
                options.adapters().size());
        return new CudaEngine(ranks, info);
    }

    private static Set<Capability> capabilities(DecoderSpec spec, boolean host) {
        Stream<Capability> more = host ? Stream.of(Capability.HOST_TIER) : Stream.empty();
        return Stream.concat((spec.vectors() ? OF_VECTORS : CAPABILITIES).stream(), more)
                .collect(Collectors.toUnmodifiableSet());
    }

    /** Layer groups as they are told: a block's bytes are those of all devices. */
    private static List<LayerGroup> together(List<LayerGroup> groups, int devices) {
        return groups.stream()
                .map(group -> new LayerGroup(
                        group.blockSize(),
                        group.blockCount(),
                        devices * group.bytesPerBlock(),
                        group.window(),
                        group.hostBlocks()))
                .toList();
    }

    /** Layer groups as each device has them: of several, each has its heads of every block. */
    private static List<LayerGroup> groups(Ranks ranks, DeviceShape shape, EngineOptions options, int context) {
        long most = ranks.mostPageBytes();
        long bytes = options.kvBytes() > 0 ? options.kvBytes() : most;
        if (bytes > most) {
            throw new ModelException(
                    ("%d bytes of KV memory are asked for; %s has %d for it beside the weights and what"
                                    + " else uses it; lower --kv-memory")
                            .formatted(bytes, String.join(", ", ranks.names()), most));
        }
        return WindowGroups.withHost(
                WindowGroups.of(shape.spec()).divide(options, context, shape.layerBytes(), bytes),
                options.hostKvBytes() / ranks.count());
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
        ranks.enter();
    }

    /** Does something on all devices; what fails on one is the engine's loss. */
    private void all(Ranks.Work work) {
        perform(work, true);
    }

    /**
     * The same.
     *
     * @param alike whether what one device refuses the others must refuse, too
     */
    private void perform(Ranks.Work work, boolean alike) {
        try {
            if (alike) {
                ranks.all(work);
            } else {
                ranks.each(work);
            }
        } catch (NativeException e) {
            throw failed(e);
        } finally {
            noteLoss();
        }
    }

    /** A device whose thread failed otherwise than by a call is as lost as one that did. */
    private void noteLoss() {
        if (ranks.givenUp() && lost.isEmpty()) {
            lost = Optional.of(new DeviceLostException(
                    "the GPUs were given up, and every sequence on them; load the model anew",
                    new IllegalStateException("a thread of theirs failed")));
        }
    }

    /**
     * What a failed call means. Work already queued cannot be taken back, so after any failure of the device nothing on
     * it is believed any more.
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
            if (ranks.first().queue().waitsForMasks(slot)) {
                throw new EngineException(
                        "slot %d is in a step that waits for grammar masks; hand them in first".formatted(slot));
            }
            openSlot = slot;
            openSpec = spec;
            all(opening);
            epochs[slot]++;
        } catch (DeviceLostException e) {
            throw e;
        } catch (EngineException e) {
            checks.close(slot);
            throw e;
        } finally {
            openSpec = NO_SPEC;
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
        launchBatch = batch;
        if (ranks.count() > 1) {
            // a device that has no room must say so before another has begun
            perform(reserving, false);
        }
        all(launching);
        launchBatch = NO_BATCH;
        return launchTicket;
    }

    private void launch(DeviceRank rank) {
        StepTicket ticket = rank.queue().launch(launchBatch, epochs);
        if (rank == ranks.first()) {
            launchTicket = ticket;
        }
    }

    @Override
    public void masks(StepTicket ticket, TokenMasks masks) {
        enter();
        givenTicket = ticket;
        maskBits = masks;
        all(masking);
        maskBits = NO_MASKS;
    }

    @Override
    public StepResult await(@Nullable StepTicket ticket) {
        enter();
        givenTicket = ticket;
        all(awaiting);
        return awaited;
    }

    private void await(DeviceRank rank) {
        StepResult result = rank.queue().await(givenTicket, epochs);
        if (rank == ranks.first()) {
            awaited = result;
        }
    }

    @Override
    public void transfer(int group, int[] from, int[] to, int count) {
        enter();
        checks.transfer(group, from, to, count);
        try {
            ranks.copy(group, from, to, count);
        } catch (NativeException e) {
            throw failed(e);
        } finally {
            noteLoss();
        }
    }

    @Override
    public void offload(int group, int[] blocks, int[] hostBlocks, int count) {
        requireHost();
        checks.move(group, blocks, hostBlocks, count);
        all(rank -> rank.host().orElseThrow().offload(group, blocks, hostBlocks, count));
    }

    @Override
    public void onload(int group, int[] blocks, int[] hostBlocks, int count) {
        requireHost();
        checks.move(group, blocks, hostBlocks, count);
        all(rank -> rank.host().orElseThrow().onload(group, blocks, hostBlocks, count));
    }

    @Override
    public long offloaded() {
        requireHost();
        all(countingOut);
        return ranks.leastMoved();
    }

    @Override
    public long onloaded() {
        requireHost();
        all(countingIn);
        return ranks.leastMoved();
    }

    private void requireHost() {
        enter();
        if (!info.supports(Capability.HOST_TIER)) {
            throw new EngineException("the engine has no host's tier; see --kv-host-memory");
        }
    }

    @Override
    public void close() {
        if (!closed) {
            closed = true;
            ranks.close();
        }
    }

    @Override
    public String toString() {
        return "cuda engine on %s, %s"
                .formatted(
                        String.join(", ", info.devices()),
                        info.groups().stream().map(LayerGroup::toString).collect(Collectors.joining(", ")));
    }
}
