package dev.jeton.models.cuda;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * Sizes to which steps are rounded up, so that few graphs and few choices of algorithm serve all of them. A finer grid
 * wastes less of each step; a coarser one is warm sooner.
 */
final class Buckets {

    private Buckets() {}

    /** The layout of a step of decodes alone. */
    static StepLayout decode(int rows, int maxRows, int groups) {
        int rounded = Math.min(maxRows, rows(rows));
        return new StepLayout(rounded, rounded, rounded, groups);
    }

    /** The layout of any other step. */
    static StepLayout mixed(StepInputs step, int maxRows, int maxTokens, int groups) {
        int tokens = tokens(step.tokens, maxTokens);
        return new StepLayout(
                Math.min(maxRows, rows(step.rows)),
                tokens,
                step.logitRows == 0 ? 0 : Math.min(tokens, tokens(step.logitRows, maxTokens)),
                groups);
    }

    /** One, two, four, eight, multiples of 16 up to 256, then of 64. */
    static int rows(int rows) {
        if (rows <= 8) {
            return rows <= 2 ? Math.max(1, rows) : rows <= 4 ? 4 : 8;
        }
        return multiple(rows, rows <= 256 ? 16 : 64);
    }

    /** Multiples of 16 up to 256, of 64 up to 1,024, then of 256; never more than {@code most}. */
    static int tokens(int tokens, int most) {
        return Math.min(most, multiple(tokens, tokens <= 256 ? 16 : tokens <= 1024 ? 64 : 256));
    }

    /**
     * Numbers of rows that products have, each once, in the order in which it pays to make them fast: those of decode
     * steps, then those of other steps from whole chunks of prompts downwards.
     */
    static List<Integer> products(int maxRows, int maxTokens) {
        Set<Integer> sizes = new LinkedHashSet<>();
        for (int rows = 1; rows <= maxRows; rows = rows(rows) + 1) {
            sizes.add(Math.min(maxRows, rows(rows)));
        }
        List<Integer> mixed = new ArrayList<>();
        for (int tokens = 1; tokens <= maxTokens; tokens = tokens(tokens, maxTokens) + 1) {
            mixed.addFirst(tokens(tokens, maxTokens));
        }
        sizes.addAll(mixed);
        return List.copyOf(sizes);
    }

    private static int multiple(int value, int of) {
        return (value + of - 1) / of * of;
    }
}
