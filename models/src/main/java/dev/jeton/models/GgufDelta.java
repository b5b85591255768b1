package dev.jeton.models;

import java.util.List;
import java.util.Map;

/** Layers of linear attention ({@link Delta}) in the metadata of GGUF files, which names them as those of Mamba. */
final class GgufDelta {

    private GgufDelta() {}

    /**
     * Adds what is said of them. Heads of values go with those of keys by turns in files of Qwen3.5, and as in folders
     * in those of Qwen3-Next, unless a file says otherwise.
     */
    static void complete(DecoderFamily family, GgufFile file, String prefix, Map<String, Object> config) {
        JsonObject metadata = file.metadata();
        int heads = metadata.integer(prefix + "ssm.time_step_rank", 1, 1 << 10);
        int values = metadata.integer(prefix + "ssm.inner_size", 1, 1 << 20);
        if (values % heads != 0) {
            throw new ModelException("%s: \"%sssm.inner_size\" %d does not divide into %d heads"
                    .formatted(metadata.source(), prefix, values, heads));
        }
        config.put("linear_num_value_heads", heads);
        config.put("linear_value_head_dim", values / heads);
        config.put("linear_num_key_heads", metadata.integer(prefix + "ssm.group_count", 1, 1 << 10));
        config.put("linear_key_head_dim", metadata.integer(prefix + "ssm.state_size", 1, 512));
        config.put("linear_conv_kernel_dim", metadata.integer(prefix + "ssm.conv_kernel", 2, 16));
        config.put(Delta.BY_TURNS, metadata.flag(prefix + "ssm.v_head_reordered", family != DecoderFamily.QWEN3_NEXT));
        List<Object> recurrent = file.list(prefix + "attention.recurrent_layers");
        if (recurrent.isEmpty()) {
            metadata.value(prefix + "full_attention_interval")
                    .ifPresent(interval -> config.put("full_attention_interval", interval));
        } else {
            int layers = JsonObject.of(metadata.source(), config).integer("num_hidden_layers", 1, 1 << 12);
            config.put("layer_types", types(recurrent.stream().limit(layers).toList()));
        }
    }

    private static List<Object> types(List<Object> recurrent) {
        return recurrent.stream()
                .map(linear -> (Object) (Boolean.TRUE.equals(linear) ? "linear_attention" : "full_attention"))
                .toList();
    }
}
