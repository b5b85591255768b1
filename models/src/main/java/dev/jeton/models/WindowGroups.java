package dev.jeton.models;

import dev.jeton.models.engine.LayerGroup;
import java.util.ArrayList;
import java.util.List;

/**
 * The layers of a decoder by how far they look back: one layer group per distinct window, in order of its first layer.
 * Engines agree on it, so that a sequence's block tables mean the same whoever runs it.
 *
 * @param windows of the groups; 0 for the whole context
 * @param groupOf by layer: its group
 * @param placeIn by layer: how many layers of its group come before
 */
public record WindowGroups(List<Integer> windows, List<Integer> groupOf, List<Integer> placeIn) {

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
        List<Integer> windows = spec.windows().stream().distinct().toList();
        List<Integer> groupOf = new ArrayList<>();
        List<Integer> placeIn = new ArrayList<>();
        int[] layers = new int[windows.size()];
        for (int window : spec.windows()) {
            int group = windows.indexOf(window);
            groupOf.add(group);
            placeIn.add(layers[group]++);
        }
        return new WindowGroups(windows, groupOf, placeIn);
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
     * Divides KV memory in proportion to what one full context needs of each group; none gets more blocks than all
     * sequences together can use.
     *
     * @param layerBytes of one layer in one block
     * @param bytes of KV memory in all
     * @throws ModelException where a group would have no block
     */
    public List<LayerGroup> divide(EngineOptions options, int context, long layerBytes, long bytes) {
        long perSequence = sequenceBytes(options, context, layerBytes);
        List<LayerGroup> groups = new ArrayList<>();
        for (int g = 0; g < count(); g++) {
            long needed = blocks(g, options, context);
            long blockBytes = layers(g) * layerBytes;
            double share = (double) needed * blockBytes / perSequence;
            long blocks = Math.min((long) (bytes * share) / blockBytes, needed * options.maxSequences());
            if (blocks < 1) {
                throw new ModelException(
                        "KV memory of %d bytes does not hold a block of %d bytes; give --kv-memory at least %d"
                                .formatted(bytes, blockBytes, perSequence));
            }
            groups.add(new LayerGroup(options.blockSize(), Math.toIntExact(blocks), blockBytes, windows.get(g)));
        }
        return groups;
    }
}
