package dev.jeton.models.cuda;

import dev.jeton.models.DecoderSpec;
import dev.jeton.models.DecoderSpec.Norms.Heads;
import dev.jeton.models.QueryGrowth;
import dev.jeton.models.WindowGroups;
import dev.jeton.models.cuda.DeviceWeights.Layer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The attention of a {@link DecoderProgram}, as launches on the stream: the step's tiles, for each layer group; in each
 * layer mean squares of heads where these are normalised together, rotation, storing K and V, and attention by tiles of
 * few inputs and of many; or what takes the place of all of these where keys and values are latent
 * ({@link LatentProgram}).
 *
 * <p>Has the pages of K and V.
 */
final class AttentionProgram {

    private static final int TILE = 8 * 4;

    /** The attention of one layer group: its window and its tiles. */
    private record Group(int window, long plan, long decodeTiles, long prefillTiles) {}

    private final DeviceShape shape;
    private final DecoderSpec spec;
    private final WindowGroups windows;
    private final StepKernels kernels;
    private final StepBuffers buffers;
    private final Optional<LatentProgram> latent;
    private final List<Group> groups = new ArrayList<>();
    private final AttentionSizes sizes;
    private final Optional<Peers> peers;
    private final float scale;
    /** Mean squares of query and key heads of each token, where heads are normalised together; else 0. */
    private final long means;

    private final long[] pool;
    private final long[] blockBytes;

    /** Takes all memory that steps need beside pages, which follow by {@link #pages}. */
    AttentionProgram(
            Device device,
            DeviceShape shape,
            StepKernels kernels,
            Products products,
            StepBuffers buffers,
            Optional<Peers> peers,
            int maxRows,
            int maxTokens) {
        this.shape = shape;
        this.kernels = kernels;
        this.buffers = buffers;
        this.peers = peers;
        spec = shape.spec();
        means = spec.norms().heads() == Heads.TOGETHER
                ? device.memory(2L * Float.BYTES * maxTokens).address()
                : 0;
        windows = WindowGroups.of(spec);
        scale = (float) spec.scales().query();
        sizes = new AttentionSizes(device, shape, kernels);
        pool = new long[windows.count()];
        blockBytes = new long[windows.count()];
        for (int window : windows.windows()) {
            groups.add(new Group(
                    window,
                    device.zeroed(TILE).address(),
                    device.memory((long) TILE * sizes.decodeTiles(maxRows, maxTokens))
                            .address(),
                    device.memory((long) TILE * sizes.prefillTiles(maxRows, maxTokens))
                            .address()));
        }
        latent = LatentProgram.of(device, shape, kernels, products, buffers.qkv(), maxTokens);
    }

    /** Says where the pages of a layer group lie. */
    void pages(int group, long address, long bytesPerBlock) {
        pool[group] = address;
        blockBytes[group] = bytesPerBlock;
    }

    /** What there is in place of rotation and heads of keys and values, where these are latent. */
    Optional<LatentProgram> latent() {
        return latent;
    }

    /** The order in which a layer's attention takes its normed input; 0 where it takes it as it is. */
    long inputOrder(Layer w) {
        return latent.map(program -> program.inputOrder(w))
                .orElseGet(() -> w.queryKeyValue().order());
    }

    /** Whether a row of so many inputs is attended by decode tiles. */
    boolean few(int inputs) {
        return sizes.few(inputs);
    }

    /** Lays out the tiles of a step; once, for all layers. */
    void plan(long input, StepLayout layout, int tokens) {
        groups.forEach(group -> plan(input, layout, group));
        latent.ifPresent(program -> program.plan(tokens(input, tokens)));
    }

    private LatentProgram.Tokens tokens(long header, int tokens) {
        return new LatentProgram.Tokens(
                header, DecoderProgram.TOKENS, tokens, buffers.rotary(), buffers.tokenRow(), buffers.tokenPosition());
    }

    private void plan(long input, StepLayout layout, Group group) {
        kernels.get("plan_attention")
                .begin()
                .pointer(input)
                .pointer(DecoderProgram.at(input, layout.position()))
                .pointer(DecoderProgram.at(input, layout.inputStart()))
                .integer(group.window())
                .integer(sizes.decodeTarget())
                .integer(sizes.prefillTarget())
                .integer(sizes.decodeTiles(layout.rows(), layout.tokens()))
                .integer(sizes.prefillTiles(layout.rows(), layout.tokens()))
                .pointer(group.plan)
                .pointer(group.decodeTiles)
                .pointer(group.prefillTiles)
                .launch(1, 1, sizes.planThreads(), 0);
    }

