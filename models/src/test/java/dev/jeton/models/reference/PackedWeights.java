package dev.jeton.models.reference;

import dev.jeton.models.SafetensorsWriter;
import dev.jeton.models.TensorType;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Random;
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
        return fp8(ofRows, ".weight_scale", ofRows ? 2 : 1);
    }

    /** e4m3 with one scale, of no dimension, as Ministral 3 has it. */
    public static TinyModel.Storage fp8Whole() {
        return fp8(false, ".weight_scale_inv", 0);
    }

    private static TinyModel.Storage fp8(boolean ofRows, String scaleName, int dimensions) {
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
            int[] shape = {scales.length, 1};
            writer.add(name + scaleName, TensorType.F32, Arrays.copyOf(shape, dimensions), scales);
            return exact;
        };
    }

    /** e4m3 with a scale for each 128 by 128 values, under the name that the tensor of scales is to have. */
    public static TinyModel.Storage fp8Blocks(String scaleName) {
        return (writer, name, type, rows, columns, values) -> {
            int across = (columns + GROUP - 1) / GROUP;
            int down = (rows + GROUP - 1) / GROUP;
            float[] scales = new float[down * across];
            byte[] bytes = new byte[rows * columns];
            double[] exact = new double[rows * columns];
            for (int i = 0; i < exact.length; i++) {
                int at = i / columns / GROUP * across + i % columns / GROUP;
                scales[at] = Math.max(scales[at], Math.abs(values[i]) / 448);
            }
            for (int i = 0; i < exact.length; i++) {
                float scale = scales[i / columns / GROUP * across + i % columns / GROUP];
                double value = EightBits.e4m3(values[i] / scale);
                bytes[i] = EightBits.e4m3Bits(value);
                exact[i] = value * scale;
            }
            writer.add(name + ".weight", "F8_E4M3", new int[] {rows, columns}, bytes);
            writer.add(name + scaleName, TensorType.F32, new int[] {down, across}, scales);
            return exact;
        };
    }

    /** Integers to 127 with a scale for each row, as compressed-tensors has them: as they are, or packed into words. */
    public static TinyModel.Storage int8(boolean packed) {
        return (writer, name, type, rows, columns, values) -> {
            float[] scales = new float[rows];
            byte[] bytes = new byte[rows * columns];
            double[] exact = new double[rows * columns];
            for (int i = 0; i < exact.length; i++) {
                scales[i / columns] = Math.max(scales[i / columns], Math.abs(values[i]));
            }
            for (int r = 0; r < rows; r++) {
                // the next in sixteen bits, as files have them
                scales[r] = Float.intBitsToFloat((Float.floatToRawIntBits(scales[r] / 127) & 0xffff0000) + 0x10000);
            }
            for (int i = 0; i < exact.length; i++) {
                int value = Math.round(values[i] / scales[i / columns]);
                bytes[i] = (byte) (packed ? value + 128 : value);
                exact[i] = value * (double) scales[i / columns];
            }
            if (packed) {
                writer.add(name + ".weight_packed", "I32", new int[] {rows, columns / 4}, bytes);
            } else {
                writer.add(name + ".weight", "I8", new int[] {rows, columns}, bytes);
            }
            writer.add(name + ".weight_scale", TensorType.BF16, new int[] {rows, 1}, scales);
            return exact;
        };
    }

    /** Four bits as compressed-tensors packs them. */
    public static TinyModel.Storage packed(int group, boolean symmetric, UnaryOperator<int[]> index) {
        return packed(4, group, symmetric, index);
    }

    /**
     * Integers as compressed-tensors packs them.
     *
     * @param bits of a value, 4 or 8
     * @param group inputs that share a scale; 0 for all of a row
     * @param symmetric whether zeros are all half of the range, which the files then do not have
     * @param index what names the group of each input becomes
     */
    public static TinyModel.Storage packed(int bits, int group, boolean symmetric, UnaryOperator<int[]> index) {
        return (writer, name, type, rows, columns, values) -> {
            Grouped grouped = new Grouped(bits, rows, columns, values, group == 0 ? columns : group, symmetric, index);
            int each = 32 / bits;
            int[] words = new int[rows * columns / each];
            int[] zeros = new int[rows / each * grouped.groups];
            float[] scales = new float[rows * grouped.groups];
            for (int r = 0; r < rows; r++) {
                for (int k = 0; k < columns; k++) {
                    words[(r * columns + k) / each] |= grouped.value[r][k] << bits * (k % each);
                }
                for (int g = 0; g < grouped.groups; g++) {
                    zeros[r / each * grouped.groups + g] |= grouped.zero[r][g] << bits * (r % each);
                    scales[r * grouped.groups + g] = grouped.scale[r][g];
                }
            }
            writer.add(name + ".weight_packed", "I32", new int[] {rows, columns / each}, bytes(words));
            writer.add(name + ".weight_scale", TensorType.F16, new int[] {rows, grouped.groups}, scales);
            writer.add(name + ".weight_shape", "I64", new int[] {2}, new byte[16]);
            if (!symmetric) {
                writer.add(name + ".weight_zero_point", "I32", new int[] {rows / each, grouped.groups}, bytes(zeros));
            }
            grouped.addIndex(writer, name + ".weight_g_idx");
            return grouped.exact();
        };
    }

    /** Inputs of each group anywhere, the same for matrices of as many inputs. */
    public static int[] shuffled(int[] index) {
        return shuffled(index, 0);
    }

    /** The same in another order for each seed. */
    public static int[] shuffled(int[] index, long seed) {
        Random random = new Random(index.length + 1_000 * seed);
        for (int i = index.length - 1; i > 0; i--) {
            int j = random.nextInt(i + 1);
            int other = index[j];
            index[j] = index[i];
            index[i] = other;
        }
        return index;
    }

    /** Four bits as AWQ has them, in groups of 128. */
    public static TinyModel.Storage awq() {
        return awq(GROUP);
    }

    /**
     * The same in other groups.
     *
     * @param group inputs that share a scale; 0 for all of a row
     */
    public static TinyModel.Storage awq(int group) {
        return (writer, name, type, rows, columns, values) -> {
            Grouped four = new Grouped(
                    4, rows, columns, values, group == 0 ? columns : group, false, UnaryOperator.identity());
            int[] words = new int[columns * rows / 8];
            int[] zeros = new int[four.groups * rows / 8];
            for (int place = 0; place < 8; place++) {
                for (int r = AWQ_ORDER[place]; r < rows; r += 8) {
                    for (int k = 0; k < columns; k++) {
                        words[k * (rows / 8) + r / 8] |= four.value[r][k] << 4 * place;
                    }
                    for (int g = 0; g < four.groups; g++) {
                        zeros[g * (rows / 8) + r / 8] |= four.zero[r][g] << 4 * place;
                    }
                }
            }
            four.add(writer, name, words, new int[] {columns, rows / 8}, zeros);
            return four.exact();
        };
    }

    /** Four bits as GPTQ has them, in groups of 128. */
    public static TinyModel.Storage gptq(int less, UnaryOperator<int[]> index) {
        return gptq(less, GROUP, index);
    }

    /** The same in other groups. */
    public static TinyModel.Storage gptq(int less, int group, UnaryOperator<int[]> index) {
        return gptq(4, less, group, index);
    }

    /**
     * Integers as GPTQ has them.
     *
     * @param bits of a value, 4 or 8
     * @param less what zeros are stored less than they are: 1 in the first version of the format
     * @param group inputs that share a scale; 0 for all of a row
     * @param index what names the group of each input becomes
     */
    public static TinyModel.Storage gptq(int bits, int less, int group, UnaryOperator<int[]> index) {
        return (writer, name, type, rows, columns, values) -> {
            Grouped grouped = new Grouped(bits, rows, columns, values, group == 0 ? columns : group, false, index);
            int each = 32 / bits;
            int[] words = new int[columns / each * rows];
            int[] zeros = new int[grouped.groups * rows / each];
            for (int r = 0; r < rows; r++) {
                for (int k = 0; k < columns; k++) {
                    words[k / each * rows + r] |= grouped.value[r][k] << bits * (k % each);
                }
                for (int g = 0; g < grouped.groups; g++) {
                    zeros[g * (rows / each) + r / each] |= grouped.zero[r][g] - less << bits * (r % each);
                }
            }
            grouped.add(writer, name, words, new int[] {columns / each, rows}, zeros);
            writer.add(name + ".g_idx", "I32", new int[] {columns}, bytes(grouped.groupOf));
            return grouped.exact();
        };
    }

    /** Values from 0 and zeros from 1 to the greatest that bits hold, and scales of sixteen bits, by row and group. */
    private static final class Grouped {
        private final int each;
        private final int greatest;
        private final int rows;
        private final int columns;
        private final int groups;
        private final int[] groupOf;
        private final boolean inOrder;
        private final int[][] value;
        private final int[][] zero;
        private final float[][] scale;

        Grouped(
                int bits,
                int rows,
                int columns,
                float[] values,
                int group,
                boolean symmetric,
                UnaryOperator<int[]> index) {
            each = 32 / bits;
            greatest = (1 << bits) - 1;
            this.rows = rows;
            this.columns = columns;
            groups = columns / group;
            int[] natural = new int[columns];
            Arrays.setAll(natural, k -> k / group);
            groupOf = index.apply(natural.clone());
            inOrder = Arrays.equals(natural, groupOf);
            value = new int[rows][columns];
            zero = new int[rows][groups];
            scale = new float[rows][groups];
            for (int r = 0; r < rows; r++) {
                row(r, Arrays.copyOfRange(values, r * columns, (r + 1) * columns), symmetric);
            }
        }

        private void row(int r, float[] of, boolean symmetric) {
            float[] least = new float[groups];
            float[] most = new float[groups];
            for (int k = 0; k < columns; k++) {
                int g = groupOf[k];
                least[g] = Math.min(least[g], symmetric ? -Math.abs(of[k]) : of[k]);
                most[g] = Math.max(most[g], symmetric ? Math.abs(of[k]) : of[k]);
            }
            for (int g = 0; g < groups; g++) {
                scale[r][g] = Float.float16ToFloat(Float.floatToFloat16((most[g] - least[g]) / greatest));
                zero[r][g] =
                        symmetric ? (greatest + 1) / 2 : Math.clamp(Math.round(-least[g] / scale[r][g]), 1, greatest);
            }
            for (int k = 0; k < columns; k++) {
                int g = groupOf[k];
                value[r][k] = Math.clamp(Math.round(of[k] / scale[r][g]) + zero[r][g], 0, greatest);
            }
        }

        private double[] exact() {
            double[] exact = new double[rows * columns];
            for (int i = 0; i < exact.length; i++) {
                int r = i / columns;
                int k = i % columns;
                exact[i] = (value[r][k] - zero[r][groupOf[k]]) * (double) scale[r][groupOf[k]];
            }
            return exact;
        }

        private void addIndex(SafetensorsWriter writer, String name) {
            if (!inOrder) {
                writer.add(name, "I32", new int[] {columns}, bytes(groupOf));
            }
        }

        private void add(SafetensorsWriter writer, String name, int[] words, int[] shape, int[] zeros) {
            float[] scales = new float[groups * rows];
            for (int i = 0; i < scales.length; i++) {
                scales[i] = scale[i % rows][i / rows];
            }
            writer.add(name + ".qweight", "I32", shape, bytes(words));
            writer.add(name + ".qzeros", "I32", new int[] {groups, rows / each}, bytes(zeros));
            writer.add(name + ".scales", TensorType.F16, new int[] {groups, rows}, scales);
        }
    }

    private static byte[] bytes(int[] words) {
        ByteBuffer bytes = ByteBuffer.allocate(4 * words.length).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asIntBuffer().put(words);
        return bytes.array();
    }
}
