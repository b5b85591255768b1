package dev.jeton.models;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * A plain description of a decoder-only transformer, which every engine interprets.
 *
 * <p>The plan: embedding; per layer x += O(attention(rotary(QKV(rms(x))))) and x += down(silu(gate(rms(x))) *
 * up(rms(x))); rms; output projection. Linear layers have no bias but where said here.
 *
 * @param architecture as in config.json
 * @param vocabulary rows of the embedding
 * @param hidden width of the residual stream
 * @param layers number of layers
 * @param heads query heads
 * @param keyValueHeads key and value heads; divides {@code heads}
 * @param headDim elements of a head; even
 * @param intermediate width of the feed-forward layer
 * @param normEpsilon added to the mean square in every norm
 * @param tiedEmbedding whether the output projection is the embedding
 * @param queryKeyValueBias whether the q, k and v projections have biases
 * @param outputBias whether the o projection has one
 * @param headNorms whether query and key heads are normalised before rotation
 * @param context most positions
 * @param rotaryTheta base of the rotary frequencies
 * @param rotaryScaling how they are stretched
 * @param windows per layer: tokens that a position looks back on, itself included; 0 for all
 */
public record DecoderSpec(
        String architecture,
        int vocabulary,
        int hidden,
        int layers,
        int heads,
        int keyValueHeads,
        int headDim,
        int intermediate,
        double normEpsilon,
        boolean tiedEmbedding,
        boolean queryKeyValueBias,
        boolean outputBias,
        boolean headNorms,
        int context,
        double rotaryTheta,
        RotaryScaling rotaryScaling,
        List<Integer> windows) {

    private static final int MAX_WIDTH = 1 << 20;

    /** Checks how the numbers fit together. */
    public DecoderSpec {
        windows = List.copyOf(windows);
        if (heads % keyValueHeads != 0) {
            throw new ModelException("num_attention_heads %d is not a multiple of num_key_value_heads %d"
                    .formatted(heads, keyValueHeads));
        }
        if (headDim % 2 != 0) {
            throw new ModelException("head_dim %d is odd; rotary embedding needs pairs".formatted(headDim));
        }
        if (rotaryScaling instanceof RotaryScaling.Factors(List<Double> factors) && factors.size() != headDim / 2) {
            throw new ModelException("%d rotary factors for %d pairs".formatted(factors.size(), headDim / 2));
        }
        if (windows.size() != layers) {
            throw new ModelException("%d windows for %d layers".formatted(windows.size(), layers));
        }
    }

    /** Reads config.json of a model folder whose weights are not quantised, or the metadata of a GGUF file. */
    public static DecoderSpec read(Path model) {
        JsonObject config = ModelFiles.config(model);
        if (config.has("quantization_config")) {
            throw new ModelException(
                    config.source()
                            + ": quantised weights are not supported by this engine; use the original weights (and --quantize)");
        }
        return read(config);
    }

    /** The same with weights as {@link CheckpointQuantization} has them. */
    public static DecoderSpec readQuantized(Path model) {
        return read(ModelFiles.config(model));
    }

    private static DecoderSpec read(JsonObject config) {
        DecoderFamily family = DecoderFamily.of(config);
        refuse(config);
        int hidden = config.integer("hidden_size", 1, MAX_WIDTH);
        int heads = config.integer("num_attention_heads", 1, 1 << 14);
        int layers = config.integer("num_hidden_layers", 1, 1 << 12);
        Optional<Integer> headDim = config.optionalInteger("head_dim", 2, 1024);
        if (headDim.isEmpty() && (hidden % heads != 0 || hidden / heads > 1024)) {
            throw new ModelException("%s: hidden_size %d does not divide into %d heads of at most 1024"
                    .formatted(config.source(), hidden, heads));
        }
        int context =
                config.optionalInteger("max_position_embeddings", 1, 1 << 28).orElse(2048);
        JsonObject rope = rope(config);
        return new DecoderSpec(
                family.architecture(),
                config.integer("vocab_size", 1, 1 << 24),
                hidden,
                layers,
                heads,
                config.optionalInteger("num_key_value_heads", 1, 1 << 14).orElse(heads),
                headDim.orElse(hidden / heads),
                config.integer("intermediate_size", 1, MAX_WIDTH),
                epsilon(config),
                config.flag("tie_word_embeddings", false),
                family.queryKeyValueBias(config),
                family.outputBias(config),
                family.headNorms(),
                context,
                theta(config, rope),
                RotaryScaling.read(rope, context),
                family.windows(config, layers));
    }

    /** What would silently give wrong numbers is refused by name. */
    private static void refuse(JsonObject config) {
        String activation = config.string("hidden_act").orElse("silu");
        if (!activation.equals("silu") && !activation.equals("swish")) {
            throw new ModelException(
                    "%s: hidden_act \"%s\" is not supported; silu is".formatted(config.source(), activation));
        }
        if (config.flag("mlp_bias", false)) {
            throw new ModelException(config.source() + ": mlp_bias is not supported");
        }
        if (config.number("partial_rotary_factor", 1) != 1) {
            throw new ModelException(config.source() + ": partial_rotary_factor is not supported");
        }
    }

    private static double epsilon(JsonObject config) {
        double epsilon = config.number("rms_norm_eps", 1e-6);
        if (!(epsilon >= 0 && epsilon < 1)) {
            throw new ModelException("%s: \"rms_norm_eps\" is %s".formatted(config.source(), epsilon));
        }
        return epsilon;
    }

    private static double theta(JsonObject config, JsonObject rope) {
        double theta =
                rope.number("rope_theta").or(() -> config.number("rope_theta")).orElse(10_000.0);
        if (!(theta > 1)) {
            throw new ModelException("%s: \"rope_theta\" is %s".formatted(config.source(), theta));
        }
        return theta;
    }

    /** Rotary settings in either spelling; an empty object where there are none. */
    private static JsonObject rope(JsonObject config) {
        return config.object("rope_parameters")
                .or(() -> config.object("rope_scaling"))
                .orElseGet(() -> JsonObject.parse(config.source(), new byte[] {'{', '}'}));
    }

    /** Width of the query heads together. */
    public int queryWidth() {
        return heads * headDim;
    }

    /** Width of the key heads together, which is also that of the value heads. */
    public int keyValueWidth() {
        return keyValueHeads * headDim;
    }
}
