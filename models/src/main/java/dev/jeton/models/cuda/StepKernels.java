package dev.jeton.models.cuda;

import dev.jeton.models.ModelException;
import dev.jeton.natives.CudaModule;
import dev.jeton.natives.DeviceMemory;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The kernels of {@code native/kernels}, compiled for one model and device. */
final class StepKernels {

    /** Compiled for models of experts alone. */
    private static final String EXPERTS = "experts.cu";
    /** Compiled where a device is joined with others. */
    private static final String RANKS = "ranks.cu";

    private static final Map<String, List<String>> SOURCES = Map.of(
            "rows.cu",
            List.of(
                    "prepare_step",
                    "embed",
                    "rms_norm",
                    "rotary_append",
                    "swiglu",
                    "geglu",
                    "add_bias",
                    "quantize_fp8_rows",
                    "quantize_int8_rows",
                    "convert_f32_bf16",
                    "convert_f32_fp16",
                    "convert_bf16_fp16",
                    "convert_fp16_bf16"),
            "attention.cu",
            List.of("plan_attention", "attention_decode", "attention_prefill"),
            "sampling.cu",
            List.of(
                    "clear_slot",
                    "count_tokens",
                    "cap_logits",
                    "score_logits",
                    "adjust_logits",
                    "sample_logits",
                    "accept_tokens"),
            "matmul.cu",
            List.of(
                    "skinny_matmul",
                    "skinny_matmul_int8",
                    "skinny_matmul_int4",
                    "skinny_matmul_fp8",
                    "expert_few",
                    "dequantize_int8",
                    "dequantize_int4",
                    "dequantize_fp8",
                    "repack_awq",
                    "repack_gptq"),
            "blocks.cu",
            List.of("copy_blocks"),
            EXPERTS,
            List.of("choose_experts", "group_experts", "expert_many"),
            RANKS,
            List.of("order_logits", "combine_experts"));

    private final Map<String, Kernel> kernels = new HashMap<>();
    private final int[] attention;
    private final int[] sampling;
    private final int[] matmul;
    private final int[] experts;

    private StepKernels(Map<String, Kernel> kernels, int[] attention, int[] sampling, int[] matmul, int[] experts) {
        this.kernels.putAll(kernels);
        this.attention = attention;
        this.sampling = sampling;
        this.matmul = matmul;
        this.experts = experts;
        if (sampling[3] != Slots.RECORD) {
            throw new IllegalStateException(
                    "the kernels' slots have %d bytes, the engine's %d".formatted(sampling[3], Slots.RECORD));
        }
    }

    /** Compiles what is not compiled yet, a second or so for each source, and loads all. */
    static StepKernels load(Device device, DeviceShape shape) {
        Map<String, Kernel> kernels = new HashMap<>();
        Map<String, CudaModule> modules = new HashMap<>();
        boolean sparse = shape.spec().experts().count() > 0;
        SOURCES.forEach((source, names) -> {
            if ((source.equals(EXPERTS) && !sparse) || (source.equals(RANKS) && !device.joined())) {
                return;
            }
            boolean pages = source.equals("rows.cu") || source.equals("attention.cu");
            CudaModule module = device.module(source, pages ? shape.pageMacros() : shape.macros());
            modules.put(source, module);
            names.forEach(name -> kernels.put(name, device.kernel(module, name)));
        });
        int[] attention = constants(device, modules, "attention", 8);
        int shared = Math.max(attention[5], attention[6]);
        if (shared > device.mostShared()) {
            throw new ModelException("attention with heads of %d takes %d bytes of shared memory; a block of %s has %d"
                    .formatted(shape.spec().headDim(), shared, device.name(), device.mostShared()));
        }
        return new StepKernels(
                kernels,
                attention,
                constants(device, modules, "sampling", 4),
                constants(device, modules, "matmul", 8),
                sparse ? constants(device, modules, "experts", 8) : new int[0]);
    }

    /** What a launch must know, which a kernel of one thread writes. */
    private static int[] constants(Device device, Map<String, CudaModule> modules, String name, int count) {
        CudaModule module = modules.get(name + ".cu");
        if (module == null) {
            throw new IllegalStateException("no source " + name);
        }
        try (DeviceMemory out = device.memory(4L * count)) {
            device.kernel(module, name + "_constants")
                    .begin()
                    .pointer(out.address())
                    .launch(1, 1, 1, 0);
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

    /** Of {@code attention.cu}, as its README lists them. */
    int[] attentionConstants() {
        return attention;
    }

    /** Of {@code matmul.cu}. */
    int[] matmulConstants() {
        return matmul;
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
