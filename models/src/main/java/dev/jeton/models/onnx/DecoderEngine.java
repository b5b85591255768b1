package dev.jeton.models.onnx;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.ModelException;
import dev.jeton.models.OnnxFolder;
import dev.jeton.models.engine.Capability;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.EngineException;
import dev.jeton.models.engine.EngineInfo;
import dev.jeton.models.engine.LayerGroup;
import dev.jeton.models.engine.LogitBias;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.SequenceSpec;
import dev.jeton.models.engine.StepBatch;
import dev.jeton.models.engine.StepResult;
import dev.jeton.models.engine.StepTicket;
import dev.jeton.models.rows.HostEngine;
import java.util.Arrays;
import java.util.List;
import java.util.Set;

/**
 * A decoder's ONNX export, run by ONNX Runtime.
 *
 * <p>K and V are in pages ({@link KvPages}) on the host, since ONNX Runtime's Java binding has no tensors on a device:
 * with a GPU's provider they travel there and back with each run. A graph that appends in place (onnxruntime-genai's
 * GroupQueryAttention) works on the pages themselves where one sequence's blocks follow each other and its run holds
 * nobody else; other runs have buffers ({@link PastBuffer}) that are filled from the pages when rows come, and whose
 * new tokens are copied back into the pages after each run. A graph that gives past and present as two tensors
 * (Optimum) copies all of a row's past once a run by itself.
 *
 * <p>All layers are one group without a window: what a layer looks back on is the graph's own affair, so a window saves
 * no memory here. Logits depend on the batch within rounding.
 *
 * <p>Owned by one thread; see {@link Engine}. A run that fails fails its rows alone. A step allocates the handles of
 * tensors that ONNX Runtime's binding asks for, nothing per token.
 */
final class DecoderEngine extends HostEngine {

    /** KV memory where none is configured, if the context does not need more and the sequences not less. */
    private static final long DEFAULT_KV_BYTES = 512L << 20;

    private final OrtModel model;
    private final KvPages pages;
    private final DecoderRuns runs;
    private final PastBuffers buffers;
    private final boolean lastLogits;

    /** Takes over a loaded graph, which is closed with the engine. */
    DecoderEngine(OrtModel model, OnnxFolder folder, OnnxFile file, EngineOptions options, int threads) {
        DecoderGraph graph = DecoderGraph.read(model, folder, file);
        EngineInfo info = info(graph, folder, options, model.device(), threads);
        super(info);
        this.model = model;
        lastLogits = graph.lastLogits();
        pages = new KvPages(info.groups().getFirst(), graph);
        int context = info.contextLength();
        int memories = graph.shared() ? 1 : 2;
        long mostBytes = memories * Math.max(pages.bytes(), PastBuffer.bytes(graph, 1, context) / memories);
        buffers = new PastBuffers(graph, context, info.maxRows(), mostBytes);
        runs = new DecoderRuns(model, graph, pages, buffers, rows(), sampling(), info.maxRows(), info.maxSlots());
        try {
            if (graph.unsure()) {
                runs.allowChunks(chunksFollowAPast());
            }
        } catch (RuntimeException | Error e) {
            runs.close();
            pages.close();
            throw e;
        }
    }

    private static EngineInfo info(
            DecoderGraph graph, OnnxFolder folder, EngineOptions options, String device, int threads) {
        int size = options.blockSize();
        if (size < 1 || size > 4096 || Integer.bitCount(size) != 1) {
            throw new ModelException("block size %d: the onnx engine takes powers of two up to 4096".formatted(size));
        }
        if (options.maxSequences() < 1 || options.maxBatchedTokens() < 1 || options.kvBytes() < 0) {
            throw new ModelException("sequences %d and batched tokens %d must be positive, KV bytes %d not negative"
                    .formatted(options.maxSequences(), options.maxBatchedTokens(), options.kvBytes()));
        }
        int context =
                options.maxModelLength() > 0 ? Math.min(options.maxModelLength(), folder.context()) : folder.context();
        long blockBytes = graph.planes() * graph.headBytes() * graph.heads() * size;
        long perSequence = (context + size - 1L) / size * blockBytes;
        long wanted = options.kvBytes() > 0
                ? options.kvBytes()
                : Math.max(perSequence, Math.min(perSequence * options.maxSequences(), DEFAULT_KV_BYTES));
        long planeBytes = graph.headBytes() * graph.heads() * size;
        long blocks = Math.min(wanted, perSequence * options.maxSequences()) / blockBytes;
        // a tensor of the binding has less than 2 GiB, and a plane of all blocks may become one
        blocks = Math.min(blocks, (Integer.MAX_VALUE - 64L) / planeBytes);
        if (blocks < 1) {
            throw new ModelException(
                    "KV memory of %d bytes does not hold a block of %d bytes; give --kv-memory at least %d"
                            .formatted(wanted, blockBytes, perSequence));
        }
        return new EngineInfo(
                "onnx",
                graph.vocabulary(),
                context,
                List.of("%s, %d threads".formatted(device, threads)),
                List.of(new LayerGroup(size, (int) blocks, blockBytes, 0)),
                options.maxSequences(),
                options.maxSequences(),
                Math.max(options.maxBatchedTokens(), options.maxSequences()),
                1,
                graph.lastLogits()
                        ? Set.of(Capability.LOG_PROBABILITIES, Capability.MASKS)
                        : Set.of(
                                Capability.LOG_PROBABILITIES,
                                Capability.PROMPT_LOG_PROBABILITIES,
                                Capability.MASKS,
                                Capability.DRAFTS));
    }

