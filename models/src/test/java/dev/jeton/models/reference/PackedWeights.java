package dev.jeton.models.reference;

import dev.jeton.models.SafetensorsWriter;
import dev.jeton.models.TensorType;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.function.UnaryOperator;

/** Quantised weights as checkpoints have them, written from the formats' descriptions. */
public final class PackedWeights {

    private static final int GROUP = 128;
    /** Columns of a word of AWQ from the lowest four bits. */
    private static final int[] AWQ_ORDER = {0, 2, 4, 6, 1, 3, 5, 7};

    private PackedWeights() {}

    /** Plain in the files; the reference has each row as it becomes when it is quantised at load. */
    public static TinyModel.Storage atLoad(UnaryOperator<double[]> row) {
        return (writer, name, type, rows, columns, values) -> {
            double[] exact = TinyModel.Storage.PLAIN.store(writer, name, type, rows, columns, values);
            for (int r = 0; r < rows; r++) {
                double[] of = Arrays.copyOfRange(exact, r * columns, (r + 1) * columns);
                System.arraycopy(row.apply(of), 0, exact, r * columns, columns);
            }
            return exact;
        };
    }

    /** e4m3 with a scale for each row, or one for the matrix. */
    public static TinyModel.Storage fp8(boolean ofRows) {
        return (writer, name, type, rows, columns, values) -> {
            float[] scales = new float[ofRows ? rows : 1];
            byte[] bytes = new byte[rows * columns];
            double[] exact = new double[rows * columns];
            for (int i = 0; i < exact.length; i++) {
                int at = ofRows ? i / columns : 0;
                scales[at] = Math.max(scales[at], Math.abs(values[i]) / 448);
            }
            for (int i = 0; i < exact.length; i++) {
                float scale = scales[ofRows ? i / columns : 0];
                double value = EightBits.e4m3(values[i] / scale);
                bytes[i] = EightBits.e4m3Bits(value);
                exact[i] = value * scale;
            }
            writer.add(name + ".weight", "F8_E4M3", new int[] {rows, columns}, bytes);
            writer.add(name + ".weight_scale", TensorType.F32, ofRows ? new int[] {rows, 1} : new int[] {1}, scales);
            return exact;
        };
    }

    /** Four bits as AWQ has them. */
    public static TinyModel.Storage awq() {
        return (writer, name, type, rows, columns, values) -> {
            FourBits four = new FourBits(rows, columns, values);
            int[] words = new int[columns * rows / 8];
            int[] zeros = new int[columns / GROUP * rows / 8];
            for (int place = 0; place < 8; place++) {
                for (int r = AWQ_ORDER[place]; r < rows; r += 8) {
                    for (int k = 0; k < columns; k++) {
                        words[k * (rows / 8) + r / 8] |= four.value[r][k] << 4 * place;
                    }
                    for (int g = 0; g < columns / GROUP; g++) {
                        zeros[g * (rows / 8) + r / 8] |= four.zero[r][g] << 4 * place;
                    }
                }
            }
            four.add(writer, name, words, new int[] {columns, rows / 8}, zeros);
            return four.exact();
        };
    }

    /**
     * Four bits as GPTQ has them.
     *
     * @param less what zeros are stored less than they are: 1 in the first version of the format
     */
    public static TinyModel.Storage gptq(int less, UnaryOperator<int[]> index) {
        return (writer, name, type, rows, columns, values) -> {
            FourBits four = new FourBits(rows, columns, values);
            int[] words = new int[columns / 8 * rows];
            int[] zeros = new int[columns / GROUP * rows / 8];
            int[] groups = new int[columns];
            for (int r = 0; r < rows; r++) {
                for (int k = 0; k < columns; k++) {
                    words[k / 8 * rows + r] |= four.value[r][k] << 4 * (k % 8);
                    groups[k] = k / GROUP;
                }
                for (int g = 0; g < columns / GROUP; g++) {
                    zeros[g * (rows / 8) + r / 8] |= four.zero[r][g] - less << 4 * (r % 8);
                }
            }
            four.add(writer, name, words, new int[] {columns / 8, rows}, zeros);
            writer.add(name + ".g_idx", "I32", new int[] {columns}, bytes(index.apply(groups)));
            return four.exact();
        };
    }

    /** Values of 0 to 15, zeros of 1 to 15, and scales of sixteen bits, by row and group. */
    private static final class FourBits {
        private final int rows;
        private final int columns;
        private final int[][] value;
        private final int[][] zero;
        private final float[][] scale;

        FourBits(int rows, int columns, float[] values) {
            this.rows = rows;
            this.columns = columns;
            value = new int[rows][columns];
            zero = new int[rows][columns / GROUP];
            scale = new float[rows][columns / GROUP];
            for (int r = 0; r < rows; r++) {
                for (int g = 0; g < columns / GROUP; g++) {
                    group(r, g, Arrays.copyOfRange(values, r * columns + g * GROUP, r * columns + (g + 1) * GROUP));
                }
            }
        }

        private void group(int r, int g, float[] of) {
            float least = 0;
            float most = 0;
            for (float v : of) {
                least = Math.min(least, v);
                most = Math.max(most, v);
            }
            scale[r][g] = Float.float16ToFloat(Float.floatToFloat16((most - least) / 15));
            zero[r][g] = Math.clamp(Math.round(-least / scale[r][g]), 1, 15);
            for (int i = 0; i < GROUP; i++) {
                value[r][g * GROUP + i] = Math.clamp(Math.round(of[i] / scale[r][g]) + zero[r][g], 0, 15);
            }
        }

        private double[] exact() {
            double[] exact = new double[rows * columns];
            for (int i = 0; i < exact.length; i++) {
                int r = i / columns;
                int k = i % columns;
                exact[i] = (value[r][k] - zero[r][k / GROUP]) * (double) scale[r][k / GROUP];
            }
            return exact;
        }

        private void add(SafetensorsWriter writer, String name, int[] words, int[] shape, int[] zeros) {
            float[] scales = new float[columns / GROUP * rows];
            for (int i = 0; i < scales.length; i++) {
                scales[i] = scale[i % rows][i / rows];
            }
            writer.add(name + ".qweight", "I32", shape, bytes(words));
            writer.add(name + ".qzeros", "I32", new int[] {columns / GROUP, rows / 8}, bytes(zeros));
            writer.add(name + ".scales", TensorType.F16, new int[] {columns / GROUP, rows}, scales);
        }
    }

    private static byte[] bytes(int[] words) {
        ByteBuffer bytes = ByteBuffer.allocate(4 * words.length).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asIntBuffer().put(words);
        return bytes.array();
    }
}
