package dev.jeton.models.torch;

import dev.jeton.models.DecoderSpec;
import java.util.ArrayList;
import java.util.List;

/**
 * Which tensors a decoder has, in the order in which the script keeps them: those of layer 0, of layer 1 and so on,
 * then those outside of layers.
 *
 * @param layer of each layer, names within it
 * @param outer the others
 * @param layers how many layers
 */
record DecoderTensors(List<Entry> layer, List<Entry> outer, int layers) {

    /** Embedding table. */
    static final String EMBEDDING = "model.embed_tokens.weight";
    /** The last norm. */
    static final String NORM = "model.norm.weight";
    /** Output projection where it is not the embedding. */
    static final String HEAD = "lm_head.weight";

    /**
     * One tensor.
     *
     * @param name in the file, or within a layer
     * @param shape rows and columns, or elements
     * @param norm whether it is the weight of a norm, which is kept in float32
     */
    record Entry(String name, List<Long> shape, boolean norm) {

        static Entry matrix(String name, long rows, long columns) {
            return new Entry(name, List.of(rows, columns), false);
        }

        static Entry bias(String name, long size) {
            return new Entry(name, List.of(size), false);
        }

        static Entry norm(String name, long size) {
            return new Entry(name, List.of(size), true);
        }

        long elements() {
            return shape.stream().mapToLong(Long::longValue).reduce(1, Math::multiplyExact);
        }

        long[] shapeArray() {
            return shape.stream().mapToLong(Long::longValue).toArray();
        }
    }

    /** Copies the lists. */
    DecoderTensors {
        layer = List.copyOf(layer);
        outer = List.copyOf(outer);
    }

    /** The tensors of a decoder. */
    static DecoderTensors of(DecoderSpec spec) {
        int hidden = spec.hidden();
        int queries = spec.queryWidth();
        int keys = spec.keyValueWidth();
        List<Entry> layer = new ArrayList<>();
        layer.add(Entry.norm("input_layernorm.weight", hidden));
        layer.add(Entry.matrix("self_attn.q_proj.weight", queries, hidden));
        layer.add(Entry.matrix("self_attn.k_proj.weight", keys, hidden));
        layer.add(Entry.matrix("self_attn.v_proj.weight", keys, hidden));
        layer.add(Entry.matrix("self_attn.o_proj.weight", hidden, queries));
        layer.add(Entry.norm("post_attention_layernorm.weight", hidden));
        if (spec.norms().branches()) {
            layer.add(Entry.norm("pre_feedforward_layernorm.weight", hidden));
            layer.add(Entry.norm("post_feedforward_layernorm.weight", hidden));
        }
        layer.add(Entry.matrix("mlp.gate_proj.weight", spec.intermediate(), hidden));
        layer.add(Entry.matrix("mlp.up_proj.weight", spec.intermediate(), hidden));
        layer.add(Entry.matrix("mlp.down_proj.weight", hidden, spec.intermediate()));
        if (spec.queryKeyValueBias()) {
            layer.add(Entry.bias("self_attn.q_proj.bias", queries));
            layer.add(Entry.bias("self_attn.k_proj.bias", keys));
            layer.add(Entry.bias("self_attn.v_proj.bias", keys));
        }
        if (spec.outputBias()) {
            layer.add(Entry.bias("self_attn.o_proj.bias", hidden));
        }
        if (spec.headNorms()) {
            layer.add(Entry.norm("self_attn.q_norm.weight", spec.headDim()));
            layer.add(Entry.norm("self_attn.k_norm.weight", spec.headDim()));
        }
        List<Entry> outer = new ArrayList<>();
        outer.add(Entry.matrix(EMBEDDING, spec.vocabulary(), hidden));
        outer.add(Entry.norm(NORM, hidden));
        if (!spec.tiedEmbedding()) {
            outer.add(Entry.matrix(HEAD, spec.vocabulary(), hidden));
        }
        return new DecoderTensors(layer, outer, spec.layers());
    }

    /** All of them, under the names that they have in the file. */
    List<Entry> inOrder() {
        List<Entry> all = new ArrayList<>();
        for (int i = 0; i < layers; i++) {
            String prefix = "model.layers." + i + ".";
            layer.forEach(e -> all.add(new Entry(prefix + e.name, e.shape, e.norm)));
        }
        all.addAll(outer);
        return all;
    }

    /** Place of a tensor among those of its layer; -1 where layers have none of that name. */
    int inLayer(String name) {
        return layer.stream().map(Entry::name).toList().indexOf(name);
    }

    /** Place of a tensor outside of layers among all. */
    int place(String name) {
        return layers * layer.size() + outer.stream().map(Entry::name).toList().indexOf(name);
    }
}
