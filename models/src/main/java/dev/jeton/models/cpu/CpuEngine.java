package dev.jeton.models.cpu;

import dev.jeton.models.DecoderSpec;
import dev.jeton.models.EngineOptions;
import dev.jeton.models.ModelException;
import dev.jeton.models.engine.Capability;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.EngineException;
import dev.jeton.models.engine.EngineInfo;
import dev.jeton.models.engine.LayerGroup;
import dev.jeton.models.engine.SequenceSpec;
import dev.jeton.models.engine.StepBatch;
import dev.jeton.models.engine.StepResult;
import dev.jeton.models.engine.StepTicket;
import dev.jeton.models.engine.TokenMasks;
import dev.jeton.models.sampler.SequenceState;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * A decoder on this machine's cores. {@link #launch} checks and copies the batch, {@link #await} computes it: the caller
 * is one of the compute threads. One ticket is in flight at most.
 *
 * <p>Owned by one thread; see {@link Engine}. Failures of a row (logits that are not finite) fail that row alone.
 */
public final class CpuEngine implements Engine {

    private final EngineInfo info;
    private final NativeMemory memory;
    private final ComputeTeam team;
    private final DecoderWeights weights;
    private final List<KvArena> arenas;
    private final StepRows rows;
    private final DecoderStep step;
    private final RowSampling sampling;
    private final SequenceState[] states;
    private final long[] epochs;
    private final boolean[] open;
    private final boolean[] seen;

    private long launched;
    private boolean inFlight;
    private int[] copies = new int[0];
    private int copyCount;
    private boolean closed;

    private CpuEngine(
            DecoderSpec spec, EngineInfo info, NativeMemory memory, ComputeTeam team, Path folder, boolean q8) {
        this.info = info;
        this.memory = memory;
        this.team = team;
        int slots = info.maxSlots();
        states = new SequenceState[slots];
        Arrays.setAll(states, i -> new SequenceState());
        epochs = new long[slots];
        open = new boolean[slots];
        seen = new boolean[slots];
        weights = DecoderWeights.load(folder, spec, q8, memory, team);
        List<Integer> windows = distinctWindows(spec);
        int[] groupOfLayer = new int[spec.layers()];
        int[] layerInGroup = new int[spec.layers()];
        int[] layersOf = new int[windows.size()];
        for (int i = 0; i < spec.layers(); i++) {
            groupOfLayer[i] = windows.indexOf(spec.windows().get(i));
            layerInGroup[i] = layersOf[groupOfLayer[i]]++;
        }
        arenas = new ArrayList<>();
        for (LayerGroup group : info.groups()) {
            arenas.add(new KvArena(group, spec.keyValueHeads(), spec.headDim(), memory));
        }
        rows = new StepRows(info.groups().size(), info.maxRows(), info.maxTokens());
        sampling = new RowSampling(info, rows, states, epochs);
        step = new DecoderStep(
                spec,
                weights,
                arenas,
                groupOfLayer,
                layerInGroup,
                rows,
                sampling,
                info.maxTokens(),
                team.size(),
                memory);
    }

    /** Loads a model folder. */
    public static CpuEngine load(Path folder, EngineOptions options) {
        DecoderSpec spec = DecoderSpec.read(folder);
        boolean q8 = switch (options.quantize()) {
            case "none" -> false;
            case "q8_0" -> true;
            default ->
                throw new ModelException(
                        "quantize \"%s\" is not known; none and q8_0 are".formatted(options.quantize()));
        };
        int threads =
                options.threads() > 0 ? options.threads() : Runtime.getRuntime().availableProcessors();
        EngineInfo info = info(spec, options, threads);
        NativeMemory memory = new NativeMemory();
        ComputeTeam team = new ComputeTeam(threads);
        try {
            CpuEngine engine = new CpuEngine(spec, info, memory, team, folder, q8);
            new WarmUp(engine, engine.weights.layer(0).down().format()).run();
            return engine;
        } catch (RuntimeException | Error e) {
            team.close();
            memory.close();
            throw e;
        }
    }

    private static List<Integer> distinctWindows(DecoderSpec spec) {
        return spec.windows().stream().distinct().toList();
    }

