package dev.jeton.models.cpu;

import dev.jeton.models.DecoderSpec;
import dev.jeton.models.EngineOptions;
import dev.jeton.models.MachineMemory;
import dev.jeton.models.ModelException;
import dev.jeton.models.TensorType;
import dev.jeton.models.VectorHead;
import dev.jeton.models.VectorSpec;
import dev.jeton.models.WeightFiles;
import dev.jeton.models.WindowGroups;
import dev.jeton.models.engine.Capability;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.EngineException;
import dev.jeton.models.engine.EngineInfo;
import dev.jeton.models.engine.LayerGroup;
import dev.jeton.models.engine.PreparedAdapter;
import dev.jeton.models.rows.HostEngine;
import dev.jeton.models.rows.RowSampling;
import dev.jeton.models.rows.RowVectors;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * A decoder on this machine's cores; the thread that awaits a step is one of those that compute it.
 *
 * <p>Owned by one thread; see {@link Engine}. Failures of a row (logits that are not finite) fail that row alone.
 */
public final class CpuEngine extends HostEngine {

    /** What it can do beyond plain sampling. */
    static final Set<Capability> CAPABILITIES = Set.of(
            Capability.LOG_PROBABILITIES,
            Capability.PROMPT_LOG_PROBABILITIES,
            Capability.MASKS,
            Capability.DRAFTS,
            Capability.ADAPTERS,
            Capability.ADAPTER_LOADING);

    /** The same of a model that gives vectors. */
    private static final Set<Capability> OF_VECTORS =
            Set.of(Capability.POOLING, Capability.ADAPTERS, Capability.ADAPTER_LOADING);

    /** The same of a model with layers of linear attention. */
    private static final Set<Capability> WITH_STATE = Set.of(
            Capability.LOG_PROBABILITIES, Capability.PROMPT_LOG_PROBABILITIES, Capability.MASKS, Capability.STATE);

    private static final String NO_ADAPTERS = "adapters of models with layers of linear attention are not supported";

    /** All that it can do, of one model or another. */
    static final Set<Capability> ALL_CAPABILITIES = Stream.of(CAPABILITIES, OF_VECTORS, WITH_STATE)
            .flatMap(Set::stream)
            .collect(Collectors.toUnmodifiableSet());

    private final DecoderSpec spec;
    private final NativeMemory memory;
    private final ComputeTeam team;
    private final DecoderWeights weights;
    private final List<KvArena> arenas;
    private final Optional<DeltaStates> states;
    private final StepAdapters stepAdapters;
    private final DecoderStep step;

    private CpuEngine(
            DecoderSpec spec,
            EngineInfo info,
            NativeMemory memory,
            ComputeTeam team,
            Path folder,
            KvArena.Type kv,
            boolean q8,
            boolean halves,
            List<Path> adapters) {
        super(info);
        this.spec = spec;
        this.memory = memory;
        this.team = team;
        weights = DecoderWeights.load(folder, spec, q8, halves, memory, team);
        WindowGroups groups = WindowGroups.of(spec);
        arenas = new ArrayList<>();
        for (LayerGroup group : info.groups()) {
            arenas.add(new KvArena(group, kv, spec.keyValueHeads(), HeadWidths.of(spec), memory));
        }
        // weights have theirs by now; pages are taken only as they are used
        long kvBytes = info.groups().stream()
                .mapToLong(group -> group.blockCount() * group.bytesPerBlock())
                .sum();
        DeltaStates.requireRoom(spec.delta(), info.maxSlots(), kvBytes, MachineMemory.OF_MACHINE);
        states = spec.delta().exists()
                ? Optional.of(new DeltaStates(spec.delta(), info.maxSlots(), memory))
                : Optional.empty();
        stepAdapters = StepAdapters.load(adapters, spec, rows(), info.maxTokens(), team.size());
        step = new DecoderStep(
                spec,
                weights,
                arenas,
                states,
                groups,
                rows(),
                stepAdapters,
                spec.vectors() ? vectors(folder) : tokens(),
                info.maxTokens(),
                team.size(),
                memory);
    }

    private StepLogits.Sampling tokens() {
        RowSampling sampling = sampling();
        return (row, first, end, logits, offset, stride, workspace) ->
                sampling.take(row, first, end, logits, offset, stride, workspace.sampler);
    }

    private StepLogits.Sampling vectors(Path folder) {
        VectorSpec of = VectorSpec.ofDecoder(folder).orElseThrow();
        RowVectors vectors = vectors(VectorHead.ofDecoder(folder, spec, of), spec.hidden(), of.width());
        return (row, first, end, states, offset, stride, workspace) -> vectors.take(row, states, offset);
    }

    /** Loads a model folder or a GGUF file. */
    public static CpuEngine load(Path folder, EngineOptions options) {
        return load(folder, options, NativeKernels.AVAILABLE);
    }

