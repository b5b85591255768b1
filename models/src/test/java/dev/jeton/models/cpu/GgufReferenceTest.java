package dev.jeton.models.cpu;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.GgufWriter;
import dev.jeton.models.ModelException;
import dev.jeton.models.TensorType;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.FamilyContract;
import dev.jeton.models.reference.GgmlBlocks;
import dev.jeton.models.reference.GgufModel;
import dev.jeton.models.reference.GptOssContract;
import dev.jeton.models.reference.LatentContract;
import dev.jeton.models.reference.ReferenceCheck;
import dev.jeton.models.reference.ReferenceDecoder;
import dev.jeton.models.reference.TinyModel;
import java.io.IOException;
import java.nio.file.Path;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** GGUF models of every family and type against the float64 reference over the weights that are in the file. */
class GgufReferenceTest {

    private static final long SEED = 20_260_202;
    /** Logits are four times as wide as those of the folders' models, which are a quarter as wide. */
    private static final double TOLERANCE = 6e-4;

    private static final EngineOptions OPTIONS = KvTypes.precise(new EngineOptions(0, 1 << 22, 4, 64, 16, 2, "none"));

    @TempDir
    private Path folder;

    @ParameterizedTest
    @CsvSource({
        "llama, F32",
        "llama, F16",
        "llama, BF16",
        "llama, Q8_0",
        "llama, Q4_K_M",
        "llama, Q5_K_M",
        "llama, Q4_0",
        "llama, Q5_0",
        "llama, Q4_1",
        "llama, Q5_1",
        "llama, MXFP4",
        "qwen2, F32",
        "qwen2, F16",
        "qwen2, BF16",
        "qwen2, Q8_0",
        "qwen2, Q4_K_M",
        "qwen2, Q5_K_M",
        "qwen3, F32",
        "qwen3, F16",
        "qwen3, BF16",
        "qwen3, Q8_0",
        "qwen3, Q4_K_M",
        "qwen3, Q5_K_M"
    })
    void matchesTheReferenceOverTheWeightsOfTheFile(String architecture, String types) throws IOException {
        check(architecture, config(architecture, 8), type(types), OPTIONS);
    }

    @ParameterizedTest
    @CsvSource({
        "mixtral, F16", "mixtral, Q8_0", "mixtral, Q4_K_M", "qwen3moe, BF16", "qwen3moe, Q4_K_M", "phi3, F32",
        "phi3, Q8_0", "phi3, Q4_K_M", "gemma2, F32", "gemma2, Q4_K_M", "gemma3, F32", "gemma3, Q8_0"
    })
    void matchesTheReferenceForFamiliesBeyondTheCommonPlan(String family, String types) throws IOException {
        TinyModel tiny = tiny(config(family, 8));
        String architecture = family.equals("mixtral") ? "llama" : family;
        GgufModel model = new GgufModel(architecture, tiny.spec, tiny.weights, type(types));
        Path file = model.write(folder.resolve("m.gguf"));
        ReferenceDecoder reference = new ReferenceDecoder(
                tiny.spec,
                model.weights,
                tiny.spec.rotary().frequencies(),
                tiny.spec.windowRotary().frequencies(),
                1,
                UnaryOperator.identity());
        ReferenceCheck.check((path, o) -> CpuEngine.load(file, o, false), tiny, reference, TOLERANCE, OPTIONS, SEED);
    }

    @Test
    void matchesTheReferenceForGraniteAndSeedOss() throws IOException {
        TinyModel granite = tiny(Configs.granite(""));
        check(granite, new GgufModel("granite", granite.spec, granite.weights, type("F32")).granite());
        TinyModel seed = tiny(Configs.seedOss(""));
        check(seed, new GgufModel("seed_oss", seed.spec, seed.weights, type("F32")));
    }

