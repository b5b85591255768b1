package dev.jeton.models;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.List;

/**
 * A tensor of a weights file, mapped and read-only; valid until its {@link Safetensors} is closed.
 *
 * @param name as in the file
 * @param type of the elements
 * @param shape sizes of the dimensions, outermost first
 * @param data the elements, row-major, little-endian, of exactly the shape's size
 */
public record Tensor(String name, TensorType type, List<Long> shape, MemorySegment data) {

    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** Copies the shape. */
    public Tensor {
        shape = List.copyOf(shape);
    }

    /** Number of elements. */
    public long elements() {
        return data.byteSize() / type.bytes();
    }

    /** Element {@code index} in row-major order. */
    public float at(long index) {
        return switch (type) {
            case F32 -> data.get(FLOAT, 4 * index);
            case F16 -> Float.float16ToFloat(data.get(SHORT, 2 * index));
            case BF16 -> Float.intBitsToFloat(data.get(SHORT, 2 * index) << 16);
        };
    }

    /** Copies {@code count} elements from {@code index} on to {@code target[offset]} as floats. */
    public void copyTo(long index, float[] target, int offset, int count) {
        switch (type) {
            case F32 -> MemorySegment.copy(data, FLOAT, 4 * index, target, offset, count);
            case F16 -> {
                for (int i = 0; i < count; i++) {
                    target[offset + i] = Float.float16ToFloat(data.get(SHORT, 2 * (index + i)));
                }
            }
            case BF16 -> {
                for (int i = 0; i < count; i++) {
                    target[offset + i] = Float.intBitsToFloat(data.get(SHORT, 2 * (index + i)) << 16);
                }
            }
        }
    }

    /** All elements as floats; for vectors such as norms and biases. */
    public float[] toFloats() {
        float[] values = new float[Math.toIntExact(elements())];
        copyTo(0, values, 0, values.length);
        return values;
    }
}
