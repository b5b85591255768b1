package dev.jeton.models.cuda;

import dev.jeton.models.ModelException;
import dev.jeton.natives.CudaModule;
import dev.jeton.natives.DeviceMemory;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** The kernels of {@code native/kernels}, compiled for one model and device. */
final class StepKernels {

    /** Compiled for models of experts alone. */
    private static final String EXPERTS = "experts.cu";
    /** Compiled where a device is joined with others. */
    private static final String RANKS = "ranks.cu";
    /** Compiled for models with adapters. */
    private static final String ADAPTERS = "adapters.cu";

    /** Compiled for models with latent attention, */
    private static final String LATENT = "latent.cu";
    /** and for others. */
    private static final String ATTENTION = "attention.cu";

    private static final Map<String, List<String>> SOURCES = Map.of(
            "rows.cu",
            List.of(
                    "prepare_step",
                    "embed",
                    "rms_norm",
                    "head_means",
                    "rotary_append",
                    "swiglu",
                    "geglu",
                    "clamped_swiglu",
                    "add_bias",
                    "gather_columns",
                    "quantize_fp8_rows",
                    "quantize_int8_rows",
                    "convert_f32_bf16",
                    "convert_f32_fp16",
                    "convert_bf16_fp16",
                    "convert_fp16_bf16"),
            ATTENTION,
            List.of("plan_attention", "attention_decode", "attention_prefill"),
            LATENT,
            List.of("plan_attention", "plan_heads", "split_heads", "latent_append", "latent_turn", "attention_latent"),
            "sampling.cu",
            List.of(
                    "clear_slot",
                    "count_tokens",
                    "cap_logits",
                    "score_logits",
                    "adjust_logits",
                    "sample_logits",
                    "accept_tokens"),
            "blocks.cu",
            List.of("copy_blocks"),
            EXPERTS,
            List.of("choose_experts", "group_experts", "order_inputs"),
            RANKS,
            List.of("order_logits", "combine_experts"),
            ADAPTERS,
            List.of("low_rank_in", "low_rank_out"));

    /** Compiled for each format of weights that a model has, when it is first asked for. */
    private static final Map<String, String> WEIGHT_SOURCES = Map.ofEntries(
            Map.entry("skinny_matmul", "matmul.cu"),
            Map.entry("expert_few", "matmul.cu"),
            Map.entry("dequantize", "matmul.cu"),
            Map.entry("repack_awq", "matmul.cu"),
            Map.entry("repack_gptq", "matmul.cu"),
            Map.entry("repack_packed", "matmul.cu"),
            Map.entry("repack_mxfp4", "matmul.cu"),
            Map.entry("matmul_constants", "matmul.cu"),
            Map.entry("wide_matmul", "wide.cu"),
            Map.entry("expert_many", "wide.cu"),
            Map.entry("wide_constants", "wide.cu"));

    private final Device device;
    private final DeviceShape shape;
    private final Map<String, Kernel> kernels = new HashMap<>();
    private final Map<String, CudaModule> weightModules = new HashMap<>();
    private final int[] attention;
    private final int[] sampling;
    private final int[] experts;

    private StepKernels(
            Device device,
            DeviceShape shape,
            Map<String, Kernel> kernels,
            int[] attention,
            int[] sampling,
            int[] experts) {
        this.device = device;
        this.shape = shape;
        this.kernels.putAll(kernels);
        this.attention = attention;
        this.sampling = sampling;
        this.experts = experts;
        if (sampling[3] != Slots.RECORD) {
            throw new IllegalStateException(
                    "the kernels' slots have %d bytes, the engine's %d".formatted(sampling[3], Slots.RECORD));
        }
    }

