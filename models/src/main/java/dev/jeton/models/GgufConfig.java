package dev.jeton.models;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The metadata of a GGUF file in the words of a Hugging Face folder's configuration files, so that one reader serves
 * both. What would change the numbers and is not known here is refused by its key.
 */
final class GgufConfig {

    private static final String ROTARY_FACTORS = "rope_freqs.weight";

    /** Keys below the architecture's name that would change what is computed. */
    private static final List<String> REFUSED = List.of(
            "expert_count",
            "expert_shared_count",
            "expert_weights_scale",
            "attention.scale",
            "attention.temperature_scale",
            "attention.clamp_kqv",
            "attention.max_alibi_bias",
            "attn_logit_softcapping",
            "final_logit_softcapping",
            "logit_scale",
            "residual_scale",
            "embedding_scale",
            "attention.sliding_window",
            "rope.scaling.yarn_log_multiplier",
            "rope.scaling.yarn_ext_factor");

    /** Texts of tokens that end an answer; files made before {@code eot_token_id} was written only have those. */
    private static final Set<String> ENDS = Set.of(
            "<|eot_id|>",
            "<|eom_id|>",
            "<|im_end|>",
            "<|end|>",
            "<|endoftext|>",
            "<|user|>",
            "<|observation|>",
            "<|end_of_text|>",
            "<end_of_turn>",
            "<EOT>",
            "<\uff5cend\u2581of\u2581sentence\uff5c>");

    private GgufConfig() {}

    /** As config.json. */
    static JsonObject config(GgufFile file) {
        JsonObject metadata = file.metadata();
        String architecture = metadata.string("general.architecture")
                .orElseThrow(() ->
                        new ModelException("%s: \"general.architecture\" is missing; the file holds no language model"
                                .formatted(file.path())));
        String prefix = architecture + ".";
        boolean experts = metadata.number(prefix + "expert_count", 0) > 0;
        DecoderFamily family = DecoderFamily.ofGguf(
                metadata.source(),
                architecture,
                experts,
                GgufDeepSeek.bySigmoid(file, prefix),
                metadata.number(prefix + "attention.sliding_window", 0) > 0);
        refuse(metadata, prefix, GgufFamilies.known(family));
        int hidden = metadata.integer(prefix + "embedding_length", 1, Integer.MAX_VALUE);
        int layers = metadata.integer(prefix + "block_count", 1, 1 << 12);
        // those that predict the token after the next are the last
        int ahead = metadata.optionalInteger(prefix + "nextn_predict_layers", 0, layers - 1)
                .orElse(0);
        int heads = perLayer(file, prefix + "attention.head_count", layers)
                .orElseThrow(() -> missing(file, prefix + "attention.head_count"));
        Map<String, Object> config = new LinkedHashMap<>();
        config.put("architectures", List.of(family.architecture()));
        config.put("vocab_size", vocabulary(file));
        config.put("hidden_size", hidden);
        config.put("num_hidden_layers", layers - ahead);
        config.put("num_attention_heads", heads);
        config.put(
                "num_key_value_heads",
                perLayer(file, prefix + "attention.head_count_kv", layers).orElse(heads));
        if (!family.isLatent()) {
            config.put("head_dim", headDim(metadata, prefix, hidden, heads, family));
        }
        Optional<Integer> feed = perLayer(file, prefix + "feed_forward_length", layers);
        if (feed.isEmpty() && !(experts && family.hasDeltas())) {
            throw missing(file, prefix + "feed_forward_length");
        }
        feed.ifPresent(width -> config.put("intermediate_size", width));
        metadata.number(prefix + "attention.layer_norm_rms_epsilon").ifPresent(e -> config.put("rms_norm_eps", e));
        config.put("max_position_embeddings", metadata.integer(prefix + "context_length", 1, 1 << 28));
        config.put("tie_word_embeddings", !file.holds("output.weight"));
        config.put("attention_bias", family.biasByConfiguration() && file.holds("blk.0.attn_q.bias"));
        metadata.number(prefix + "rope.freq_base").ifPresent(base -> config.put("rope_theta", base));
        metadata.value(prefix + "pooling_type").ifPresent(type -> config.put("pooling_type", type));
        rotaryScaling(file, prefix).ifPresent(scaling -> config.put("rope_scaling", scaling));
        GgufFamilies.complete(family, file, prefix, config);
        return JsonObject.of(metadata.source(), config);
    }

