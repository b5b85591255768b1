package dev.jeton.models.reference;

import dev.jeton.models.SafetensorsWriter;
import dev.jeton.models.TensorType;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Quantises values into ggml's blocks and says in float64 what was stored, written from the formats' descriptions and
 * independent of what reads them.
 */
public final class GgmlBlocks {

    /** Bytes as a file has them, and the values that they stand for. */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    public record Stored(byte[] bytes, double[] values) {}

    private GgmlBlocks() {}

    /** Stores values, whose number is a multiple of a block's. */
    public static Stored store(TensorType type, float[] values) {
        ByteBuffer out = ByteBuffer.allocate(values.length / type.blockElements() * type.blockBytes())
                .order(ByteOrder.LITTLE_ENDIAN);
        double[] exact = new double[values.length];
        for (int at = 0; at < values.length; at += type.blockElements()) {
            switch (type) {
                case F32, F16, BF16 -> exact[at] = plain(type, values[at], out);
                case Q8_0 -> signed(127, 0, false, values, at, exact, out);
                case Q4_0 -> signed(8, 8, false, values, at, exact, out);
                case Q5_0 -> signed(16, 16, true, values, at, exact, out);
                case Q4_1 -> offset(15, false, values, at, exact, out);
                case Q5_1 -> offset(31, true, values, at, exact, out);
                case Q4_K -> groups(15, values, at, exact, out);
                case Q5_K -> groups(31, values, at, exact, out);
                case Q6_K -> six(values, at, exact, out);
                case MXFP4 -> microscaled(values, at, exact, out);
            }
        }
        return new Stored(out.array(), exact);
    }

    /** A power of two by the largest value, and of each value the nearest of the sixteen that four bits can be. */
    private static void microscaled(float[] values, int at, double[] exact, ByteBuffer out) {
        double[] table = {0, 0.5, 1, 1.5, 2, 3, 4, 6, 0, -0.5, -1, -1.5, -2, -3, -4, -6};
        double most = 0;
        for (int i = at; i < at + 32; i++) {
            most = Math.max(most, Math.abs(values[i]));
        }
        int power = most == 0 ? 0 : (int) Math.floor(Math.log(most) / Math.log(2)) - 2;
        double scale = Math.pow(2, power);
        byte[] halves = new byte[16];
        for (int i = 0; i < 32; i++) {
            int best = 0;
            for (int n = 1; n < 16; n++) {
                if (Math.abs(table[n] * scale - values[at + i]) < Math.abs(table[best] * scale - values[at + i])) {
                    best = n;
                }
            }
            exact[at + i] = table[best] * scale;
            halves[i % 16] |= (byte) (best << (i < 16 ? 0 : 4));
        }
        out.put((byte) (power + 127)).put(halves);
    }

    private static double plain(TensorType type, float value, ByteBuffer out) {
        float rounded = SafetensorsWriter.rounded(type, value);
        switch (type) {
            case F32 -> out.putFloat(rounded);
            case F16 -> out.putShort(Float.floatToFloat16(rounded));
            default -> out.putShort((short) (Float.floatToRawIntBits(rounded) >>> 16));
        }
        return rounded;
    }

    private static short half(double value) {
        return Float.floatToFloat16((float) value);
    }

    private static double of(short half) {
        return Float.float16ToFloat(half);
    }

    private static int clamp(double value, int least, int most) {
        return (int) Math.max(least, Math.min(most, Math.rint(value)));
    }

    /** One scale; numbers stored as bytes (bias 0) or four or five bits of number + bias. */
    private static void signed(int most, int bias, boolean fifth, float[] x, int at, double[] exact, ByteBuffer out) {
        double greatest = 0;
        for (int i = 0; i < 32; i++) {
            if (Math.abs(x[at + i]) > Math.abs(greatest)) {
                greatest = x[at + i];
            }
        }
        // the greatest becomes the most negative number where there is one more of those
        short d = half(bias == 0 ? Math.abs(greatest) / most : -greatest / most);
        out.putShort(d);
        int[] q = new int[32];
        for (int i = 0; i < 32; i++) {
            q[i] = of(d) == 0 ? 0 : clamp(x[at + i] / of(d), bias == 0 ? -most : -bias, bias == 0 ? most : bias - 1);
            exact[at + i] = of(d) * q[i];
            q[i] += bias;
        }
        if (bias == 0) {
            for (int value : q) {
                out.put((byte) value);
            }
        } else {
            bits(q, fifth, out);
        }
    }

    private static void offset(int most, boolean fifth, float[] x, int at, double[] exact, ByteBuffer out) {
        double least = x[at];
        double greatest = x[at];
        for (int i = 0; i < 32; i++) {
            least = Math.min(least, x[at + i]);
            greatest = Math.max(greatest, x[at + i]);
        }
        short d = half((greatest - least) / most);
        short m = half(least);
        out.putShort(d).putShort(m);
        int[] q = new int[32];
        for (int i = 0; i < 32; i++) {
            q[i] = of(d) == 0 ? 0 : clamp((x[at + i] - of(m)) / of(d), 0, most);
            exact[at + i] = of(d) * q[i] + of(m);
        }
        bits(q, fifth, out);
    }