    @ParameterizedTest
    @CsvSource({
        "olmo2, F32",
        "olmo3, F32",
        "olmoe, F32",
        "minimax-m2, F32",
        "exaone4, Q8_0",
        "smollm3, F16",
        "glm4, Q8_0",
        "ernie4_5, F16",
    })
    void matchesTheReferenceForFamiliesWithOtherNormsOrPositions(String family, String types) throws IOException {
        TinyModel tiny = tiny(
                switch (family) {
                    case "olmo2" -> Configs.olmo2("");
                    case "olmo3" -> Configs.olmo3("").replace("\"factor\": 8.0", "\"factor\": 1.0");
                    case "olmoe" -> Configs.olmoe("");
                    case "minimax-m2" -> Configs.minimaxM2("");
                    case "exaone4" -> Configs.exaone4("");
                    case "glm4" -> Configs.glm4("\"attention_bias\": true");
                    case "ernie4_5" -> Configs.ernie45("");
                    default -> Configs.smolLm3("");
                });
        String architecture = family.equals("olmo3") ? "olmo2" : family;
        GgufModel model = new GgufModel(architecture, tiny.spec, tiny.weights, type(types));
        if (tiny.spec.windows().contains(21)) {
            model.writer.put(architecture + ".attention.sliding_window_pattern", true, false, true);
        }
        check(tiny, model);
    }

    /** As files of Ministral 3 have it: cosines are not longer, and queries grow as the context does in training. */
    @Test
    void matchesTheReferenceForMinistral3() throws IOException {
        TinyModel tiny = tiny(Configs.ministral3(""));
        GgufModel model = new GgufModel("mistral3", tiny.spec, tiny.weights, type("F32"));
        model.writer
                .put("mistral3.attention.temperature_scale", (float)
                        tiny.spec.scales().growth().beta())
                .put("mistral3.rope.scaling.type", "yarn")
                .put("mistral3.rope.scaling.factor", 4f)
                .put("mistral3.rope.scaling.yarn_log_multiplier", 1f)
                .put(
                        "mistral3.rope.scaling.original_context_length",
                        tiny.spec.scales().growth().context());
        int original = tiny.spec.scales().growth().context();
        check(tiny, model, LatentContract.yarn(16, original), 1, OPTIONS);
    }

    /** Layers with a window are turned as in training, and the factor of attention is the whole one. */
    @Test
    void matchesTheReferenceForStretchedContextsOfOlmo3() throws IOException {
        TinyModel tiny = tiny(Configs.olmo3(""));
        GgufModel model = new GgufModel("olmo2", tiny.spec, tiny.weights, type("F32"));
        model.writer
                .put("olmo2.attention.sliding_window_pattern", true, false, true)
                .put("olmo2.rope.scaling.type", "yarn")
                .put("olmo2.rope.scaling.factor", 4f)
                .put("olmo2.rope.scaling.original_context_length", 256)
                .put("olmo2.rope.scaling.attn_factor", 1f);
        Path file = model.write(folder.resolve("m.gguf"));
        double[] wide = LatentContract.yarn(16, 256);
        ReferenceDecoder reference = new ReferenceDecoder(
                tiny.spec, model.weights, wide, FamilyContract.plain(16), 1, UnaryOperator.identity());
        ReferenceCheck.check((path, o) -> CpuEngine.load(file, o, false), tiny, reference, TOLERANCE, OPTIONS, SEED);
    }

    private void check(TinyModel tiny, GgufModel model) throws IOException {
        Path file = model.write(folder.resolve("m.gguf"));
        double[] frequencies = tiny.spec.rotary().frequencies();
        ReferenceDecoder reference = new ReferenceDecoder(tiny.spec, model.weights, frequencies, 1);
        ReferenceCheck.check((path, o) -> CpuEngine.load(file, o, false), tiny, reference, TOLERANCE, OPTIONS, SEED);
    }

    @ParameterizedTest
    @EnumSource(names = {"F32", "MXFP4", "Q8_0"})
    void matchesTheReferenceForGptOss(TensorType experts) throws IOException {
        TinyModel tiny = tiny(Configs.gptOss(""));
        Function<String, TensorType> types = name -> name.contains("experts") ? experts : TensorType.Q8_0;
        GgufModel model = new GgufModel("gpt-oss", tiny.spec, tiny.weights, types);
        model.writer
                .put("gpt-oss.rope.scaling.type", "yarn")
                .put("gpt-oss.rope.scaling.factor", 4f)
                .put("gpt-oss.rope.scaling.original_context_length", 256);
        Path file = model.write(folder.resolve("m.gguf"));
        ReferenceDecoder reference = GptOssContract.reference(tiny.spec, model.weights);
        ReferenceCheck.check((path, o) -> CpuEngine.load(file, o, false), tiny, reference, TOLERANCE, OPTIONS, SEED);
    }

