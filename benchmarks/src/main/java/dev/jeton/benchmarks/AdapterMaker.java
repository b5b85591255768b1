package dev.jeton.benchmarks;

import dev.jeton.models.AdapterFolder;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Writes low-rank adapters of random numbers as PEFT's {@code save_pretrained} does, for measuring: on all seven linear
 * layers of every layer, or on the four of attention where the feed-forward is of experts.
 */
final class AdapterMaker {

    /**
     * What to write.
     *
     * @param shape of the model that it is for
     * @param folder made if it is not there
     * @param type {@code f32} or {@code bf16}
     * @param rank of each of its parts
     * @param seed same seed, same bytes
     */
    record Options(ModelShape shape, Path folder, String type, int rank, long seed) {

        Options {
            if (!type.equals("f32") && !type.equals("bf16")) {
                throw new IllegalArgumentException("dtype \"%s\" is not known; f32 and bf16 are".formatted(type));
            }
            if (rank < 1 || rank > AdapterFolder.MOST_RANK) {
                throw new IllegalArgumentException(
                        "a rank of %d: it must be 1 to %d".formatted(rank, AdapterFolder.MOST_RANK));
            }
        }
    }

    private AdapterMaker() {}

    /** Writes a folder. */
    static void make(Options options) {
        try {
            Files.createDirectories(options.folder);
            Files.writeString(options.folder.resolve(AdapterFolder.CONFIG), """
                    {
                      "peft_type": "LORA",
                      "task_type": "CAUSAL_LM",
                      "r": %d,
                      "lora_alpha": %d,
                      "lora_dropout": 0.0,
                      "bias": "none",
                      "use_dora": false,
                      "use_rslora": false,
                      "fan_in_fan_out": false,
                      "modules_to_save": null,
                      "inference_mode": true,
                      "target_modules": [%s]
                    }
                    """.formatted(
                            options.rank, 2 * options.rank, modules(options.shape)));
            new RandomTensors(options.type, options.seed)
                    .write(options.folder.resolve(AdapterFolder.WEIGHTS), entries(options));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String modules(ModelShape shape) {
        String attention = "\"q_proj\", \"k_proj\", \"v_proj\", \"o_proj\"";
        return shape.experts > 0 ? attention : attention + ", \"gate_proj\", \"up_proj\", \"down_proj\"";
    }

    private static List<RandomTensors.Entry> entries(Options options) {
        ModelShape s = options.shape;
        int kv = s.hidden / s.heads * s.keyValueHeads;
        List<RandomTensors.Entry> all = new ArrayList<>();
        for (int i = 0; i < s.layers; i++) {
            String layer = "base_model.model.model.layers." + i + ".";
            add(all, layer + "self_attn.q_proj", s.hidden, options.rank, s.hidden);
            add(all, layer + "self_attn.k_proj", s.hidden, options.rank, kv);
            add(all, layer + "self_attn.v_proj", s.hidden, options.rank, kv);
            add(all, layer + "self_attn.o_proj", s.hidden, options.rank, s.hidden);
            if (s.experts == 0) {
                add(all, layer + "mlp.gate_proj", s.hidden, options.rank, s.intermediate);
                add(all, layer + "mlp.up_proj", s.hidden, options.rank, s.intermediate);
                add(all, layer + "mlp.down_proj", s.intermediate, options.rank, s.hidden);
            }
        }
        return all;
    }

    private static void add(List<RandomTensors.Entry> to, String module, int inputs, int rank, int outputs) {
        to.add(new RandomTensors.Entry(module + ".lora_A.weight", rank, inputs));
        to.add(new RandomTensors.Entry(module + ".lora_B.weight", outputs, rank));
    }
}