    @Override
    public void open(int slot, SequenceSpec spec) {
        super.open(slot, spec);
        runs.slotChanged(slot);
    }

    @Override
    public void close(int slot) {
        super.close(slot);
        runs.slotChanged(slot);
    }

    @Override
    public StepTicket launch(StepBatch batch) {
        if (lastLogits) {
            for (int row = 0; row < batch.rows(); row++) {
                if (batch.drafts[row] > 0 || batch.has(row, StepBatch.PROMPT_LOG_PROBABILITIES)) {
                    throw new EngineException(
                            "row %d: this ONNX export gives logits of the last token only".formatted(row));
                }
            }
        }
        return super.launch(batch);
    }

    @Override
    protected void compute() {
        runs.step();
    }

    @Override
    protected void copy(int group, int[] from, int[] to) {
        buffers.clear();
        for (int i = 0; i < from.length; i++) {
            pages.copy(from[i], to[i]);
        }
    }

    /**
     * Whether the graph computes several inputs after a past as it computes them one by one. Some exports in two parts
     * were traced with one input and have lost the order among several.
     */
    private boolean chunksFollowAPast() {
        int length = Math.min(8, Math.min(info().contextLength(), info().maxTokens()));
        int blocks = (length + info().groups().getFirst().blockSize() - 1)
                / info().groups().getFirst().blockSize();
        if (length < 4 || blocks > info().groups().getFirst().blockCount()) {
            return false;
        }
        float[] alone = scores(length, blocks, false);
        float[] together = scores(length, blocks, true);
        for (int i = 0; i < alone.length; i++) {
            if (!(Math.abs(alone[i] - together[i]) <= 1e-3 * (1 + Math.abs(alone[i])))) {
                return false;
            }
        }
        return true;
    }

    /** Log-probabilities of a made text's tokens after the first, one by one or together; NaN where that failed. */
    private float[] scores(int length, int blocks, boolean together) {
        runs.allowChunks(together);
        int[] text = new int[length];
        Arrays.setAll(text, i -> (int) ((i * 7919L + 13) % info().vocabulary()));
        SamplingParameters greedy = new SamplingParameters(0, 0, 1, 0, 1, 0, 0, LogitBias.NONE, 0, 0, new int[0], -1);
        open(0, new SequenceSpec(greedy, text, length, length));
        float[] scores = new float[length - 2];
        Arrays.fill(scores, Float.NaN);
        int[] table = new int[blocks];
        Arrays.setAll(table, i -> i);
        StepBatch batch = new StepBatch(1);
        batch.addRow(0, 0, 0, text, 0, 1);
        batch.addBlocks(0, table, 0, blocks);
        StepResult result = await(launch(batch));
        if (result.accepted[0] == 0) {
            batch.clear();
            batch.addRow(0, StepBatch.PROMPT_LOG_PROBABILITIES, 1, text, 1, length - 1);
            batch.addBlocks(0, table, 0, blocks);
            result = await(launch(batch));
            if (result.accepted[0] == 0) {
                System.arraycopy(result.promptLogProbabilities, 0, scores, 0, scores.length);
            }
        }
        close(0);
        return scores;
    }

    @Override
    protected void release() {
        runs.close();
        pages.close();
        model.close();
    }

    @Override
    public String toString() {
        return "onnx engine, " + info().groups().getFirst();
    }
}
