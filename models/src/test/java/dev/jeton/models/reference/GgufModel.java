package dev.jeton.models.reference;

import dev.jeton.models.DecoderSpec;
import dev.jeton.models.Delta;
import dev.jeton.models.Experts;
import dev.jeton.models.GgufWriter;
import dev.jeton.models.Latent;
import dev.jeton.models.TensorType;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A model's weights as a GGUF file in the manner of llama.cpp's converter, and what they are in it. */
public final class GgufModel {

    /** What converters call the tensors. */
    private static final Map<String, String> NAMES = Map.ofEntries(
            Map.entry("model.embed_tokens", "token_embd"),
            Map.entry("model.norm", "output_norm"),
            Map.entry("lm_head", "output"),
            Map.entry("input_layernorm", "attn_norm"),
            Map.entry("post_attention_layernorm", "ffn_norm"),
            Map.entry("self_attn.q_proj", "attn_q"),
            Map.entry("self_attn.k_proj", "attn_k"),
            Map.entry("self_attn.v_proj", "attn_v"),
            Map.entry("self_attn.o_proj", "attn_output"),
            Map.entry("self_attn.q_norm", "attn_q_norm"),
            Map.entry("self_attn.k_norm", "attn_k_norm"),
            Map.entry("self_attn", "attn_sinks"),
            Map.entry("mlp.gate_proj", "ffn_gate"),
            Map.entry("mlp.up_proj", "ffn_up"),
            Map.entry("mlp.down_proj", "ffn_down"),
            Map.entry("pre_feedforward_layernorm", "ffn_norm"),
            Map.entry("post_feedforward_layernorm", "post_ffw_norm"),
            Map.entry("self_attn.qkv_proj", "attn_qkv"),
            Map.entry("mlp.gate_up_proj", "ffn_up"),
            Map.entry("mlp.gate", "ffn_gate_inp"),
            Map.entry("block_sparse_moe.gate", "ffn_gate_inp"),
            Map.entry("w1", "ffn_gate_exps"),
            Map.entry("w2", "ffn_down_exps"),
            Map.entry("w3", "ffn_up_exps"),
            Map.entry("gate_proj", "ffn_gate_exps"),
            Map.entry("down_proj", "ffn_down_exps"),
            Map.entry("up_proj", "ffn_up_exps"),
            Map.entry("mlp.gate.e_score_correction", "exp_probs_b"),
            Map.entry("block_sparse_moe.e_score_correction", "exp_probs_b"),
            Map.entry("mlp.moe_statics.e_score_correction", "exp_probs_b"),
            Map.entry("mlp.shared_expert_gate", "ffn_gate_inp_shexp"),
            Map.entry("mlp.shared_expert.gate_proj", "ffn_gate_shexp"),
            Map.entry("mlp.shared_expert.up_proj", "ffn_up_shexp"),
            Map.entry("mlp.shared_expert.down_proj", "ffn_down_shexp"),
            Map.entry("mlp.shared_experts.gate_proj", "ffn_gate_shexp"),
            Map.entry("mlp.shared_experts.up_proj", "ffn_up_shexp"),
            Map.entry("mlp.shared_experts.down_proj", "ffn_down_shexp"),
            Map.entry("post_self_attn_layernorm", "post_attention_norm"),
            Map.entry("post_mlp_layernorm", "post_ffw_norm"),
            Map.entry("linear_attn.in_proj_qkv", "attn_qkv"),
            Map.entry("linear_attn.in_proj_qkvz", "ssm_in"),
            Map.entry("linear_attn.in_proj_z", "attn_gate"),
            Map.entry("linear_attn.in_proj_b", "ssm_beta"),
            Map.entry("linear_attn.in_proj_a", "ssm_alpha"),
            Map.entry("linear_attn.in_proj_ba", "ssm_ba"),
            Map.entry("linear_attn.conv1d", "ssm_conv1d"),
            Map.entry("linear_attn.dt", "ssm_dt"),
            Map.entry("linear_attn.norm", "ssm_norm"),
            Map.entry("linear_attn.out_proj", "ssm_out"),
            Map.entry("self_attn.q_a_proj", "attn_q_a"),
            Map.entry("self_attn.q_a_layernorm", "attn_q_a_norm"),
            Map.entry("self_attn.q_b_proj", "attn_q_b"),
            Map.entry("self_attn.kv_a_proj_with_mqa", "attn_kv_a_mqa"),
            Map.entry("self_attn.kv_a_layernorm", "attn_kv_a_norm"),
            Map.entry("self_attn.kv_b_proj", "attn_kv_b"));

