package dev.jeton.models.cpu;

import static dev.jeton.models.cpu.Kernels.PANEL;
import static dev.jeton.models.vector.VectorMath.LANES;

import dev.jeton.models.AdapterFolder.Place;
import dev.jeton.models.DecoderSpec;
import dev.jeton.models.rows.StepRows;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * A model's adapters in a step. To a multiplication that some of the rows' adapters add to belongs {@code A x} of those
 * rows; the multiplication's tiles then begin with {@code B} times that.
 *
 * <p>Where {@code A x} takes a few microseconds every thread computes it for itself, at its first tile of the
 * multiplication: a phase of its own would cost as much, and leave threads idle. Where it takes longer it is computed
 * by all threads in a phase before, the one in which inputs are rounded if there is one. Either way it is the same
 * sums, added in one order whatever else is in the batch ({@link LowRankKernels}), so a row's bits do not depend on it.
 * A step without adapters has nothing of this.
 *
 * <p>Adapters come and go between steps, on the engine's thread. Laid out by whoever advances the step; tiles write
 * disjoint parts.
 */
final class StepAdapters implements AutoCloseable {

    /** Up to so long every thread computes {@code A x} for itself. */
    private static final long OWN_NANOS = 6_000;
    /** Numbers of {@code A x} that a thread computes for itself at most. */
    static final int OWN_FLOATS = 4096;

    private static final int TILE_TOKENS = 8;
    private static final int BYTES_PER_NANO = 16;
    private static final int PRODUCTS_PER_NANO = 40;

    private enum Mode {
        /** No adapter of the step's adds to the multiplication. */
        NONE,
        OWN,
        TOGETHER
    }

    private final StepRows batch;
    private final int maxTokens;
    private final int threads;
    /** Those that there are; with their numbers, which ascend. */
    private List<PackedAdapter> all = List.of();

    private int[] numbers = {};
    /** Most ranks of one of them. */
    private int stride;

    private float[] between = {};
    /** Per token: the place of its adapter among all, from 1 on; 0 for none. */
    private int[] adapterOf = {};

    private boolean any;
    private Mode mode = Mode.NONE;
    private long number;
    private int place;
    private int tiles;
    private int blocks;
    private float[] input = new float[0];
    private int inputStride;

    private StepAdapters(StepRows batch, int maxTokens, int threads) {
        this.batch = batch;
        this.maxTokens = maxTokens;
        this.threads = threads;
    }

    /** Reads adapters. */
    static StepAdapters load(List<Path> folders, DecoderSpec spec, StepRows batch, int maxTokens, int threads) {
        StepAdapters adapters = new StepAdapters(batch, maxTokens, threads);
        try {
            for (Path folder : folders) {
                adapters.add(adapters.all.size() + 1, PackedAdapter.load(folder, spec, Long.MAX_VALUE));
            }
            return adapters;
        } catch (RuntimeException | Error e) {
            adapters.close();
            throw e;
        }
    }

    /** Takes one more, whose number is greater than those of all others; between steps. */
    void add(int number, PackedAdapter adapter) {
        int widest = Math.max(stride, adapter.ranks());
        if (between.length < maxTokens * widest) {
            between = new float[maxTokens * widest];
        }
        if (adapterOf.length == 0) {
            adapterOf = new int[maxTokens];
        }
        stride = widest;
        List<PackedAdapter> more = new ArrayList<>(all);
        more.add(adapter);
        all = List.copyOf(more);
        numbers = Arrays.copyOf(numbers, all.size());
        numbers[all.size() - 1] = number;
    }

    /** Gives up one and its memory; between steps. */
    void remove(int number) {
        int at = Arrays.binarySearch(numbers, number);
        List<PackedAdapter> fewer = new ArrayList<>(all);
        PackedAdapter removed = fewer.remove(at);
        all = List.copyOf(fewer);
        numbers = Arrays.stream(numbers).filter(each -> each != number).toArray();
        stride = all.stream().mapToInt(PackedAdapter::ranks).max().orElse(0);
        removed.close();
    }

    /** Looks at the batch, at the beginning of a step. */
    void begin() {
        mode = Mode.NONE;
        any = false;
        for (int row = 0; row < batch.rows && !any; row++) {
            any = batch.adapter[row] != 0;
        }
        for (int row = 0; row < batch.rows && any; row++) {
            int adapter = batch.adapter[row];
            int of = adapter == 0 ? 0 : 1 + Arrays.binarySearch(numbers, adapter);
            Arrays.fill(adapterOf, batch.inputStart[row], batch.inputStart[row + 1], of);
        }
    }

