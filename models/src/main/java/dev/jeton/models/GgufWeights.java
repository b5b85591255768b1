package dev.jeton.models;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The weights of a GGUF file under Hugging Face's names, but for the order of rows of q and k, which is as llama.cpp
 * has it ({@link FamilyWeights}).
 *
 * <p>A tensor that is not part of the plan of {@link DecoderSpec} is refused: it would be left out silently.
 */
final class GgufWeights implements WeightFiles {

    private static final Pattern LAYER = Pattern.compile("blk\\.(\\d{1,6})\\.(ssm_a|.+(?=\\.))(?:\\.(weight|bias))?");

    private static final Pattern ANY_LAYER = Pattern.compile("blk\\.(\\d{1,6})\\..+");

    /** What has no {@code .weight} behind it in folders. */
    private static final Set<String> NAKED =
            Set.of("self_attn.sinks", "mlp.gate.e_score_correction_bias", "linear_attn.A", "linear_attn.dt_bias");

    private static final Map<String, String> OUTSIDE = Map.of(
            "token_embd.weight", "model.embed_tokens.weight",
            "output_norm.weight", "model.norm.weight",
            "output.weight", "lm_head.weight");

    private static final Map<String, String> INSIDE = Map.ofEntries(
            Map.entry("attn_norm", "input_layernorm"),
            Map.entry("ffn_norm", "post_attention_layernorm"),
            Map.entry("attn_q", "self_attn.q_proj"),
            Map.entry("attn_k", "self_attn.k_proj"),
            Map.entry("attn_v", "self_attn.v_proj"),
            Map.entry("attn_output", "self_attn.o_proj"),
            Map.entry("attn_sinks", "self_attn.sinks"),
            Map.entry("attn_q_norm", "self_attn.q_norm"),
            Map.entry("attn_k_norm", "self_attn.k_norm"),
            Map.entry("ffn_gate", "mlp.gate_proj"),
            Map.entry("ffn_up", "mlp.up_proj"),
            Map.entry("ffn_down", "mlp.down_proj"),
            Map.entry("post_attention_norm", "post_attention_layernorm"),
            Map.entry("post_ffw_norm", "post_feedforward_layernorm"),
            Map.entry("attn_qkv", "self_attn.qkv_proj"),
            Map.entry("ffn_gate_inp", "mlp.gate"),
            Map.entry("ffn_gate_exps", "mlp.experts.gate_proj"),
            Map.entry("ffn_up_exps", "mlp.experts.up_proj"),
            Map.entry("ffn_down_exps", "mlp.experts.down_proj"),
            Map.entry("exp_probs_b", "mlp.gate.e_score_correction_bias"),
            Map.entry("ffn_gate_inp_shexp", "mlp.shared_expert_gate"),
            Map.entry("ffn_gate_shexp", "mlp.shared_experts.gate_proj"),
            Map.entry("ffn_up_shexp", "mlp.shared_experts.up_proj"),
            Map.entry("ffn_down_shexp", "mlp.shared_experts.down_proj"),
            Map.entry("attn_q_a", "self_attn.q_a_proj"),
            Map.entry("attn_q_a_norm", "self_attn.q_a_layernorm"),
            Map.entry("attn_q_b", "self_attn.q_b_proj"),
            Map.entry("attn_kv_a_mqa", "self_attn.kv_a_proj_with_mqa"),
            Map.entry("attn_kv_a_norm", "self_attn.kv_a_layernorm"),
            Map.entry("attn_kv_b", "self_attn.kv_b_proj"),
            Map.entry("attn_k_b", "self_attn.k_b"),
            Map.entry("attn_v_b", "self_attn.v_b"),
            Map.entry("attn_gate", "linear_attn.in_proj_z"),
            Map.entry("ssm_a", "linear_attn.A"),
            Map.entry("ssm_alpha", "linear_attn.in_proj_a"),
            Map.entry("ssm_beta", "linear_attn.in_proj_b"),
            Map.entry("ssm_ba", "linear_attn.in_proj_ba"),
            Map.entry("ssm_conv1d", "linear_attn.conv1d"),
            Map.entry("ssm_dt", "linear_attn.dt_bias"),
            Map.entry("ssm_in", "linear_attn.in_proj_qkvz"),
            Map.entry("ssm_norm", "linear_attn.norm"),
            Map.entry("ssm_out", "linear_attn.out_proj"));

    /** Read into the configuration, or, per layer, repeating what is known. */
    private static final Pattern ELSEWHERE =
            Pattern.compile("rope_(?:freqs|factors_long|factors_short)\\.weight|blk\\.\\d+\\.attn_rot_embd\\.weight");

    private final GgufFile file;
    private final Map<String, String> stored = new HashMap<>();
    private final int layers;
    private final DecoderFamily family;

    private GgufWeights(GgufFile file) {
        this.file = file;
        JsonObject config = GgufConfig.config(file);
        family = DecoderFamily.of(config);
        layers = config.integer("num_hidden_layers", 1, 1 << 12);
        for (String name : file.names()) {
            if (!ELSEWHERE.matcher(name).matches() && !isBehind(name)) {
                stored.put(translated(name), name);
            }
        }
    }

    /** Maps the weights of a GGUF file. */
    static GgufWeights open(Path path) {
        GgufFile file = GgufFile.open(path);
        try {
            return new GgufWeights(file);
        } catch (RuntimeException | Error e) {
            file.close();
            throw e;
        }
    }

    /** Whether a tensor is of a layer behind the last: one that predicts the token after the next. */
    private boolean isBehind(String name) {
        Matcher layer = ANY_LAYER.matcher(name);
        return layer.matches() && Integer.parseInt(layer.group(1)) >= layers;
    }

    private String translated(String name) {
        String outside = OUTSIDE.getOrDefault(name, "");
        if (!outside.isEmpty()) {
            return outside;
        }
        Matcher layer = LAYER.matcher(name);
        if (layer.matches()) {
            String kind = Objects.requireNonNullElse(layer.group(3), "");
            String inside = GgufFamilies.inside(family, layer.group(2), kind, INSIDE.getOrDefault(layer.group(2), ""));
            if (!inside.isEmpty()) {
                String own = NAKED.contains(inside) ? inside : inside + "." + kind;
                return "model.layers.%d.%s".formatted(Integer.parseInt(layer.group(1)), own);
            }
        }
        throw new ModelException(
                "%s: tensor \"%s\" is of no kind that is known here; the model needs something that is not supported"
                        .formatted(file.path(), name));
    }

    @Override
    public Set<String> names() {
        return Set.copyOf(stored.keySet());
    }

    @Override
    public Optional<Tensor> find(String name) {
        return file.find(stored.getOrDefault(name, ""), name);
    }

    @Override
    public Optional<String> type(String name) {
        return file.type(stored.getOrDefault(name, ""));
    }

    @Override
    public MemorySegment bytes(String name, String type, long... shape) {
        throw new ModelException("%s: tensor \"%s\" of type %s is in no GGUF file".formatted(file.path(), name, type));
    }

    @Override
    public Path source() {
        return file.path();
    }

    @Override
    public void close() {
        file.close();
    }
}
