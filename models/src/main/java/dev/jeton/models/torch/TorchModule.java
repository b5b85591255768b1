package dev.jeton.models.torch;

import ai.djl.Device;
import ai.djl.engine.Engine;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.djl.pytorch.jni.IValue;
import ai.djl.pytorch.jni.IValueUtils;
import ai.djl.pytorch.jni.JniUtils;
import dev.jeton.models.engine.EngineException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * A TorchScript module that is called method by method; the one place that knows DJL's JNI. Nothing made here outlives
 * the call it was made for, but for memory that the module itself keeps.
 *
 * <p>Owned by one thread at a time. What libtorch throws comes as an {@link EngineException} with the last line of its
 * message, which says what happened; the lines before it are the script's.
 */
final class TorchModule implements AutoCloseable {

    private final PtNDManager manager;
    private final PtSymbolBlock block;
    private boolean closed;

    private TorchModule(PtNDManager manager, PtSymbolBlock block) {
        this.manager = manager;
        this.block = block;
    }

    /**
     * Loads a module from the bytes of an archive.
     *
     * @throws EngineException if they are damaged or libtorch does not understand them
     */
    static TorchModule load(byte[] archive) {
        PtNDManager manager = (PtNDManager) Engine.getEngine("PyTorch").newBaseManager(Device.cpu());
        try {
            PtSymbolBlock block = JniUtils.loadModule(manager, new ByteArrayInputStream(archive), false, false);
            return new TorchModule(manager, block);
        } catch (IOException | RuntimeException e) {
            manager.close();
            throw new EngineException("the TorchScript archive cannot be loaded: " + reason(e), e);
        }
    }

    /** A number as an argument. */
    static IValue number(long value) {
        return IValue.from(value);
    }

    /** Numbers as an argument. */
    static IValue numbers(long... values) {
        return IValue.listFrom(values);
    }

    /** A tensor over memory off the heap, without a copy, alive as long as the module. */
    PtNDArray tensor(MemorySegment memory, DataType type) {
        ByteBuffer bytes = memory.asByteBuffer().order(ByteOrder.nativeOrder());
        return JniUtils.createNdFromByteBuffer(
                manager,
                bytes,
                new Shape(memory.byteSize() / type.getNumOfBytes()),
                type,
                ai.djl.ndarray.types.SparseFormat.DENSE,
                Device.cpu());
    }

    /** Calls {@code start} with float64 numbers. */
    void start(double[] numbers) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment memory = arena.allocate(8L * numbers.length, 8);
            MemorySegment.copy(numbers, 0, memory, ValueLayout.JAVA_DOUBLE, 0, numbers.length);
            try (PtNDArray array = tensor(memory, DataType.FLOAT64)) {
                run("start", IValue.from(array));
            }
        }
    }

    /** Calls a method that returns nothing; closes the arguments. */
    void run(String method, IValue... arguments) {
        call(method, arguments).close();
    }

    /** Calls a method that returns a tensor of float32 on the host and copies it; closes the arguments. */
    void floats(String method, float[] target, IValue... arguments) {
        IValue result = call(method, arguments);
        try (PtNDArray tensor = result.toTensor(manager)) {
            ByteBuffer bytes = tensor.toByteBuffer(true).order(ByteOrder.nativeOrder());
            bytes.asFloatBuffer().get(target, 0, bytes.remaining() / Float.BYTES);
        } finally {
            result.close();
        }
    }

    private IValue call(String method, IValue... arguments) {
        try {
            return IValueUtils.runMethod(block, method, arguments);
        } catch (RuntimeException e) {
            throw new EngineException("libtorch failed in %s: %s".formatted(method, reason(e)), e);
        } finally {
            for (IValue argument : arguments) {
                argument.close();
            }
        }
    }

    private static String reason(Exception e) {
        String message = String.valueOf(e.getMessage()).strip();
        int at = message.lastIndexOf("Error: ");
        String last = at < 0 ? message : message.substring(message.lastIndexOf('\n', at) + 1);
        return last.lines().findFirst().orElse("");
    }

    @Override
    public void close() {
        if (!closed) {
            closed = true;
            block.close();
            manager.close();
        }
    }
}
