package dev.jeton.models;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * One block of a ggml type, taken apart: whole numbers, scales and offsets as the file has them. Reused from block to
 * block; for one thread.
 *
 * <p>With q an element's number, an element is
 *
 * <ul>
 *   <li>Q4_0, Q5_0, Q8_0: {@code d * q}, q signed
 *   <li>Q4_1, Q5_1: {@code d * q + m}
 *   <li>Q4_K, Q5_K: {@code (d * scale) * q - m * offset}, with a scale and an offset for each 32 elements
 *   <li>Q6_K: {@code (d * scale) * q}, q signed, with a signed scale for each 16 elements
 *   <li>MXFP4: {@code 2^(e - 128) * q}, q signed, twice one of 0, 0.5, 1, 1.5, 2, 3, 4 and 6
 * </ul>
 *
 * in binary32, each operation rounded. Only the last addition can round: d and m are binary16. Source: the layouts of
 * ggml's block types, little-endian, read byte by byte; OCP Microscaling Formats (MX), version 1.0.
 */
public final class QuantizedBlock {

    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** Most elements of a block. */
    public static final int MOST = 256;

    /** Twice what four bits of MXFP4 are: a sign, two bits of exponent, one of mantissa. */
    private static final byte[] TWICE_FP4 = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

    /** A power of two of MXFP4 that is no number. */
    private static final int NO_POWER = 255;

    private final byte[] raw = new byte[MOST];
    private final byte[] numbers = new byte[MOST];
    private final byte[] scales = new byte[16];
    private final byte[] offsets = new byte[8];
    private TensorType type = TensorType.Q8_0;
    private short d;
    private short m;
    private int power;

    /** A block to read into. */
    public QuantizedBlock() {}

    /** Reads the block that begins at byte {@code at}. */
    public void read(TensorType of, MemorySegment data, long at) {
        type = of;
        m = 0;
        MemorySegment.copy(data, ValueLayout.JAVA_BYTE, at, raw, 0, of.blockBytes());
        d = switch (of) {
            case Q6_K -> data.get(SHORT, at + 208);
            case MXFP4 -> 0;
            default -> data.get(SHORT, at);
        };
        switch (of) {
            case Q4_0 -> nibbles(2, -8);
            case Q4_1 -> {
                m = data.get(SHORT, at + 2);
                nibbles(4, 0);
            }
            case Q5_0 -> fives(2, -16);
            case Q5_1 -> {
                m = data.get(SHORT, at + 2);
                fives(4, 0);
            }
            case Q8_0 -> System.arraycopy(raw, 2, numbers, 0, 32);
            case Q4_K -> {
                m = data.get(SHORT, at + 2);
                sixBitScales();
                pairedNibbles(16);
            }
            case Q5_K -> {
                m = data.get(SHORT, at + 2);
                sixBitScales();
                pairedNibbles(48);
                fifthBits();
            }
            case Q6_K -> sixes();
            case MXFP4 -> {
                power = raw[0] & 0xFF;
                for (int j = 0; j < 16; j++) {
                    numbers[j] = TWICE_FP4[raw[1 + j] & 15];
                    numbers[j + 16] = TWICE_FP4[raw[1 + j] >> 4 & 15];
                }
            }
            case F32, F16, BF16 -> throw new IllegalArgumentException(of + " has no blocks");
        }
    }

    /**
     * Makes it a block of MXFP4 whose elements 2i and 2i + 1 are the low and the high half of byte i, as checkpoints
     * have them that are not ggml's.
     *
     * @param data of 16 bytes a block
     * @param powers of one byte a block
     */
    void readPairs(MemorySegment data, MemorySegment powers, long block) {
        type = TensorType.MXFP4;
        d = 0;
        m = 0;
        power = powers.get(ValueLayout.JAVA_BYTE, block) & 0xFF;
        MemorySegment.copy(data, ValueLayout.JAVA_BYTE, 16 * block, raw, 0, 16);
        for (int j = 0; j < 16; j++) {
            numbers[2 * j] = TWICE_FP4[raw[j] & 15];
            numbers[2 * j + 1] = TWICE_FP4[raw[j] >> 4 & 15];
        }
    }

    /** The power of two of a block of MXFP4 as it is stored: e. */
    public int power() {
        return power;
    }

