package dev.jeton.natives;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * How a kernel is launched that may begin while the one before it ends: {@code CUlaunchConfig} of cuda.h (56 bytes) and
 * the one {@code CUlaunchAttribute} (72 bytes) that it points to, made once and set for each launch without allocating.
 * Owned by its function's thread.
 */
final class ProgrammaticLaunch {

    /** {@code CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION}. */
    private static final int STREAM_SERIALIZATION = 6;

    private static final long GRID_X = 0;
    private static final long GRID_Y = 4;
    private static final long GRID_Z = 8;
    private static final long BLOCK_X = 12;
    private static final long BLOCK_Y = 16;
    private static final long BLOCK_Z = 20;
    private static final long SHARED_BYTES = 24;
    private static final long STREAM = 32;
    private static final long ATTRIBUTES = 40;
    private static final long ATTRIBUTE_COUNT = 48;
    private static final long CONFIGURATION_BYTES = 56;

    private static final long ATTRIBUTE_VALUE = 8;
    private static final long ATTRIBUTE_BYTES = 72;

    private final MemorySegment configuration;

    ProgrammaticLaunch() {
        Arena arena = Arena.ofAuto();
        MemorySegment attribute = arena.allocate(ATTRIBUTE_BYTES, 8);
        attribute.set(JAVA_INT, 0, STREAM_SERIALIZATION);
        attribute.set(JAVA_INT, ATTRIBUTE_VALUE, 1);
        configuration = arena.allocate(CONFIGURATION_BYTES, 8);
        configuration.set(JAVA_INT, GRID_Z, 1);
        configuration.set(JAVA_INT, BLOCK_Y, 1);
        configuration.set(JAVA_INT, BLOCK_Z, 1);
        configuration.set(JAVA_LONG, ATTRIBUTES, attribute.address());
        configuration.set(JAVA_INT, ATTRIBUTE_COUNT, 1);
    }

    /** The address of the configuration of a launch, as it is until the next one. */
    long configuration(int gridX, int gridY, int threads, int sharedBytes, CudaStream stream) {
        configuration.set(JAVA_INT, GRID_X, gridX);
        configuration.set(JAVA_INT, GRID_Y, gridY);
        configuration.set(JAVA_INT, BLOCK_X, threads);
        configuration.set(JAVA_INT, SHARED_BYTES, sharedBytes);
        configuration.set(JAVA_LONG, STREAM, stream.handle());
        return configuration.address();
    }
}
