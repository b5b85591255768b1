package dev.jeton.kvcache;

import java.util.Arrays;

/** Block copies that the engine must make before the next step, per layer group; reused. */
public final class BlockCopies {

    private final int[][] from;
    private final int[][] to;
    private final int[] count;

    /** For a cache of {@code groups} layer groups. */
    public BlockCopies(int groups) {
        from = new int[groups][8];
        to = new int[groups][8];
        count = new int[groups];
    }

    /** How many copies a group needs. */
    public int count(int group) {
        return count[group];
    }

    /** Sources of a group's copies. */
    public int[] from(int group) {
        return from[group];
    }

    /** Targets of a group's copies. */
    public int[] to(int group) {
        return to[group];
    }

    /** Forgets all copies. */
    public void clear() {
        Arrays.fill(count, 0);
    }

    void add(int group, int source, int target) {
        int n = count[group]++;
        if (n == from[group].length) {
            from[group] = Arrays.copyOf(from[group], 2 * n);
            to[group] = Arrays.copyOf(to[group], 2 * n);
        }
        from[group][n] = source;
        to[group][n] = target;
    }
}
