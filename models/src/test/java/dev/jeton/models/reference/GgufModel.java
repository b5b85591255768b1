package dev.jeton.models.reference;

import dev.jeton.models.DecoderSpec;
import dev.jeton.models.GgufWriter;
import dev.jeton.models.TensorType;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

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
            Map.entry("mlp.gate_proj", "ffn_gate"),
            Map.entry("mlp.up_proj", "ffn_up"),
            Map.entry("mlp.down_proj", "ffn_down"));

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
        metadata(architecture, spec);
        values.forEach((name, value) -> {
            int columns = columns(name, spec);
            boolean matrix = columns > 0;
            int[] shape = matrix ? new int[] {value.length / columns, columns} : new int[] {value.length};
            float[] floats = new float[value.length];
            for (int i = 0; i < floats.length; i++) {
                floats[i] = (float) value[i];
            }
            GgmlBlocks.Stored stored = GgmlBlocks.store(matrix ? types.apply(name) : TensorType.F32, floats);
            weights.put(name, stored.values());
            int head = name.contains("q_proj") || name.contains("k_proj") ? spec.headDim() : 0;
            byte[] bytes = architecture.equals("llama") && head > 0
                    ? permuted(stored.bytes(), shape[0], head)
                    : stored.bytes();
            writer.tensor(name(name), matrix ? types.apply(name) : TensorType.F32, shape, bytes);
        });
    }

    /** Writes the file. */
    public Path write(Path file) throws IOException {
        return writer.write(file);
    }

    private void metadata(String architecture, DecoderSpec spec) {
        String prefix = architecture + ".";
        writer.put("general.architecture", architecture)
                .put("general.name", "tiny")
                .put(prefix + "block_count", spec.layers())
                .put(prefix + "context_length", spec.context())
                .put(prefix + "embedding_length", spec.hidden())
                .put(prefix + "feed_forward_length", spec.intermediate())
                .put(prefix + "attention.head_count", spec.heads())
                .put(prefix + "attention.head_count_kv", spec.keyValueHeads())
                .put(prefix + "attention.key_length", spec.headDim())
                .put(prefix + "attention.value_length", spec.headDim())
                .put(prefix + "attention.layer_norm_rms_epsilon", (float) spec.normEpsilon())
                .put(prefix + "rope.dimension_count", spec.headDim())
                .put(prefix + "rope.freq_base", (float) spec.rotaryTheta());
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
        if (name.contains("norm") || name.endsWith(".bias")) {
            return 0;
        }
        return name.contains("down_proj")
                ? spec.intermediate()
                : name.contains("o_proj") ? spec.queryWidth() : spec.hidden();
    }

    private static String name(String name) {
        String end = name.substring(name.lastIndexOf('.'));
        String stem = name.substring(0, name.lastIndexOf('.'));
        if (!stem.startsWith("model.layers.")) {
            return NAMES.getOrDefault(stem, "?") + end;
        }
        List<String> parts = Arrays.asList(stem.split("\\.", 4));
        return "blk." + parts.get(2) + "." + NAMES.getOrDefault(parts.get(3), "?") + end;
    }
}
