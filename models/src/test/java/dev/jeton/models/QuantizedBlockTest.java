package dev.jeton.models;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.reference.GgmlBlocks;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class QuantizedBlockTest {

    private static final long SEED = 90_210;
    private static final int ROWS = 6;
    private static final int COLUMNS = 512;

    @ParameterizedTest
    @EnumSource(TensorType.class)
    void readsWhatTheFormulaOfTheTypeSays(TensorType type) {
        Random random = new Random(SEED);
        float[] values = values(random, ROWS * COLUMNS);
        GgmlBlocks.Stored stored = GgmlBlocks.store(type, values);
        Tensor tensor = tensor(type, stored);

        float[] read = tensor.toFloats();

        assertThat(tensor.elements()).isEqualTo(values.length);
        for (int i = 0; i < values.length; i++) {
            assertThat(read[i]).as("seed %d, element %d", SEED, i).isEqualTo((float) stored.values()[i]);
        }
    }

    @ParameterizedTest
    @EnumSource(TensorType.class)
    void storesValuesAsNearlyAsItsBitsAllow(TensorType type) {
        float[] values = values(new Random(SEED), ROWS * COLUMNS);
        double[] stored = GgmlBlocks.store(type, values).values();
        double error = 0;
        for (int i = 0; i < values.length; i++) {
            error = Math.max(error, Math.abs(stored[i] - values[i]));
        }
        // the test's own quantiser must be a quantiser; else the formulas are compared on nothing
        assertThat(error).isLessThan(0.5);
    }

    @ParameterizedTest
    @EnumSource(TensorType.class)
    void readsAnyRangeOfElements(TensorType type) {
        Random random = new Random(SEED);
        Tensor tensor = tensor(type, GgmlBlocks.store(type, values(random, ROWS * COLUMNS)));
        float[] all = tensor.toFloats();
        for (int round = 0; round < 200; round++) {
            int from = random.nextInt(all.length);
            int count = random.nextInt(Math.min(700, all.length - from) + 1);
            float[] part = new float[count + 2];
            tensor.copyTo(from, part, 1, count);
            for (int i = 0; i < count; i++) {
                assertThat(part[i + 1]).as("seed %d, %d + %d", SEED, from, i).isEqualTo(all[from + i]);
            }
            assertThat(part[0]).isZero();
            assertThat(part[count + 1]).isZero();
        }
    }

    @ParameterizedTest
    @EnumSource(TensorType.class)
    void readsRowsThatLiePairByPair(TensorType type) {
        Random random = new Random(SEED);
        int head = 6;
        int rows = 2 * head;
        float[] values = values(random, rows * COLUMNS);
        float[] paired = new float[values.length];
        for (int h = 0; h < 2; h++) {
            for (int i = 0; i < head / 2; i++) {
                for (int half = 0; half < 2; half++) {
                    System.arraycopy(
                            values,
                            (h * head + half * head / 2 + i) * COLUMNS,
                            paired,
                            (h * head + 2 * i + half) * COLUMNS,
                            COLUMNS);
                }
            }
        }
        GgmlBlocks.Stored expected = GgmlBlocks.store(type, values);
        GgmlBlocks.Stored stored = GgmlBlocks.store(type, paired);
        Tensor tensor = new Tensor(
                        "w", type, List.of((long) rows, (long) COLUMNS), MemorySegment.ofArray(stored.bytes()))
                .fromPairedRows(head, head);

        float[] read = tensor.toFloats();

        for (int i = 0; i < read.length; i++) {
            assertThat(read[i]).isEqualTo((float) expected.values()[i]);
        }
        assertThat(tensor.data().mismatch(MemorySegment.ofArray(expected.bytes())))
                .isEqualTo(-1);
        long bytes = expected.bytes().length / rows;
        assertThat(tensor.row(3)
                        .mismatch(MemorySegment.ofArray(expected.bytes()).asSlice(3 * bytes, bytes)))
                .isEqualTo(-1);
    }

    private static Tensor tensor(TensorType type, GgmlBlocks.Stored stored) {
        return new Tensor("w", type, List.of((long) ROWS, (long) COLUMNS), MemorySegment.ofArray(stored.bytes()));
    }

    /** Rows of very different sizes, and one of zeros. */
    private static float[] values(Random random, int count) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            int row = i / COLUMNS;
            values[i] = row == 2 ? 0 : (float) (random.nextGaussian() * Math.pow(8, -row % 5));
        }
        return values;
    }
}