    @Test
    void readsTheFactorsOfLongRope() throws IOException {
        TinyModel tiny = tiny(config("phi3", 8));
        GgufModel model = new GgufModel("phi3", tiny.spec, tiny.weights, name -> TensorType.F32);
        float[] factors = new float[tiny.spec.rotary().width() / 2];
        float[] ones = new float[factors.length];
        double[] frequencies = FamilyContract.plain(tiny.spec.rotary().width());
        for (int i = 0; i < factors.length; i++) {
            ones[i] = 1;
            factors[i] = 1 + i / 2f;
            frequencies[i] /= factors[i];
        }
        int[] shape = {factors.length};
        byte[] above = GgmlBlocks.store(TensorType.F32, factors).bytes();
        model.writer.tensor("rope_factors_long.weight", TensorType.F32, shape, above);
        byte[] below = GgmlBlocks.store(TensorType.F32, ones).bytes();
        model.writer
                .tensor("rope_factors_short.weight", TensorType.F32, shape, below)
                .put("phi3.rope.scaling.original_context_length", 256)
                .put("phi3.rope.scaling.attn_factor", 1.25f);
        check(tiny, model, frequencies, 1.25, OPTIONS);
    }

    /** Heads so narrow that q, k and v, of different types, share panels. */
    @ParameterizedTest
    @CsvSource({"llama, Q4_K_M", "qwen2, Q4_K_M", "llama, Q8_0"})
    void matchesTheReferenceWherePanelsAreOfSeveralTypes(String architecture, String types) throws IOException {
        check(architecture, config(architecture, 5), type(types), OPTIONS);
    }

    @Test
    void matchesTheReferenceWhereGateAndUpAreOfSeveralTypes() throws IOException {
        Function<String, TensorType> types = name -> name.contains("gate") ? TensorType.Q4_K : TensorType.Q6_K;
        check("llama", config("llama", 8), types, OPTIONS);
    }

    @Test
    void matchesTheReferenceWhereMxfp4MeetsAnotherTypeInAPanel() throws IOException {
        Function<String, TensorType> types = name -> name.contains("gate") ? TensorType.MXFP4 : TensorType.Q8_0;
        check("llama", config("llama", 8), types, OPTIONS);
    }

    @Test
    void quantisesPlainWeightsOfAFileAtLoad() throws IOException {
        EngineOptions q8 = KvTypes.precise(new EngineOptions(0, 1 << 22, 4, 64, 16, 2, "q8_0"));
        Path file = model("llama", config("llama", 8), name -> TensorType.BF16).write(folder.resolve("m.gguf"));
        CpuEngine.load(file, q8).close();
        check("llama", config("llama", 8), name -> TensorType.Q8_0, q8);
    }

    @Test
    void refusesToQuantiseAgain() throws IOException {
        EngineOptions q8 = KvTypes.precise(new EngineOptions(0, 1 << 22, 4, 64, 16, 2, "q8_0"));
        Path file = model("llama", config("llama", 8), type("Q4_K_M")).write(folder.resolve("m.gguf"));
        assertThatThrownBy(() -> CpuEngine.load(file, q8))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("quantised already")
                .hasMessageContaining("leave --quantize");
    }