    /** What the numbers of a block of MXFP4 are multiplied with: 2^(e - 128), which a float has exactly. */
    public float powerOfTwo() {
        return power == NO_POWER ? Float.NaN : Math.scalb(1f, power - 128);
    }

    /** The scale of the whole block as binary16. */
    public short scaleBits() {
        return d;
    }

    /** What offsets are multiplied with, or the offset itself, as binary16; 0 where the type has none. */
    public short offsetBits() {
        return m;
    }

    /** Whether they are finite; in what ggml writes they always are. */
    public boolean finite() {
        return (d & 0x7C00) != 0x7C00 && (m & 0x7C00) != 0x7C00 && (type != TensorType.MXFP4 || power != NO_POWER);
    }

    /** The number of an element: signed where the type says so. */
    public int number(int element) {
        return numbers[element];
    }

    /** The scale of a group of 32 elements (Q4_K, Q5_K) or 16 (Q6_K). */
    public int scale(int group) {
        return scales[group];
    }

    /** The offset of a group of 32 elements (Q4_K, Q5_K). */
    public int offset(int group) {
        return offsets[group];
    }

    /** Writes {@code count} elements from {@code first} on as floats. */
    public void copyTo(int first, float[] target, int at, int count) {
        float all = type == TensorType.MXFP4 ? powerOfTwo() : Float.float16ToFloat(d);
        float base = Float.float16ToFloat(m);
        for (int i = 0; i < count; i++) {
            int e = first + i;
            target[at + i] = switch (type) {
                case Q4_1, Q5_1 -> all * numbers[e] + base;
                case Q4_K, Q5_K -> all * scales[e / 32] * numbers[e] - base * offsets[e / 32];
                case Q6_K -> all * scales[e / 16] * numbers[e];
                default -> all * numbers[e];
            };
        }
    }

    /** Element j in the low half of byte j, element j + 16 in the high one. */
    private void nibbles(int from, int bias) {
        for (int j = 0; j < 16; j++) {
            numbers[j] = (byte) ((raw[from + j] & 15) + bias);
            numbers[j + 16] = (byte) ((raw[from + j] >> 4 & 15) + bias);
        }
    }

    /** The same with four bytes of fifth bits before, element j's being bit j. */
    private void fives(int from, int bias) {
        nibbles(from + 4, bias);
        for (int j = 0; j < 32; j++) {
            numbers[j] += (byte) ((raw[from + j / 8] >> j % 8 & 1) << 4);
        }
    }

    /** Twelve bytes: of eight scales and eight offsets, four of each whole, and the upper bits of the other four. */
    private void sixBitScales() {
        for (int j = 0; j < 4; j++) {
            int scale = raw[4 + j];
            int offset = raw[8 + j];
            int both = raw[12 + j];
            scales[j] = (byte) (scale & 63);
            offsets[j] = (byte) (offset & 63);
            scales[j + 4] = (byte) (both & 15 | (scale >> 6 & 3) << 4);
            offsets[j + 4] = (byte) (both >> 4 & 15 | (offset >> 6 & 3) << 4);
        }
    }

    /** Each 32 bytes hold 32 elements in their low halves, and the next 32 in the high ones. */
    private void pairedNibbles(int from) {
        for (int j = 0; j < 128; j++) {
            int low = j / 32 * 64 + j % 32;
            numbers[low] = (byte) (raw[from + j] & 15);
            numbers[low + 32] = (byte) (raw[from + j] >> 4 & 15);
        }
    }

    /** Bit g of byte j is the fifth bit of element j of group g. */
    private void fifthBits() {
        for (int j = 0; j < 256; j++) {
            numbers[j] += (byte) ((raw[16 + j % 32] >> j / 32 & 1) << 4);
        }
    }

    /**
     * Of each 128 elements, bytes l and l + 32 hold 0 to 63 in their low halves and 64 to 127 in the high ones; the
     * bits 2g and 2g + 1 of one of 32 further bytes are the upper bits of the 32 elements of group g.
     */
    private void sixes() {
        for (int j = 0; j < 256; j++) {
            int half = j / 128;
            int inHalf = j % 128;
            int low = raw[half * 64 + inHalf % 64] >> (inHalf < 64 ? 0 : 4) & 15;
            int high = raw[128 + half * 32 + inHalf % 32] >> inHalf / 32 * 2 & 3;
            numbers[j] = (byte) ((low | high << 4) - 32);
        }
        System.arraycopy(raw, 192, scales, 0, 16);
    }
}
