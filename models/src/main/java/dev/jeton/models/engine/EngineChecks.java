package dev.jeton.models.engine;

import java.util.Arrays;

/**
 * What every paged engine refuses: slots, tokens, positions and blocks outside its bounds. Keeps which slots are open,
 * and, of an engine with {@link Capability#STATE}, how many tokens each slot's state has seen.
 *
 * <p>Owned by the engine's thread. A check that throws has changed nothing.
 */
public final class EngineChecks {

    /** What rows of a model that gives vectors do not have. */
    private static final int PREDICTS =
            StepBatch.SAMPLE | StepBatch.LAST_TOKEN | StepBatch.PROMPT_LOG_PROBABILITIES | StepBatch.MASKED;

    private final EngineInfo info;
    private final boolean[] open;
    private final boolean[] seen;
    private final boolean hasStates;
    /** Tokens that each slot's state has seen once all steps launched have run: where its next row begins. */
    private final int[] stateTokens;
    /** Adapters that came after the start, ascending. */
    private int[] added = {};

    /** Checks for an engine of these bounds, with all slots closed. */
    public EngineChecks(EngineInfo info) {
        this.info = info;
        open = new boolean[info.maxSlots()];
        seen = new boolean[info.maxSlots()];
        hasStates = info.supports(Capability.STATE);
        stateTokens = new int[hasStates ? info.maxSlots() : 0];
    }

    /**
     * An adapter is added.
     *
     * @throws EngineException if its number was used before
     */
    public void addAdapter(int number) {
        int last = added.length == 0 ? info.adapters() : added[added.length - 1];
        if (number <= last) {
            throw new EngineException("adapter %d follows adapter %d: none is used twice".formatted(number, last));
        }
        added = Arrays.copyOf(added, added.length + 1);
        added[added.length - 1] = number;
    }

    /**
     * An adapter is given up.
     *
     * @throws EngineException if none that was added has its number
     */
    public void removeAdapter(int number) {
        if (Arrays.binarySearch(added, number) < 0) {
            throw new EngineException("adapter %d was not added".formatted(number));
        }
        added = Arrays.stream(added).filter(each -> each != number).toArray();
    }

    /**
     * A slot is opened.
     *
     * @throws EngineException if it is open, or the sequence is longer than the context or names a token outside the
     *     vocabulary; the slot stays as it was
     */
    public void open(int slot, SequenceSpec spec) {
        slot(slot);
        if (open[slot]) {
            throw new EngineException("slot " + slot + " is open");
        }
        if (spec.length() > info.contextLength()) {
            throw new EngineException(
                    "a sequence of %d tokens, in a context of %d".formatted(spec.length(), info.contextLength()));
        }
        for (int token : spec.sampling().bias().tokens()) {
            token(token);
        }
        for (int token : spec.sampling().stopTokens()) {
            token(token);
        }
        for (int i = 0; i < spec.length(); i++) {
            token(spec.tokens()[i]);
        }
        open[slot] = true;
        if (hasStates) {
            stateTokens[slot] = 0;
        }
    }

    /** A slot is closed; returns whether it was open. */
    public boolean close(int slot) {
        slot(slot);
        boolean was = open[slot];
        open[slot] = false;
        return was;
    }

    /**
     * A batch is launched.
     *
     * @throws EngineException naming the row that is outside the engine's bounds
     */
    public void check(StepBatch batch) {
        int groups = info.groups().size();
        if (batch.groups() != groups || batch.rows() > info.maxRows() || batch.tokenCount() > info.maxTokens()) {
            throw new EngineException(
                    "batch of %d rows, %d tokens, %d groups; at most %d rows, %d tokens, and %d groups"
                            .formatted(
                                    batch.rows(),
                                    batch.tokenCount(),
                                    batch.groups(),
                                    info.maxRows(),
                                    info.maxTokens(),
                                    groups));
        }
        try {
            for (int row = 0; row < batch.rows(); row++) {
                row(batch, row);
                if (seen[batch.slot[row]]) {
                    throw new EngineException("slot %d has two rows".formatted(batch.slot[row]));
                }
                seen[batch.slot[row]] = true;
            }
        } finally {
            Arrays.fill(seen, false);
        }
        for (int row = 0; hasStates && row < batch.rows(); row++) {
            stateTokens[batch.slot[row]] = batch.position[row] + batch.inputs(row);
        }
    }

