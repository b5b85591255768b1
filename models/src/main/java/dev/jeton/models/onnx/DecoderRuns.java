package dev.jeton.models.onnx;

import ai.onnxruntime.OnnxJavaType;
import ai.onnxruntime.OnnxTensor;
import dev.jeton.models.ModelException;
import dev.jeton.models.engine.EngineException;
import dev.jeton.models.rows.RowSampling;
import dev.jeton.models.rows.Scratch;
import dev.jeton.models.rows.StepRows;
import dev.jeton.models.sampler.Sampler;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Takes a step's ragged rows through a graph that wants rectangles.
 *
 * <p>Rows of one input go together where their lengths are alike within a factor of two, shorter ones padded with
 * places that the attention mask leaves out, which adds exact zeros to their sums. So do rows of few inputs, as many in
 * each; where the graph appends in place it takes several inputs of one row only. Where it takes no positions, only
 * rows of one length go together. Longer chunks go alone, in pieces whose logits have a bound.
 *
 * <p>Owned by the engine's thread. A run that fails fails its rows, not the step.
 */
final class DecoderRuns implements AutoCloseable {

    /** Most inputs of rows that go together: with more, a row alone keeps the cores busy. */
    private static final int FEW = 32;
    /** Lengths up to this are alike. */
    private static final int SHORT = 32;
    /** Most bytes of logits of a run with several inputs a row. */
    private static final long MOST_LOGITS = 64L << 20;
    /** Inputs times tokens of the pool up to which the graph's scores of a layer, which are that large, stay small. */
    private static final long MOST_SCORES = 1 << 18;

    private final OrtModel model;
    private final DecoderGraph graph;
    private final KvPages pages;
    private final PastBuffers buffers;
    private final StepRows rows;
    private final RowSampling sampling;
    private final Sampler sampler;
    private final Run run;
    private final boolean[] done;
    private final long[] slotUse;
    private final int mostInputs;

    private final Scratch tokens = new Scratch("token ids of a run");
    private final Scratch mask = new Scratch("the attention mask of a run");
    private final Scratch positions = new Scratch("positions of a run");
    private final Scratch lengths = new Scratch("lengths of a run");
    private final Scratch logits = new Scratch("logits of a run");
    private final float[] rowLogits;
    private final Map<String, OnnxTensor> given = new LinkedHashMap<>();
    private final Map<String, OnnxTensor> written = new LinkedHashMap<>();
    /** Whether several inputs may follow a past; found out by {@link #allowChunks} where the graph leaves it open. */
    private boolean chunks;

    DecoderRuns(
            OrtModel model,
            DecoderGraph graph,
            KvPages pages,
            PastBuffers buffers,
            StepRows rows,
            RowSampling sampling,
            int maxRows,
            int maxSlots) {
        this.model = model;
        this.graph = graph;
        this.pages = pages;
        this.buffers = buffers;
        this.rows = rows;
        this.sampling = sampling;
        sampler = new Sampler(graph.vocabulary());
        run = new Run(maxRows);
        done = new boolean[maxRows];
        slotUse = new long[maxSlots];
        chunks = !graph.unsure();
        rowLogits = new float[graph.vocabulary()];
        long perInput = (long) graph.vocabulary() * graph.logitsType().size;
        mostInputs = (int) Math.clamp(MOST_LOGITS / perInput, 1, 4096);
    }

    /** Says whether several inputs may follow a past. */
    void allowChunks(boolean allowed) {
        chunks = allowed;
    }

    /** A slot was opened or closed: what buffers have of it is another sequence's. */
    void slotChanged(int slot) {
        slotUse[slot]++;
        buffers.close(slot);
    }

    /** Computes all rows of the step. */
    void step() {
        for (int row = 0; row < rows.rows; row++) {
            done[row] = false;
        }
        for (int row = 0; row < rows.rows; row++) {
            if (!done[row]) {
                gather(row);
                try {
                    compute();
                } catch (EngineException | ModelException e) {
                    buffers.leave(run);
                    for (int i = 0; i < run.count; i++) {
                        sampling.fail(run.row[i], String.valueOf(e.getMessage()));
                    }
                }
            }
        }
    }