    /** Fifth bits as one word, then numbers j and j + 16 in one byte. */
    private static void bits(int[] q, boolean fifth, ByteBuffer out) {
        int word = 0;
        for (int i = 0; i < 32; i++) {
            word |= (q[i] >> 4 & 1) << i;
        }
        if (fifth) {
            out.putInt(word);
        }
        for (int i = 0; i < 16; i++) {
            out.put((byte) (q[i] & 15 | (q[i + 16] & 15) << 4));
        }
    }

    /** Q4_K and Q5_K: value = d * scale * q - m * offset by groups of 32, scale and offset of six bits. */
    private static void groups(int most, float[] x, int at, double[] exact, ByteBuffer out) {
        double[] span = new double[8];
        double[] below = new double[8];
        double widest = 0;
        double lowest = 0;
        for (int g = 0; g < 8; g++) {
            double greatest = 0;
            for (int i = 0; i < 32; i++) {
                below[g] = Math.max(below[g], -x[at + 32 * g + i]);
                greatest = Math.max(greatest, x[at + 32 * g + i]);
            }
            span[g] = (greatest + below[g]) / most;
            widest = Math.max(widest, span[g]);
            lowest = Math.max(lowest, below[g]);
        }
        short d = half(widest / 63);
        short m = half(lowest / 63);
        int[] scale = new int[8];
        int[] offset = new int[8];
        int[] q = new int[256];
        for (int g = 0; g < 8; g++) {
            scale[g] = of(d) == 0 ? 0 : clamp(span[g] / of(d), 0, 63);
            offset[g] = of(m) == 0 ? 0 : clamp(below[g] / of(m), 0, 63);
            for (int i = 32 * g; i < 32 * g + 32; i++) {
                double step = of(d) * scale[g];
                q[i] = step == 0 ? 0 : clamp((x[at + i] + of(m) * offset[g]) / step, 0, most);
                exact[at + i] = step * q[i] - of(m) * offset[g];
            }
        }
        out.putShort(d).putShort(m);
        for (int g = 0; g < 4; g++) {
            out.put((byte) (scale[g] | scale[g + 4] >> 4 << 6));
        }
        for (int g = 0; g < 4; g++) {
            out.put((byte) (offset[g] | offset[g + 4] >> 4 << 6));
        }
        for (int g = 4; g < 8; g++) {
            out.put((byte) (scale[g] & 15 | (offset[g] & 15) << 4));
        }
        if (most == 31) {
            for (int i = 0; i < 32; i++) {
                int byteOf = 0;
                for (int g = 0; g < 8; g++) {
                    byteOf |= (q[32 * g + i] >> 4) << g;
                }
                out.put((byte) byteOf);
            }
        }
        for (int pair = 0; pair < 4; pair++) {
            for (int i = 0; i < 32; i++) {
                out.put((byte) (q[64 * pair + i] & 15 | (q[64 * pair + 32 + i] & 15) << 4));
            }
        }
    }

    /** Q6_K: value = d * scale * (q - 32) by groups of 16, scale of eight bits with a sign. */
    private static void six(float[] x, int at, double[] exact, ByteBuffer out) {
        double[] most = new double[16];
        double widest = 0;
        for (int i = 0; i < 256; i++) {
            if (Math.abs(x[at + i]) > Math.abs(most[i / 16])) {
                most[i / 16] = x[at + i];
            }
            widest = Math.max(widest, Math.abs(x[at + i]));
        }
        short d = half(widest / 32 / 127);
        int[] scale = new int[16];
        int[] q = new int[256];
        for (int i = 0; i < 256; i++) {
            int g = i / 16;
            scale[g] = of(d) == 0 ? 0 : clamp(-most[g] / 32 / of(d), -128, 127);
            double step = of(d) * scale[g];
            int number = step == 0 ? 0 : clamp(x[at + i] / step, -32, 31);
            exact[at + i] = step * number;
            q[i] = number + 32;
        }
        for (int half = 0; half < 256; half += 128) {
            for (int i = 0; i < 64; i++) {
                out.put((byte) (q[half + i] & 15 | (q[half + 64 + i] & 15) << 4));
            }
        }
        for (int half = 0; half < 256; half += 128) {
            for (int i = 0; i < 32; i++) {
                int byteOf = 0;
                for (int quarter = 0; quarter < 4; quarter++) {
                    byteOf |= (q[half + 32 * quarter + i] >> 4) << 2 * quarter;
                }
                out.put((byte) byteOf);
            }
        }
        for (int value : scale) {
            out.put((byte) value);
        }
        out.putShort(d);
    }
}
