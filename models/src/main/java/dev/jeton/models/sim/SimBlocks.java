package dev.jeton.models.sim;

import dev.jeton.models.engine.EngineException;
import dev.jeton.models.engine.LayerGroup;
import dev.jeton.models.engine.StepBatch;
import java.util.List;

/** The sim engine's blocks, in which each place holds a hash; read and written through a row's block tables. */
final class SimBlocks {

    /** What a place holds that nobody wrote. */
    static final long UNWRITTEN = 0;

    private final List<LayerGroup> groups;
    private final long[][] content;

    /** Blocks that nobody has written. */
    SimBlocks(List<LayerGroup> groups) {
        this.groups = groups;
        content = new long[groups.size()][];
        for (int g = 0; g < content.length; g++) {
            content[g] = new long[groups.get(g).blockCount() * groups.get(g).blockSize()];
        }
    }

    /** All places by group, block after block: the arrays themselves. */
    long[][] content() {
        return content;
    }

    long read(StepBatch batch, int row, int group, int position) {
        return content[group][index(batch, row, group, position)];
    }

    void write(StepBatch batch, int row, int group, int position, long hash) {
        content[group][index(batch, row, group, position)] = hash;
    }

    private int index(StepBatch batch, int row, int group, int position) {
        int size = groups.get(group).blockSize();
        int entry = position / size;
        if (entry >= batch.tableLength(group, row)) {
            throw new EngineException("row %d has no block for position %d".formatted(row, position));
        }
        int block = batch.blocks[group][batch.tableStart[group][row] + entry];
        if (block < 0) {
            throw new EngineException("row %d reads position %d, which is out of its window".formatted(row, position));
        }
        return block * size + position % size;
    }

    /**
     * Everything that attention would read must hold this row's history: each position's hash follows from the one
     * before.
     */
    void verifyWindow(StepBatch batch, int row) {
        int end = batch.position[row] + batch.inputs(row);
        for (int g = 0; g < batch.groups(); g++) {
            int window = groups.get(g).window();
            int first = window == 0 ? 0 : Math.max(0, batch.position[row] - window + 1);
            for (int position = first; position < end; position++) {
                if (read(batch, row, g, position) == UNWRITTEN) {
                    throw new EngineException(
                            "row %d reads position %d of group %d, which nobody wrote".formatted(row, position, g));
                }
            }
        }
    }

    void copy(int group, int[] from, int[] to, int count) {
        int size = groups.get(group).blockSize();
        for (int i = 0; i < count; i++) {
            System.arraycopy(content[group], from[i] * size, content[group], to[i] * size, size);
        }
    }
}
