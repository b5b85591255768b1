package dev.jeton.benchmarks.demo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SafetensorsTest {
    private static final ModelShape SHAPE = new ModelShape("tiny", 320, 64, 128, 1, 4, 2, 16, 128);

    @TempDir
    Path folder;

    @Test
    void shouldWriteTheHeaderThatTheFormatAsksFor() throws IOException {
        Path file = folder.resolve("model.safetensors");

        Safetensors.write(file, Weights.initial(SHAPE, 1));

        ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
        int length = Math.toIntExact(bytes.getLong());
        byte[] header = new byte[length];
        bytes.get(header);
        String json = new String(header, StandardCharsets.US_ASCII);
        assertThat(length % 8).isZero();
        assertThat(json).startsWith("{\"__metadata__\":{\"format\":\"pt\"},");
        assertThat(json)
                .contains("\"model.embed_tokens.weight\":{\"dtype\":\"BF16\",\"shape\":[320,64],"
                        + "\"data_offsets\":[0,40960]}");
        assertThat(bytes.remaining()).isEqualTo(Math.toIntExact(2 * SHAPE.parameters()));
        assertThat(json).contains("," + bytes.remaining() + "]}}");
    }

    @Test
    void shouldReadBackTheRoundedWeights() {
        Path file = folder.resolve("model.safetensors");
        Weights weights = Weights.initial(SHAPE, 2);

        Safetensors.write(file, weights);
        Weights read = Safetensors.read(file, SHAPE);

        Weights rounded = weights.rounded();
        SHAPE.tensors()
                .keySet()
                .forEach(name -> assertThat(read.tensor(name).values())
                        .as(name)
                        .isEqualTo(rounded.tensor(name).values()));
    }

    @Test
    void shouldRefuseAFileOfAnotherShape() {
        Path file = folder.resolve("model.safetensors");
        Safetensors.write(file, Weights.initial(SHAPE, 1));

        assertThatThrownBy(() -> Safetensors.read(file, ModelShape.small(1_536)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("jeton-demo-small");
    }

    @Test
    void shouldRoundToTheNearestBfloat16AndTiesToEven() {
        assertThat(Bfloat16.toFloat(Bfloat16.fromFloat(1f))).isEqualTo(1f);
        assertThat(Bfloat16.fromFloat(Float.intBitsToFloat(0x3f808000))).isEqualTo((short) 0x3f80);
        assertThat(Bfloat16.fromFloat(Float.intBitsToFloat(0x3f818000))).isEqualTo((short) 0x3f82);
        assertThat(Bfloat16.fromFloat(Float.intBitsToFloat(0x3f808001))).isEqualTo((short) 0x3f81);
        assertThat(Bfloat16.toFloat(Bfloat16.fromFloat(Float.NEGATIVE_INFINITY)))
                .isEqualTo(Float.NEGATIVE_INFINITY);
        assertThat(Bfloat16.toFloat(Bfloat16.fromFloat(Float.NaN))).isNaN();
    }

    @Test
    void shouldKeepBothModelsWithinEightMegabytes() {
        long bytes = 2
                * (ModelShape.large(1_536).parameters()
                        + ModelShape.small(1_536).parameters());

        assertThat(bytes).isLessThan(7_950_000);
    }

    @Test
    void shouldComputeTheSameLogitsAfterAnyPrefixSplit() {
        var model = new ReferenceModel(SHAPE, Weights.initial(SHAPE, 4));
        int[] prompt = {1, 5, 9, 200};

        int[] whole = model.greedy(prompt, -1, 6);
        int[] longer = {1, 5, 9, 200, whole[0], whole[1]};
        int[] rest = model.greedy(longer, -1, 4);

        assertThat(rest).containsExactly(whole[2], whole[3], whole[4], whole[5]);
    }
}
