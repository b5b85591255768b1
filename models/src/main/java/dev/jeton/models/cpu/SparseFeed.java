package dev.jeton.models.cpu;

import static dev.jeton.models.cpu.Kernels.PANEL;

import dev.jeton.models.DecoderSpec;
import dev.jeton.models.Experts;
import dev.jeton.models.ModelException;
import java.util.Arrays;
import java.util.List;

/**
 * The feed-forward part of layers of experts, as phases of a {@link DecoderStep}: each token chooses experts by the
 * router's logits; rows are grouped by expert, so that a step reads an expert's weights once however many tokens go
 * through it, and not at all where none does; each token adds up what its experts gave.
 *
 * <p><b>Same bits whatever the batch.</b> A choice hangs on the token's own logits ({@link ExpertChoice}); an expert's
 * rows are independent of each other (see {@link Kernels}); and a token adds in the order of its choice.
 *
 * <p>Rows of experts are in slots: those of expert 0, of expert 1 and so on, each in the order of tokens. Owned by the
 * step; tiles write disjoint parts.
 */
final class SparseFeed {

    private final Experts experts;
    private final DecoderSpec.Activation activation;
    private final int hiddenStride;
    private final int innerStride;
    private final ExpertChoice choice;
    private final int[] chosen;
    private final float[] shares;
    private final int[] slotOf;
    private final int[] tokenOf;
    private final float[] inner;
    private final float[] given;
    /** By thread: rows of a tile's tokens, gathered, and which those are. */
    private final float[][] gathered;

    private final long[] gatheredFor;
    private long groupings;

    private final int mostRows;
    private final int[] firstSlot;
    private final int[] active;
    private final int[] firstTile;
    private int actives;
    private int panelsPerTile;
    private int panels;

    /** Room for so many tokens. */
    SparseFeed(DecoderSpec spec, int hiddenStride, int maxTokens, int threads) {
        experts = spec.experts();
        activation = spec.activation();
        this.hiddenStride = hiddenStride;
        int half = PANEL / 2;
        innerStride = (experts.intermediate() + half - 1) / half * half;
        int slots = maxTokens * experts.perToken();
        int rows = slots + MatMul.SPARE_ROWS;
        if ((long) rows * Math.max(hiddenStride, innerStride) > Integer.MAX_VALUE - 8) {
            throw new ModelException("%d tokens of a step by %d experts each are too many; lower --max-batched-tokens"
                    .formatted(maxTokens, experts.perToken()));
        }
        choice = new ExpertChoice(experts, maxTokens);
        chosen = new int[slots];
        shares = new float[slots];
        slotOf = new int[slots];
        tokenOf = new int[slots];
        inner = new float[rows * innerStride];
        given = new float[slots * hiddenStride];
        mostRows = Math.min(Product.TILE_ROWS, maxTokens);
        gathered = new float[threads][(mostRows + MatMul.SPARE_ROWS) * hiddenStride];
        gatheredFor = new long[threads];
        Arrays.fill(gatheredFor, -1);
        firstSlot = new int[experts.count() + 1];
        active = new int[experts.count()];
        firstTile = new int[experts.count() + 1];
    }

    /** Numbers that the rows of a tile take when a thread rounds them. */
    long halves(int ofRow) {
        return tokenOf.length == 0 ? 0 : (long) mostRows * ofRow;
    }

    /** Where the router's logits go, and which experts they choose. */
    ExpertChoice choice() {
        return choice;
    }

    /** Chooses a token's experts. */
    void route(int token, float[] correction) {
        choice.choose(token, correction, chosen, shares, token * experts.perToken());
    }

    /** Gives every choice of the first {@code tokens} tokens its slot. */
    void group(int tokens) {
        groupings++;
        int slots = tokens * experts.perToken();
        Arrays.fill(firstSlot, 0);
        for (int i = 0; i < slots; i++) {
            firstSlot[chosen[i] + 1]++;
        }
        actives = 0;
        for (int e = 0; e < experts.count(); e++) {
            if (firstSlot[e + 1] > 0) {
                active[actives++] = e;
            }
            firstSlot[e + 1] += firstSlot[e];
        }
        for (int i = 0; i < slots; i++) {
            int slot = firstSlot[chosen[i]]++;
            slotOf[i] = slot;
            tokenOf[slot] = i / experts.perToken();
        }
        System.arraycopy(firstSlot, 0, firstSlot, 1, experts.count());
        firstSlot[0] = 0;
    }