    private void rotate(long input, StepLayout layout, int layer, int tokens, Layer w) {
        int g = windows.groupOf().get(layer);
        Group group = groups.get(g);
        int heads = spec.heads() + 2 * spec.keyValueHeads();
        boolean otherwise = buffers.windowRotary() != 0 && group.window() > 0;
        long rotary = otherwise ? buffers.windowRotary() : buffers.rotary();
        QueryGrowth growth = spec.scales().growth();
        if (means != 0) {
            headMeans(input, tokens, w);
        }
        kernels.get("rotary_append")
                .begin()
                .pointer(input)
                .pointer(buffers.qkv())
                .integer(shape.qkvWidth())
                .integer(spec.keyValueHeads())
                .pointer(w.queryKeyValueBias())
                .pointer(w.queryNorm())
                .pointer(w.keyNorm())
                .pointer(means)
                .single((float) spec.normEpsilon())
                .pointer(spec.turned().get(layer) ? rotary : 0)
                .single((float) growth.beta())
                .integer(growth.context())
                .pointer(buffers.tokenRow())
                .pointer(buffers.tokenPosition())
                .pointer(DecoderProgram.at(input, layout.blocks()))
                .pointer(DecoderProgram.at(input, layout.tableStart(g)))
                .pointer(layerPages(g, layer))
                .longInteger(blockBytes[g])
                .single(w.keyScale())
                .single(w.valueScale())
                .launch(tokens, Kernel.blocks(heads, 4), 128, 0);
    }

    /** Every device counts its heads' squares as parts of the means over all of them; these are the same everywhere. */
    private void headMeans(long input, int tokens, Layer w) {
        int ranks = shape.shard().ranks();
        kernels.get("head_means")
                .begin()
                .pointer(input)
                .pointer(buffers.qkv())
                .integer(shape.qkvWidth())
                .integer(spec.keyValueHeads())
                .pointer(w.queryKeyValueBias())
                .single(1f / (ranks * spec.queryWidth()))
                .single(1f / (ranks * spec.keyValueWidth()))
                .pointer(means)
                .launch(tokens, 2, 256, 0);
        peers.ifPresent(others -> others.sumMeans(means, tokens));
    }

    private long layerPages(int group, int layer) {
        return pool[group] + windows.placeIn().get(layer) * shape.layerBytes();
    }

    /**
     * Everything from q, k and v, or from the layer's normed input where they are latent, to what was attended to.
     *
     * @param tokens input tokens that there may be at most
     * @param decodes whether a row may have few inputs
     * @param prefills whether a row may have many
     */
    void attend(long input, StepLayout layout, int layer, Layer w, int tokens, boolean decodes, boolean prefills) {
        if (latent.isPresent()) {
            attend(latent.get(), tokens(input, tokens), input, layout, layer, w);
            return;
        }
        rotate(input, layout, layer, tokens, w);
        int g = windows.groupOf().get(layer);
        Group group = groups.get(g);
        if (decodes) {
            int tiles = sizes.decodeTiles(Math.min(layout.rows(), tokens), tokens);
            launch("attention_decode", group.decodeTiles, tiles, sizes.decode(), input, layout, layer, w);
        }
        if (prefills) {
            int tiles = sizes.prefillTiles(Math.min(layout.rows(), tokens), tokens);
            launch("attention_prefill", group.prefillTiles, tiles, sizes.prefill(), input, layout, layer, w);
        }
    }

    private void attend(
            LatentProgram program, LatentProgram.Tokens tokens, long input, StepLayout layout, int layer, Layer w) {
        int g = windows.groupOf().get(layer);
        Group group = groups.get(g);
        LatentProgram.Pages pages = new LatentProgram.Pages(
                layerPages(g, layer),
                blockBytes[g],
                DecoderProgram.at(input, layout.blocks()),
                DecoderProgram.at(input, layout.tableStart(g)));
        program.queries(tokens, buffers.normed(), w, pages);
        AttentionSizes.Way way = sizes.decode();
        kernels.get("attention_latent")
                .begin()
                .pointer(group.plan)
                .pointer(group.decodeTiles)
                .pointer(program.absorbed())
                .pointer(pages.address())
                .longInteger(pages.blockBytes())
                .pointer(pages.blocks())
                .pointer(pages.tableStart())
                .pointer(DecoderProgram.at(input, layout.position()))
                .pointer(DecoderProgram.at(input, layout.inputStart()))
                .single(scale)
                .pointer(way.partialOut())
                .pointer(way.partialSum())
                .pointer(way.counters())
                .pointer(program.attended())
                .launch(
                        sizes.decodeTiles(Math.min(layout.rows(), tokens.count()), tokens.count()),
                        1,
                        way.threads(),
                        way.shared());
        program.values(tokens, w, buffers.attended());
    }

    private void launch(
            String name,
            long tileList,
            int tiles,
            AttentionSizes.Way way,
            long input,
            StepLayout layout,
            int layer,
            Layer w) {
        int g = windows.groupOf().get(layer);
        Group group = groups.get(g);
        kernels.get(name)
                .begin()
                .pointer(group.plan)
                .pointer(tileList)
                .pointer(buffers.qkv())
                .integer(shape.qkvWidth())
                .pointer(layerPages(g, layer))
                .longInteger(blockBytes[g])
                .pointer(DecoderProgram.at(input, layout.blocks()))
                .pointer(DecoderProgram.at(input, layout.tableStart(g)))
                .pointer(DecoderProgram.at(input, layout.position()))
                .pointer(DecoderProgram.at(input, layout.inputStart()))
                .pointer(w.sinks())
                .single(scale)
                .single((float) spec.scales().attentionCap())
                .integer(group.window())
                .single(w.keyScale())
                .single(w.valueScale())
                .pointer(way.partialOut())
                .pointer(way.partialSum())
                .pointer(way.counters())
                .pointer(buffers.attended())
                .integer(spec.queryWidth())
                .launch(tiles, spec.keyValueHeads(), way.threads(), way.shared());
    }
}
