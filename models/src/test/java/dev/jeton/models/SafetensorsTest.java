package dev.jeton.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SafetensorsTest {

    private static final long SEED = 20_261_120;

    @TempDir
    Path folder;

    private static byte[] good() {
        return new SafetensorsWriter()
                .add("a", TensorType.F32, new int[] {2, 3}, new float[] {1, 2, 3, 4, 5, 6})
                .add("b", TensorType.BF16, new int[] {4}, new float[] {1, -2, 0.5f, 3})
                .add("c", TensorType.F16, new int[] {1, 2}, new float[] {7, -0.25f})
                .bytes();
    }

    private void write(byte[] bytes) throws IOException {
        Files.write(folder.resolve("model.safetensors"), bytes);
    }

    private static byte[] file(String header, int dataBytes) {
        byte[] json = header.getBytes(StandardCharsets.UTF_8);
        return ByteBuffer.allocate(8 + json.length + dataBytes)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(json.length)
                .put(json)
                .array();
    }

    @Test
    void shouldReadTensorsOfEveryType() throws IOException {
        write(good());
        try (Safetensors weights = Safetensors.open(folder)) {
            assertThat(weights.names()).containsExactlyInAnyOrder("a", "b", "c");
            assertThat(weights.tensor("a", 2, 3).toFloats()).containsExactly(1, 2, 3, 4, 5, 6);
            assertThat(weights.tensor("b", 4).toFloats()).containsExactly(1, -2, 0.5f, 3);
            assertThat(weights.tensor("c", 1, 2).toFloats()).containsExactly(7, -0.25f);
            assertThat(weights.tensor("a", 2, 3).at(4)).isEqualTo(5);
            assertThatThrownBy(() -> weights.tensor("a", 3, 2)).hasMessageContaining("shape [2, 3]");
            assertThatThrownBy(() -> weights.tensor("d", 1)).hasMessageContaining("\"d\" is missing");
        }
    }

    @Test
    void shouldReadShards() throws IOException {
        Files.write(
                folder.resolve("one.safetensors"),
                new SafetensorsWriter()
                        .add("a", TensorType.F32, new int[] {1}, new float[] {1})
                        .bytes());
        Files.write(
                folder.resolve("two.safetensors"),
                new SafetensorsWriter()
                        .add("b", TensorType.F32, new int[] {1}, new float[] {2})
                        .bytes());
        Path index = folder.resolve("model.safetensors.index.json");
        Files.writeString(index, "{\"weight_map\": {\"a\": \"one.safetensors\", \"b\": \"two.safetensors\"}}");
        try (Safetensors weights = Safetensors.open(folder)) {
            assertThat(weights.tensor("b", 1).at(0)).isEqualTo(2);
        }
        Files.writeString(index, "{\"weight_map\": {\"a\": \"two.safetensors\", \"b\": \"two.safetensors\"}}");
        assertThatThrownBy(() -> Safetensors.open(folder)).hasMessageContaining("does not hold it");
        for (String name : new String[] {"../one.safetensors", "/etc/passwd", "", "..", "a\\\\b"}) {
            Files.writeString(index, "{\"weight_map\": {\"a\": \"%s\"}}".formatted(name));
            assertThatThrownBy(() -> Safetensors.open(folder)).isInstanceOf(ModelException.class);
        }
        Files.writeString(index, "{\"weight_map\": {\"a\": \"three.safetensors\"}}");
        assertThatThrownBy(() -> Safetensors.open(folder)).hasMessageContaining("three.safetensors");
    }

    @Test
    void shouldNameATypeThatItCannotRead() throws IOException {
        write(file("{\"a\":{\"dtype\":\"I64\",\"shape\":[2],\"data_offsets\":[0,16]}}", 16));
        try (Safetensors weights = Safetensors.open(folder)) {
            assertThatThrownBy(() -> weights.find("a"))
                    .isInstanceOf(ModelException.class)
                    .hasMessageContaining("type I64");
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "{",
                "[]",
                "{}x",
                "{\"a\":1}",
                "{\"a\":{}}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,12]}}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,16]}}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,800]}}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[-8,0]}}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[2.5],\"data_offsets\":[0,8]}}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1e30],\"data_offsets\":[0,8]}}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,8]}}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1,2],\"data_offsets\":[0,8]}}",
                "{\"a\":{\"dtype\":7,\"shape\":[2],\"data_offsets\":[0,8]}}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
                        + "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
                        + "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
            })
    void shouldRefuseALyingHeader(String header) throws IOException {
        write(file(header, 8));
        assertThatThrownBy(() -> Safetensors.open(folder)).isInstanceOf(ModelException.class);
    }

    @Test
    void shouldRefuseHeaderLengthsThatCannotBe() throws IOException {
        for (long length : new long[] {-1, Long.MIN_VALUE, Long.MAX_VALUE, 0, 1, 1 << 20, 100_000_001}) {
            byte[] bytes = good();
            ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putLong(0, length);
            write(bytes);
            assertThatThrownBy(() -> Safetensors.open(folder))
                    .as("header length %d", length)
                    .isInstanceOf(ModelException.class);
        }
    }

    @Test
    void shouldRefuseEveryTruncation() throws IOException {
        byte[] whole = good();
        for (int length = 0; length < whole.length; length++) {
            write(java.util.Arrays.copyOf(whole, length));
            assertThatThrownBy(() -> Safetensors.open(folder))
                    .as("%d bytes of %d", length, whole.length)
                    .isInstanceOf(ModelException.class);
        }
    }

    @Test
    void shouldOpenOrRefuseWhateverIsFlippedInAHeader() throws IOException {
        Random random = new Random(SEED);
        byte[] whole = good();
        int header = (int) ByteBuffer.wrap(whole).order(ByteOrder.LITTLE_ENDIAN).getLong(0) + 8;
        for (int round = 0; round < 3000; round++) {
            byte[] bytes = whole.clone();
            for (int flips = 1 + random.nextInt(4); flips > 0; flips--) {
                bytes[random.nextInt(header)] ^= (byte) (1 << random.nextInt(8));
            }
            write(bytes);
            try (Safetensors weights = Safetensors.open(folder)) {
                for (String name : weights.names()) {
                    weights.find(name).ifPresent(Tensor::toFloats);
                }
            } catch (ModelException expected) {
                assertThat(expected.getMessage())
                        .as("seed %d, round %d", SEED, round)
                        .isNotBlank();
            }
        }
    }

    @Test
    void shouldRefuseAHeaderOfManyNestedBrackets() throws IOException {
        write(file("{\"a\":" + "[".repeat(100_000) + "]".repeat(100_000) + "}", 0));
        assertThatThrownBy(() -> Safetensors.open(folder)).isInstanceOf(ModelException.class);
    }
}
