package dev.jeton.models.onnx;

import ai.onnxruntime.OnnxJavaType;
import ai.onnxruntime.OnnxTensor;
import dev.jeton.models.EncoderSpec;
import dev.jeton.models.EngineOptions;
import dev.jeton.models.ModelException;
import dev.jeton.models.engine.Capability;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.EngineException;
import dev.jeton.models.engine.EngineInfo;
import dev.jeton.models.engine.SequenceSpec;
import dev.jeton.models.engine.StepBatch;
import dev.jeton.models.engine.StepResult;
import dev.jeton.models.engine.StepTicket;
import dev.jeton.models.engine.TokenMasks;
import dev.jeton.models.rows.HostSlots;
import dev.jeton.models.rows.StepRows;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * An encoder's ONNX export, run by ONNX Runtime: a row holds a whole text (or pair of texts) and brings its
 * embedding, or the logits of its labels. Nothing is kept between steps.
 *
 * <p>A step's rows are sorted by length and go through the graph in runs of similar ones. Padding is left out by the
 * attention mask, so a text's vector is the same alone and among others within rounding (1e-5 of an embedding's length
 * for f32).
 *
 * <p>Owned by one thread; see {@link Engine}. {@link #launch} checks and copies, {@link #await} computes. A run that
 * fails fails its rows alone.
 */
final class EncoderEngine implements Engine {

    /** Most tokens of a run, padding included, unless a single text has more. */
    private static final int MOST_TOKENS = 8192;
    /** Tokens of a run from which on rows that are a quarter shorter get a run of their own. */
    private static final int ENOUGH_TOKENS = 256;

    private final EngineInfo info;
    private final OrtModel model;
    private final EncoderSpec spec;
    private final EncoderGraph graph;
    private final EncoderHead head;
    private final HostSlots slots;
    private final StepRows rows;
    private final int[] slotLength;
    private final StepResult[] results = {new StepResult(), new StepResult()};
    private final int[] order;

    private final Scratch tokens = new Scratch("token ids of a run");
    private final Scratch mask = new Scratch("the attention mask of a run");
    private final Scratch kinds = new Scratch("token types of a run");
    private final Scratch output = new Scratch("the output of a run");
    private final Map<String, OnnxTensor> given = new HashMap<>();

    private long launched;
    private boolean inFlight;
    private boolean closed;

    /** Takes over a loaded graph, which is closed with the engine. */
    EncoderEngine(OrtModel model, EncoderSpec spec, EngineOptions options, int threads) {
        this.model = model;
        this.spec = spec;
        graph = EncoderGraph.read(model, spec);
        if (graph.kinds().isPresent() && spec.kind() == EncoderSpec.Kind.RERANKER && spec.separator() < 0) {
            throw new ModelException("the graph takes token types, but neither config.json (sep_token_id) nor"
                    + " tokenizer.json says which token separates a pair of texts");
        }
        head = new EncoderHead(graph.byToken() ? spec.stages() : List.of(), spec.hidden());
        if (options.maxSequences() < 1 || options.maxBatchedTokens() < 1) {
            throw new ModelException("sequences %d and batched tokens %d must be positive"
                    .formatted(options.maxSequences(), options.maxBatchedTokens()));
        }
        int most =
                options.maxModelLength() > 0 ? Math.min(options.maxModelLength(), spec.maxTokens()) : spec.maxTokens();
        info = new EngineInfo(
                "onnx",
                spec.vocabulary(),
                most,
                List.of("%s, %d threads".formatted(model.device(), threads)),
                List.of(),
                options.maxSequences(),
                options.maxSequences(),
                Math.max(options.maxBatchedTokens(), most),
                1,
                Set.of(Capability.POOLING, Capability.WHOLE_PROMPTS));
        slots = new HostSlots(info);
        rows = new StepRows(0, info.maxRows(), info.maxTokens());
        slotLength = new int[info.maxSlots()];
        order = new int[info.maxRows()];
    }

    @Override
    public EngineInfo info() {
        return info;
    }

    @Override
    public void open(int slot, SequenceSpec sequence) {
        slots.open(slot, sequence);
        slotLength[slot] = sequence.length();
    }

    @Override
    public void close(int slot) {
        slots.close(slot);
    }

    @Override
    public StepTicket launch(StepBatch batch) {
        if (closed || inFlight) {
            throw new EngineException(closed ? "the engine is closed" : "one step is in flight; await it first");
        }
        for (int row = 0; row < batch.rows(); row++) {
            if (!batch.has(row, StepBatch.POOLED)) {
                throw new EngineException("row %d: an encoder brings vectors only".formatted(row));
            }
            int slot = batch.slot[row];
            if (slot >= 0 && slot < slotLength.length && batch.inputs(row) != slotLength[slot]) {
                throw new EngineException("row %d: %d of the text's %d tokens; an encoder takes whole texts"
                        .formatted(row, batch.inputs(row), slotLength[slot]));
            }
        }
        slots.launch(batch, rows);
        inFlight = true;
        return new StepTicket(launched++);
    }

    @Override
    public void masks(StepTicket ticket, TokenMasks masks) {
        throw new EngineException("the onnx engine samples nothing from an encoder, so it takes no masks");
    }

    @Override
    public StepResult await(StepTicket ticket) {
        if (!inFlight || ticket.number() != launched - 1) {
            throw new EngineException("ticket %s is not in flight".formatted(ticket));
        }
        long start = System.nanoTime();
        inFlight = false;
        StepResult result = results[(int) (launched & 1)];
        result.reset(rows.rows);
        result.reservePooled(spec.width());
        for (int row = 0; row < rows.rows; row++) {
            result.beginRow(row);
        }
        sort();
        int from = 0;
        while (from < rows.rows) {
            int end = end(from);
            try {
                run(from, end, result);
            } catch (EngineException | ModelException e) {
                for (int i = from; i < end; i++) {
                    result.fail(order[i], String.valueOf(e.getMessage()));
                }
            }
            from = end;
        }
        result.startNanos = start;
        result.endNanos = System.nanoTime();
        return result;
    }

    private int length(int place) {
        int row = order[place];
        return rows.inputStart[row + 1] - rows.inputStart[row];
    }

    /** Orders rows by length, the longest first; those of one length as they came. */
    private void sort() {
        for (int i = 0; i < rows.rows; i++) {
            int row = i;
            int length = rows.inputStart[row + 1] - rows.inputStart[row];
            int at = i;
            while (at > 0 && length(at - 1) < length) {
                order[at] = order[at - 1];
                at--;
            }
            order[at] = row;
        }
    }

    /** Where the run ends that begins with the longest row left. */
    private int end(int from) {
        int longest = length(from);
        int end = from + 1;
        while (end < rows.rows && (long) (end + 1 - from) * longest <= MOST_TOKENS) {
            boolean alike = 4L * length(end) >= 3L * longest;
            if (!alike && (long) (end - from) * longest >= ENOUGH_TOKENS) {
                break;
            }
            end++;
        }
        return end;
    }

    private void run(int from, int end, StepResult result) {
        int count = end - from;
        int longest = length(from);
        long places = (long) count * longest;
        try {
            MemorySegment ids = tokens.of(places * graph.tokens().size);
            MemorySegment ones = mask.of(places * graph.mask().size);
            fill(from, end, longest, ids, ones);
            given.put(EncoderGraph.TOKENS, model.tensor(ids, graph.tokens(), count, longest));
            given.put(EncoderGraph.MASK, model.tensor(ones, graph.mask(), count, longest));
            graph.kinds().ifPresent(type -> {
                MemorySegment memory = kinds.of(places * type.size);
                fillKinds(from, end, longest, memory, type);
                given.put(EncoderGraph.KINDS, model.tensor(memory, type, count, longest));
            });
            long elements = (graph.byToken() ? places : count) * graph.width();
            MemorySegment memory = output.of(elements * graph.type().size);
            try (OnnxTensor tensor = graph.byToken()
                    ? model.tensor(memory, graph.type(), count, longest, graph.width())
                    : model.tensor(memory, graph.type(), count, graph.width())) {
                model.run(given, Map.of(graph.output(), tensor));
            }
            for (int i = from; i < end; i++) {
                take(memory, i - from, longest, order[i], length(i), result);
            }
        } finally {
            given.values().forEach(OnnxTensor::close);
            given.clear();
        }
    }

    private void fill(int from, int end, int longest, MemorySegment ids, MemorySegment ones) {
        for (int i = from; i < end; i++) {
            int first = rows.inputStart[order[i]];
            int length = length(i);
            long at = (long) (i - from) * longest;
            for (int t = 0; t < longest; t++) {
                boolean inside = t < length;
                Scratch.put(ids, graph.tokens(), at + t, inside ? rows.tokens[first + t] : spec.padding());
                Scratch.put(ones, graph.mask(), at + t, inside ? 1 : 0);
            }
        }
    }

    /** The second text of a pair, which begins after the first separator, is of type 1. */
    private void fillKinds(int from, int end, int longest, MemorySegment memory, OnnxJavaType type) {
        for (int i = from; i < end; i++) {
            int first = rows.inputStart[order[i]];
            int length = length(i);
            int kind = 0;
            for (int t = 0; t < longest; t++) {
                Scratch.put(memory, type, (long) (i - from) * longest + t, t < length ? kind : 0);
                if (t < length && rows.tokens[first + t] == spec.separator()) {
                    kind = 1;
                }
            }
        }
    }

    private void take(MemorySegment memory, int place, int longest, int row, int length, StepResult result) {
        int at = row * spec.width();
        if (graph.byToken()) {
            long first = (long) place * longest * graph.width();
            head.embed(memory, graph.type(), first, length, result.pooled, at);
        } else {
            Scratch.floats(memory, graph.type(), (long) place * graph.width(), result.pooled, at, graph.width());
        }
        for (int i = 0; i < spec.width(); i++) {
            if (!Float.isFinite(result.pooled[at + i])) {
                result.fail(row, "the vector is not finite; the export's weights are damaged or overflow their type");
                return;
            }
        }
    }

    @Override
    public void transfer(int group, int[] from, int[] to, int count) {
        throw new EngineException("an encoder keeps nothing of a sequence, so there are no blocks to copy");
    }

    @Override
    public void close() {
        if (!closed) {
            closed = true;
            tokens.close();
            mask.close();
            kinds.close();
            output.close();
            model.close();
        }
    }

    @Override
    public String toString() {
        return "onnx engine, %s of %d".formatted(spec.kind(), spec.width());
    }
}
