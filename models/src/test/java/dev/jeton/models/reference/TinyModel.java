package dev.jeton.models.reference;

import dev.jeton.models.CheckpointQuantization;
import dev.jeton.models.DecoderSpec;
import dev.jeton.models.Delta;
import dev.jeton.models.Experts;
import dev.jeton.models.Latent;
import dev.jeton.models.SafetensorsWriter;
import dev.jeton.models.TensorType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.Consumer;

/** A model folder of tiny random weights, and the same weights as the reference reads them. */
public final class TinyModel {

    public final Path folder;
    public final DecoderSpec spec;
    public final Map<String, double[]> weights = new LinkedHashMap<>();

    /** How a matrix of a layer is written. */
    public interface Storage {
        /** As it is. */
        Storage PLAIN = (writer, name, type, rows, columns, values) -> {
            writer.add(name + ".weight", type, new int[] {rows, columns}, values);
            double[] exact = new double[values.length];
            for (int i = 0; i < values.length; i++) {
                exact[i] = values[i];
            }
            return exact;
        };

        /**
         * Writes {@code [rows][columns]} under names that begin with {@code name}; returns what the reference has of
         * it.
         */
        double[] store(SafetensorsWriter writer, String name, TensorType type, int rows, int columns, float[] values);

        /** Whether it writes the output projection, too. */
        default boolean ofHead() {
            return false;
        }

        /** The same for the output projection, too. */
        default Storage andHead() {
            Storage layers = this;
            return new Storage() {
                @Override
                public double[] store(
                        SafetensorsWriter writer, String name, TensorType type, int rows, int columns, float[] values) {
                    return layers.store(writer, name, type, rows, columns, values);
                }

                @Override
                public boolean ofHead() {
                    return true;
                }
            };
        }
    }

    /** Rows and columns of every matrix, and elements of every vector. */
    public final Map<String, int[]> shapes = new LinkedHashMap<>();

    private final Storage storage;
    /** Where the files have what the reference has below {@code model.}. */
    private final String prefix;

    private final double normMean;
    private final Random random;
    public final TensorType type;
    /** Whether experts are stored in MXFP4. */
    final boolean mxfp4;

    private final SafetensorsWriter writer = new SafetensorsWriter();

    /** Writes a folder with the given config.json. */
    public TinyModel(Path folder, String config, TensorType type, long seed) throws IOException {
        this(folder, config, type, seed, Storage.PLAIN, writer -> {});
    }

    /** The same with matrices of layers stored in another way. */
    public TinyModel(Path folder, String config, TensorType type, long seed, Storage storage) throws IOException {
        this(folder, config, type, seed, storage, writer -> {});
    }

    /** The same with more tensors, which are not among the reference's weights. */
    public TinyModel(Path folder, String config, TensorType type, long seed, Consumer<SafetensorsWriter> more)
            throws IOException {
        this(folder, config, type, seed, Storage.PLAIN, more);
    }

    private TinyModel(
            Path folder, String config, TensorType type, long seed, Storage storage, Consumer<SafetensorsWriter> more)
            throws IOException {
        this.storage = storage;
        this.folder = folder;
        this.type = type;
        this.random = new Random(seed);
        Files.createDirectories(folder);
        Files.writeString(folder.resolve("config.json"), config);
        spec = DecoderSpec.readQuantized(folder);
        mxfp4 = config.contains("\"quant_method\": \"%s\"".formatted(CheckpointQuantization.MXFP4));
        prefix = config.contains("ForConditionalGeneration")
                ? "language_model.model."
                : config.contains("Model\"]") ? "" : "model.";
        normMean = spec.architecture().startsWith("Gemma") || spec.delta().exists() ? 0 : 1;
        matrix("model.embed_tokens.weight", spec.vocabulary(), spec.hidden(), 1);
        for (int i = 0; i < spec.layers(); i++) {
            layer("model.layers." + i + ".", spec.experts().in(i), spec.delta().in(i));
        }
        vector("model.norm.weight", spec.hidden(), normMean, 0.1);
        if (!spec.tiedEmbedding()) {
            matrix("lm_head.weight", spec.vocabulary(), spec.hidden(), 1 / Math.sqrt(spec.hidden()));
        }
        more.accept(writer);
        writer.write(folder.resolve("model.safetensors"));
    }

