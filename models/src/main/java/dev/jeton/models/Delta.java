package dev.jeton.models;

import java.util.List;
import java.util.stream.IntStream;

/**
 * Layers that keep a state of fixed size of each sequence in place of keys and values (Yang, Kautz, Hatamizadeh: Gated
 * Delta Networks, Improving Mamba2 with Delta Rule).
 *
 * <p>Of a token's normed input x, each channel of Q x, K x and V x becomes the SiLU of a sum over it and the
 * {@code taps - 1} tokens before, each by a weight of the channel's own; before the first token there are zeros. Heads
 * of q and k are then divided by their length, q by the root of {@code keyWidth} as well. Value head h goes with a key
 * head ({@link #keyHead}), and has a matrix S of {@code keyWidth} rows and {@code valueWidth} columns, zeros at first:
 *
 * <pre>
 * S = e^(-e^A_h softplus(a_h x + d_h)) S
 * S = S + k (sigmoid(b_h x) (v - S^T k))^T
 * o = S^T q
 * </pre>
 *
 * <p>What is given is the root mean square norm of o times SiLU(Z x), head by head, through the output projection.
 *
 * @param keyHeads heads of q and k
 * @param valueHeads heads of v; a multiple of {@code keyHeads}
 * @param keyWidth elements of a head of q and k
 * @param valueWidth elements of a head of v
 * @param taps tokens that a channel is summed over, its own included
 * @param byTurns whether value heads go with key heads by turns: h with h mod keyHeads, as GGUF files have them where
 *     it makes a difference, and not with h / (valueHeads / keyHeads)
 * @param layers per layer: whether it is of this kind; empty where none is
 */
public record Delta(
        int keyHeads, int valueHeads, int keyWidth, int valueWidth, int taps, boolean byTurns, List<Boolean> layers) {

    /** The key of a configuration that was a GGUF file's: {@code byTurns}. */
    static final String BY_TURNS = "linear_value_heads_by_turns";

    /** A model of attention alone. */
    public static final Delta NONE = new Delta(1, 1, 1, 1, 1, false, List.of());

    /** What is added to the squared length of a head of q or k. */
    public static final float LENGTH_EPSILON = 1e-6f;

    private static final int MOST_HEADS = 1 << 10;
    private static final int MOST_WIDTH = 512;
    private static final int MOST_TAPS = 16;

    /** Checks that value heads go with key heads, and that some layer attends. */
    public Delta {
        layers = List.copyOf(layers);
        if (valueHeads % keyHeads != 0) {
            throw new ModelException("linear_num_value_heads %d is not a multiple of linear_num_key_heads %d"
                    .formatted(valueHeads, keyHeads));
        }
        if (!layers.isEmpty() && !layers.contains(false)) {
            throw new ModelException("all layers are of linear attention; models need one with full attention");
        }
    }

    /** Whether a model has such layers. */
    public boolean exists() {
        return layers.contains(true);
    }

    /** Whether a layer is of this kind. */
    public boolean in(int layer) {
        return !layers.isEmpty() && layers.get(layer);
    }

    /** The key head that a value head goes with. */
    public int keyHead(int valueHead) {
        return byTurns ? valueHead % keyHeads : valueHead / perKeyHead();
    }

    /** Whether it is the first that does. */
    public boolean isFirst(int valueHead) {
        return byTurns ? valueHead < keyHeads : valueHead % perKeyHead() == 0;
    }

    /** Heads of v that go with one of k. */
    public int perKeyHead() {
        return valueHeads / keyHeads;
    }

    /** Elements of all heads of q, and of k. */
    public int keysWidth() {
        return keyHeads * keyWidth;
    }

    /** Elements of all heads of v, and of what the output projection takes. */
    public int valuesWidth() {
        return valueHeads * valueWidth;
    }

    /** Channels that are summed over tokens: q, k and v one after the other. */
    public int channels() {
        return 2 * keysWidth() + valuesWidth();
    }

    /** Elements that a token's input is projected to: {@link #channels}, z, and b and a of each value head. */
    public int projectedWidth() {
        return channels() + valuesWidth() + 2 * valueHeads;
    }

    /** Of a configuration with the keys of Qwen3-Next. */
    static Delta read(JsonObject config, int layers) {
        if (config.flag("attention_bias", false)) {
            throw new ModelException(
                    "%s: attention_bias is not supported for this architecture".formatted(config.source()));
        }
        return new Delta(
                config.integer("linear_num_key_heads", 1, MOST_HEADS),
                config.integer("linear_num_value_heads", 1, MOST_HEADS),
                config.integer("linear_key_head_dim", 1, MOST_WIDTH),
                config.integer("linear_value_head_dim", 1, MOST_WIDTH),
                config.integer("linear_conv_kernel_dim", 2, MOST_TAPS),
                config.flag(BY_TURNS, false),
                config.has("layer_types") ? byType(config, layers) : byInterval(config, layers));
    }

    private static List<Boolean> byType(JsonObject config, int layers) {
        List<Object> types = config.list("layer_types");
        if (types.size() != layers) {
            throw new ModelException(
                    "%s: %d layer_types for %d layers".formatted(config.source(), types.size(), layers));
        }
        return types.stream()
                .map(type -> switch (String.valueOf(type)) {
                    case "linear_attention" -> true;
                    case "full_attention" -> false;
                    default ->
                        throw new ModelException(
                                "%s: layer type \"%s\" is not supported".formatted(config.source(), type));
                })
                .toList();
    }

    private static List<Boolean> byInterval(JsonObject config, int layers) {
        int interval =
                config.optionalInteger("full_attention_interval", 1, 1 << 12).orElse(4);
        return IntStream.range(0, layers).mapToObj(i -> (i + 1) % interval != 0).toList();
    }
}
