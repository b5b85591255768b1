package dev.jeton.models.torch;

import dev.jeton.models.DecoderSpec;
import dev.jeton.models.DecoderSpec.Norms.Heads;
import dev.jeton.models.Experts;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Which tensors a decoder has, in the order in which the script keeps them: those of layer 0, of layer 1 and so on,
 * then those outside of layers. A layer has first what all have, then its feed-forward part, dense or of experts.
 *
 * @param layer of each layer, names within it
 * @param dense of a layer without experts, beyond those
 * @param sparse of a layer of experts, beyond those: the router and what corrects it, what all tokens go through, then
 *     gate, up and down of one expert after the other
 * @param outer the others
 * @param ofExperts by layer: whether it is of experts
 */
record DecoderTensors(
        List<Entry> layer, List<Entry> dense, List<Entry> sparse, List<Entry> outer, List<Boolean> ofExperts) {

    /** Embedding table. */
    static final String EMBEDDING = "model.embed_tokens.weight";
    /** The last norm. */
    static final String NORM = "model.norm.weight";
    /** Output projection where it is not the embedding. */
    static final String HEAD = "lm_head.weight";
    /** What chooses a token's experts. */
    static final String ROUTER = "mlp.gate.weight";
    /** What is added to experts' scores where they are chosen. */
    static final String CORRECTION = "mlp.gate.e_score_correction_bias";
    /** What all tokens go through beside their experts. */
    static final String SHARED = "mlp.shared_experts.";
    /** What says how much of it counts. */
    static final String SHARED_GATE = "mlp.shared_expert_gate.weight";

    /** Tensors of an expert. */
    static final int OF_EXPERT = 3;

    /**
     * One tensor.
     *
     * @param name in the file, or within a layer
     * @param shape rows and columns, or elements
     * @param single whether it is kept in float32 whatever the others are: the weight of a norm or of a router, or what
     *     corrects a router
     */
    record Entry(String name, List<Long> shape, boolean single) {

        static Entry matrix(String name, long rows, long columns) {
            return new Entry(name, List.of(rows, columns), false);
        }

        static Entry bias(String name, long size) {
            return new Entry(name, List.of(size), false);
        }

        static Entry norm(String name, long size) {
            return new Entry(name, List.of(size), true);
        }

        static Entry correction(String name, long size) {
            return new Entry(name, List.of(size), true);
        }

        /** Small, and which experts a token goes to hangs on its product's last bits. */
        static Entry router(String name, long rows, long columns) {
            return new Entry(name, List.of(rows, columns), true);
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
        dense = List.copyOf(dense);
        sparse = List.copyOf(sparse);
        ofExperts = List.copyOf(ofExperts);
        outer = List.copyOf(outer);
    }

    /** The tensors of a decoder. */
    static DecoderTensors of(DecoderSpec spec) {
        int hidden = spec.hidden();
        int queries = spec.queryWidth();
        int keys = spec.keyValueWidth();
        List<Entry> layer = new ArrayList<>();
        layer.add(Entry.matrix("self_attn.q_proj.weight", queries, hidden));
        layer.add(Entry.matrix("self_attn.k_proj.weight", keys, hidden));
        layer.add(Entry.matrix("self_attn.v_proj.weight", keys, hidden));
        layer.add(Entry.matrix("self_attn.o_proj.weight", hidden, queries));
        if (spec.norms().inputs()) {
            layer.add(Entry.norm("input_layernorm.weight", hidden));
            layer.add(Entry.norm(spec.feedNorm() + ".weight", hidden));
        }
        if (spec.norms().branches()) {
            layer.add(Entry.norm("post_attention_layernorm.weight", hidden));
            layer.add(Entry.norm("post_feedforward_layernorm.weight", hidden));
        }
        if (spec.queryKeyValueBias()) {
            layer.add(Entry.bias("self_attn.q_proj.bias", queries));
            layer.add(Entry.bias("self_attn.k_proj.bias", keys));
            layer.add(Entry.bias("self_attn.v_proj.bias", keys));
        }
        if (spec.outputBias()) {
            layer.add(Entry.bias("self_attn.o_proj.bias", hidden));
        }
        if (spec.norms().heads() != Heads.NONE) {
            layer.add(Entry.norm("self_attn.q_norm.weight", spec.queryNormWidth()));
            layer.add(Entry.norm("self_attn.k_norm.weight", spec.keyNormWidth()));
        }
        List<Entry> outer = new ArrayList<>();
        outer.add(Entry.matrix(EMBEDDING, spec.vocabulary(), hidden));
        outer.add(Entry.norm(NORM, hidden));
        if (!spec.tiedEmbedding()) {
            outer.add(Entry.matrix(HEAD, spec.vocabulary(), hidden));
        }
        return new DecoderTensors(
                layer,
                feed("mlp.", spec.intermediate(), hidden),
                experts(spec),
                outer,
                IntStream.range(0, spec.layers()).mapToObj(spec.experts()::in).toList());
    }

    private static List<Entry> feed(String name, int width, int hidden) {
        return List.of(
                Entry.matrix(name + "gate_proj.weight", width, hidden),
                Entry.matrix(name + "up_proj.weight", width, hidden),
                Entry.matrix(name + "down_proj.weight", hidden, width));
    }

    private static List<Entry> experts(DecoderSpec spec) {
        Experts experts = spec.experts();
        List<Entry> all = new ArrayList<>();
        if (experts.count() > 0) {
            all.add(Entry.router(ROUTER, experts.count(), spec.hidden()));
        }
        if (experts.routing().corrected()) {
            all.add(Entry.correction(CORRECTION, experts.count()));
        }
        if (experts.shared().exists()) {
            all.addAll(feed(SHARED, experts.shared().width(), spec.hidden()));
        }
        if (experts.shared().gated()) {
            all.add(Entry.router(SHARED_GATE, 1, spec.hidden()));
        }
        for (int i = 0; i < experts.count(); i++) {
            all.addAll(feed("mlp.experts." + i + ".", experts.intermediate(), spec.hidden()));
        }
        return all;
    }

    /** All of them, under the names that they have in the file. */
    List<Entry> inOrder() {
        List<Entry> all = new ArrayList<>();
        for (int i = 0; i < ofExperts.size(); i++) {
            String prefix = "model.layers." + i + ".";
            Stream.of(layer, ofExperts.get(i) ? sparse : dense)
                    .flatMap(List::stream)
                    .forEach(e -> all.add(new Entry(prefix + e.name, e.shape, e.single)));
        }
        all.addAll(outer);
        return all;
    }

    /** By layer: the place of its first tensor among all. */
    List<Integer> bases() {
        List<Integer> bases = new ArrayList<>();
        int next = 0;
        for (boolean experts : ofExperts) {
            bases.add(next);
            next += layer.size() + (experts ? sparse : dense).size();
        }
        return bases;
    }

    /** Place of a tensor among those of its layer. */
    int inLayer(String name) {
        return Stream.of(dense, sparse)
                .map(feed -> Stream.concat(layer.stream(), feed.stream())
                        .map(Entry::name)
                        .toList()
                        .indexOf(name))
                .filter(place -> place >= 0)
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("layers have no " + name));
    }

    /** How the script calls a tensor of a layer whose first one is at {@code b}. */
    String inScript(String name) {
        return "self.w[b + " + inLayer(name) + "]";
    }

    /** Place of a tensor outside of layers among all. */
    int place(String name) {
        int inLayers = bases().getLast() + layer.size() + (ofExperts.getLast() ? sparse : dense).size();
        return inLayers + outer.stream().map(Entry::name).toList().indexOf(name);
    }
}