    private void layer(String name, boolean sparse, boolean delta) {
        String attention = name + "self_attn.";
        int hidden = spec.hidden();
        double scale = 1.5 / Math.sqrt(hidden);
        boolean behind = List.of("Olmo2ForCausalLM", "Olmo3ForCausalLM", "Exaone4ForCausalLM")
                .contains(spec.architecture());
        if (!behind) {
            vector(name + "input_layernorm.weight", hidden, normMean, 0.1);
        }
        vector(name + "post_attention_layernorm.weight", hidden, normMean, 0.1);
        if (spec.architecture().equals("Glm4ForCausalLM")) {
            vector(name + "post_self_attn_layernorm.weight", hidden, normMean, 0.1);
            vector(name + "post_mlp_layernorm.weight", hidden, normMean, 0.1);
        }
        if (spec.architecture().startsWith("Gemma")) {
            vector(name + "pre_feedforward_layernorm.weight", hidden, normMean, 0.1);
        }
        if (behind || spec.architecture().startsWith("Gemma")) {
            vector(name + "post_feedforward_layernorm.weight", hidden, normMean, 0.1);
        }
        boolean fused = spec.architecture().startsWith("Phi3");
        boolean feedFused = fused || spec.architecture().matches("Glm4?ForCausalLM");
        if (delta) {
            delta(name + "linear_attn.", scale);
        } else if (spec.latent().exists()) {
            latent(attention, scale);
        } else if (fused) {
            matrix(attention + "qkv_proj.weight", spec.queryWidth() + 2 * spec.keyValueWidth(), hidden, scale);
        } else {
            matrix(attention + "q_proj.weight", (spec.outputGate() ? 2 : 1) * spec.queryWidth(), hidden, scale);
            matrix(attention + "k_proj.weight", spec.keyValueWidth(), hidden, scale);
            matrix(attention + "v_proj.weight", spec.keyValueWidth(), hidden, scale);
        }
        if (!delta) {
            matrix(attention + "o_proj.weight", hidden, spec.attendedWidth(), scale);
        }
        if (spec.queryKeyValueBias()) {
            vector(attention + "q_proj.bias", spec.queryWidth(), 0, 0.5);
            vector(attention + "k_proj.bias", spec.keyValueWidth(), 0, 0.5);
            vector(attention + "v_proj.bias", spec.keyValueWidth(), 0, 0.5);
        }
        if (spec.outputBias()) {
            vector(attention + "o_proj.bias", hidden, 0, 0.5);
        }
        if (spec.sinks()) {
            vector(attention + "sinks", spec.heads(), 1, 1.5);
        }
        if (spec.queryNormWidth() > 0 && !delta) {
            vector(attention + "q_norm.weight", spec.queryNormWidth(), normMean, 0.2);
            vector(attention + "k_norm.weight", spec.keyNormWidth(), normMean, 0.2);
        }
        if (spec.architecture().startsWith("GraniteMoe")) {
            granite(name, sparse, scale);
        } else if (spec.architecture().startsWith("GptOss")) {
            new TinyGptOss(this, writer, name + "mlp.", random).write(scale);
        } else if (sparse) {
            experts(name, scale);
        } else if (feedFused) {
            matrix(name + "mlp.gate_up_proj.weight", 2 * spec.intermediate(), hidden, scale);
            matrix(name + "mlp.down_proj.weight", hidden, spec.intermediate(), 1 / Math.sqrt(spec.intermediate()));
        } else {
            feed(name + "mlp.", List.of("gate_proj", "up_proj", "down_proj"), spec.intermediate(), scale);
        }
    }

    private void granite(String name, boolean sparse, double scale) {
        int hidden = spec.hidden();
        int shared = sparse ? spec.experts().shared().width() : spec.intermediate();
        matrix(name + "shared_mlp.input_linear.weight", 2 * shared, hidden, scale);
        matrix(name + "shared_mlp.output_linear.weight", hidden, shared, 1 / Math.sqrt(shared));
        if (sparse) {
            int count = spec.experts().count();
            int width = spec.experts().intermediate();
            String block = name + "block_sparse_moe.";
            matrix(block + "router.layer.weight", count, hidden, scale);
            add(block + "input_linear.weight", new int[] {count, 2 * width, hidden}, 0, scale);
            add(block + "output_linear.weight", new int[] {count, hidden, width}, 0, 1 / Math.sqrt(width));
        }
    }

    private void delta(String name, double scale) {
        Delta delta = spec.delta();
        int hidden = spec.hidden();
        if (spec.architecture().startsWith("Qwen3Next")) {
            matrix(name + "in_proj_qkvz.weight", delta.channels() + delta.valuesWidth(), hidden, scale);
            matrix(name + "in_proj_ba.weight", 2 * delta.valueHeads(), hidden, scale);
        } else {
            matrix(name + "in_proj_qkv.weight", delta.channels(), hidden, scale);
            matrix(name + "in_proj_z.weight", delta.valuesWidth(), hidden, scale);
            matrix(name + "in_proj_b.weight", delta.valueHeads(), hidden, scale);
            matrix(name + "in_proj_a.weight", delta.valueHeads(), hidden, scale);
        }
        add(name + "conv1d.weight", new int[] {delta.channels(), 1, delta.taps()}, 0, 0.6);
        vector(name + "A_log", delta.valueHeads(), -1, 1);
        vector(name + "dt_bias", delta.valueHeads(), 0, 1);
        vector(name + "norm.weight", delta.valueWidth(), 1, 0.2);
        matrix(name + "out_proj.weight", hidden, delta.valuesWidth(), 1.5 / Math.sqrt(delta.valuesWidth()));
    }