    /**
     * A slot's state is to be copied to another slot, whose next row then begins where that of the first does.
     *
     * @throws EngineException if the engine has no states, or the slots are not two open ones of which no step has seen
     *     the second
     */
    public void state(int from, int to) {
        if (!hasStates) {
            throw new EngineException("the %s engine has no state in slots".formatted(info.name()));
        }
        slot(from);
        slot(to);
        if (from == to || !open[from] || !open[to] || stateTokens[to] != 0) {
            throw new EngineException(
                    "copy of slot %d's state to slot %d: they must be open, and the second not have seen a step"
                            .formatted(from, to));
        }
        stateTokens[to] = stateTokens[from];
    }

    /** Blocks are to be copied within the device. */
    public void transfer(int group, int[] from, int[] to, int count) {
        int blocks = group(group).blockCount();
        for (int i = 0; i < count; i++) {
            if (from[i] < 0 || from[i] >= blocks || to[i] < 0 || to[i] >= blocks) {
                throw new EngineException("transfer of block %d to %d: the %s engine has blocks 0 to %d"
                        .formatted(from[i], to[i], info.name(), blocks - 1));
            }
        }
    }

    /** Blocks are to be copied between the device and the host, either way. */
    public void move(int group, int[] blocks, int[] hostBlocks, int count) {
        int most = group(group).blockCount();
        int hostMost = group(group).hostBlocks();
        for (int i = 0; i < count; i++) {
            if (blocks[i] < 0 || blocks[i] >= most || hostBlocks[i] < 0 || hostBlocks[i] >= hostMost) {
                throw new EngineException(
                        "copy between block %d and block %d of the host: the %s engine has %d blocks, the host %d"
                                .formatted(blocks[i], hostBlocks[i], info.name(), most, hostMost));
            }
        }
    }

    private LayerGroup group(int group) {
        if (group < 0 || group >= info.groups().size()) {
            throw new EngineException(
                    "layer group " + group + " of " + info.groups().size());
        }
        return info.groups().get(group);
    }

    private void slot(int slot) {
        if (slot < 0 || slot >= info.maxSlots()) {
            throw new EngineException("slot %d of %d".formatted(slot, info.maxSlots()));
        }
    }

    private void token(int token) {
        if (token < 0 || token >= info.vocabulary()) {
            throw new EngineException("token %d is outside the vocabulary of %d".formatted(token, info.vocabulary()));
        }
    }

    private void row(StepBatch batch, int row) {
        slot(batch.slot[row]);
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
        if (hasStates && batch.position[row] != stateTokens[batch.slot[row]]) {
            throw new EngineException("row %d: begins at %d where slot %d has a state of %d tokens"
                    .formatted(row, batch.position[row], batch.slot[row], stateTokens[batch.slot[row]]));
        }
        int adapter = batch.adapter[row];
        if (adapter < 0 || (adapter > info.adapters() && Arrays.binarySearch(added, adapter) < 0)) {
            throw new EngineException("row %d: adapter %d, where the %s engine has %d"
                    .formatted(row, adapter, info.name(), info.adapters() + added.length));
        }
        if (batch.has(row, StepBatch.POOLED) && !info.supports(Capability.POOLING)) {
            throw new EngineException("row %d: the %s engine has no pooling".formatted(row, info.name()));
        }
        if (info.supports(Capability.POOLING) && batch.has(row, PREDICTS)) {
            throw new EngineException("row %d: the %s engine gives vectors of this model, and samples nothing"
                    .formatted(row, info.name()));
        }
        if (info.supports(Capability.WHOLE_PROMPTS) && batch.position[row] != 0) {
            throw new EngineException("row %d: the %s engine takes whole prompts only".formatted(row, info.name()));
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
                token(batch.tokens[t]);
            }
        }
        if (batch.following[row] >= 0) {
            token(batch.following[row]);
        }
        for (int g = 0; g < info.groups().size(); g++) {
            table(batch, row, g, end);
        }
    }

    private void table(StepBatch batch, int row, int g, int end) {
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
}
