package dev.jeton.models.cuda;

import dev.jeton.models.AdapterFolder;
import dev.jeton.models.AdapterFolder.Place;
import dev.jeton.models.ModelException;
import dev.jeton.natives.DeviceMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;

/**
 * A model's adapters on a device, or its {@link Shard} of them, and how they are added to products. An adapter is one
 * piece of memory; a table says for each product of a layer where every adapter's part of it lies
 * ({@code native/kernels/adapters.cu}). Where a product is of several linear layers at once, their ranks are one after
 * the other, with zeros where a rank is another's.
 *
 * <p>Of a product whose inputs are divided among devices, each device adds what its inputs give: the sum over devices
 * that follows makes it whole, as it does the product.
 */
final class DeviceAdapters {

    private static final int TILE = 16;
    private static final int RANKS = 8;
    private static final int OUTPUTS = 128;
    private static final int THREADS = 128;
    /** Inputs that the warps of a block read at a time: a split has as many at least. */
    private static final int SPLIT_INPUTS = 128;

    private static final int MOST_SPLITS = 8;
    private static final int ALIGNMENT = 256;

    private final StepKernels kernels;
    private final int multiprocessors;
    private final int count;
    private final long table;
    /** By layer and place: the greatest rank of any adapter, rounded up; 0 where all leave the product alone. */
    private final int[] ranks;

    private final int widest;
    /** What A gives, of all splits. */
    private final long between;
    /** Tokens that there is room for there, of all splits together. */
    private final long mostTokens;

    private long header;
    private long tokenRow;
    private long adapterOfRow;

    private DeviceAdapters(
            StepKernels kernels,
            int multiprocessors,
            int count,
            long table,
            int[] ranks,
            int widest,
            long between,
            long mostTokens) {
        this.kernels = kernels;
        this.multiprocessors = multiprocessors;
        this.count = count;
        this.table = table;
        this.ranks = ranks;
        this.widest = widest;
        this.between = between;
        this.mostTokens = mostTokens;
    }

    /**
     * Uploads adapters.
     *
     * @param maxTokens most tokens of a step
     * @throws ModelException where one is not the model's, or the device has too little memory for all
     */
    static DeviceAdapters load(
            List<Path> folders,
            DeviceShape shape,
            DeviceWeights weights,
            Device device,
            StepKernels kernels,
            int maxTokens) {
        int places = shape.spec().layers() * Place.COUNT;
        int[] ranks = new int[places];
        if (folders.isEmpty()) {
            return new DeviceAdapters(kernels, device.multiprocessors(), 0, 0, ranks, 0, 0, 0);
        }
        refuseOrders(weights);
        WeightUpload upload = new WeightUpload(device, shape.type(), kernels);
        DeviceMemory table = device.memory((long) AdapterUpload.ENTRY * places * folders.size());
        try (Arena arena = Arena.ofShared()) {
            MemorySegment entries = arena.allocate(table.bytes(), ALIGNMENT);
            for (int i = 0; i < folders.size(); i++) {
                try (AdapterFolder adapter =
                        AdapterFolder.open(folders.get(i), shape.shard().whole())) {
                    new AdapterUpload(adapter, shape, device, upload, folders.get(i))
                            .load(entries, i, folders.size(), ranks);
                }
            }
            upload.bytes(entries, table, 0);
            upload.finish();
        }
        int widest = AdapterUpload.RANK_STEP;
        for (int rank : ranks) {
            widest = Math.max(widest, rank);
        }
        // of few tokens there are several splits, together of not more tokens than this
        long tokens = Math.max(Kernel.blocks(maxTokens, TILE), 2L * device.multiprocessors()) * TILE;
        DeviceMemory between = device.memory(4 * tokens * widest);
        return new DeviceAdapters(
                kernels,
                device.multiprocessors(),
                folders.size(),
                table.address(),
                ranks,
                widest,
                between.address(),
                tokens);
    }

    private static void refuseOrders(DeviceWeights weights) {
        if (weights.matrices().stream().anyMatch(matrix -> matrix.order() != 0)) {
            throw new ModelException("the cuda engine has no adapters of checkpoints whose inputs are in an order of"
                    + " their own (GPTQ with desc_act); take another checkpoint of the model");
        }
    }

    /** Whether there are any. */
    boolean any() {
        return count > 0;
    }

    /**
     * A step's products follow.
     *
     * @param ofRow the adapter of each row, on the device; 0 where no row goes through any
     */
    void begin(long stepHeader, long rowOfToken, long ofRow) {
        header = stepHeader;
        tokenRow = rowOfToken;
        adapterOfRow = ofRow;
    }

    /** Whether a product of the step may be changed. */
    boolean change(int layer, Place place) {
        return adapterOfRow != 0 && ranks[place.at(layer)] > 0;
    }

    /**
     * Adds to a product what the rows' adapters give; nothing where they leave it alone.
     *
     * @param tokens that there may be at most
     * @param x the product's inputs, in order
     * @param y its outputs in sixteen bits, which it has
     */
    void add(int layer, Place place, int tokens, long x, Matrix w, long y) {
        if (!change(layer, place)) {
            return;
        }
        int inputs = w.columns();
        int outputs = w.rows();
        int at = place.at(layer);
        int tiles = Kernel.blocks(tokens, TILE);
        int groups = ranks[at] / RANKS;
        int splits = Math.clamp(
                2L * multiprocessors / ((long) tiles * groups), 1, Math.clamp(inputs / SPLIT_INPUTS, 1, MOST_SPLITS));
        long entries = table + (long) AdapterUpload.ENTRY * at * count;
        long split = (long) tiles * TILE * widest;
        assert (long) splits * tiles * TILE <= mostTokens;
        kernels.get("low_rank_in")
                .begin()
                .pointer(header)
                .pointer(tokenRow)
                .pointer(adapterOfRow)
                .pointer(entries)
                .pointer(x)
                .integer(inputs)
                .integer(splits)
                .pointer(between)
                .integer(widest)
                .longInteger(split)
                .launch(tiles, groups * splits, THREADS, 0);
        kernels.get("low_rank_out")
                .begin()
                .pointer(header)
                .pointer(tokenRow)
                .pointer(adapterOfRow)
                .pointer(entries)
                .pointer(between)
                .integer(widest)
                .longInteger(split)
                .integer(splits)
                .pointer(y)
                .integer(outputs)
                .launch(tiles, Kernel.blocks(outputs, OUTPUTS), THREADS, 0);
    }
}
