package dev.jeton.benchmarks;

import dev.jeton.models.TensorType;
import java.io.BufferedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.function.Function;

/**
 * Writes Llama models of random weights as one GGUF file, for measuring. Blocks are random as they stand, with scales
 * that give weights of the size that {@link ModelMaker} gives them: nothing is quantised, since nothing was there
 * before.
 */
final class GgufMaker {

    private static final int ALIGNMENT = 32;
    /** Uniform weights of standard deviation 0.02, about. */
    private static final float RANGE = 0.02f * 1.7320508f;
    /** 2^-7, with which random numbers of MXFP4 have a standard deviation of 0.023. */
    private static final byte MXFP4_POWER = 120;

    private record Entry(String name, TensorType type, int rows, int columns) {
        long bytes() {
            return (long) rows * columns / type.blockElements() * type.blockBytes();
        }
    }

    private final ModelShape shape;
    private final long seed;
    private final List<Entry> entries = new ArrayList<>();
    private final ByteArrayOutputStream metadata = new ByteArrayOutputStream();
    private int keys;

    private GgufMaker(ModelShape shape, long seed) {
        this.shape = shape;
        this.seed = seed;
    }

    /**
     * Writes {@code model.gguf} into a folder.
     *
     * @param type {@code f32}, {@code f16}, {@code bf16}, {@code q8_0}, {@code q4_k_m}: the mixture that llama.cpp
     *     makes, or {@code mxfp4}: with an embedding and an output projection of Q8_0
     */
    static void make(ModelShape shape, Path folder, String type, long seed) {
        if (shape.experts > 0) {
            throw new IllegalArgumentException(
                    "shape \"%s\" has experts, which are written as safetensors only".formatted(shape.label()));
        }
        GgufMaker maker = new GgufMaker(shape, seed);
        maker.entries(types(shape, type));
        maker.metadata();
        try {
            Files.createDirectories(folder);
            try (OutputStream out =
                    new BufferedOutputStream(Files.newOutputStream(folder.resolve("model.gguf")), 1 << 20)) {
                maker.write(out);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Function<String, TensorType> types(ModelShape shape, String type) {
        return switch (type.toLowerCase(Locale.ROOT)) {
            case "f32" -> name -> TensorType.F32;
            case "f16" -> name -> TensorType.F16;
            case "bf16" -> name -> TensorType.BF16;
            case "q8_0" -> name -> TensorType.Q8_0;
            case "q4_k_m" -> name -> moreBits(shape, name) ? TensorType.Q6_K : TensorType.Q4_K;
            case "mxfp4" -> name -> name.startsWith("blk.") ? TensorType.MXFP4 : TensorType.Q8_0;
            default ->
                throw new IllegalArgumentException(
                        "dtype \"%s\" is not known; f32, f16, bf16, q8_0, q4_k_m and mxfp4 are".formatted(type));
        };
    }

    /** The output projection, and in half of the layers the values and the way back from the feed-forward layer. */
    private static boolean moreBits(ModelShape shape, String name) {
        if (name.equals("output.weight") || name.equals("token_embd.weight") && shape.tied) {
            return true;
        }
        if (!name.contains("attn_v") && !name.contains("ffn_down")) {
            return false;
        }
        int layer = Integer.parseInt(name.split("\\.", 3)[1]);
        int eighth = shape.layers / 8;
        return layer < eighth || layer >= 7 * shape.layers / 8 || (layer - eighth) % 3 == 2;
    }

    private void entries(Function<String, TensorType> types) {
        int kv = shape.hidden / shape.heads * shape.keyValueHeads;
        matrix("token_embd.weight", shape.vocabulary, shape.hidden, types);
        for (int i = 0; i < shape.layers; i++) {
            String layer = "blk." + i + ".";
            vector(layer + "attn_norm.weight");
            vector(layer + "ffn_norm.weight");
            matrix(layer + "attn_q.weight", shape.hidden, shape.hidden, types);
            matrix(layer + "attn_k.weight", kv, shape.hidden, types);
            matrix(layer + "attn_v.weight", kv, shape.hidden, types);
            matrix(layer + "attn_output.weight", shape.hidden, shape.hidden, types);
            matrix(layer + "ffn_gate.weight", shape.intermediate, shape.hidden, types);
            matrix(layer + "ffn_up.weight", shape.intermediate, shape.hidden, types);
            matrix(layer + "ffn_down.weight", shape.hidden, shape.intermediate, types);
        }
        vector("output_norm.weight");
        if (!shape.tied) {
            matrix("output.weight", shape.vocabulary, shape.hidden, types);
        }
    }

    private void vector(String name) {
        entries.add(new Entry(name, TensorType.F32, 1, shape.hidden));
    }

    /** Where rows are no whole blocks, the next type of smaller blocks takes their place, as llama.cpp has it. */
    private void matrix(String name, int rows, int columns, Function<String, TensorType> types) {
        TensorType wanted = types.apply(name);
        boolean fits = columns % wanted.blockElements() == 0;
        TensorType type = fits ? wanted : wanted == TensorType.Q6_K ? TensorType.Q8_0 : TensorType.Q5_0;
        entries.add(new Entry(name, type, rows, columns));
    }

    private void metadata() {
        put("general.architecture", "llama");
        put("general.name", "random " + shape.label());
        put("llama.block_count", shape.layers);
        put("llama.context_length", shape.context);
        put("llama.embedding_length", shape.hidden);
        put("llama.feed_forward_length", shape.intermediate);
        put("llama.attention.head_count", shape.heads);
        put("llama.attention.head_count_kv", shape.keyValueHeads);
        put("llama.attention.layer_norm_rms_epsilon", 1e-5f);
        put("llama.rope.dimension_count", shape.hidden / shape.heads);
        put("llama.rope.freq_base", (float) shape.rotaryTheta);
        MadeTokenizer.Vocabulary vocabulary = MadeTokenizer.vocabulary(shape.vocabulary);
        put("tokenizer.ggml.model", "gpt2");
        put("tokenizer.ggml.pre", "gpt-2");
        put("tokenizer.ggml.tokens", vocabulary.tokens());
        put("tokenizer.ggml.merges", vocabulary.merges());
        ByteBuffer types = le(12 + 4 * shape.vocabulary).putInt(5).putLong(shape.vocabulary);
        for (int id = 0; id < shape.vocabulary; id++) {
            types.putInt(id < vocabulary.special() ? 3 : 1);
        }
        entry("tokenizer.ggml.token_type", 9, types);
        put("tokenizer.ggml.bos_token_id", MadeTokenizer.BEGIN);
        put("tokenizer.ggml.eos_token_id", MadeTokenizer.END);
        put("tokenizer.chat_template", vocabulary.template());
    }

    private void put(String key, int value) {
        entry(key, 4, le(4).putInt(value));
    }

    private void put(String key, float value) {
        entry(key, 6, le(4).putFloat(value));
    }

    private void put(String key, String value) {
        entry(key, 8, string(value));
    }

    private void put(String key, List<String> values) {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        all.writeBytes(le(12).putInt(8).putLong(values.size()).array());
        values.forEach(value -> all.writeBytes(string(value).array()));
        entry(key, 9, ByteBuffer.wrap(all.toByteArray()));
    }

    private void entry(String key, int type, ByteBuffer value) {
        metadata.writeBytes(string(key).array());
        metadata.writeBytes(le(4).putInt(type).array());
        metadata.writeBytes(value.array());
        keys++;
    }

    private static ByteBuffer string(String value) {
        byte[] utf8 = value.getBytes(StandardCharsets.UTF_8);
        return le(8 + utf8.length).putLong(utf8.length).put(utf8);
    }

    private static ByteBuffer le(int bytes) {
        return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    private void write(OutputStream out) throws IOException {
        ByteArrayOutputStream head = new ByteArrayOutputStream();
        head.writeBytes("GGUF".getBytes(StandardCharsets.US_ASCII));
        head.writeBytes(le(20).putInt(3).putLong(entries.size()).putLong(keys).array());
        head.writeBytes(metadata.toByteArray());
        long offset = 0;
        for (Entry entry : entries) {
            boolean vector = entry.rows == 1;
            head.writeBytes(string(entry.name).array());
            ByteBuffer info =
                    le(4 + (vector ? 8 : 16) + 12).putInt(vector ? 1 : 2).putLong(entry.columns);
            if (!vector) {
                info.putLong(entry.rows);
            }
            head.writeBytes(info.putInt(number(entry.type)).putLong(offset).array());
            offset += aligned(entry.bytes());
        }
        head.writeBytes(new byte[(int) (aligned(head.size()) - head.size())]);
        head.writeTo(out);
        for (Entry entry : entries) {
            writeTensor(out, entry);
            out.write(new byte[(int) (aligned(entry.bytes()) - entry.bytes())]);
        }
    }

    private static long aligned(long bytes) {
        return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }

    /** ggml's number of a type. */
    private static int number(TensorType type) {
        return switch (type) {
            case F32 -> 0;
            case F16 -> 1;
            case Q5_0 -> 6;
            case Q8_0 -> 8;
            case Q4_K -> 12;
            case Q6_K -> 14;
            case BF16 -> 30;
            case MXFP4 -> 39;
            case Q4_0, Q4_1, Q5_1, Q5_K -> throw new IllegalArgumentException(type + " is not written");
        };
    }

    private void writeTensor(OutputStream out, Entry entry) throws IOException {
        SplittableRandom random = new SplittableRandom(seed ^ 31L * entry.name.hashCode());
        ByteBuffer row = le((int) (entry.bytes() / entry.rows));
        for (int r = 0; r < entry.rows; r++) {
            row.clear();
            while (row.hasRemaining()) {
                block(entry, row, random);
            }
            out.write(row.array());
        }
    }

    private static void block(Entry entry, ByteBuffer out, SplittableRandom random) {
        float value = entry.rows == 1 ? 1 : random.nextInt() * (RANGE / 0x1p31f);
        switch (entry.type) {
            case F32 -> out.putFloat(value);
            case F16 -> out.putShort(Float.floatToFloat16(value));
            case BF16 -> out.putShort((short) (Float.floatToRawIntBits(value) >>> 16));
            case Q8_0 -> bytes(out.putShort(Float.floatToFloat16(RANGE / 128)), 32, random);
            case Q5_0 -> bytes(out.putShort(Float.floatToFloat16(RANGE / 16)), 20, random);
            case Q4_K -> {
                // scales and offsets of the same number make weights of mean zero
                int number = 32 + random.nextInt(32);
                out.putShort(Float.floatToFloat16(RANGE / 7.5f / 48)).putShort(Float.floatToFloat16(RANGE / 48));
                for (int i = 0; i < 8; i++) {
                    out.put((byte) (number | number >> 4 << 6));
                }
                for (int i = 0; i < 4; i++) {
                    out.put((byte) (number & 15 | (number & 15) << 4));
                }
                bytes(out, 128, random);
            }
            case Q6_K -> {
                bytes(out, 192, random);
                for (int i = 0; i < 16; i++) {
                    out.put((byte) (64 + random.nextInt(64)));
                }
                out.putShort(Float.floatToFloat16(RANGE / 32 / 96));
            }
            case MXFP4 -> bytes(out.put(MXFP4_POWER), 16, random);
            case Q4_0, Q4_1, Q5_1, Q5_K -> throw new IllegalArgumentException(entry.type + " is not written");
        }
    }

    private static void bytes(ByteBuffer out, int count, SplittableRandom random) {
        for (int i = 0; i < count; i += 4) {
            out.putInt(random.nextInt());
        }
    }
}