    /** As generation_config.json. */
    static JsonObject generation(GgufFile file) {
        JsonObject metadata = file.metadata();
        Map<String, Object> generation = new LinkedHashMap<>();
        List<Object> ends = ends(file);
        generation.put("eos_token_id", ends);
        metadata.value("tokenizer.ggml.bos_token_id").ifPresent(id -> generation.put("bos_token_id", id));
        Map.of(
                        "temp", "temperature",
                        "top_k", "top_k",
                        "top_p", "top_p",
                        "min_p", "min_p",
                        "penalty_repeat", "repetition_penalty")
                .forEach((key, name) ->
                        metadata.value("general.sampling." + key).ifPresent(value -> generation.put(name, value)));
        return JsonObject.of(metadata.source(), generation);
    }

    /** As tokenizer_config.json. */
    static JsonObject tokenizer(GgufFile file) {
        JsonObject metadata = file.metadata();
        Map<String, Object> config = new LinkedHashMap<>();
        metadata.string("tokenizer.chat_template").ifPresent(template -> config.put("chat_template", template));
        List<Object> tokens = file.list("tokenizer.ggml.tokens");
        Map.of("bos", "bos", "eos", "eos", "unknown", "unk", "padding", "pad", "seperator", "sep", "cls", "cls")
                .forEach((key, name) -> metadata.optionalInteger(
                                "tokenizer.ggml." + key + "_token_id", 0, tokens.size() - 1)
                        .ifPresent(id -> config.put(name + "_token", tokens.get(id))));
        return JsonObject.of(metadata.source(), config);
    }

    private static List<Object> ends(GgufFile file) {
        JsonObject metadata = file.metadata();
        List<Object> tokens = file.list("tokenizer.ggml.tokens");
        List<Object> types = file.list("tokenizer.ggml.token_type");
        Set<Object> ends = new LinkedHashSet<>();
        for (String key : List.of("eos", "eot", "eom")) {
            metadata.optionalInteger("tokenizer.ggml." + key + "_token_id", 0, tokens.size() - 1)
                    .ifPresent(ends::add);
        }
        for (int id = 0; id < Math.min(tokens.size(), types.size()); id++) {
            boolean text = GgufTokenizer.isText(types.get(id));
            if (!text && tokens.get(id) instanceof String token && ENDS.contains(token)) {
                ends.add(id);
            }
        }
        return new ArrayList<>(ends);
    }

    private static int vocabulary(GgufFile file) {
        List<Long> shape = file.shape("token_embd.weight");
        if (shape.size() != 2) {
            throw new ModelException(
                    "%s: tensor \"token_embd.weight\" is missing or no table; the file holds no whole language model"
                            .formatted(file.path()));
        }
        return (int) Math.min(Integer.MAX_VALUE, shape.getFirst());
    }

    private static int headDim(JsonObject metadata, String prefix, int hidden, int heads, DecoderFamily family) {
        int headDim = metadata.optionalInteger(prefix + "attention.key_length", 2, 1024)
                .orElseGet(() -> {
                    if (hidden % heads != 0) {
                        throw new ModelException("%s: \"%sembedding_length\" %d does not divide into %d heads"
                                .formatted(metadata.source(), prefix, hidden, heads));
                    }
                    return hidden / heads;
                });
        List<String> others = GgufFamilies.PARTLY_TURNED.contains(family)
                ? List.of("attention.value_length")
                : List.of("attention.value_length", "rope.dimension_count");
        for (String key : others) {
            int other =
                    metadata.optionalInteger(prefix + key, 0, Integer.MAX_VALUE).orElse(headDim);
            if (other != headDim) {
                throw new ModelException("%s: \"%s%s\" is %d where heads are %d wide, which is not supported"
                        .formatted(metadata.source(), prefix, key, other, headDim));
            }
        }
        return headDim;
    }