    /** Architectures whose rows of q and k lie pair by pair. */
    private static final List<String> PAIRED = List.of("llama", "granite", "smollm3", "mistral3");

    /** Architectures in which the second norm is named by what it follows. */
    private static final List<String> AFTER =
            List.of("gpt-oss", "glm4moe", "seed_oss", "olmo2", "exaone4", "qwen35", "qwen35moe", "qwen3next");

    /** A matrix or bias of one expert. */
    private static final Pattern EXPERT = Pattern.compile(
            "model\\.layers\\.(\\d+)\\.(?:mlp|block_sparse_moe)\\.experts\\.\\d+\\.(\\w+)\\.(weight|bias)");

    public final Map<String, double[]> weights = new LinkedHashMap<>();
    public final GgufWriter writer = new GgufWriter();

    /**
     * Describes a model.
     *
     * @param architecture as GGUF names it
     * @param values weights by Hugging Face's names
     * @param types the type of a matrix by its name; vectors stay F32
     */
    public GgufModel(
            String architecture, DecoderSpec spec, Map<String, double[]> values, Function<String, TensorType> types) {
        this(architecture, spec, values, types, false);
    }

    /**
     * The same.
     *
     * @param headsApart whether what latent attention has of each head is in tensors of keys and of values, as newer
     *     converters write it
     */
    public GgufModel(
            String architecture,
            DecoderSpec spec,
            Map<String, double[]> values,
            Function<String, TensorType> types,
            boolean headsApart) {
        this(
                architecture,
                spec,
                values,
                types,
                headsApart,
                spec.experts().routing().corrected() ? 2 : 1);
    }

    /**
     * The same.
     *
     * @param scores llama.cpp's number for how experts are scored, where that is more than plainly; 0 says nothing
     */
    public GgufModel(
            String architecture,
            DecoderSpec spec,
            Map<String, double[]> values,
            Function<String, TensorType> types,
            boolean headsApart,
            int scores) {
        metadata(architecture, spec, headsApart, scores);
        boolean gemma = architecture.startsWith("gemma");
        Map<String, List<byte[]>> experts = new LinkedHashMap<>();
        Map<String, int[]> shapes = new LinkedHashMap<>();
        Map<String, TensorType> stacked = new LinkedHashMap<>();
        values.forEach((name, value) -> {
            if (headsApart && name.endsWith("kv_b_proj.weight")) {
                weights.put(name, headsApart(spec.latent(), spec.heads(), name(name), value, types.apply(name)));
                return;
            }
            int columns = columns(name, spec);
            boolean matrix = columns > 0;
            int[] shape = matrix ? new int[] {value.length / columns, columns} : new int[] {value.length};
            float[] floats = new float[value.length];
            boolean fromOne = (gemma && !matrix)
                    || (spec.delta().exists() && name.endsWith("norm.weight") && !name.contains("linear_attn"));
            for (int i = 0; i < floats.length; i++) {
                floats[i] =
                        name.endsWith(".A_log") ? (float) -Math.exp(value[i]) : (float) value[i] + (fromOne ? 1 : 0);
            }
            boolean gate = name.endsWith("gate.weight");
            TensorType type = matrix && !gate ? types.apply(name) : TensorType.F32;
            GgmlBlocks.Stored stored = GgmlBlocks.store(type, floats);
            weights.put(name, fromOne || name.endsWith(".A_log") ? value : stored.values());
            if (name.endsWith("conv1d.weight")) {
                shape = new int[] {
                    value.length / spec.delta().taps(), spec.delta().taps()
                };
            }
            Matcher expert = EXPERT.matcher(name);
            if (expert.matches()) {
                String all = "blk.%s.%s.%s"
                        .formatted(expert.group(1), NAMES.getOrDefault(expert.group(2), "?"), expert.group(3));
                experts.computeIfAbsent(all, key -> new ArrayList<>()).add(stored.bytes());
                int count = spec.experts().count();
                shapes.put(all, matrix ? new int[] {count, shape[0], columns} : new int[] {count, shape[0]});
                stacked.put(all, type);
                return;
            }
            int head = name.contains("q_proj") || name.contains("k_proj") ? spec.headDim() : 0;
            byte[] bytes = PAIRED.contains(architecture) && head > 0
                    ? permuted(stored.bytes(), shape[0], head)
                    : stored.bytes();
            boolean after = gemma || AFTER.contains(architecture);
            boolean branch = after && name.endsWith("post_attention_layernorm.weight");
            String own = branch ? name(name).replace("ffn_norm", "post_attention_norm") : name(name);
            writer.tensor(own, type, own.contains("inp_shexp") ? new int[] {columns} : shape, bytes);
        });
        experts.forEach((name, parts) -> writer.tensor(
                name,
                stacked.getOrDefault(name, TensorType.F32),
                shapes.getOrDefault(name, new int[0]),
                joined(parts)));
    }

