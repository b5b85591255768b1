package dev.jeton.benchmarks.demo;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The dimensions of a Llama-architecture model.
 *
 * @param name the folder under {@code models/demo/}
 * @param vocabulary tokens, special tokens included
 * @param hidden width of the residual stream
 * @param intermediate width of the gated feed-forward layer
 * @param layers transformer blocks
 * @param heads query heads
 * @param keyValueHeads key and value heads, a divisor of {@code heads}
 * @param headDim width of one head
 * @param context longest sequence in tokens
 */
public record ModelShape(
        String name,
        int vocabulary,
        int hidden,
        int intermediate,
        int layers,
        int heads,
        int keyValueHeads,
        int headDim,
        int context) {

    /** The epsilon of every RMS norm. */
    public static final float NORM_EPSILON = 1e-5f;

    /** The base of the rotary position angles. */
    public static final double ROPE_THETA = 10_000;

    public ModelShape {
        if (heads % keyValueHeads != 0) {
            throw new IllegalArgumentException(heads + " heads cannot share " + keyValueHeads + " key-value heads");
        }
        if (headDim % 16 != 0 || hidden % 64 != 0) {
            throw new IllegalArgumentException("head width must be a multiple of 16 and hidden width one of 64");
        }
    }

    /** The model that the README's first request talks to. */
    public static ModelShape large(int vocabulary) {
        return new ModelShape("jeton-demo", vocabulary, 256, 640, 4, 8, 4, 32, 512);
    }

    /** The sibling, about four times smaller: a draft model, or the cheap side of a routing rule. */
    public static ModelShape small(int vocabulary) {
        return new ModelShape("jeton-demo-small", vocabulary, 128, 256, 4, 4, 2, 32, 512);
    }

    /** Width of all query heads together. */
    public int queryWidth() {
        return heads * headDim;
    }

    /** Width of all key (or value) heads together. */
    public int keyValueWidth() {
        return keyValueHeads * headDim;
    }

    /** Names and shapes of the weights, as Hugging Face's Llama names them, in file order. */
    public Map<String, int[]> tensors() {
        var shapes = new LinkedHashMap<String, int[]>();
        shapes.put("model.embed_tokens.weight", new int[] {vocabulary, hidden});
        for (int layer = 0; layer < layers; layer++) {
            String prefix = "model.layers." + layer + ".";
            shapes.put(prefix + "input_layernorm.weight", new int[] {hidden});
            shapes.put(prefix + "self_attn.q_proj.weight", new int[] {queryWidth(), hidden});
            shapes.put(prefix + "self_attn.k_proj.weight", new int[] {keyValueWidth(), hidden});
            shapes.put(prefix + "self_attn.v_proj.weight", new int[] {keyValueWidth(), hidden});
            shapes.put(prefix + "self_attn.o_proj.weight", new int[] {hidden, queryWidth()});
            shapes.put(prefix + "post_attention_layernorm.weight", new int[] {hidden});
            shapes.put(prefix + "mlp.gate_proj.weight", new int[] {intermediate, hidden});
            shapes.put(prefix + "mlp.up_proj.weight", new int[] {intermediate, hidden});
            shapes.put(prefix + "mlp.down_proj.weight", new int[] {hidden, intermediate});
        }
        shapes.put("model.norm.weight", new int[] {hidden});
        return shapes;
    }

    /** Number of weights, the tied embedding counted once. */
    public long parameters() {
        return tensors().values().stream()
                .mapToLong(
                        shape -> java.util.Arrays.stream(shape).asLongStream().reduce(1, (a, b) -> a * b))
                .sum();
    }
}