    /** Begins a run with a row and adds those that fit to it. */
    private void gather(int first) {
        run.clear(rows);
        add(first);
        int inputs = inputs(first);
        if (graph.shared() ? inputs > 1 : inputs > Math.min(FEW, piece(rows.position[first]))) {
            return;
        }
        int longest = rows.position[first];
        for (int row = first + 1;
                row < rows.rows && (long) (run.count + 1) * inputs <= Math.max(run.row.length, mostInputs);
                row++) {
            if (!done[row] && inputs(row) == inputs && alike(rows.position[row], rows.position[first])) {
                longest = Math.max(longest, rows.position[row]);
                if (run.count + 1 > buffers.mostRows(longest + inputs)) {
                    return;
                }
                add(row);
            }
        }
    }

    private void add(int row) {
        run.add(rows, row, slotUse[rows.slot[row]]);
        done[row] = true;
    }

    private int inputs(int row) {
        return rows.inputStart[row + 1] - rows.inputStart[row];
    }

    private boolean alike(int a, int b) {
        if (!graph.shared() && graph.positions().isEmpty()) {
            return a == b;
        }
        return bucket(a) == bucket(b);
    }

    private static int bucket(int length) {
        return length == 0 ? 0 : 32 - Integer.numberOfLeadingZeros(Math.max(SHORT, length) - 1);
    }

    /** Most inputs that may follow so many tokens in one run. */
    private int piece(int length) {
        boolean prompt = length == 0 && graph.merged();
        return chunks || prompt ? mostInputs : 1;
    }

    private void compute() {
        int inputs = inputs(run.row[0]);
        int offset = 0;
        while (offset < inputs) {
            int count = Math.min(inputs - offset, run.count > 1 ? inputs : piece(run.length[0]));
            piece(offset, count);
            offset += count;
        }
    }

    /** Takes inputs [offset, offset + count) of the run's rows through the graph. */
    private void piece(int offset, int count) {
        boolean inPlace = graph.shared()
                && run.count == 1
                && count * pages.tokens() <= MOST_SCORES
                && pages.contiguous(run.blocks, run.table[0], run.length[0] + count);
        try {
            PastBuffer buffer = null;
            if (inPlace) {
                buffers.leave(run);
                bindPages(run.blocks[run.table[0]]);
            } else {
                buffer = buffers.prepare(run, count, pages);
                bindBuffer(buffer, count);
            }
            bindInputs(offset, count, graph.shared() ? 0 : buffer == null ? 0 : buffer.stride());
            int columns = graph.lastLogits() ? 1 : count;
            long bytes = (long) run.count * columns * graph.vocabulary() * graph.logitsType().size;
            MemorySegment memory = logits.of(bytes);
            written.put(
                    graph.names().logits(),
                    model.tensor(memory, graph.logitsType(), run.count, columns, graph.vocabulary()));
            model.run(given, written);
            if (buffer != null) {
                buffer.appended(run, count, pages);
            }
            for (int place = 0; place < run.count; place++) {
                take(memory, place, offset, count, columns);
            }
            for (int i = 0; i < run.count; i++) {
                run.length[i] += count;
            }
        } finally {
            given.values().forEach(OnnxTensor::close);
            given.clear();
            // a tensor that is both given and written is closed once
            written.values().stream().filter(t -> !t.isClosed()).forEach(OnnxTensor::close);
            written.clear();
        }
    }

    /** The sequence's blocks are the past and take the present: nothing is copied. */
    private void bindPages(int block) {
        for (int plane = 0; plane < graph.planes(); plane++) {
            OnnxTensor tensor = model.tensor(
                    pages.plane(plane, block), graph.kvType(), 1, graph.heads(), pages.tokens(), graph.headDim());
            given.put(graph.past(plane), tensor);
            written.put(graph.present(plane), tensor);
        }
    }

    private void bindBuffer(PastBuffer buffer, int count) {
        int stride = buffer.stride();
        for (int plane = 0; plane < graph.planes(); plane++) {
            OnnxTensor past =
                    model.tensor(buffer.past(plane), graph.kvType(), run.count, graph.heads(), stride, graph.headDim());
            given.put(graph.past(plane), past);
            written.put(
                    graph.present(plane),
                    graph.shared()
                            ? past
                            : model.tensor(
                                    buffer.present(plane, count),
                                    graph.kvType(),
                                    run.count,
                                    graph.heads(),
                                    stride + count,
                                    graph.headDim()));
        }
    }