    /** Adds what Granite multiplies with. */
    public GgufModel granite() {
        writer.put("granite.embedding_scale", (float) Configs.GRANITE_EMBEDDING)
                .put("granite.attention.scale", (float) Configs.GRANITE_ATTENTION)
                .put("granite.residual_scale", (float) Configs.GRANITE_RESIDUAL)
                .put("granite.logit_scale", (float) Configs.GRANITE_LOGITS);
        return this;
    }

    /** Writes K of each head column by column, and V, and returns what both are there. */
    private double[] headsApart(Latent latent, int heads, String name, double[] value, TensorType type) {
        int rank = latent.rank();
        int ofHead = latent.plain() + latent.value();
        float[] keys = new float[heads * rank * latent.plain()];
        float[] vectors = new float[heads * latent.value() * rank];
        for (int h = 0; h < heads; h++) {
            for (int r = 0; r < rank; r++) {
                for (int i = 0; i < latent.plain(); i++) {
                    keys[(h * rank + r) * latent.plain() + i] = (float) value[(h * ofHead + i) * rank + r];
                }
                for (int i = 0; i < latent.value(); i++) {
                    vectors[(h * latent.value() + i) * rank + r] =
                            (float) value[(h * ofHead + latent.plain() + i) * rank + r];
                }
            }
        }
        GgmlBlocks.Stored k = GgmlBlocks.store(type, keys);
        GgmlBlocks.Stored v = GgmlBlocks.store(type, vectors);
        writer.tensor(name.replace("kv_b", "k_b"), type, new int[] {heads, rank, latent.plain()}, k.bytes());
        writer.tensor(name.replace("kv_b", "v_b"), type, new int[] {heads, latent.value(), rank}, v.bytes());
        double[] stored = new double[value.length];
        for (int h = 0; h < heads; h++) {
            for (int r = 0; r < rank; r++) {
                for (int i = 0; i < latent.plain(); i++) {
                    stored[(h * ofHead + i) * rank + r] = k.values()[(h * rank + r) * latent.plain() + i];
                }
                for (int i = 0; i < latent.value(); i++) {
                    stored[(h * ofHead + latent.plain() + i) * rank + r] =
                            v.values()[(h * latent.value() + i) * rank + r];
                }
            }
        }
        return stored;
    }

