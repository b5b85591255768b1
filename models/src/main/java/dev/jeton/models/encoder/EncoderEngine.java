package dev.jeton.models.encoder;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.ModelException;
import dev.jeton.models.VectorSpec;
import dev.jeton.models.engine.Capability;
import dev.jeton.models.engine.DeviceLostException;
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
import java.util.List;
import java.util.Set;

/**
 * An encoder, whatever library runs it: a row holds a whole text (or pair of texts) and brings its embedding, or the
 * logits of its labels. Nothing is kept between steps.
 *
 * <p>A step's rows are sorted by length and go through the model in runs of similar ones. Padding is left out by the
 * attention mask, so a text's vector is the same alone and among others within rounding (1e-5 of an embedding's length
 * for f32).
 *
 * <p>Owned by one thread; see {@link Engine}. {@link #launch} checks and copies, {@link #await} computes. A run that
 * fails fails its rows alone.
 */
public final class EncoderEngine implements Engine {

    /** Most tokens of a run, padding included, unless a single text has more. */
    private static final int MOST_TOKENS = 8192;
    /** Tokens of a run from which on rows that are a quarter shorter get a run of their own. */
    private static final int ENOUGH_TOKENS = 256;

    private final EngineInfo info;
    private final EncoderModel model;
    private final VectorSpec spec;
    private final EncoderHead head;
    private final HostSlots slots;
    private final StepRows rows;
    private final TextRun texts;
    private final int[] slotLength;
    private final StepResult[] results = {new StepResult(), new StepResult()};
    private final int[] order;

    private long launched;
    private boolean inFlight;
    private boolean closed;

    /**
     * Takes over a loaded model, which is closed with the engine, but not where this throws.
     *
     * @throws ModelException where options or files do not allow it
     */
    public EncoderEngine(EncoderModel model, VectorSpec spec, EngineOptions options) {
        this.model = model;
        this.spec = spec;
        if (model.tokenTypes() && spec.kind() == VectorSpec.Kind.RERANKER && spec.separator() < 0) {
            throw new ModelException("the encoder takes token types, but neither config.json (sep_token_id) nor"
                    + " tokenizer.json says which token separates a pair of texts");
        }
        head = new EncoderHead(model.byToken() ? spec.stages() : List.of(), spec.hidden());
        if (options.maxSequences() < 1 || options.maxBatchedTokens() < 1) {
            throw new ModelException("sequences %d and batched tokens %d must be positive"
                    .formatted(options.maxSequences(), options.maxBatchedTokens()));
        }
        int most =
                options.maxModelLength() > 0 ? Math.min(options.maxModelLength(), spec.maxTokens()) : spec.maxTokens();
        info = new EngineInfo(
                model.engine(),
                spec.vocabulary(),
                most,
                List.of(model.device()),
                List.of(),
                options.maxSequences(),
                options.maxSequences(),
                Math.max(options.maxBatchedTokens(), most),
                1,
                Set.of(Capability.POOLING, Capability.WHOLE_PROMPTS));
        slots = new HostSlots(info);
        rows = new StepRows(0, info.maxRows(), info.maxTokens());
        texts = new TextRun(spec.padding(), spec.separator());
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
        throw new EngineException("an encoder samples nothing, so it takes no masks");
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
            } catch (DeviceLostException e) {
                throw e;
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
        texts.begin(rows.tokens);
        for (int i = from; i < end; i++) {
            texts.add(order[i], rows.inputStart[order[i]], length(i));
        }
        MemorySegment memory = model.run(texts);
        for (int i = 0; i < texts.count(); i++) {
            take(memory, i, result);
        }
    }

    private void take(MemorySegment memory, int text, StepResult result) {
        int row = texts.row(text);
        int at = row * spec.width();
        if (model.byToken()) {
            long first = (long) text * texts.longest() * model.width();
            head.embed(memory, model.type(), first, texts.length(text), result.pooled, at);
        } else {
            model.type().floats(memory, (long) text * model.width(), result.pooled, at, model.width());
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
            model.close();
        }
    }

    @Override
    public String toString() {
        return "%s engine, %s of %d".formatted(info.name(), spec.kind(), spec.width());
    }
}
