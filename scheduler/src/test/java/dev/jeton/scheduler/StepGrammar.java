package dev.jeton.scheduler;

import dev.jeton.models.engine.TokenGrammar;
import java.util.Arrays;
import java.util.List;

/**
 * Texts whose every token, divided by seven, leaves what its place and the token before it say; they may end after
 * {@code least} tokens and must after {@code most}.
 */
record StepGrammar(int vocabulary, int least, int most) implements TokenGrammar {

    static final int CLASSES = 7;

    @Override
    public Cursor begin() {
        return new StepCursor(0, 0);
    }

    private final class StepCursor implements Cursor {
        private int length;
        private int last;

        StepCursor(int length, int last) {
            this.length = length;
            this.last = last;
        }

        @Override
        public Cursor copy() {
            return new StepCursor(length, last);
        }

        @Override
        public boolean mask(long[] bits, int from) {
            Arrays.fill(bits, from, from + (vocabulary + 63) / 64, 0);
            for (int token = 0; token < vocabulary; token++) {
                if (allows(length, last, token)) {
                    bits[from + (token >>> 6)] |= 1L << token;
                }
            }
            return true;
        }

        @Override
        public boolean accept(int token) {
            if (!allows(length, last, token)) {
                return false;
            }
            length++;
            last = token;
            return true;
        }

        @Override
        public boolean mayEnd() {
            return length >= least;
        }

        @Override
        public boolean mustEnd() {
            return length >= most;
        }
    }

    private boolean allows(int length, int last, int token) {
        return length < most && token % CLASSES == (3 * length + last) % CLASSES;
    }

    /** Whether the tokens are the beginning of a text. */
    boolean begins(List<Integer> tokens) {
        Cursor cursor = begin();
        return tokens.stream().allMatch(cursor::accept);
    }
}
