package dev.jeton.models.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.engine.LayerGroup;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Attention over K and V in blocks of either type. */
class AttentionTest {

    private static final long SEED = 20_261_128;
    private static final int LAYERS = 2;
    private static final int HEADS = 2;
    private static final int BLOCKS = 40;

    private final Random random = new Random(SEED);

    private static KvArena arena(KvArena.Type type, int headDim, int blockSize, int window, NativeMemory memory) {
        long bytes = KvArena.blockBytes(type, LAYERS, HEADS, HeadWidths.of(headDim), blockSize);
        return new KvArena(
                new LayerGroup(blockSize, BLOCKS, bytes, window), type, HEADS, HeadWidths.of(headDim), memory);
    }

    private float[] gaussian(int count) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }

    private static float[] rounded(float[] values) {
        float[] result = new float[values.length];
        for (int i = 0; i < values.length; i++) {
            result[i] = Float.intBitsToFloat(KvArena.bf16(values[i]));
        }
        return result;
    }

    private int[] shuffledBlocks() {
        int[] table = new int[BLOCKS];
        Arrays.setAll(table, i -> i);
        for (int i = BLOCKS - 1; i > 0; i--) {
            int j = random.nextInt(i + 1);
            int swapped = table[i];
            table[i] = table[j];
            table[j] = swapped;
        }
        return table;
    }

    /**
     * Fills both arenas with the same numbers, which BF16 holds; blocks that nobody wrote are full of what is no
     * number.
     */
    private void fill(KvArena plain, KvArena halves, int layer, int[] table, int tokens, int headDim) {
        int size = plain.group().blockSize();
        float[] broken = new float[2 * headDim];
        Arrays.fill(broken, Float.NaN);
        for (int token = 0; token < BLOCKS * size; token++) {
            for (int head = 0; head < HEADS; head++) {
                float[] kv = token < tokens ? rounded(gaussian(2 * headDim)) : broken;
                plain.write(table[token / size], layer, head, token % size, kv, 0, headDim);
                halves.write(table[token / size], layer, head, token % size, kv, 0, headDim);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {8, 16, 48, 64, 80, 96, 128, 256})
    void keysAndValuesOfBf16GiveTheBitsOfTheSameNumbersInF32(int headDim) {
        for (int round = 0; round < 6; round++) {
            int blockSize = 16 << random.nextInt(3);
            int window = random.nextBoolean() ? 0 : 1 + random.nextInt(100);
            int heads = 1 + random.nextInt(5);
            int count = 1 + random.nextInt(20);
            int position = random.nextInt(BLOCKS * blockSize - count);
            int layer = random.nextInt(LAYERS);
            try (NativeMemory memory = new NativeMemory()) {
                KvArena plain = arena(KvArena.Type.F32, headDim, blockSize, window, memory);
                KvArena halves = arena(KvArena.Type.BF16, headDim, blockSize, window, memory);
                int[] table = shuffledBlocks();
                fill(plain, halves, layer, table, position + count, headDim);
                float[] queries = gaussian(count * heads * headDim);
                float cap = round % 2 == 0 ? 0 : 20;
                Attention widening = new Attention(HeadWidths.of(headDim), cap, false, memory);
                Attention compiled = new Attention(HeadWidths.of(headDim), cap, NativeKernels.ATTENTION, memory);
                float[] sinks = round % 3 == 0 ? new float[0] : gaussian(HEADS * heads);
                float[][] results = new float[3][count * heads * headDim];
                for (int head = 0; head < HEADS; head++) {
                    for (int i = 0; i < 3; i++) {
                        (i == 2 ? compiled : widening)
                                .compute(
                                        i == 0 ? plain : halves,
                                        layer,
                                        head,
                                        table,
                                        0,
                                        position,
                                        count,
                                        queries,
                                        0,
                                        heads * headDim,
                                        heads,
                                        sinks,
                                        head * heads,
                                        results[i],
                                        0,
                                        heads * headDim);
                    }
                    assertThat(results[1])
                            .as("seed %d, head %d, round %d", SEED, head, round)
                            .isEqualTo(results[0]);
                    assertThat(results[2])
                            .as("in C where there are kernels, seed %d, head %d, round %d", SEED, head, round)
                            .isEqualTo(results[0]);
                    assertThat(results[0]).doesNotContain(Float.NaN);
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {16, 64, 80})
    void aBlockOfBf16TakesHalfTheMemory(int headDim) {
        long plain = KvArena.blockBytes(KvArena.Type.F32, 3, 2, HeadWidths.of(headDim), 16);
        long padded = KvArena.blockBytes(KvArena.Type.BF16, 3, 2, HeadWidths.of(KvArena.pairedWidth(headDim)), 16);
        assertThat(KvArena.blockBytes(KvArena.Type.BF16, 3, 2, HeadWidths.of(headDim), 16))
                .isBetween(plain / 2, padded);
    }

    @ParameterizedTest
    @ValueSource(
            floats = {0, 1, -1, 1.00390625f, 1.01171875f, 3.38e38f, Float.MIN_VALUE, Float.POSITIVE_INFINITY, Float.NaN
            })
    void roundsToTheNearestWithTiesToEven(float value) {
        float rounded = Float.intBitsToFloat(KvArena.bf16(value));
        if (Float.isNaN(value) || Float.isInfinite(value)) {
            assertThat(rounded).isEqualTo(Float.valueOf(value));
            return;
        }
        double step = Math.abs(value) < Float.MIN_NORMAL ? 0x1p-133 : Math.ulp(Math.abs(value)) * 65_536.0;
        assertThat((double) rounded).isEqualTo(Math.rint(value / step) * step);
    }
}
