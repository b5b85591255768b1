package dev.jeton.benchmarks;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/** Writes safetensors files of random numbers: same seed and names, same bytes. Vectors are norms and hold ones. */
final class RandomTensors {

    /** A tensor to write. */
    record Entry(String name, List<Integer> shape) {

        Entry(String name, Integer... shape) {
            this(name, List.of(shape));
        }

        long elements() {
            return shape.stream().mapToLong(Integer::longValue).reduce(1, (a, b) -> a * b);
        }
    }

    private static final int CHUNK = 1 << 20;
    /** Uniform weights of standard deviation 0.02. */
    private static final float RANGE = 0.02f * 1.7320508f;

    private final int bytes;
    private final long seed;

    /**
     * Without files yet.
     *
     * @param type {@code f32}; anything else is BF16
     */
    RandomTensors(String type, long seed) {
        bytes = type.equals("f32") ? 4 : 2;
        this.seed = seed;
    }

    long bytes(Entry entry) {
        return entry.elements() * bytes;
    }

    void write(Path file, List<Entry> entries) throws IOException {
        StringBuilder header = new StringBuilder("{\"__metadata__\":{\"format\":\"pt\"}");
        long at = 0;
        for (Entry entry : entries) {
            long end = at + bytes(entry);
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
                file, StandardOpenOption.CREATE, StandardOpenOption.WRITE, StandardOpenOption.TRUNCATE_EXISTING)) {
            ByteBuffer start = ByteBuffer.allocate(8 + json.length).order(ByteOrder.LITTLE_ENDIAN);
            writeAll(channel, start.putLong(json.length).put(json).flip());
            for (Entry entry : entries) {
                write(channel, entry);
            }
        }
    }

    /** Chunks are filled in parallel, each from a seed of its own, and written in order. */
    private void write(FileChannel channel, Entry entry) throws IOException {
        int chunks = (int) ((entry.elements() + CHUNK - 1) / CHUNK);
        int wave = 2 * Runtime.getRuntime().availableProcessors();
        for (int first = 0; first < chunks; first += wave) {
            List<ByteBuffer> filled = IntStream.range(first, Math.min(chunks, first + wave))
                    .parallel()
                    .mapToObj(i -> fill(entry, i))
                    .toList();
            for (ByteBuffer buffer : filled) {
                writeAll(channel, buffer);
            }
        }
    }

    private ByteBuffer fill(Entry entry, int chunk) {
        boolean norm = entry.shape.size() == 1;
        int count = (int) Math.min(CHUNK, entry.elements() - (long) chunk * CHUNK);
        ByteBuffer buffer = ByteBuffer.allocate(count * bytes).order(ByteOrder.LITTLE_ENDIAN);
        SplittableRandom random =
                new SplittableRandom(seed ^ (31L * entry.name.hashCode() + chunk) * 0x9E3779B97F4A7C15L);
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
