package dev.jeton.models.cpu;

import static dev.jeton.models.cpu.BlockKernels.K_BLOCK;
import static dev.jeton.models.cpu.Kernels.PANEL;
import static dev.jeton.models.cpu.Kernels.Q8_BLOCK;
import static dev.jeton.models.cpu.NativeMemory.ALL;
import static dev.jeton.models.vector.VectorMath.LANES;

import dev.jeton.models.ModelException;
import dev.jeton.models.QuantizedBlock;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * Writes stored blocks, number by number and scale by scale, in the layouts that {@link Kernels}, {@link BlockKernels}
 * and {@link Mxfp4Kernels} read: nothing is quantised anew. Scratch of one thread.
 */
final class BlockPacking {

    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final long VECTOR = 4L * LANES;

    /** What MXFP4 has for a power of one. */
    private static final int POWER_OF_ONE = 127;

    /** The four bits of a number of MXFP4 by twice what it is, from -12 on. */
    private static final byte[] MXFP4_BITS = {
        15, 0, 0, 0, 14, 0, 13, 0, 12, 11, 10, 9, 0, 1, 2, 3, 4, 0, 5, 0, 6, 0, 0, 0, 7
    };

    private final QuantizedBlock[] blocks = new QuantizedBlock[PANEL];
    private final boolean[] present = new boolean[PANEL];

    BlockPacking() {
        for (int i = 0; i < PANEL; i++) {
            blocks[i] = new QuantizedBlock();
        }
    }

    /** Reads block {@code number} of each row of a panel. */
    private void read(int panel, int number, PackedMatrix.RowSource source) {
        for (int lane = 0; lane < PANEL; lane++) {
            present[lane] = source.block(panel * PANEL + lane, number, blocks[lane]);
            if (present[lane] && !blocks[lane].finite()) {
                throw new ModelException(
                        "a block of the weights has a scale that is not a number; the file is damaged, fetch it again");
            }
        }
    }

    /** Q8_0 from any type of signed numbers with one scale for 32 inputs. */
    void eight(int panel, int number, PackedMatrix.RowSource source, long at) {
        read(panel, number, source);
        halves(at, false);
        for (int i = 0; i < Q8_BLOCK; i++) {
            for (int lane = 0; lane < LANES; lane++) {
                int word = 0;
                for (int quarter = 0; quarter < 4; quarter++) {
                    int output = quarter * LANES + lane;
                    int q = present[output] ? blocks[output].number(i) : 0;
                    word |= (q + 128 & 0xFF) << 8 * quarter;
                }
                ALL.set(INT, at + (2 + i) * VECTOR + 4L * lane, word);
            }
        }
    }

    /** MXFP4. */
    void powers(int panel, int number, PackedMatrix.RowSource source, long at) {
        read(panel, number, source);
        for (int lane = 0; lane < LANES; lane++) {
            int word = 0;
            for (int quarter = 0; quarter < 4; quarter++) {
                int output = quarter * LANES + lane;
                word |= (present[output] ? blocks[output].power() : POWER_OF_ONE) << 8 * quarter;
            }
            ALL.set(INT, at + 4L * lane, word);
        }
        for (int i = 0; i < Mxfp4Kernels.BLOCK; i += 8) {
            numbers(at + VECTOR + i / 8 * 4 * VECTOR, i);
        }
    }

    /** Eight inputs of every output; zero has no sign. */
    private void numbers(long at, int first) {
        for (int output = 0; output < PANEL; output++) {
            int word = 0;
            if (present[output]) {
                for (int i = 0; i < 8; i++) {
                    word |= MXFP4_BITS[blocks[output].number(first + i) + 12] << 4 * i;
                }
            }
            ALL.set(INT, at + 4L * output, word);
        }
    }

    /** A block of 256 inputs of Q4_K, Q5_K or Q6_K. */
    void block(PackedMatrix.Format format, int panel, int number, PackedMatrix.RowSource source, long start) {
        read(panel, number, source);
        halves(start, false);
        long at = start + 2 * VECTOR;
        if (format != PackedMatrix.Format.Q6_K) {
            halves(at, true);
            at += 2 * VECTOR;
        }
        int group = format == PackedMatrix.Format.Q6_K ? 16 : 32;
        for (int first = 0; first < K_BLOCK; first += group) {
            bytes(at, first / group, false);
            at += VECTOR;
            if (format != PackedMatrix.Format.Q6_K) {
                bytes(at, first / group, true);
                at += VECTOR;
            }
            if (format == PackedMatrix.Format.Q5_K) {
                upper(at, first, 32, 1, 0);
                at += 4 * VECTOR;
            } else if (format == PackedMatrix.Format.Q6_K) {
                upper(at, first, 16, 2, 32);
                at += 4 * VECTOR;
            }
            int bias = format == PackedMatrix.Format.Q6_K ? 32 : 0;
            for (int i = first; i < first + group; i += 8) {
                lower(at, i, bias);
                at += 4 * VECTOR;
            }
        }
    }

    private void halves(long at, boolean offsets) {
        for (int output = 0; output < PANEL; output++) {
            short bits = offsets ? blocks[output].offsetBits() : blocks[output].scaleBits();
            ALL.set(SHORT, PackKernels.halfAt(at, output), present[output] ? bits : 0);
        }
    }

    private void bytes(long at, int group, boolean offsets) {
        for (int lane = 0; lane < LANES; lane++) {
            int word = 0;
            for (int quarter = 0; quarter < 4; quarter++) {
                int output = quarter * LANES + lane;
                if (present[output]) {
                    int value = offsets ? blocks[output].offset(group) : blocks[output].scale(group);
                    word |= (value & 0xFF) << 8 * quarter;
                }
            }
            ALL.set(INT, at + 4L * lane, word);
        }
    }

    /** The lower four bits of eight inputs of every output. */
    private void lower(long at, int first, int bias) {
        for (int output = 0; output < PANEL; output++) {
            int word = 0;
            if (present[output]) {
                for (int i = 0; i < 8; i++) {
                    word |= (blocks[output].number(first + i) + bias & 15) << 4 * i;
                }
            }
            ALL.set(INT, at + 4L * output, word);
        }
    }

    /** What is above them, {@code bits} wide, of {@code count} inputs. */
    private void upper(long at, int first, int count, int bits, int bias) {
        for (int output = 0; output < PANEL; output++) {
            int word = 0;
            if (present[output]) {
                for (int i = 0; i < count; i++) {
                    int value = blocks[output].number(first + i) + bias >> 4;
                    word |= value << bits * i;
                }
            }
            ALL.set(INT, at + 4L * output, word);
        }
    }
}
