package dev.jeton.models;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Writes small GGUF files for tests, from the format's description. */
public final class GgufWriter {

    /** ggml's number of each type. */
    private static final Map<TensorType, Integer> TYPES = Map.ofEntries(
            Map.entry(TensorType.F32, 0),
            Map.entry(TensorType.F16, 1),
            Map.entry(TensorType.Q4_0, 2),
            Map.entry(TensorType.Q4_1, 3),
            Map.entry(TensorType.Q5_0, 6),
            Map.entry(TensorType.Q5_1, 7),
            Map.entry(TensorType.Q8_0, 8),
            Map.entry(TensorType.Q4_K, 12),
            Map.entry(TensorType.Q5_K, 13),
            Map.entry(TensorType.Q6_K, 14),
            Map.entry(TensorType.BF16, 30),
            Map.entry(TensorType.MXFP4, 39));

    private record Entry(int type, int[] shape, byte[] data) {}

    private final ByteArrayOutputStream metadata = new ByteArrayOutputStream();
    private final Map<String, Entry> tensors = new LinkedHashMap<>();
    private int entries;
    private int version = 3;
    private int alignment = 32;

    /** Another version of the format. */
    public GgufWriter version(int other) {
        version = other;
        return this;
    }

    /** Another alignment, which is also written. */
    public GgufWriter alignment(int other) {
        alignment = other;
        return put("general.alignment", other);
    }

    /** An unsigned 32-bit number. */
    public GgufWriter put(String key, int value) {
        return entry(key, 4, le(4).putInt(value));
    }

    public GgufWriter put(String key, float value) {
        return entry(key, 6, le(4).putFloat(value));
    }

    public GgufWriter put(String key, boolean value) {
        return entry(key, 7, le(1).put((byte) (value ? 1 : 0)));
    }

    public GgufWriter put(String key, String value) {
        byte[] utf8 = value.getBytes(StandardCharsets.UTF_8);
        return entry(key, 8, le(8 + utf8.length).putLong(utf8.length).put(utf8));
    }

    /** A list of truth values. */
    public GgufWriter put(String key, boolean... values) {
        ByteBuffer out = le(12 + values.length).putInt(7).putLong(values.length);
        for (boolean value : values) {
            out.put((byte) (value ? 1 : 0));
        }
        return entry(key, 9, out);
    }

    public GgufWriter put(String key, List<String> values) {
        int bytes = values.stream()
                .mapToInt(v -> 8 + v.getBytes(StandardCharsets.UTF_8).length)
                .sum();
        ByteBuffer out = le(12 + bytes).putInt(8).putLong(values.size());
        for (String value : values) {
            byte[] utf8 = value.getBytes(StandardCharsets.UTF_8);
            out.putLong(utf8.length).put(utf8);
        }
        return entry(key, 9, out);
    }

    public GgufWriter put(String key, float[] values) {
        ByteBuffer out = le(12 + 4 * values.length).putInt(6).putLong(values.length);
        for (float value : values) {
            out.putFloat(value);
        }
        return entry(key, 9, out);
    }

    /** Signed 32-bit numbers. */
    public GgufWriter put(String key, int[] values) {
        ByteBuffer out = le(12 + 4 * values.length).putInt(5).putLong(values.length);
        for (int value : values) {
            out.putInt(value);
        }
        return entry(key, 9, out);
    }

    /** An entry whose value is given as the format has it. */
    public GgufWriter entry(String key, int type, ByteBuffer value) {
        byte[] utf8 = key.getBytes(StandardCharsets.UTF_8);
        metadata.writeBytes(le(8 + utf8.length + 4)
                .putLong(utf8.length)
                .put(utf8)
                .putInt(type)
                .array());
        metadata.writeBytes(value.array());
        entries++;
        return this;
    }

    /** A tensor, shape outermost first. */
    public GgufWriter tensor(String name, TensorType type, int[] shape, byte[] data) {
        return tensor(name, TYPES.getOrDefault(type, -1), shape, data);
    }

    /** A tensor of a type by ggml's number. */
    public GgufWriter tensor(String name, int type, int[] shape, byte[] data) {
        tensors.put(name, new Entry(type, shape, data));
        return this;
    }

    /** The file's bytes. */
    public byte[] bytes() {
        ByteArrayOutputStream head = new ByteArrayOutputStream();
        head.writeBytes(le(24).put("GGUF".getBytes(StandardCharsets.US_ASCII))
                .putInt(version)
                .putLong(tensors.size())
                .putLong(entries)
                .array());
        head.writeBytes(metadata.toByteArray());
        ByteArrayOutputStream data = new ByteArrayOutputStream();
        tensors.forEach((name, entry) -> {
            byte[] utf8 = name.getBytes(StandardCharsets.UTF_8);
            ByteBuffer info = le(8 + utf8.length + 4 + 8 * entry.shape.length + 12)
                    .putLong(utf8.length)
                    .put(utf8)
                    .putInt(entry.shape.length);
            for (int i = entry.shape.length - 1; i >= 0; i--) {
                info.putLong(entry.shape[i]);
            }
            pad(data);
            head.writeBytes(info.putInt(entry.type).putLong(data.size()).array());
            data.writeBytes(entry.data);
        });
        pad(head);
        head.writeBytes(data.toByteArray());
        return head.toByteArray();
    }

    private void pad(ByteArrayOutputStream out) {
        while (alignment > 0 && out.size() % alignment != 0) {
            out.write(0);
        }
    }

    /** Writes the file. */
    public Path write(Path file) throws IOException {
        return Files.write(file, bytes());
    }

    private static ByteBuffer le(int bytes) {
        return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }
}
