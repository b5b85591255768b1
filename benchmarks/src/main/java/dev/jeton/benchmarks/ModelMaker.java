package dev.jeton.benchmarks;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

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

    private record Entry(String name, List<Integer> shape, long elements) {}

    private static final long SHARD_BYTES = 2_000_000_000;
    private static final int CHUNK = 1 << 20;
    /** Uniform weights of standard deviation 0.02. */
    private static final float RANGE = 0.02f * 1.7320508f;

    private final Options options;
    private final int bytes;

    private ModelMaker(Options options) {
        this.options = options;
        this.bytes = options.type.equals("f32") ? 4 : 2;
    }

    /** Writes a folder. */
    public static void make(Options options) {
        try {
            Files.createDirectories(options.folder);
            ModelMaker maker = new ModelMaker(options);
            maker.writeConfig();
            maker.writeWeights();
            MadeTokenizer.write(options.folder, options.shape.vocabulary, options.shape.context);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void writeConfig() throws IOException {
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
                        bytes == 4 ? "float32" : "bfloat16"));
    }

    private static String experts(ModelShape shape) {
        return shape.experts == 0
                ? ""
                : "%n  \"num_local_experts\": %d,%n  \"num_experts_per_tok\": %d,"
                        .formatted(shape.experts, shape.expertsPerToken);
    }

    private List<Entry> entries() {
        ModelShape s = options.shape;
        int kv = s.hidden / s.heads * s.keyValueHeads;
        List<Entry> all = new ArrayList<>();
        all.add(entry("model.embed_tokens.weight", s.vocabulary, s.hidden));
        for (int i = 0; i < s.layers; i++) {
            String layer = "model.layers." + i + ".";
            all.add(entry(layer + "input_layernorm.weight", s.hidden));
            all.add(entry(layer + "post_attention_layernorm.weight", s.hidden));
            all.add(entry(layer + "self_attn.q_proj.weight", s.hidden, s.hidden));
            all.add(entry(layer + "self_attn.k_proj.weight", kv, s.hidden));
            all.add(entry(layer + "self_attn.v_proj.weight", kv, s.hidden));
            all.add(entry(layer + "self_attn.o_proj.weight", s.hidden, s.hidden));
            if (s.experts == 0) {
                all.add(entry(layer + "mlp.gate_proj.weight", s.intermediate, s.hidden));
                all.add(entry(layer + "mlp.up_proj.weight", s.intermediate, s.hidden));
                all.add(entry(layer + "mlp.down_proj.weight", s.hidden, s.intermediate));
            } else {
                all.add(entry(layer + "block_sparse_moe.gate.weight", s.experts, s.hidden));
            }
            for (int e = 0; e < s.experts; e++) {
                String expert = layer + "block_sparse_moe.experts." + e;
                all.add(entry(expert + ".w1.weight", s.intermediate, s.hidden));
                all.add(entry(expert + ".w2.weight", s.hidden, s.intermediate));
                all.add(entry(expert + ".w3.weight", s.intermediate, s.hidden));
            }
        }
        all.add(entry("model.norm.weight", s.hidden));
        if (!s.tied) {
            all.add(entry("lm_head.weight", s.vocabulary, s.hidden));
        }
        return all;
    }

    private static Entry entry(String name, Integer... shape) {
        long elements = 1;
        for (int size : shape) {
            elements *= size;
        }
        return new Entry(name, List.of(shape), elements);
    }

    private void writeWeights() throws IOException {
        List<List<Entry>> shards = new ArrayList<>();
        shards.add(new ArrayList<>());
        long total = 0;
        long inShard = 0;
        for (Entry entry : entries()) {
            long size = entry.elements * bytes;
            if (inShard > 0 && inShard + size > SHARD_BYTES) {
                shards.add(new ArrayList<>());
                inShard = 0;
            }
            shards.getLast().add(entry);
            inShard += size;
            total += size;
        }
        if (shards.size() == 1) {
            writeShard("model.safetensors", shards.getFirst());
            return;
        }
        StringBuilder map = new StringBuilder();
        for (int i = 0; i < shards.size(); i++) {
            String file = "model-%05d-of-%05d.safetensors".formatted(i + 1, shards.size());
            writeShard(file, shards.get(i));
            for (Entry entry : shards.get(i)) {
                map.append(map.isEmpty() ? "" : ",\n").append("    \"%s\": \"%s\"".formatted(entry.name, file));
            }
        }
        Files.writeString(
                options.folder.resolve("model.safetensors.index.json"),
                "{\n  \"metadata\": {\"total_size\": %d},\n  \"weight_map\": {\n%s\n  }\n}\n".formatted(total, map));
    }

    private void writeShard(String file, List<Entry> entries) throws IOException {
        StringBuilder header = new StringBuilder("{\"__metadata__\":{\"format\":\"pt\"}");
        long at = 0;
        for (Entry entry : entries) {
            long end = at + entry.elements * bytes;
            header.append(",\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%d,%d]}"
                    .formatted(entry.name, bytes == 4 ? "F32" : "BF16", entry.shape, at, end));
            at = end;
        }
        header.append('}');
        while (header.length() % 8 != 0) {
            header.append(' ');
        }
        byte[] json = header.toString().getBytes(StandardCharsets.UTF_8);
        try (FileChannel channel = FileChannel.open(
                options.folder.resolve(file),
                StandardOpenOption.CREATE,
                StandardOpenOption.WRITE,
                StandardOpenOption.TRUNCATE_EXISTING)) {
            ByteBuffer start = ByteBuffer.allocate(8 + json.length).order(ByteOrder.LITTLE_ENDIAN);
            writeAll(channel, start.putLong(json.length).put(json).flip());
            for (Entry entry : entries) {
                writeTensor(channel, entry);
            }
        }
    }

    /** Chunks are filled in parallel, each from a seed of its own, and written in order. */
    private void writeTensor(FileChannel channel, Entry entry) throws IOException {
        boolean norm = entry.shape.size() == 1;
        int chunks = (int) ((entry.elements + CHUNK - 1) / CHUNK);
        int wave = 2 * Runtime.getRuntime().availableProcessors();
        for (int first = 0; first < chunks; first += wave) {
            int from = first;
            List<ByteBuffer> filled = IntStream.range(from, Math.min(chunks, from + wave))
                    .parallel()
                    .mapToObj(i -> fill(entry, i, norm))
                    .toList();
            for (ByteBuffer buffer : filled) {
                writeAll(channel, buffer);
            }
        }
    }

    private ByteBuffer fill(Entry entry, int chunk, boolean norm) {
        int count = (int) Math.min(CHUNK, entry.elements - (long) chunk * CHUNK);
        ByteBuffer buffer = ByteBuffer.allocate(count * bytes).order(ByteOrder.LITTLE_ENDIAN);
        SplittableRandom random =
                new SplittableRandom(options.seed ^ (31L * entry.name.hashCode() + chunk) * 0x9E3779B97F4A7C15L);
        for (int i = 0; i < count; i += 2) {
            long bits = random.nextLong();
            put(buffer, norm ? 1 : uniform((int) bits));
            if (i + 1 < count) {
                put(buffer, norm ? 1 : uniform((int) (bits >>> 32)));
            }
        }
        return buffer.flip();
    }

    private static float uniform(int bits) {
        return bits * (RANGE / 0x1p31f);
    }

    private void put(ByteBuffer buffer, float value) {
        if (bytes == 4) {
            buffer.putFloat(value);
        } else {
            buffer.putShort((short) (Float.floatToRawIntBits(value) >>> 16));
        }
    }

    private static void writeAll(FileChannel channel, ByteBuffer buffer) throws IOException {
        while (buffer.hasRemaining()) {
            channel.write(buffer);
        }
    }
}
