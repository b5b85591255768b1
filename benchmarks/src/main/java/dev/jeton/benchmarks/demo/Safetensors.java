package dev.jeton.benchmarks.demo;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * Writes and reads bf16 safetensors files: an eight-byte little-endian header length, a JSON header padded with spaces
 * to a multiple of eight, then the values (format of huggingface/safetensors).
 *
 * <p>Reading is for files written here: names and shapes come from the model's shape and must match the header.
 */
public final class Safetensors {
    private static final int ALIGNMENT = 8;

    private Safetensors() {}

    /** Writes the weights, each rounded to bf16; a file that is there is replaced at once or not at all. */
    public static void write(Path file, Weights weights) {
        byte[] header = header(shapes(weights));
        int size = weights.tensors().values().stream()
                .mapToInt(tensor -> tensor.values().length * Short.BYTES)
                .sum();
        ByteBuffer buffer =
                ByteBuffer.allocate(Long.BYTES + header.length + size).order(ByteOrder.LITTLE_ENDIAN);
        buffer.putLong(header.length).put(header);
        for (Weights.Tensor tensor : weights.tensors().values()) {
            for (float value : tensor.values()) {
                buffer.putShort(Bfloat16.fromFloat(value));
            }
        }
        try {
            Path partial = file.resolveSibling(file.getFileName() + ".part");
            Files.write(partial, buffer.array());
            Files.move(partial, file, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot write " + file, e);
        }
    }

    /** Reads weights of that shape. */
    public static Weights read(Path file, ModelShape shape) {
        ByteBuffer buffer;
        try {
            buffer = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read " + file, e);
        }
        byte[] expected = header(shape.tensors());
        byte[] found = new byte[expected.length];
        if (buffer.remaining() < Long.BYTES + expected.length || buffer.getLong() != expected.length) {
            throw new IllegalArgumentException(file + " does not hold a " + shape.name());
        }
        buffer.get(found);
        if (!Arrays.equals(expected, found)) {
            throw new IllegalArgumentException(file + " does not hold the tensors of a " + shape.name());
        }
        var tensors = new LinkedHashMap<String, Weights.Tensor>();
        shape.tensors().forEach((name, sizes) -> {
            float[] values = new float[Arrays.stream(sizes).reduce(1, Math::multiplyExact)];
            for (int i = 0; i < values.length; i++) {
                values[i] = Bfloat16.toFloat(buffer.getShort());
            }
            tensors.put(name, new Weights.Tensor(sizes, values));
        });
        return new Weights(tensors);
    }

    private static Map<String, int[]> shapes(Weights weights) {
        return weights.tensors().entrySet().stream()
                .collect(Collectors.toMap(
                        Map.Entry::getKey, entry -> entry.getValue().shape(), (a, b) -> a, LinkedHashMap::new));
    }

    private static byte[] header(Map<String, int[]> shapes) {
        List<String> entries = new ArrayList<>();
        entries.add("\"__metadata__\":{\"format\":\"pt\"}");
        long offset = 0;
        for (Map.Entry<String, int[]> entry : shapes.entrySet()) {
            long end = offset + 2L * Arrays.stream(entry.getValue()).reduce(1, Math::multiplyExact);
            String sizes =
                    Arrays.stream(entry.getValue()).mapToObj(Integer::toString).collect(Collectors.joining(","));
            entries.add("\"%s\":{\"dtype\":\"BF16\",\"shape\":[%s],\"data_offsets\":[%d,%d]}"
                    .formatted(entry.getKey(), sizes, offset, end));
            offset = end;
        }
        String json = "{" + String.join(",", entries) + "}";
        int padded = Math.ceilDiv(json.length(), ALIGNMENT) * ALIGNMENT;
        return (json + " ".repeat(padded - json.length())).getBytes(StandardCharsets.US_ASCII);
    }
}