    /** Compiles what is not compiled yet, a second or so for each source, and loads all but what weights need. */
    static StepKernels load(Device device, DeviceShape shape, boolean adapters) {
        Map<String, Kernel> kernels = new HashMap<>();
        Map<String, CudaModule> modules = new HashMap<>();
        boolean sparse = shape.spec().experts().count() > 0;
        boolean latent = shape.spec().latent().exists();
        SOURCES.forEach((source, names) -> {
            if ((source.equals(EXPERTS) && !sparse)
                    || (source.equals(RANKS) && !device.joined())
                    || (source.equals(ADAPTERS) && !adapters)
                    || source.equals(latent ? ATTENTION : LATENT)) {
                return;
            }
            List<String> own = switch (source) {
                case LATENT -> shape.latentMacros();
                case "rows.cu", ATTENTION -> shape.pageMacros();
                default -> shape.macros();
            };
            CudaModule module = device.module(source, macros(device, own));
            modules.put(source, module);
            names.forEach(name -> kernels.put(name, device.kernel(module, name)));
        });
        int[] attention = latent
                ? constants(device, module(modules, LATENT), "latent_constants", 8)
                : constants(device, module(modules, ATTENTION), "attention_constants", 8);
        int shared = latent ? attention[4] : Math.max(attention[5], attention[6]);
        if (shared > device.mostShared()) {
            throw new ModelException("attention with heads of %d takes %d bytes of shared memory; a block of %s has %d"
                    .formatted(shape.spec().headDim(), shared, device.name(), device.mostShared()));
        }
        return new StepKernels(
                device,
                shape,
                kernels,
                attention,
                constants(device, module(modules, "sampling.cu"), "sampling_constants", 4),
                sparse ? constants(device, module(modules, EXPERTS), "experts_constants", 3) : new int[0]);
    }

    private static CudaModule module(Map<String, CudaModule> modules, String source) {
        CudaModule module = modules.get(source);
        if (module == null) {
            throw new IllegalStateException("no source " + source);
        }
        return module;
    }

    /** What a launch must know, which a kernel of one thread writes. */
    private static int[] constants(Device device, CudaModule module, String name, int count) {
        try (DeviceMemory out = device.memory(4L * count)) {
            device.kernel(module, name).begin().pointer(out.address()).launch(1, 1, 1, 0);
            return device.integers(out, count);
        }
    }

    /** A kernel by its name. */
    Kernel get(String name) {
        Kernel kernel = kernels.get(name);
        if (kernel == null) {
            throw new IllegalArgumentException("there is no kernel " + name);
        }
        return kernel;
    }

    /** A kernel that reads weights, for a format of them. */
    Kernel get(String name, WeightFormat format) {
        return kernels.computeIfAbsent(name + " " + format, key -> device.kernel(weightModule(name, format), name));
    }

    private CudaModule weightModule(String name, WeightFormat format) {
        String source = WEIGHT_SOURCES.get(name);
        if (source == null) {
            throw new IllegalArgumentException("there is no kernel of weights " + name);
        }
        return weightModules.computeIfAbsent(
                source + " " + format,
                key -> device.module(
                        source,
                        Stream.concat(macros(device, shape.macros()).stream(), format.macros().stream())
                                .toList()));
    }

    /** Those of a shape, and what the device gives a block. */
    private static List<String> macros(Device device, List<String> shape) {
        return Stream.concat(shape.stream(), Stream.of("-DJETON_SHARED=" + device.mostShared()))
                .toList();
    }

    /** Of {@code matmul.cu} for a format: rows of weights of a block, its shared memory. */
    int[] matmulConstants(WeightFormat format) {
        return constants(device, weightModule("matmul_constants", format), "matmul_constants", 2);
    }

    /** Of {@code wide.cu} for a format, as the kernels' README lists them. */
    int[] wideConstants(WeightFormat format) {
        return constants(device, weightModule("wide_constants", format), "wide_constants", 8);
    }

    /** Of {@code attention.cu}, or of {@code latent.cu}, as the kernels' README lists them. */
    int[] attentionConstants() {
        return attention;
    }

    /** Of {@code experts.cu}; none where the model has no experts. */
    int[] expertsConstants() {
        return experts;
    }

    /** Segments into which a row of logits is cut while it is adjusted. */
    int segments(int vocabulary) {
        return Kernel.blocks(vocabulary, sampling[0]);
    }

    /** Threads of a block that adjusts a segment. */
    int adjustThreads() {
        return sampling[1];
    }

    /** Threads of a block that samples or scores a row. */
    int sampleThreads() {
        return sampling[2];
    }
}