    private static EngineInfo info(DecoderSpec spec, EngineOptions options, int threads) {
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
                groups(spec, options, context),
                options.maxSequences(),
                options.maxSequences(),
                Math.max(options.maxBatchedTokens(), options.maxSequences()),
                1,
                Set.of(
                        Capability.LOG_PROBABILITIES,
                        Capability.PROMPT_LOG_PROBABILITIES,
                        Capability.MASKS,
                        Capability.DRAFTS));
    }

    /** One group per distinct window; KV memory is divided in proportion to what one full context needs of each. */
    private static List<LayerGroup> groups(DecoderSpec spec, EngineOptions options, int context) {
        int blockSize = options.blockSize();
        List<Integer> windows = distinctWindows(spec);
        long[] blockBytes = new long[windows.size()];
        long[] needed = new long[windows.size()];
        long perSequence = 0;
        for (int g = 0; g < blockBytes.length; g++) {
            int window = windows.get(g);
            int layers = (int) spec.windows().stream().filter(w -> w == window).count();
            blockBytes[g] = KvArena.blockBytes(layers, spec.keyValueHeads(), spec.headDim(), blockSize);
            // A window that is full also needs the block it leaves, and room for a chunk.
            long tokens =
                    window == 0 ? context : Math.min(context, (long) window + options.maxBatchedTokens() + blockSize);
            needed[g] = (tokens + blockSize - 1) / blockSize;
            perSequence += needed[g] * blockBytes[g];
        }
        long bytes = options.kvBytes() > 0
                ? options.kvBytes()
                : Math.max(perSequence, Math.min(perSequence * options.maxSequences(), DEFAULT_KV_BYTES));
        List<LayerGroup> groups = new ArrayList<>();
        for (int g = 0; g < blockBytes.length; g++) {
            double share = (double) needed[g] * blockBytes[g] / perSequence;
            long blocks = Math.min((long) (bytes * share) / blockBytes[g], needed[g] * options.maxSequences());
            if (blocks < 1) {
                throw new ModelException(
                        "KV memory of %d bytes does not hold a block of %d bytes; give --kv-memory at least %d"
                                .formatted(bytes, blockBytes[g], perSequence));
            }
            groups.add(new LayerGroup(blockSize, Math.toIntExact(blocks), blockBytes[g], windows.get(g)));
        }
        return groups;
    }

    /** KV memory where none is configured, if the context does not need more and the sequences not less. */
    private static final long DEFAULT_KV_BYTES = 512L << 20;

    @Override
    public EngineInfo info() {
        return info;
    }

    @Override
    public void open(int slot, SequenceSpec spec) {
        checkSlot(slot);
        if (open[slot]) {
            throw new EngineException("slot " + slot + " is open");
        }
        for (int token : spec.sampling().bias().tokens()) {
            checkToken(token);
        }
        for (int token : spec.sampling().stopTokens()) {
            checkToken(token);
        }
        for (int i = 0; i < spec.length(); i++) {
            checkToken(spec.tokens()[i]);
        }
        states[slot].open(spec);
        epochs[slot]++;
        open[slot] = true;
    }

    @Override
    public void close(int slot) {
        checkSlot(slot);
        if (open[slot]) {
            open[slot] = false;
            epochs[slot]++;
        }
    }

    @Override
    public StepTicket launch(StepBatch batch) {
        if (closed || inFlight) {
            throw new EngineException(closed ? "the engine is closed" : "one step is in flight; await it first");
        }
        check(batch);
        rows.copy(batch);
        for (int row = 0; row < rows.rows; row++) {
            int slot = rows.slot[row];
            rows.epoch[row] = epochs[slot];
            if (rows.has(row, StepBatch.LAST_TOKEN)) {
                rows.tokens[rows.inputStart[row]] = states[slot].lastToken();
            }
        }
        sampling.begin();
        inFlight = true;
        return new StepTicket(launched++);
    }

    @Override
    public void masks(StepTicket ticket, TokenMasks masks) {
        checkTicket(ticket);
        sampling.masks(masks);
    }

    @Override
    public StepResult await(StepTicket ticket) {
        checkTicket(ticket);
        long start = System.nanoTime();
        sampling.checkMasks();
        inFlight = false;
        if (rows.rows > 0) {
            step.begin();
            team.run(step);
        }
        StepResult result = sampling.result();
        result.startNanos = start;
        result.endNanos = System.nanoTime();
        copyPending();
        return result;
    }

    @Override
    public void transfer(int group, int[] from, int[] to, int count) {
        if (group < 0 || group >= arenas.size()) {
            throw new EngineException("layer group " + group + " of " + arenas.size());
        }
        int blocks = arenas.get(group).group().blockCount();
        for (int i = 0; i < count; i++) {
            if (from[i] < 0 || from[i] >= blocks || to[i] < 0 || to[i] >= blocks) {
                throw new EngineException("transfer of block %d to %d: the cpu engine has blocks 0 to %d and one tier"
                        .formatted(from[i], to[i], blocks - 1));
            }
        }
        if (copies.length < copyCount + 3 * count) {
            copies = Arrays.copyOf(copies, 2 * (copyCount + 3 * count));
        }
        for (int i = 0; i < count; i++) {
            copies[copyCount++] = group;
            copies[copyCount++] = from[i];
            copies[copyCount++] = to[i];
        }
        if (!inFlight) {
            copyPending();
        }
    }

    @Override
    public void close() {
        if (!closed) {
            closed = true;
            team.close();
            weights.close();
            memory.close();
        }
    }

    /** Copies ordered after the step that was in flight when they were asked for. */
    private void copyPending() {
        for (int i = 0; i < copyCount; i += 3) {
            arenas.get(copies[i]).copy(copies[i + 1], copies[i + 2]);
        }
        copyCount = 0;
    }

    // ---- checks ------------------------------------------------------------------------------------------------

    private void checkSlot(int slot) {
        if (slot < 0 || slot >= info.maxSlots()) {
            throw new EngineException("slot %d of %d".formatted(slot, info.maxSlots()));
        }
    }

    private void checkToken(int token) {
        if (token < 0 || token >= info.vocabulary()) {
            throw new EngineException("token %d is outside the vocabulary of %d".formatted(token, info.vocabulary()));
        }
    }

    private void checkTicket(@Nullable StepTicket ticket) {
        if (!inFlight || ticket == null || ticket.number() != launched - 1) {
            throw new EngineException("ticket %s is not in flight".formatted(ticket));
        }
    }

    private void check(StepBatch batch) {
        if (batch.groups() != arenas.size() || batch.rows() > info.maxRows() || batch.tokenCount() > info.maxTokens()) {
            throw new EngineException(
                    "batch of %d rows, %d tokens, %d groups; at most %d rows, %d tokens, and %d groups"
                            .formatted(
                                    batch.rows(),
                                    batch.tokenCount(),
                                    batch.groups(),
                                    info.maxRows(),
                                    info.maxTokens(),
                                    arenas.size()));
        }
        try {
            for (int row = 0; row < batch.rows(); row++) {
                checkRow(batch, row);
                if (seen[batch.slot[row]]) {
                    throw new EngineException("slot %d has two rows".formatted(batch.slot[row]));
                }
                seen[batch.slot[row]] = true;
            }
        } finally {
            Arrays.fill(seen, false);
        }
    }

    private void checkRow(StepBatch batch, int row) {
        checkSlot(batch.slot[row]);
        if (!open[batch.slot[row]]) {
            throw new EngineException("row %d: slot %d is not open".formatted(row, batch.slot[row]));
        }
        int inputs = batch.inputs(row);
        int drafts = batch.drafts[row];
        int end = batch.position[row] + inputs;
        if (inputs < 1 || batch.position[row] < 0 || end > info.contextLength()) {
            throw new EngineException("row %d: positions %d to %d of a context of %d"
                    .formatted(row, batch.position[row], end, info.contextLength()));
        }
        if (batch.adapter[row] != 0 || batch.has(row, StepBatch.POOLED)) {
            throw new EngineException("row %d: the cpu engine has neither adapters nor pooling".formatted(row));
        }
        if (drafts < 0 || drafts >= inputs || (drafts > 0 && !batch.has(row, StepBatch.SAMPLE))) {
            throw new EngineException("row %d: %d drafts of %d inputs".formatted(row, drafts, inputs));
        }
        if (batch.has(row, StepBatch.LAST_TOKEN)) {
            if (inputs != 1) {
                throw new EngineException("row %d: a last-token row has one input".formatted(row));
            }
        } else {
            for (int t = batch.inputStart[row]; t < batch.inputStart[row + 1]; t++) {
                checkToken(batch.tokens[t]);
            }
        }
        if (batch.following[row] >= 0) {
            checkToken(batch.following[row]);
        }
        for (int g = 0; g < arenas.size(); g++) {
            checkTable(batch, row, g, end);
        }
    }

    private void checkTable(StepBatch batch, int row, int g, int end) {
        LayerGroup group = info.groups().get(g);
        int table = batch.tableStart[g][row];
        int size = group.blockSize();
        if ((long) batch.tableLength(g, row) * size < end) {
            throw new EngineException("row %d: %d blocks of %d in group %d for %d tokens"
                    .formatted(row, batch.tableLength(g, row), size, g, end));
        }
        int first = group.window() == 0 ? 0 : Math.max(0, batch.position[row] - group.window() + 1) / size;
        for (int i = first; i <= (end - 1) / size; i++) {
            int block = batch.blocks[g][table + i];
            if (block < 0 || block >= group.blockCount()) {
                throw new EngineException("row %d: block %d at place %d of group %d, which has %d"
                        .formatted(row, block, i, g, group.blockCount()));
            }
        }
    }

    @Override
    public String toString() {
        return "cpu engine, " + info.groups().stream().map(LayerGroup::toString).collect(Collectors.joining(", "));
    }
}
