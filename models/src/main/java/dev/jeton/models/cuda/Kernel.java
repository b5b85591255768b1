package dev.jeton.models.cuda;

import dev.jeton.natives.CudaFunction;
import dev.jeton.natives.CudaStream;
import dev.jeton.natives.KernelArguments;

/** A kernel with its block of arguments, set one after the other and launched on the engine's stream. */
final class Kernel {

    /** Dynamic shared memory that every launch may have without asking. */
    private static final int USUAL_SHARED = 48 << 10;

    private final CudaFunction function;
    private final KernelArguments arguments;
    private final CudaStream stream;
    private final ProgrammaticLaunches programmatic;
    private int allowed;
    private int next;

    Kernel(CudaFunction function, CudaStream stream, ProgrammaticLaunches programmatic) {
        this.function = function;
        this.stream = stream;
        this.programmatic = programmatic;
        arguments = function.arguments();
        allowed = USUAL_SHARED - function.staticSharedBytes();
    }

    /** How many pieces of {@code size} so much takes. */
    static int blocks(long amount, long size) {
        return Math.toIntExact((amount + size - 1) / size);
    }

    /** The first argument follows. */
    Kernel begin() {
        next = 0;
        return this;
    }

    /** An address on the device. */
    Kernel pointer(long value) {
        arguments.set(next++, value);
        return this;
    }

    /** A 64-bit integer. */
    Kernel longInteger(long value) {
        arguments.set(next++, value);
        return this;
    }

    /** A 32-bit integer. */
    Kernel integer(int value) {
        arguments.set(next++, value);
        return this;
    }

    /** A float. */
    Kernel single(float value) {
        arguments.set(next++, value);
        return this;
    }

    /** A double. */
    Kernel number(double value) {
        arguments.set(next++, value);
        return this;
    }

    /** Blocks of so many threads and so much shared memory that a multiprocessor runs at once; at least one. */
    int resident(int threads, int sharedBytes) {
        allow(sharedBytes);
        return Math.max(1, function.blocksPerMultiprocessor(threads, sharedBytes));
    }

    private void allow(int sharedBytes) {
        if (sharedBytes > allowed) {
            function.allowSharedBytes(sharedBytes);
            allowed = sharedBytes;
        }
    }

    /** Queues it; a grid with nothing in it is nothing. */
    void launch(int gridX, int gridY, int threads, int sharedBytes) {
        if (next != arguments.count()) {
            throw new IllegalStateException(
                    "kernel %s takes %d arguments, not %d".formatted(function.name(), arguments.count(), next));
        }
        if (gridX == 0 || gridY == 0) {
            return;
        }
        allow(sharedBytes);
        if (programmatic.on()) {
            function.launchProgrammatic(gridX, gridY, threads, sharedBytes, stream, arguments);
        } else {
            function.launch(gridX, gridY, 1, threads, 1, 1, sharedBytes, stream, arguments);
        }
    }
}
