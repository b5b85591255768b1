package dev.jeton.models;

import dev.jeton.models.engine.LayerGroup;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * The layers of a decoder by how far they look back: one layer group per distinct window, in order of its first layer.
 * Engines agree on it, so that a sequence's block tables mean the same whoever runs it.
 *
 * @param windows of the groups; 0 for the whole context
 * @param groupOf by layer: its group; {@link #NONE} where it keeps no keys and values
 * @param placeIn by layer: how many layers of its group come before; likewise
 */
public record WindowGroups(List<Integer> windows, List<Integer> groupOf, List<Integer> placeIn) {

    /** What stands for the group, and the place in it, of a layer that keeps no keys and values. */
    public static final int NONE = -1;

    /** Blocks of a group on the host, as a cache numbers them. */
    private static final long MOST_HOST_BLOCKS = 1L << 27;

    /** Copies the lists. */
    public WindowGroups {
        windows = List.copyOf(windows);
        groupOf = List.copyOf(groupOf);
        placeIn = List.copyOf(placeIn);
    }

    /** The groups of a decoder. */
    public static WindowGroups of(DecoderSpec spec) {
        List<Integer> windows = IntStream.range(0, spec.layers())
                .filter(spec::attends)
                .mapToObj(spec.windows()::get)
                .distinct()
                .toList();
        List<Integer> groupOf = new ArrayList<>();
        List<Integer> placeIn = new ArrayList<>();
        int[] layers = new int[windows.size()];
        for (int i = 0; i < spec.layers(); i++) {
            int group = spec.attends(i) ? windows.indexOf(spec.windows().get(i)) : NONE;
            groupOf.add(group);
            placeIn.add(group == NONE ? NONE : layers[group]++);
        }
        return new WindowGroups(windows, groupOf, placeIn);
    }

    /** Layers of all groups. */
    private int keeping() {
        return (int) groupOf.stream().filter(group -> group != NONE).count();
    }

    /** How many groups there are. */
    public int count() {
        return windows.size();
    }

    /** Layers of a group. */
    public int layers(int group) {
        return (int) groupOf.stream().filter(g -> g == group).count();
    }

    /**
     * Blocks of a group that one sequence of a whole context needs: a window that is full also needs the block it
     * leaves, and room for a chunk of prompt.
     */
    private long blocks(int group, EngineOptions options, int context) {
        int window = windows.get(group);
        int size = options.blockSize();
        long tokens = window == 0 ? context : Math.min(context, (long) window + options.maxBatchedTokens() + size);
        return (tokens + size - 1) / size;
    }

    /**
     * Gives groups blocks on the host as they have them on the device.
     *
     * @param bytes of the host's memory in all; 0 for none
     * @throws ModelException where a group would have no block
     */
    public static List<LayerGroup> withHost(List<LayerGroup> groups, long bytes) {
        if (bytes == 0) {
            return groups;
        }
        double all = groups.stream()
                .mapToDouble(group -> (double) group.blockCount() * group.bytesPerBlock())
                .sum();
        List<LayerGroup> both = new ArrayList<>();
        for (LayerGroup group : groups) {
            long blocks = Math.min(MOST_HOST_BLOCKS, (long) (bytes * (group.blockCount() / all)));
            if (blocks < 1) {
                throw new ModelException(
                        "kv-host-memory of %d bytes does not hold a block of %d bytes for each of %d layer groups; give more or none"
                                .formatted(bytes, group.bytesPerBlock(), groups.size()));
            }
            both.add(new LayerGroup(
                    group.blockSize(), group.blockCount(), group.bytesPerBlock(), group.window(), (int) blocks));
        }
        return both;
    }

    /**
     * Bytes of KV memory that one sequence of a whole context needs.
     *
     * @param layerBytes of one layer in one block
     */
    public long sequenceBytes(EngineOptions options, int context, long layerBytes) {
        long bytes = 0;
        for (int g = 0; g < count(); g++) {
            bytes += blocks(g, options, context) * layers(g) * layerBytes;
        }
        return bytes;
    }

    /**
     * Divides KV memory in proportion to what one full context needs of each group in the end; none gets more blocks
     * than all sequences together can use. But a sequence is admitted with blocks for all its tokens in every group,
     * whatever falls out of a window later: so each group gets blocks for a whole context first, or, where memory does
     * not hold that, as many as the others.
     *
     * @param layerBytes of one layer in one block
     * @param bytes of KV memory in all
     * @throws ModelException where a group would have no block
     */
    public List<LayerGroup> divide(EngineOptions options, int context, long layerBytes, long bytes) {
        long[] shares = shares(options, context, layerBytes, bytes);
        List<LayerGroup> groups = new ArrayList<>();
        for (int g = 0; g < count(); g++) {
            long blockBytes = layers(g) * layerBytes;
            long useful =
                    Math.max(wholeContext(options, context), blocks(g, options, context) * options.maxSequences());
            long blocks = Math.min(shares[g], useful);
            if (blocks < 1) {
                throw new ModelException(
                        "KV memory of %d bytes does not hold a block of %d bytes; give --kv-memory at least %d"
                                .formatted(bytes, blockBytes, sequenceBytes(options, context, layerBytes)));
            }
            groups.add(new LayerGroup(options.blockSize(), Math.toIntExact(blocks), blockBytes, windows.get(g)));
        }
        return groups;
    }

    private static long wholeContext(EngineOptions options, int context) {
        return (context + options.blockSize() - 1L) / options.blockSize();
    }

    /** Blocks of each group where all memory is divided, however many are of use. */
    private long[] shares(EngineOptions options, int context, long layerBytes, long bytes) {
        long whole = wholeContext(options, context);
        long[] blocks = new long[count()];
        Arrays.fill(blocks, Math.min(whole, bytes / (keeping() * layerBytes)));
        boolean[] more = new boolean[count()];
        Arrays.fill(more, blocks[0] == whole);
        for (boolean settled = false; !settled; ) {
            settled = true;
            long left = bytes;
            double needed = 0;
            for (int g = 0; g < count(); g++) {
                long blockBytes = layers(g) * layerBytes;
                left -= more[g] ? 0 : whole * blockBytes;
                needed += more[g] ? (double) blocks(g, options, context) * blockBytes : 0;
            }
            for (int g = 0; g < count(); g++) {
                if (more[g]) {
                    long blockBytes = layers(g) * layerBytes;
                    double share = (double) blocks(g, options, context) * blockBytes / needed;
                    blocks[g] = Math.max(whole, (long) (left * share) / blockBytes);
                    more[g] = blocks[g] > whole;
                    settled &= more[g];
                }
            }
        }
        return blocks;
    }
}