    private void latent(String attention, double scale) {
        Latent latent = spec.latent();
        int narrow = latent.queryRank();
        if (narrow > 0) {
            matrix(attention + "q_a_proj.weight", narrow, spec.hidden(), scale);
            vector(attention + "q_a_layernorm.weight", narrow, normMean, 0.2);
            matrix(attention + "q_b_proj.weight", spec.queryWidth(), narrow, 1.5 / Math.sqrt(narrow));
        } else {
            matrix(attention + "q_proj.weight", spec.queryWidth(), spec.hidden(), scale);
        }
        matrix(attention + "kv_a_proj_with_mqa.weight", latent.width(), spec.hidden(), scale);
        vector(attention + "kv_a_layernorm.weight", latent.rank(), normMean, 0.2);
        int rows = spec.heads() * (latent.plain() + latent.value());
        matrix(attention + "kv_b_proj.weight", rows, latent.rank(), 1.5 / Math.sqrt(latent.rank()));
    }

    private void experts(String name, double scale) {
        boolean minimax = spec.architecture().startsWith("MiniMax");
        boolean mixtral = minimax || spec.architecture().startsWith("Mixtral");
        String block = name + (mixtral ? "block_sparse_moe." : "mlp.");
        List<String> names = mixtral ? List.of("w1", "w3", "w2") : List.of("gate_proj", "up_proj", "down_proj");
        matrix(block + "gate.weight", spec.experts().count(), spec.hidden(), scale);
        boolean ernie = spec.architecture().startsWith("Ernie");
        if (ernie) {
            add(
                    block + "moe_statics.e_score_correction_bias",
                    new int[] {1, spec.experts().count()},
                    0,
                    0.1);
        } else if (spec.experts().routing().corrected()) {
            vector(
                    block + (minimax ? "" : "gate.") + "e_score_correction_bias",
                    spec.experts().count(),
                    0,
                    0.2);
        }
        Experts.Shared shared = spec.experts().shared();
        if (shared.exists()) {
            feed(block + (shared.gated() ? "shared_expert." : "shared_experts."), names, shared.width(), scale);
        }
        if (shared.gated()) {
            matrix(block + "shared_expert_gate.weight", 1, spec.hidden(), scale);
        }
        if (spec.architecture().startsWith("Mistral4") || spec.architecture().startsWith("Qwen3_5Moe")) {
            int width = spec.experts().intermediate();
            int count = spec.experts().count();
            add(block + "experts.gate_up_proj", new int[] {count, 2 * width, spec.hidden()}, 0, scale);
            add(block + "experts.down_proj", new int[] {count, spec.hidden(), width}, 0, 1 / Math.sqrt(width));
            return;
        }
        for (int i = 0; i < spec.experts().count(); i++) {
            feed(block + "experts." + i + ".", names, spec.experts().intermediate(), scale);
        }
    }

    private void feed(String name, List<String> names, int width, double scale) {
        matrix(name + names.get(0) + ".weight", width, spec.hidden(), scale);
        matrix(name + names.get(1) + ".weight", width, spec.hidden(), scale);
        matrix(name + names.get(2) + ".weight", spec.hidden(), width, 1 / Math.sqrt(width));
    }

    private void matrix(String name, int rows, int columns, double scale) {
        add(name, new int[] {rows, columns}, 0, scale);
    }

    private void vector(String name, int size, double mean, double scale) {
        add(name, new int[] {size}, mean, scale);
    }

    private void add(String name, int[] shape, double mean, double scale) {
        int count = 1;
        for (int size : shape) {
            count *= size;
        }
        float[] values = new float[count];
        double[] exact = new double[count];
        for (int i = 0; i < count; i++) {
            values[i] = SafetensorsWriter.rounded(type, (float) (mean + scale * random.nextGaussian()));
            exact[i] = values[i];
        }
        if (name.matches(".*(_proj(_with_mqa)?|\\.w[123])\\.weight")
                || (storage.ofHead() && name.equals("lm_head.weight"))) {
            String matrix = inFile(name.substring(0, name.length() - ".weight".length()));
            exact = storage.store(writer, matrix, type, shape[0], shape[1], values);
        } else {
            writer.add(inFile(name), type, shape, values);
        }
        weights.put(name, exact);
        shapes.put(name, shape);
    }

    private String inFile(String name) {
        if (name.equals("lm_head.weight") && prefix.startsWith("language_model.")) {
            return "language_model." + name;
        }
        return name.startsWith("model.") ? prefix + name.substring("model.".length()) : name;
    }
}
