package dev.jeton.models.cuda;

/**
 * Where the arrays of a step's input lie, one after the other in one piece of memory, so that one copy brings them to
 * the device. A layout is made for a most of rows, tokens and rows of logits; smaller steps leave gaps, and a captured
 * graph finds its arrays at the same places whatever their lengths. Offsets count ints; every array begins at 16 bytes.
 *
 * @param rows most rows
 * @param tokens most input tokens
 * @param logitRows most rows of logits
 * @param groups layer groups
 */
record StepLayout(int rows, int tokens, int logitRows, int groups) {

    /** Ints of a {@code StepHeader}. */
    static final int HEADER = 8;

    /** Rows of logits that are computed together at most; each such chunk has a header of its own. */
    static final int CHUNK = 256;

    private static int aligned(int ints) {
        return (ints + 3) / 4 * 4;
    }

    /** Chunks of rows of logits; at least one. */
    int chunks() {
        return Math.max(1, (logitRows + CHUNK - 1) / CHUNK);
    }

    /** The header of a chunk; that of the first serves the step as a whole. */
    int header(int chunk) {
        return chunk * HEADER;
    }

    int slot() {
        return chunks() * HEADER;
    }

    int flags() {
        return slot() + aligned(rows);
    }

    int position() {
        return flags() + aligned(rows);
    }

    int inputStart() {
        return position() + aligned(rows);
    }

    int drafts() {
        return inputStart() + aligned(rows + 1);
    }

    int adapter() {
        return drafts() + aligned(rows);
    }

    int logitStart() {
        return adapter() + aligned(rows);
    }

    int tableStart(int group) {
        return logitStart() + aligned(rows + 1) * (1 + group);
    }

    int token() {
        return tableStart(groups);
    }

    int logitToken() {
        return token() + aligned(tokens);
    }

    int logitRow() {
        return logitToken() + aligned(logitRows);
    }

    int logitSample() {
        return logitRow() + aligned(logitRows);
    }

    int logitScore() {
        return logitSample() + aligned(logitRows);
    }

    int logitMask() {
        return logitScore() + aligned(logitRows);
    }

    /** Block ids of all groups, to which {@code tableStart} points; the end is the batch's. */
    int blocks() {
        return logitMask() + aligned(logitRows);
    }
}
