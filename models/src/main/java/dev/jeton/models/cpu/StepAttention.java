package dev.jeton.models.cpu;

import static dev.jeton.models.cpu.Kernels.PANEL;

import dev.jeton.models.DecoderSpec;
import dev.jeton.models.DecoderSpec.Norms.Heads;
import dev.jeton.models.WindowGroups;
import dev.jeton.models.rows.StepRows;
import java.util.List;
import java.util.stream.IntStream;

/**
 * The attention of a {@link DecoderStep}, between the multiplication that gives q, k and v and the one that takes what
 * was attended: rotates, stores K and V in their blocks, and attends ({@link Attention}), in tiles of one key head and
 * some positions of one row. Of a model whose keys and values are latent it only has q, k and v and the rotation:
 * {@link LatentAttention} goes on.
 *
 * <p>Owned by the step; tiles write disjoint parts.
 */
final class StepAttention {

    private final DecoderSpec spec;
    private final DecoderWeights weights;
    private final KvArena[] arenas;
    private final int[] groupOfLayer;
    private final int[] layerInGroup;
    private final StepRows batch;
    private final RotaryTable rotary;
    private final RotaryTable windowRotary;
    /** By token of the step: what its queries are multiplied with. */
    private final float[] queryScales;

    private final boolean together;
    private final int stride;
    private final float[] qkv;
    private final float[] attended;

    private final AttentionTiles tiles = new AttentionTiles();

    StepAttention(
            DecoderSpec spec,
            DecoderWeights weights,
            List<KvArena> arenas,
            WindowGroups groups,
            StepRows batch,
            int maxTokens) {
        this.spec = spec;
        this.weights = weights;
        this.arenas = arenas.toArray(KvArena[]::new);
        this.groupOfLayer =
                groups.groupOf().stream().mapToInt(Integer::intValue).toArray();
        this.layerInGroup =
                groups.placeIn().stream().mapToInt(Integer::intValue).toArray();
        this.batch = batch;
        rotary = new RotaryTable(spec.rotary(), maxTokens);
        windowRotary =
                spec.windowRotary().equals(spec.rotary()) ? rotary : new RotaryTable(spec.windowRotary(), maxTokens);
        queryScales = new float[maxTokens];
        together = spec.norms().heads() == Heads.TOGETHER;
        stride = IntStream.range(0, spec.layers())
                        .map(i -> weights.layer(i).queryKeyValue().panels())
                        .max()
                        .orElseThrow()
                * PANEL;
        int rows = maxTokens + MatMul.SPARE_ROWS;
        qkv = new float[rows * stride];
        attended = new float[spec.latent().exists() ? 0 : rows * spec.queryWidth()];
    }

    /** What takes this one's place, from q, k and v on, in a model whose keys and values are latent. */
    LatentAttention latent(Product product, KvArena arena, int maxTokens) {
        return new LatentAttention(spec, weights, arena, batch, rotary, product, qkv, stride, maxTokens);
    }

    /** What takes this one's place in layers of linear attention. */
    DeltaLayers deltas(DeltaStates states, int maxTokens, int threads) {
        return new DeltaLayers(spec, weights, states, batch, qkv, stride, maxTokens, threads);
    }

    /** Where q, k and v of the layer at hand go: {@code [token][stride]}. */
    float[] queryKeyValue() {
        return qkv;
    }

    int stride() {
        return stride;
    }

    /** What was attended: {@code [token][queryWidth]}. */
    float[] attended() {
        return attended;
    }

    /** How many tiles each layer has. */
    int tiles() {
        return tiles.count();
    }

    /** Lays out the tiles of a step. */
    void begin() {
        tiles.begin(batch, spec.keyValueHeads(), 1);
    }

    /** Makes the angles of a token and the scale of its queries, the same for all layers. */
    void turnTo(int token, int position) {
        queryScales[token] =
                (float) (spec.scales().query() * spec.scales().growth().at(position));
        rotary.set(token, position);
        if (windowRotary != rotary) {
            windowRotary.set(token, position);
        }
    }

    /**
     * Whether all of a step's tokens are stored before any attends: in a step with chunks of prompt, where rows read
     * what others store, and where heads are normalised together, which no tile of one key head could do.
     */
    boolean storesFirst() {
        return batch.chunked || together;
    }

    /** Stores K and V of a token, and rotates its q. */
    void store(int layer, int token) {
        if (together) {
            DecoderWeights.Layer of = weights.layer(layer);
            int at = token * stride;
            normalise(at, spec.queryWidth(), of.queryNorm());
            normalise(at + spec.queryWidth(), spec.keyValueWidth(), of.keyNorm());
        }
        for (int head = 0; head < spec.keyValueHeads(); head++) {
            store(layer, token, head);
        }
    }

    private void normalise(int at, int width, float[] weight) {
        RowKernels.headNorm(qkv, at, width, (float) spec.normEpsilon(), weight);
    }

    /** Normalises (where each is for itself) and rotates the heads of a token that share a key head; stores K and V. */
    private void store(int layer, int token, int head) {
        DecoderWeights.Layer of = weights.layer(layer);
        int headDim = spec.headDim();
        int perHead = spec.heads() / spec.keyValueHeads();
        boolean each = spec.norms().heads() == Heads.EACH;
        boolean turned = spec.turned().get(layer);
        RotaryTable table = arenas[groupOfLayer[layer]].group().window() > 0 ? windowRotary : rotary;
        int at = token * stride;
        for (int h = head * perHead; h < (head + 1) * perHead; h++) {
            int query = at + h * headDim;
            if (each) {
                normalise(query, headDim, of.queryNorm());
            }
            if (turned) {
                table.rotate(token, qkv, query, headDim, queryScales[token]);
            } else {
                RowKernels.scale(qkv, query, headDim, queryScales[token]);
            }
        }
        int key = at + spec.queryWidth() + head * headDim;
        if (each) {
            normalise(key, headDim, of.keyNorm());
        }
        if (turned) {
            table.rotate(token, qkv, key, headDim, 1);
        }
        int group = groupOfLayer[layer];
        int row = batch.tokenRow[token];
        int position = batch.tokenPosition[token];
        int blockSize = arenas[group].group().blockSize();
        int block = batch.blocks[group][batch.tableStart[group][row] + position / blockSize];
        int value = key + spec.keyValueWidth();
        arenas[group].write(block, layerInGroup[layer], head, position % blockSize, qkv, key, value);
    }

    /** Attends; a step that does not store first stores here. */
    void attend(int layer, int tile, Workspace workspace) {
        int row = tiles.row(tile);
        int head = tiles.head(tile);
        int first = tiles.first(tile, batch);
        int count = tiles.positions(tile, batch);
        if (!storesFirst()) {
            store(layer, first, head);
        }
        int group = groupOfLayer[layer];
        int perHead = spec.heads() / spec.keyValueHeads();
        int headAt = head * perHead * spec.headDim();
        workspace.attention.compute(
                arenas[group],
                layerInGroup[layer],
                head,
                batch.blocks[group],
                batch.tableStart[group][row],
                batch.tokenPosition[first],
                count,
                qkv,
                first * stride + headAt,
                stride,
                perHead,
                weights.layer(layer).sinks(),
                head * perHead,
                attended,
                first * spec.queryWidth() + headAt,
                spec.queryWidth());
        if (spec.outputGate()) {
            int gates = spec.queryWidth() + 2 * spec.keyValueWidth();
            for (int t = first; t < first + count; t++) {
                int at = t * spec.queryWidth() + headAt;
                DeltaKernels.gate(attended, at, qkv, t * stride + gates + headAt, perHead * spec.headDim());
            }
        }
    }
}
