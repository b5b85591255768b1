package dev.jeton.models;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Collectors;

/** Writes small safetensors files for tests. */
public final class SafetensorsWriter {

    private record Entry(String type, int[] shape, byte[] data) {}

    private final Map<String, Entry> entries = new LinkedHashMap<>();

    /** Adds a tensor, rounded to its type. */
    public SafetensorsWriter add(String name, TensorType type, int[] shape, float[] values) {
        ByteBuffer bytes = ByteBuffer.allocate(values.length * type.bytes()).order(ByteOrder.LITTLE_ENDIAN);
        for (float value : values) {
            switch (type) {
                case F32 -> bytes.putFloat(value);
                case F16 -> bytes.putShort(Float.floatToFloat16(value));
                case BF16 -> bytes.putShort(bf16(value));
                default -> throw new IllegalArgumentException("safetensors have no " + type);
            }
        }
        entries.put(name, new Entry(type.name(), shape, bytes.array()));
        return this;
    }

    /** Adds a tensor of bytes, of a type that the format names. */
    public SafetensorsWriter add(String name, String type, int[] shape, byte[] data) {
        entries.put(name, new Entry(type, shape, data));
        return this;
    }

    /** What a value becomes when it is stored as a type. */
    public static float rounded(TensorType type, float value) {
        return switch (type) {
            case F32 -> value;
            case F16 -> Float.float16ToFloat(Float.floatToFloat16(value));
            case BF16 -> Float.intBitsToFloat(bf16(value) << 16);
            default -> throw new IllegalArgumentException(type + " does not round a value by itself");
        };
    }

    private static short bf16(float value) {
        int bits = Float.floatToRawIntBits(value);
        return (short) ((bits + 0x7FFF + ((bits >>> 16) & 1)) >>> 16);
    }

    /** The file's bytes. */
    public byte[] bytes() {
        StringBuilder header = new StringBuilder("{\"__metadata__\":{\"format\":\"pt\"}");
        int at = 0;
        for (Map.Entry<String, Entry> e : entries.entrySet()) {
            int end = at + e.getValue().data.length;
            String shape =
                    Arrays.stream(e.getValue().shape).mapToObj(String::valueOf).collect(Collectors.joining(","));
            header.append(",\"%s\":{\"dtype\":\"%s\",\"shape\":[%s],\"data_offsets\":[%d,%d]}"
                    .formatted(e.getKey(), e.getValue().type, shape, at, end));
            at = end;
        }
        byte[] json = header.append("}").toString().getBytes(StandardCharsets.UTF_8);
        ByteBuffer all = ByteBuffer.allocate(8 + json.length + at).order(ByteOrder.LITTLE_ENDIAN);
        all.putLong(json.length).put(json);
        entries.values().forEach(e -> all.put(e.data));
        return all.array();
    }

    /** Writes the file. */
    public void write(Path file) throws IOException {
        try (OutputStream out = Files.newOutputStream(file)) {
            out.write(bytes());
        }
    }
}
