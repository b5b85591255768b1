package dev.jeton.benchmarks;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Writes Llama or Mixtral folders of random weights, for measuring: every byte of a real model of that shape is there,
 * and its words mean nothing. Weights above 2 GB are sharded.
 */
public final class ModelMaker {

    /**
     * What to write.
     *
     * @param shape the model's shape
     * @param folder made if it is not there
     * @param type {@code f32} or {@code bf16}
     * @param seed same seed, same bytes
     */
    public record Options(ModelShape shape, Path folder, String type, long seed) {

        /** Checks the type. */
        public Options {
            if (!type.equals("f32") && !type.equals("bf16")) {
                throw new IllegalArgumentException("dtype \"%s\" is not known; f32 and bf16 are".formatted(type));
            }
        }
    }

    private static final long SHARD_BYTES = 2_000_000_000;

    private final Options options;
    private final RandomTensors tensors;

    private ModelMaker(Options options) {
        this.options = options;
        tensors = new RandomTensors(options.type, options.seed);
    }

    /** Writes a folder. */
    public static void make(Options options) {
        try {
            Files.createDirectories(options.folder);
            writeConfig(options);
            new ModelMaker(options).writeWeights();
            MadeTokenizer.write(options.folder, options.shape.vocabulary, options.shape.context);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Writes what says of which shape a folder's model is. */
    static void writeConfig(Options options) throws IOException {
        ModelShape s = options.shape;
        Files.writeString(options.folder.resolve("config.json"), """
                {
                  "architectures": ["%s"],
                  "model_type": "%s",%s
                  "hidden_size": %d,
                  "intermediate_size": %d,
                  "num_hidden_layers": %d,
                  "num_attention_heads": %d,
                  "num_key_value_heads": %d,
                  "vocab_size": %d,
                  "max_position_embeddings": %d,
                  "rms_norm_eps": 1e-05,
                  "rope_theta": %d.0,
                  "hidden_act": "silu",
                  "tie_word_embeddings": %s,
                  "bos_token_id": %d,
                  "eos_token_id": %d,
                  "torch_dtype": "%s"
                }
                """.formatted(
                        s.experts > 0 ? "MixtralForCausalLM" : "LlamaForCausalLM",
                        s.experts > 0 ? "mixtral" : "llama",
                        experts(s),
                        s.hidden,
                        s.intermediate,
                        s.layers,
                        s.heads,
                        s.keyValueHeads,
                        s.vocabulary,
                        s.context,
                        s.rotaryTheta,
                        s.tied,
                        MadeTokenizer.BEGIN,
                        MadeTokenizer.END,
                        options.type.equals("f32") ? "float32" : "bfloat16"));
    }

    private static String experts(ModelShape shape) {
        return shape.experts == 0
                ? ""
                : "%n  \"num_local_experts\": %d,%n  \"num_experts_per_tok\": %d,"
                        .formatted(shape.experts, shape.expertsPerToken);
    }

    private List<RandomTensors.Entry> entries() {
        ModelShape s = options.shape;
        int kv = s.hidden / s.heads * s.keyValueHeads;
        List<RandomTensors.Entry> all = new ArrayList<>();
        all.add(new RandomTensors.Entry("model.embed_tokens.weight", s.vocabulary, s.hidden));
        for (int i = 0; i < s.layers; i++) {
            String layer = "model.layers." + i + ".";
            all.add(new RandomTensors.Entry(layer + "input_layernorm.weight", s.hidden));
            all.add(new RandomTensors.Entry(layer + "post_attention_layernorm.weight", s.hidden));
            all.add(new RandomTensors.Entry(layer + "self_attn.q_proj.weight", s.hidden, s.hidden));
            all.add(new RandomTensors.Entry(layer + "self_attn.k_proj.weight", kv, s.hidden));
            all.add(new RandomTensors.Entry(layer + "self_attn.v_proj.weight", kv, s.hidden));
            all.add(new RandomTensors.Entry(layer + "self_attn.o_proj.weight", s.hidden, s.hidden));
            if (s.experts == 0) {
                all.add(new RandomTensors.Entry(layer + "mlp.gate_proj.weight", s.intermediate, s.hidden));
                all.add(new RandomTensors.Entry(layer + "mlp.up_proj.weight", s.intermediate, s.hidden));
                all.add(new RandomTensors.Entry(layer + "mlp.down_proj.weight", s.hidden, s.intermediate));
            } else {
                all.add(new RandomTensors.Entry(layer + "block_sparse_moe.gate.weight", s.experts, s.hidden));
            }
            for (int e = 0; e < s.experts; e++) {
                String expert = layer + "block_sparse_moe.experts." + e;
                all.add(new RandomTensors.Entry(expert + ".w1.weight", s.intermediate, s.hidden));
                all.add(new RandomTensors.Entry(expert + ".w2.weight", s.hidden, s.intermediate));
                all.add(new RandomTensors.Entry(expert + ".w3.weight", s.intermediate, s.hidden));
            }
        }
        all.add(new RandomTensors.Entry("model.norm.weight", s.hidden));
        if (!s.tied) {
            all.add(new RandomTensors.Entry("lm_head.weight", s.vocabulary, s.hidden));
        }
        return all;
    }

    private void writeWeights() throws IOException {
        List<List<RandomTensors.Entry>> shards = new ArrayList<>();
        shards.add(new ArrayList<>());
        long total = 0;
        long inShard = 0;
        for (RandomTensors.Entry entry : entries()) {
            long size = tensors.bytes(entry);
            if (inShard > 0 && inShard + size > SHARD_BYTES) {
                shards.add(new ArrayList<>());
                inShard = 0;
            }
            shards.getLast().add(entry);
            inShard += size;
            total += size;
        }
        if (shards.size() == 1) {
            tensors.write(options.folder.resolve("model.safetensors"), shards.getFirst());
            return;
        }
        StringBuilder map = new StringBuilder();
        for (int i = 0; i < shards.size(); i++) {
            String file = "model-%05d-of-%05d.safetensors".formatted(i + 1, shards.size());
            tensors.write(options.folder.resolve(file), shards.get(i));
            for (RandomTensors.Entry entry : shards.get(i)) {
                map.append(map.isEmpty() ? "" : ",\n").append("    \"%s\": \"%s\"".formatted(entry.name(), file));
            }
        }
        Files.writeString(
                options.folder.resolve("model.safetensors.index.json"),
                "{\n  \"metadata\": {\"total_size\": %d},\n  \"weight_map\": {\n%s\n  }\n}\n".formatted(total, map));
    }
}
