package dev.jeton.models.cpu;

import static dev.jeton.models.cpu.Kernels.PANEL;

import dev.jeton.models.AdapterFolder;
import dev.jeton.models.AdapterFolder.Place;
import dev.jeton.models.DecoderSpec;
import dev.jeton.models.rows.StepRows;
import java.lang.foreign.Arena;
import java.lang.foreign.SegmentAllocator;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * A model's adapters in a step. Before a multiplication that some of the rows' adapters add to, {@code A x} is computed
 * for those rows, in a phase of its own; the tiles of the multiplication then begin with {@code B} times that. Of a row
 * of inputs that is {@code 2 * rank * (inputs + outputs)} operations beside the {@code 2 * inputs * outputs} of the
 * multiplication, and as many bytes of A and B for each adapter that occurs: one part in a hundred of either.
 *
 * <p>Tokens of one adapter that follow one another are computed together, a chunk at a time. Sums are added in one
 * order whatever the chunk is ({@link Kernels}), so what else is in a batch changes no bit. A step without adapters has
 * neither the phase nor anything else of this.
 *
 * <p>Laid out by whoever advances the step; tiles write disjoint parts.
 */
final class StepAdapters {

    /** Tokens of a chunk at most: several threads may share a prompt, and A is read from the second cache again. */
    private static final int CHUNK = 24;

    /** By adapter, from 1 on, then layer and place; empty where it leaves a multiplication alone. */
    private final List<List<Optional<LowRank>>> all;

    private final StepRows batch;
    private final int stride;
    private final float[] between;
    private final int[] chunkFrom;
    private final int[] chunkEnd;
    private final int[] chunkAdapter;
    /** Per token: its chunk, or -1. */
    private final int[] chunkOf;

    private final int panels;
    private int chunks;
    private int at;
    private float[] input = new float[0];
    private int inputStride;

    private StepAdapters(List<List<Optional<LowRank>>> all, StepRows batch, int maxTokens) {
        this.all = all;
        this.batch = batch;
        stride = all.stream()
                .flatMap(List::stream)
                .flatMap(Optional::stream)
                .mapToInt(LowRank::paddedRank)
                .max()
                .orElse(0);
        panels = stride / PANEL;
        int tokens = all.isEmpty() ? 0 : maxTokens;
        between = new float[tokens * stride];
        chunkFrom = new int[tokens];
        chunkEnd = new int[tokens];
        chunkAdapter = new int[tokens];
        chunkOf = new int[tokens];
    }

    /** Packs adapters, with all threads of the team. */
    static StepAdapters load(
            List<Path> folders,
            DecoderSpec spec,
            StepRows batch,
            int maxTokens,
            SegmentAllocator memory,
            ComputeTeam team) {
        List<List<Optional<LowRank>>> all = new ArrayList<>();
        for (Path folder : folders) {
            try (AdapterFolder adapter = AdapterFolder.open(folder, spec);
                    Arena scratch = Arena.ofShared()) {
                MatrixPacking packing = new MatrixPacking(folder, false, false, false, memory);
                List<Optional<LowRank>> places = new ArrayList<>();
                for (int layer = 0; layer < spec.layers(); layer++) {
                    for (Place place : Place.values()) {
                        places.add(LowRank.of(adapter, spec, layer, place, packing, scratch));
                    }
                }
                packing.run(team);
                all.add(List.copyOf(places));
            }
        }
        return new StepAdapters(List.copyOf(all), batch, maxTokens);
    }

    /** Looks at the batch, at the beginning of a step. */
    void begin() {
        chunks = 0;
        if (all.isEmpty()) {
            return;
        }
        for (int row = 0; row < batch.rows; row++) {
            int adapter = batch.adapter[row];
            for (int token = batch.inputStart[row]; token < batch.inputStart[row + 1]; token++) {
                chunkOf[token] = adapter == 0 ? -1 : chunk(token, adapter);
            }
        }
    }

    private int chunk(int token, int adapter) {
        int last = chunks - 1;
        boolean goesOn = last >= 0
                && chunkEnd[last] == token
                && chunkAdapter[last] == adapter
                && token - chunkFrom[last] < CHUNK;
        if (!goesOn) {
            last = chunks++;
            chunkFrom[last] = token;
            chunkAdapter[last] = adapter;
        }
        chunkEnd[last] = token + 1;
        return last;
    }

    /** Whether any row of the step has one. */
    boolean any() {
        return chunks > 0;
    }

    /**
     * Lays out the phase before a multiplication.
     *
     * @param from rows of its inputs, one for each token
     * @return its tiles; 0 where no adapter adds to it
     */
    int before(int layer, Place place, float[] from, int fromStride) {
        at = place.at(layer);
        input = from;
        inputStride = fromStride;
        for (int chunk = 0; chunk < chunks; chunk++) {
            if (low(chunk).isPresent()) {
                return chunks * panels;
            }
        }
        return 0;
    }

    private Optional<LowRank> low(int chunk) {
        return all.get(chunkAdapter[chunk] - 1).get(at);
    }

    /** Computes a panel of {@code A x} of a chunk. */
    void tile(int tile, Workspace workspace) {
        int chunk = tile / panels;
        int panel = tile % panels;
        Optional<LowRank> low = low(chunk);
        if (low.isEmpty() || panel >= low.get().a().panels()) {
            return;
        }
        PackedMatrix a = low.get().a();
        int from = chunkFrom[chunk];
        int rows = chunkEnd[chunk] - from;
        float[] sums = workspace.tile;
        Arrays.fill(sums, 0, rows * PANEL, 0);
        multiply(a.start(panel), input, from * inputStride, inputStride, a.columns(), rows, sums, 0);
        RowKernels.copyOut(sums, rows, between, from * stride + panel * PANEL, stride);
    }

    /** Adds what adapters add to a panel of a tile: rows {@code row} and following of the multiplication laid out. */
    void add(int panel, int row, int rows, float[] tile) {
        for (int token = row; token < row + rows; ) {
            int chunk = chunkOf[token];
            if (chunk < 0) {
                token++;
                continue;
            }
            int end = Math.min(chunkEnd[chunk], row + rows);
            int to = (token - row) * PANEL;
            Optional<LowRank> low = low(chunk);
            if (low.isPresent()) {
                PackedMatrix b = low.get().b();
                multiply(b.start(panel), between, token * stride, stride, b.columns(), end - token, tile, to);
            }
            token = end;
        }
    }

    /** By a panel of F32, without touching a row more than it is given, unlike {@link MatMul}. */
    private static void multiply(
            long w, float[] x, int from, int stride, int columns, int rows, float[] sums, int sumsFrom) {
        int r = 0;
        for (; rows - r >= 6; r += 6) {
            Kernels.f32x6(w, x, from + r * stride, stride, columns, sums, sumsFrom + r * PANEL);
        }
        for (; rows - r >= 4; r += 4) {
            Kernels.f32x4(w, x, from + r * stride, stride, columns, sums, sumsFrom + r * PANEL);
        }
        for (; rows - r >= 2; r += 2) {
            Kernels.f32x2(w, x, from + r * stride, stride, columns, sums, sumsFrom + r * PANEL);
        }
        if (rows > r) {
            Kernels.f32x1(w, x, from + r * stride, stride, columns, sums, sumsFrom + r * PANEL);
        }
    }
}