    private static void refuse(JsonObject metadata, String prefix, Set<String> known) {
        for (String key : REFUSED) {
            double value = known.contains(key) ? 0 : metadata.number(prefix + key, 0);
            if (value != 0) {
                throw new ModelException(
                        "%s: \"%s%s\" %s is not supported".formatted(metadata.source(), prefix, key, value));
            }
        }
    }

    /** A number, or a list of it for every layer. */
    private static Optional<Integer> perLayer(GgufFile file, String key, int layers) {
        List<Object> list = file.list(key);
        if (list.isEmpty()) {
            return file.metadata().optionalInteger(key, 1, Integer.MAX_VALUE);
        }
        if (list.size() != layers || list.stream().distinct().count() != 1) {
            throw new ModelException("%s: \"%s\" is not the same in all %d layers, which is not supported"
                    .formatted(file.path(), key, layers));
        }
        return Optional.of((int) file.metadata().checked(key, list.getFirst(), 1, Integer.MAX_VALUE));
    }

    private static Optional<Map<String, Object>> rotaryScaling(GgufFile file, String prefix) {
        JsonObject metadata = file.metadata();
        String scaling = prefix + "rope.scaling.";
        Optional<Double> old = metadata.number(prefix + "rope.scale_linear");
        String type = metadata.string(scaling + "type")
                .orElse(old.filter(factor -> factor != 1).isPresent() ? "linear" : "none");
        double factor = metadata.number(scaling + "factor").or(() -> old).orElse(1.0);
        Optional<Tensor> factors = file.find(ROTARY_FACTORS, ROTARY_FACTORS);
        if (factors.isPresent() && !type.equals("none")) {
            throw new ModelException("%s has rotary factors and \"%stype\" %s; one of them is supported"
                    .formatted(file.path(), scaling, type));
        }
        if (factors.isPresent()) {
            List<Object> values = new ArrayList<>();
            for (float value : factors.get().toFloats()) {
                values.add((double) value);
            }
            return Optional.of(Map.of("rope_type", "factors", "factors", values));
        }
        return switch (type) {
            case "none" -> Optional.empty();
            case "linear" -> Optional.of(Map.of("rope_type", "linear", "factor", factor));
            case "yarn" -> Optional.of(yarn(metadata, scaling, factor));
            default ->
                throw new ModelException("%s: \"%stype\" is \"%s\"; none, linear and yarn are supported"
                        .formatted(metadata.source(), scaling, type));
        };
    }

    /** llama.cpp multiplies what it is given with YaRN's own attention factor. */
    private static Map<String, Object> yarn(JsonObject metadata, String scaling, double factor) {
        Map<String, Object> yarn = new LinkedHashMap<>();
        yarn.put("rope_type", "yarn");
        yarn.put("factor", factor);
        metadata.value(scaling + "original_context_length")
                .ifPresent(length -> yarn.put("original_max_position_embeddings", length));
        metadata.number(scaling + "attn_factor")
                .ifPresent(own -> yarn.put("attention_factor", own * (0.1 * Math.log(factor) + 1)));
        metadata.number(scaling + "yarn_beta_fast").ifPresent(beta -> yarn.put("beta_fast", beta));
        metadata.number(scaling + "yarn_beta_slow").ifPresent(beta -> yarn.put("beta_slow", beta));
        return yarn;
    }

    private static ModelException missing(GgufFile file, String key) {
        return new ModelException("%s: \"%s\" is missing".formatted(file.path(), key));
    }
}