    @Test
    void readsTheRotaryFactorsOfLlama31() throws IOException {
        TinyModel tiny = tiny(config("llama", 8));
        GgufModel model = new GgufModel("llama", tiny.spec, tiny.weights, name -> TensorType.F32);
        float[] factors = new float[tiny.spec.headDim() / 2];
        double[] frequencies = FamilyContract.plain(tiny.spec.headDim());
        for (int i = 0; i < factors.length; i++) {
            factors[i] = i < 4 ? 1 : i / 2f;
            frequencies[i] /= factors[i];
        }
        model.writer.tensor(
                "rope_freqs.weight",
                TensorType.F32,
                new int[] {factors.length},
                GgmlBlocks.store(TensorType.F32, factors).bytes());
        check(tiny, model, frequencies, 1, OPTIONS);
    }

    @Test
    void readsLinearAndYarnScaling() throws IOException {
        TinyModel tiny = tiny(config("llama", 8));
        double[] frequencies = FamilyContract.plain(tiny.spec.headDim());
        for (int i = 0; i < frequencies.length; i++) {
            frequencies[i] /= 4;
        }
        GgufModel linear = new GgufModel("llama", tiny.spec, tiny.weights, name -> TensorType.F32);
        linear.writer.put("llama.rope.scaling.type", "linear").put("llama.rope.scaling.factor", 4f);
        check(tiny, linear, frequencies, 1, OPTIONS);

        GgufModel yarn = new GgufModel("llama", tiny.spec, tiny.weights, name -> TensorType.F32);
        yarn.writer
                .put("llama.rope.scaling.type", "yarn")
                .put("llama.rope.scaling.factor", 4f)
                .put("llama.rope.scaling.original_context_length", 256);
        int d = tiny.spec.headDim();
        double[] ramped = FamilyContract.plain(d);
        double low = Math.floor(d * Math.log(256 / (32 * 2 * Math.PI)) / (2 * Math.log(10_000)));
        double high = Math.ceil(d * Math.log(256 / (2 * Math.PI)) / (2 * Math.log(10_000)));
        for (int i = 0; i < ramped.length; i++) {
            double kept = 1 - Math.min(1, Math.max(0, (i - low) / (high - low)));
            ramped[i] = ramped[i] / 4 * (1 - kept) + ramped[i] * kept;
        }
        check(tiny, yarn, ramped, 0.1 * Math.log(4) + 1, OPTIONS);
    }

    @Test
    void refusesByNameWhatWouldGiveOtherNumbers() throws IOException {
        refused("gpt2", writer -> {}, "architecture \"gpt2\" is not supported; llama, qwen2, qwen3");
        refused("qwen3", writer -> writer.put("qwen3.expert_count", 8), "\"qwen3.expert_count\" 8");
        refused("llama", writer -> writer.put("llama.expert_count", 8), "\"llama.expert_used_count\" is missing");
        refused(
                "qwen3moe",
                writer -> writer.put("qwen3moe.expert_count", 8)
                        .put("qwen3moe.expert_used_count", 2)
                        .put("qwen3moe.expert_gating_func", 2),
                "\"qwen3moe.expert_gating_func\" 2");
        refused(
                "llama",
                writer -> writer.put("llama.attn_logit_softcapping", 3f),
                "\"llama.attn_logit_softcapping\" 3.0");
        refused("llama", writer -> writer.put("llama.rope.scaling.type", "longrope"), "longrope");
        refused("llama", writer -> writer.put("llama.rope.dimension_count", 8), "twice");
        refused(
                "glm4",
                writer -> writer.put("glm4.rope.dimension_sections", new int[] {4, 4, 4, 0}),
                "\"glm4.rope.dimension_sections\" [4, 4, 4, 0]");
        refused(
                "llama",
                writer -> writer.tensor("blk.0.attn_sinks.weight", TensorType.F32, new int[] {1}, new byte[4]),
                "attn_sinks");
    }

    private void refused(String architecture, java.util.function.Consumer<GgufWriter> change, String message)
            throws IOException {
        TinyModel tiny = tiny(config("llama", 8));
        GgufModel model = new GgufModel(architecture, tiny.spec, tiny.weights, name -> TensorType.F32);
        change.accept(model.writer);
        Path file = model.write(folder.resolve("refused.gguf"));
        assertThatThrownBy(() -> CpuEngine.load(file, OPTIONS))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining(message);
    }