    /** @param stride tokens of a row's past where all rows end together, at its end */
    private void bindInputs(int offset, int count, int stride) {
        int total = graph.shared() ? run.longest() + count : stride + count;
        OnnxJavaType type = graph.tokens();
        MemorySegment ids = tokens.of((long) run.count * count * type.size);
        for (int place = 0; place < run.count; place++) {
            int first = rows.inputStart[run.row[run.at[place]]] + offset;
            for (int t = 0; t < count; t++) {
                Elements.put(ids, type, (long) place * count + t, rows.tokens[first + t]);
            }
        }
        given.put(graph.names().tokens(), model.tensor(ids, type, run.count, count));
        graph.mask().ifPresent(t -> bindMask(t, count, stride, total));
        graph.positions().ifPresent(t -> bindPositions(t, count));
        if (graph.merged()) {
            MemorySegment flag = lengths.of(8);
            flag.set(ValueLayout.JAVA_BYTE, 0, (byte) (run.longest() > 0 ? 1 : 0));
            given.put(DecoderGraph.BRANCH, model.tensor(flag.asSlice(0, 1), OnnxJavaType.BOOL, 1));
        }
        if (model.inputs().contains(DecoderGraph.LENGTHS)) {
            bindLengths(count, total);
        }
    }

    private void bindMask(OnnxJavaType type, int count, int stride, int total) {
        MemorySegment memory = mask.of((long) run.count * total * type.size);
        for (int place = 0; place < run.count; place++) {
            int length = run.length[run.at[place]];
            int first = graph.shared() ? 0 : stride - length;
            int end = graph.shared() ? length + count : total;
            for (int t = 0; t < total; t++) {
                Elements.put(memory, type, (long) place * total + t, t >= first && t < end ? 1 : 0);
            }
        }
        given.put(graph.names().mask(), model.tensor(memory, type, run.count, total));
    }

    private void bindPositions(OnnxJavaType type, int count) {
        MemorySegment memory = positions.of((long) run.count * count * type.size);
        for (int place = 0; place < run.count; place++) {
            for (int t = 0; t < count; t++) {
                Elements.put(memory, type, (long) place * count + t, run.length[run.at[place]] + t);
            }
        }
        given.put(graph.names().positions(), model.tensor(memory, type, run.count, count));
    }

    /** Graphs that were not given a mask to count take lengths themselves. */
    private void bindLengths(int count, int total) {
        MemorySegment memory = lengths.of(4L * (run.count + 1));
        for (int place = 0; place < run.count; place++) {
            memory.setAtIndex(ValueLayout.JAVA_INT, place, run.length[run.at[place]] + count - 1);
        }
        memory.setAtIndex(ValueLayout.JAVA_INT, run.count, total);
        given.put(DecoderGraph.LENGTHS, model.tensor(memory.asSlice(0, 4L * run.count), OnnxJavaType.INT32, run.count));
        if (model.inputs().contains(DecoderGraph.TOTAL)) {
            given.put(
                    DecoderGraph.TOTAL,
                    model.tensor(memory.asSlice(4L * run.count, 4), OnnxJavaType.INT32, new long[0]));
        }
    }

    /** Hands logits of a row's inputs to sampling, those that are asked for. */
    private void take(MemorySegment memory, int place, int offset, int count, int columns) {
        int row = run.row[run.at[place]];
        for (int i = rows.logitStart[row]; i < rows.logitStart[row + 1]; i++) {
            int input = rows.logitToken[i] - rows.inputStart[row] - offset;
            if (input < 0 || input >= count) {
                continue;
            }
            long column = graph.lastLogits() ? 0 : input;
            long index = (place * (long) columns + column) * graph.vocabulary();
            Elements.of(graph.logitsType()).floats(memory, index, rowLogits, 0, graph.vocabulary());
            sampling.take(row, i, i + 1, rowLogits, 0, graph.vocabulary(), sampler);
        }
    }

    @Override
    public void close() {
        buffers.close();
        tokens.close();
        mask.close();
        positions.close();
        lengths.close();
        logits.close();
    }
}