    private static byte[] joined(List<byte[]> parts) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        parts.forEach(out::writeBytes);
        return out.toByteArray();
    }

    /** Writes the file. */
    public Path write(Path file) throws IOException {
        return writer.write(file);
    }

    private void metadata(String architecture, DecoderSpec spec, boolean headsApart, int scores) {
        String prefix = architecture + ".";
        writer.put("general.architecture", architecture)
                .put("general.name", "tiny")
                .put(prefix + "block_count", spec.layers())
                .put(prefix + "context_length", spec.context())
                .put(prefix + "embedding_length", spec.hidden())
                .put(prefix + "attention.head_count", spec.heads())
                .put(prefix + "attention.head_count_kv", spec.keyValueHeads())
                .put(prefix + "attention.layer_norm_rms_epsilon", (float) spec.normEpsilon())
                .put(prefix + "rope.dimension_count", spec.rotary().width())
                .put(prefix + "rope.freq_base", (float) spec.rotary().theta());
        if (!architecture.equals("qwen35moe")) {
            // whose configuration has no such width
            writer.put(prefix + "feed_forward_length", spec.intermediate());
        }
        if (spec.experts().count() > 0) {
            writer.put(prefix + "expert_count", spec.experts().count())
                    .put(prefix + "expert_used_count", spec.experts().perToken())
                    .put(prefix + "expert_feed_forward_length", spec.experts().intermediate());
        }
        Experts.Shared shared = spec.experts().shared();
        if (shared.gated()) {
            writer.put(prefix + "expert_shared_feed_forward_length", shared.width());
        } else if (shared.exists()) {
            writer.put(
                    prefix + "expert_shared_count",
                    shared.width() / spec.experts().intermediate());
        }
        Experts.Routing routing = spec.experts().routing();
        if (!routing.isPlain()) {
            if (scores > 0) {
                writer.put(prefix + "expert_gating_func", scores);
            }
            writer.put(prefix + "expert_weights_norm", routing.normalised())
                    .put(prefix + "expert_group_count", routing.groups())
                    .put(prefix + "expert_group_used_count", routing.groupsTaken())
                    .put(
                            prefix + "leading_dense_block_count",
                            spec.experts().layers().indexOf(true));
        }
        if (routing.scale() != 1) {
            writer.put(prefix + "expert_weights_scale", (float) routing.scale());
        }
        Delta delta = spec.delta();
        if (delta.exists()) {
            writer.put(prefix + "ssm.conv_kernel", delta.taps())
                    .put(prefix + "ssm.state_size", delta.keyWidth())
                    .put(prefix + "ssm.group_count", delta.keyHeads())
                    .put(prefix + "ssm.time_step_rank", delta.valueHeads())
                    .put(prefix + "ssm.inner_size", delta.valuesWidth());
        }
        Latent latent = spec.latent();
        if (!latent.exists()) {
            writer.put(prefix + "attention.key_length", spec.headDim())
                    .put(prefix + "attention.value_length", spec.headDim());
        } else {
            writer.put(prefix + "attention.kv_lora_rank", latent.rank());
            String mla = headsApart ? "_mla" : "";
            writer.put(prefix + "attention.key_length" + mla, spec.headDim())
                    .put(prefix + "attention.value_length" + mla, latent.value());
            if (headsApart) {
                writer.put(prefix + "attention.key_length", latent.width())
                        .put(prefix + "attention.value_length", latent.rank());
            }
            if (latent.queryRank() > 0) {
                writer.put(prefix + "attention.q_lora_rank", latent.queryRank());
            }
        }
        int window = spec.windows().getFirst();
        if (window > 0 && !architecture.equals("llama")) {
            writer.put(prefix + "attention.sliding_window", window);
        }
        if (architecture.startsWith("gemma")) {
            writer.put(prefix + "attention.sliding_window_pattern", 2)
                    .put(prefix + "attn_logit_softcapping", (float)
                            spec.scales().attentionCap())
                    .put(prefix + "final_logit_softcapping", (float)
                            spec.scales().logitCap());
        }
    }

    /** Reshape rows to (heads, 2, half), swap the last two: row i of a half goes to twice i. */
    private static byte[] permuted(byte[] bytes, int rows, int head) {
        int width = bytes.length / rows;
        byte[] out = new byte[bytes.length];
        for (int row = 0; row < rows; row++) {
            int half = row % head / (head / 2);
            int to = row / head * head + row % (head / 2) * 2 + half;
            System.arraycopy(bytes, row * width, out, to * width, width);
        }
        return out;
    }

    private static int columns(String name, DecoderSpec spec) {
        if (name.endsWith(".A_log") || name.endsWith("conv1d.weight")) {
            return 0;
        }
        if (name.endsWith("linear_attn.out_proj.weight")) {
            return spec.delta().valuesWidth();
        }
        if (name.contains("norm") || name.endsWith("bias") || name.endsWith(".sinks")) {
            return 0;
        }
        if (EXPERT.matcher(name).matches()) {
            boolean down = name.contains("w2") || name.contains("down_proj");
            return down ? spec.experts().intermediate() : spec.hidden();
        }
        if (name.contains("shared_expert") && name.contains("down_proj")) {
            return spec.experts().shared().width();
        }
        if (name.contains("q_b_proj") || name.contains("kv_b_proj")) {
            return name.contains("q_b_proj")
                    ? spec.latent().queryRank()
                    : spec.latent().rank();
        }
        return name.contains("down_proj")
                ? spec.intermediate()
                : name.contains("o_proj") ? spec.attendedWidth() : spec.hidden();
    }

    private static String name(String name) {
        if (name.endsWith("_bias")) {
            return name(name.replace("_bias", ".bias"));
        }
        if (name.endsWith(".linear_attn.A_log")) {
            return "blk." + name.split("\\.")[2] + ".ssm_a";
        }
        String end = name.endsWith(".sinks") ? ".weight" : name.substring(name.lastIndexOf('.'));
        String stem = name.substring(0, name.lastIndexOf('.'));
        if (!stem.startsWith("model.layers.")) {
            return NAMES.getOrDefault(stem, "?") + end;
        }
        List<String> parts = Arrays.asList(stem.split("\\.", 4));
        return "blk." + parts.get(2) + "." + NAMES.getOrDefault(parts.get(3), "?") + end;
    }
}