    /** Lays the multiplications of all experts out in tiles of whole panels and of blocks of rows; returns how many. */
    int tiles(List<DecoderWeights.Dense> weights, boolean down, int threads) {
        PackedMatrix any = matrix(weights.getFirst(), down);
        panels = any.panels();
        int slots = firstSlot[experts.count()];
        int rows = Math.min(Product.TILE_ROWS, Math.max(1, slots / Math.max(1, actives)));
        panelsPerTile = Product.panelsPerTile(any, rows, panels * actives, threads);
        int perBlock = (panels + panelsPerTile - 1) / panelsPerTile;
        for (int i = 0; i < actives; i++) {
            firstTile[i + 1] = firstTile[i] + blocks(rows(active[i])) * perBlock;
        }
        return firstTile[actives];
    }

    /** Computes a tile: gate, up and their product, or the projection down. */
    void tile(
            int tile,
            boolean down,
            List<DecoderWeights.Dense> weights,
            float[] normed,
            int member,
            Workspace workspace) {
        int place = Arrays.binarySearch(firstTile, 0, actives + 1, tile);
        int job = place >= 0 ? place : -place - 2;
        int expert = active[job];
        DecoderWeights.Dense of = weights.get(expert);
        PackedMatrix matrix = matrix(of, down);
        float[] bias = down ? of.downBias() : of.gateUpBias();
        int all = rows(expert);
        int blocks = blocks(all);
        int perBlock = (all + blocks - 1) / blocks;
        int local = tile - firstTile[job];
        int row = local % blocks * perBlock;
        int count = Math.min(perBlock, all - row);
        int slot = firstSlot[expert] + row;
        int first = local / blocks * panelsPerTile;
        int end = Math.min(panels, first + panelsPerTile);
        if (!down) {
            gather(normed, slot, count, member);
        }
        float[] from = down ? inner : gathered[member];
        int at = down ? slot * innerStride : 0;
        long endAddress = matrix.start(end);
        if (matrix.order() != HalfRows.Order.FLOATS) {
            round(from, at, down, slot, count, matrix, workspace);
        }
        MatMul.begin(matrix, first, endAddress, workspace);
        for (int panel = first; panel < end; panel++) {
            RowKernels.fillBias(bias, panel, count, workspace.tile);
            int stride = down ? innerStride : hiddenStride;
            MatMul.panel(matrix, panel, from, at, stride, count, endAddress, workspace);
            if (down) {
                RowKernels.copyOut(workspace.tile, count, given, slot * hiddenStride + panel * PANEL, hiddenStride);
            } else {
                int to = slot * innerStride + panel * (PANEL / 2);
                RowKernels.gate(activation, workspace.tile, count, inner, to, innerStride);
            }
        }
    }

    /** Adds what a token's experts gave. */
    void add(int token, float[] x, int at, int padded) {
        for (int i = token * experts.perToken(); i < (token + 1) * experts.perToken(); i++) {
            RowKernels.addScaled(x, at, padded, shares[i], given, slotOf[i] * hiddenStride);
        }
    }

    private void gather(float[] normed, int slot, int count, int member) {
        long key = groupings * (tokenOf.length + 1L) + slot;
        if (gatheredFor[member] == key) {
            return;
        }
        for (int r = 0; r < count; r++) {
            int from = tokenOf[slot + r] * hiddenStride;
            System.arraycopy(normed, from, gathered[member], r * hiddenStride, hiddenStride);
        }
        gatheredFor[member] = key;
    }

    private void round(
            float[] from, int at, boolean down, int slot, int count, PackedMatrix matrix, Workspace workspace) {
        HalfRows halves = workspace.halves;
        if (!halves.holds(2 * (groupings * (tokenOf.length + 1L) + slot) + (down ? 1 : 0))) {
            halves.round(from, at, down ? innerStride : hiddenStride, matrix, 0, count);
        }
        workspace.inputHalves = halves.row(0, matrix);
    }

    private int rows(int expert) {
        return firstSlot[expert + 1] - firstSlot[expert];
    }

    private static int blocks(int rows) {
        return (rows + Product.TILE_ROWS - 1) / Product.TILE_ROWS;
    }

    private static PackedMatrix matrix(DecoderWeights.Dense weights, boolean down) {
        return down ? weights.down() : weights.gateUp();
    }
}