    private GgufModel model(String architecture, String config, Function<String, TensorType> types) throws IOException {
        TinyModel tiny = tiny(config);
        return new GgufModel(architecture, tiny.spec, tiny.weights, types);
    }

    private TinyModel tiny(String config) throws IOException {
        return new TinyModel(folder.resolve("hf"), config, TensorType.F32, SEED);
    }

    private void check(String architecture, String config, Function<String, TensorType> types, EngineOptions options)
            throws IOException {
        TinyModel tiny = tiny(config);
        GgufModel model = new GgufModel(architecture, tiny.spec, tiny.weights, types);
        check(tiny, model, FamilyContract.plain(tiny.spec.headDim()), 1, options);
    }

    private void check(TinyModel tiny, GgufModel model, double[] frequencies, double factor, EngineOptions options)
            throws IOException {
        Path file = model.write(folder.resolve("m.gguf"));
        ReferenceDecoder reference = new ReferenceDecoder(tiny.spec, model.weights, frequencies, factor);
        ReferenceCheck.check((path, o) -> CpuEngine.load(file, o, false), tiny, reference, TOLERANCE, options, SEED);
    }

    /** Widths of which blocks of 256 are parts, with heads of 32. */
    static String config(String architecture, int heads) {
        return switch (architecture) {
            case "llama" ->
                Configs.config("LlamaForCausalLM", 256, heads, 1, 256 / 8, 512, "\"tie_word_embeddings\": true")
                        .replace("\"head_dim\": 32", heads == 8 ? "\"head_dim\": 32" : "\"head_dim\": 256");
            case "qwen2" ->
                Configs.config(
                        "Qwen2ForCausalLM", 256, heads, heads, heads == 8 ? 32 : 256, 256, "\"rms_norm_eps\": 1e-6");
            case "mixtral" ->
                Configs.config(
                        "MixtralForCausalLM",
                        256,
                        heads,
                        1,
                        32,
                        256,
                        "\"tie_word_embeddings\": true, \"num_local_experts\": 5, \"num_experts_per_tok\": 2");
            case "qwen3moe" ->
                Configs.config(
                        "Qwen3MoeForCausalLM",
                        256,
                        heads,
                        2,
                        64,
                        256,
                        "\"num_experts\": 7, \"num_experts_per_tok\": 3, \"moe_intermediate_size\": 256,"
                                + " \"norm_topk_prob\": true");
            case "phi3" ->
                Configs.config(
                        "Phi3ForCausalLM",
                        256,
                        heads,
                        4,
                        32,
                        256,
                        "\"partial_rotary_factor\": 0.75, \"sliding_window\": 21");
            case "gemma2" ->
                Configs.config(
                        "Gemma2ForCausalLM",
                        256,
                        heads,
                        2,
                        64,
                        256,
                        "\"attn_logit_softcapping\": 5.0, \"final_logit_softcapping\": 8.0,"
                                + " \"query_pre_attn_scalar\": 64, \"sliding_window\": 21");
            case "gemma3" ->
                Configs.config(
                        "Gemma3ForCausalLM",
                        256,
                        heads,
                        2,
                        64,
                        256,
                        "\"query_pre_attn_scalar\": 64, \"sliding_window\": 21, \"sliding_window_pattern\": 2");
            default -> Configs.config("Qwen3ForCausalLM", 256, heads, 2, 64, 256, "\"tie_word_embeddings\": true");
        };
    }

    /** The types of a file by its name, in the manner of llama.cpp's mixtures. */
    static Function<String, TensorType> type(String name) {
        return switch (name) {
            case "Q4_K_M" -> tensor -> mixed(tensor, TensorType.Q4_K);
            case "Q5_K_M" -> tensor -> mixed(tensor, TensorType.Q5_K);
            default -> tensor -> TensorType.valueOf(name);
        };
    }

    private static TensorType mixed(String tensor, TensorType most) {
        boolean more = tensor.contains("embed") || tensor.contains("lm_head");
        boolean inFirst = tensor.contains("layers.0") && (tensor.contains("v_proj") || tensor.contains("down_proj"));
        return more || inFirst ? TensorType.Q6_K : most;
    }
}
