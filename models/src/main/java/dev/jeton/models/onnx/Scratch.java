package dev.jeton.models.onnx;

import ai.onnxruntime.OnnxJavaType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Memory of one input or output of a graph, which grows to the largest run. Owned by the engine's thread. */
final class Scratch implements AutoCloseable {

    private final String what;
    private MemorySegment memory = MemorySegment.NULL;

    Scratch(String what) {
        this.what = what;
    }

    /** At least so many bytes; what was in them is gone where they had to grow. */
    MemorySegment of(long bytes) {
        if (memory.byteSize() < bytes) {
            close();
            memory = HostMemory.allocate(Math.max(4096, bytes + bytes / 4), what);
        }
        return memory.asSlice(0, bytes);
    }

    /** Writes a whole number of a type that is INT64 or INT32. */
    static void put(MemorySegment memory, OnnxJavaType type, long index, long value) {
        if (type == OnnxJavaType.INT64) {
            memory.setAtIndex(ValueLayout.JAVA_LONG, index, value);
        } else {
            memory.setAtIndex(ValueLayout.JAVA_INT, index, (int) value);
        }
    }

    /** Copies elements of a floating type to floats. */
    static void floats(MemorySegment memory, OnnxJavaType type, long index, float[] target, int offset, int count) {
        switch (type) {
            case FLOAT -> MemorySegment.copy(memory, ValueLayout.JAVA_FLOAT, 4 * index, target, offset, count);
            case FLOAT16 -> {
                for (int i = 0; i < count; i++) {
                    target[offset + i] = Float.float16ToFloat(memory.getAtIndex(ValueLayout.JAVA_SHORT, index + i));
                }
            }
            default -> {
                for (int i = 0; i < count; i++) {
                    short bits = memory.getAtIndex(ValueLayout.JAVA_SHORT, index + i);
                    target[offset + i] = Float.intBitsToFloat(bits << 16);
                }
            }
        }
    }

    @Override
    public void close() {
        if (memory.byteSize() > 0) {
            HostMemory.free(memory);
            memory = MemorySegment.NULL;
        }
    }
}