    /** Whether no phase is needed before a multiplication, so that its inputs need not be there before it either. */
    boolean alone(int layer, Place to) {
        return !any || own(nanos(to.at(layer)));
    }

    private boolean own(long nanos) {
        return nanos == 0 || nanos <= OWN_NANOS && batch.tokenCount * stride <= OWN_FLOATS;
    }

    /** About how long {@code A x} takes one thread; 0 where no adapter adds to the multiplication. */
    private long nanos(int at) {
        long nanos = 0;
        for (int from = 0; from < batch.tokenCount && nanos <= OWN_NANOS; ) {
            int end = run(from, batch.tokenCount);
            if (adapterOf[from] != 0 && low(from, at).isPresent()) {
                LowRank low = low(from, at).get();
                long products = (end - from) * low.downSize();
                nanos += 1 + Math.max(low.downBytes() / BYTES_PER_NANO, products / PRODUCTS_PER_NANO);
            }
            from = end;
        }
        return nanos;
    }

    /** Where the tokens end that go through the same adapter as one. */
    private int run(int token, int end) {
        int adapter = adapterOf[token];
        int next = token + 1;
        while (next < end && adapterOf[next] == adapter) {
            next++;
        }
        return next;
    }

    private Optional<LowRank> low(int token, int at) {
        return all.get(adapterOf[token] - 1).at(at);
    }

    /** Says that no adapter adds to the multiplication to come. */
    void leave() {
        mode = Mode.NONE;
    }

    /**
     * Lays out what belongs to a multiplication.
     *
     * @param from rows of its inputs, one for each token
     * @param phase whether there is a phase before it anyway
     */
    void before(int layer, Place to, float[] from, int fromStride, boolean phase) {
        number++;
        place = to.at(layer);
        long nanos = any ? nanos(place) : 0;
        mode = nanos == 0 ? Mode.NONE : !phase && own(nanos) ? Mode.OWN : Mode.TOGETHER;
        input = from;
        inputStride = fromStride;
        blocks = (batch.tokenCount + TILE_TOKENS - 1) / TILE_TOKENS;
        // few tokens are shared by their ranks
        int vectors = blocks < 2 * threads ? stride / LANES : 1;
        tiles = mode == Mode.TOGETHER ? blocks * vectors : 0;
    }

    /** Tiles of the phase before the multiplication; 0 where none is needed. */
    int tiles() {
        return mode == Mode.TOGETHER ? tiles : 0;
    }

    /** Computes some of {@code A x} for all threads; nothing past the last, where inputs have more tiles to round. */
    void tile(int tile) {
        if (tile >= tiles()) {
            return;
        }
        int from = tile % blocks * TILE_TOKENS;
        int end = Math.min(batch.tokenCount, from + TILE_TOKENS);
        if (tiles == blocks) {
            down(input, from, end, 0, Integer.MAX_VALUE, between);
        } else {
            down(input, from, end, tile / blocks, tile / blocks + 1, between);
        }
    }

    private void down(float[] x, int firstToken, int endToken, int fromVector, int toVector, float[] target) {
        for (int from = firstToken; from < endToken; ) {
            int end = run(from, endToken);
            if (adapterOf[from] != 0) {
                Optional<LowRank> low = low(from, place);
                int to = low.isEmpty() ? 0 : Math.min(toVector, low.get().vectors());
                for (int vector = fromVector; vector < to; vector++) {
                    low.get()
                            .down(
                                    vector,
                                    x,
                                    from * inputStride,
                                    inputStride,
                                    end - from,
                                    target,
                                    from * stride,
                                    stride);
                }
            }
            from = end;
        }
    }

    /** Before a thread's tile of the multiplication, whose inputs may be the thread's own. */
    void begin(float[] from, Workspace workspace) {
        if (mode == Mode.OWN && workspace.adapted != number) {
            down(from, 0, batch.tokenCount, 0, Integer.MAX_VALUE, workspace.ranks);
            workspace.adapted = number;
        }
    }

    /** Adds what adapters add to a panel of a tile: rows {@code row} and following of the multiplication. */
    void add(int panel, int row, int rows, Workspace workspace) {
        if (mode == Mode.NONE) {
            return;
        }
        float[] ranks = mode == Mode.OWN ? workspace.ranks : between;
        for (int from = row; from < row + rows; ) {
            int end = run(from, row + rows);
            if (adapterOf[from] != 0) {
                Optional<LowRank> low = low(from, place);
                if (low.isPresent()) {
                    int to = (from - row) * PANEL;
                    low.get().up(panel, ranks, from * stride, stride, end - from, workspace.tile, to);
                }
            }
            from = end;
        }
    }

    @Override
    public void close() {
        all.forEach(PackedAdapter::close);
    }
}