    /**
     * The same.
     *
     * @param halves whether inputs of products are rounded to BF16 where there are kernels in C that want them so
     */
    static CpuEngine load(Path folder, EngineOptions options, boolean halves) {
        DecoderSpec spec = DecoderSpec.read(folder).within(options.maxModelLength());
        if (!options.device().device().isEmpty()) {
            throw new ModelException(
                    "device \"%s\" is for engines that run on a GPU, which the cpu engine does not; see --engine"
                            .formatted(options.device().device()));
        }
        options.refuseHostKv("cpu", "keeps K and V in the host's memory anyway: give it more with --kv-memory");
        boolean q8 = switch (options.quantize()) {
            case "none" -> false;
            case "q8_0" -> true;
            default ->
                throw new ModelException("quantize \"%s\" is not known to the cpu engine; none and q8_0 are"
                        .formatted(options.quantize()));
        };
        int threads =
                options.threads() > 0 ? options.threads() : Runtime.getRuntime().availableProcessors();
        KvArena.Type kv = kvType(options, folder, spec, q8);
        EngineInfo info = info(spec, options, kv, threads);
        LatentAttention.requireRoom(spec, info.maxTokens());
        DeltaStates.requireRoom(spec.delta(), info.maxSlots(), 0, MachineMemory.OF_MACHINE);
        if (spec.delta().exists() && !options.adapters().isEmpty()) {
            throw new ModelException(NO_ADAPTERS + "; leave --adapter");
        }
        NativeMemory memory = new NativeMemory();
        ComputeTeam team = new ComputeTeam(threads);
        try {
            CpuEngine engine = new CpuEngine(spec, info, memory, team, folder, kv, q8, halves, options.adapters());
            new WarmUp(engine, engine.weights.formats()).run();
            return engine;
        } catch (RuntimeException | Error e) {
            team.close();
            memory.close();
            throw e;
        }
    }

    /**
     * What keys and values are kept in where nothing is asked for: BF16 where weights are no more precise, else F32.
     */
    private static KvArena.Type kvType(EngineOptions options, Path folder, DecoderSpec spec, boolean q8) {
        return switch (options.device().kvType()) {
            case "auto" -> {
                try (WeightFiles files = WeightFiles.open(folder, spec)) {
                    String weight = spec.delta().in(0) ? "linear_attn.out_proj.weight" : "self_attn.o_proj.weight";
                    boolean precise = files.find("model.layers.0." + weight)
                            .map(weights -> weights.type() == TensorType.F32 || weights.type() == TensorType.F16)
                            .orElse(true);
                    yield precise && !q8 ? KvArena.Type.F32 : KvArena.Type.BF16;
                }
            }
            case "f32" -> KvArena.Type.F32;
            case "bf16" -> KvArena.Type.BF16;
            default ->
                throw new ModelException("kv-cache-dtype \"%s\" is not known to the cpu engine; auto, f32 and bf16 are"
                        .formatted(options.device().kvType()));
        };
    }

    private static EngineInfo info(DecoderSpec spec, EngineOptions options, KvArena.Type kv, int threads) {
        int blockSize = options.blockSize();
        if (blockSize < 16 || blockSize > AttentionKernels.SEGMENT || Integer.bitCount(blockSize) != 1) {
            throw new ModelException("block size %d: the cpu engine takes 16, 32, 64, 128 or 256".formatted(blockSize));
        }
        if (options.maxSequences() < 1 || options.maxBatchedTokens() < 1 || options.kvBytes() < 0) {
            throw new ModelException("sequences %d and batched tokens %d must be positive, KV bytes %d not negative"
                    .formatted(options.maxSequences(), options.maxBatchedTokens(), options.kvBytes()));
        }
        int context =
                options.maxModelLength() > 0 ? Math.min(options.maxModelLength(), spec.context()) : spec.context();
        return new EngineInfo(
                "cpu",
                spec.vocabulary(),
                context,
                List.of("cpu: %d threads".formatted(threads)),
                groups(spec, options, kv, context),
                options.maxSequences(),
                options.maxSequences(),
                Math.max(options.maxBatchedTokens(), options.maxSequences()),
                1,
                capabilities(spec),
                options.adapters().size());
    }

    private static Set<Capability> capabilities(DecoderSpec spec) {
        if (spec.delta().exists()) {
            return WITH_STATE;
        }
        return spec.vectors() ? OF_VECTORS : CAPABILITIES;
    }

    private static List<LayerGroup> groups(DecoderSpec spec, EngineOptions options, KvArena.Type kv, int context) {
        WindowGroups groups = WindowGroups.of(spec);
        long layer = KvArena.blockBytes(kv, 1, spec.keyValueHeads(), HeadWidths.of(spec), options.blockSize());
        long perSequence = groups.sequenceBytes(options, context, layer);
        long bytes = options.kvBytes() > 0
                ? options.kvBytes()
                : Math.max(perSequence, Math.min(perSequence * options.maxSequences(), DEFAULT_KV_BYTES));
        return groups.divide(options, context, layer, bytes);
    }

    /** KV memory where none is configured, if the context does not need more and the sequences not less. */
    private static final long DEFAULT_KV_BYTES = 512L << 20;

    @Override
    protected void compute() {
        step.begin();
        team.run(step);
    }

    @Override
    protected void copy(int group, int[] from, int[] to) {
        for (int i = 0; i < from.length; i++) {
            arenas.get(group).copy(from[i], to[i]);
        }
    }

    @Override
    protected void copySlot(int from, int to) {
        states.orElseThrow().copy(from, to);
    }

    @Override
    public PreparedAdapter prepareAdapter(Path folder, long mostBytes) {
        requireAdapters();
        PackedAdapter adapter = PackedAdapter.load(folder, spec, mostBytes);
        WarmUp.adapters();
        return adapter;
    }

    @Override
    public void addAdapter(int number, PreparedAdapter adapter) {
        requireAdapters();
        if (!(adapter instanceof PackedAdapter packed)) {
            throw new EngineException("an adapter is for the engine that prepared it");
        }
        accept(number);
        stepAdapters.add(number, packed);
    }

    private void requireAdapters() {
        if (!info().supports(Capability.ADAPTER_LOADING)) {
            throw new EngineException(NO_ADAPTERS);
        }
    }

    @Override
    protected void forget(int adapter) {
        stepAdapters.remove(adapter);
    }

    @Override
    protected void release() {
        team.close();
        weights.close();
        stepAdapters.close();
        memory.close();
    }

    @Override
    public String toString() {
        return "cpu engine, "
                + info().groups().stream().map(LayerGroup::toString).collect(Collectors.joining(", "));
    }
}
