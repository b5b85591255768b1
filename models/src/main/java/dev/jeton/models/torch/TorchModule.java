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
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;

/**
 * A TorchScript module that is called method by method; the one place that knows DJL's JNI. Nothing made here outlives
 * the call it was made for, but for memory that the module itself keeps.
 *
 * <p>Owned by one thread at a time. What libtorch throws comes as an {@link EngineException} with the last line of its
 * message, which says what happened; the lines before it are the script's.
 */
final class TorchModule implements AutoCloseable {

    /** More than a method of any encoder has. */
    private static final int MOST_ARGUMENTS = 256;

    private static final String DECLARATION = "Declaration: ";

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

    /**
     * Loads a module from a file, with its weights on the device, and ready to be run, not trained.
     *
     * @throws EngineException if it is damaged or libtorch does not understand it
     */
    static TorchModule load(Path file, TorchDevice device) {
        Device place = device.isGpu() ? Device.gpu(device.gpu()) : Device.cpu();
        PtNDManager manager = (PtNDManager) Engine.getEngine("PyTorch").newBaseManager(place);
        try {
            PtSymbolBlock block =
                    JniUtils.loadModule(manager, file, device.isGpu(), new String[0], new String[0], false);
            JniUtils.enableInferenceMode(block);
            return new TorchModule(manager, block);
        } catch (RuntimeException e) {
            manager.close();
            throw new EngineException("the TorchScript file cannot be loaded: " + reason(e), e);
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
        return tensor(memory, type, memory.byteSize() / type.getNumOfBytes());
    }

    /** The same in a shape of exactly the memory's size. */
    PtNDArray tensor(MemorySegment memory, DataType type, long... shape) {
        ByteBuffer bytes = memory.asByteBuffer().order(ByteOrder.nativeOrder());
        return JniUtils.createNdFromByteBuffer(
                manager, bytes, new Shape(shape), type, ai.djl.ndarray.types.SparseFormat.DENSE, Device.cpu());
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

    /**
     * How a method is declared, in libtorch's words: {@code name(TYPE self, TYPE NAME, TYPE NAME=DEFAULT) -> TYPE};
     * empty where there is no such method. Nothing is run.
     */
    Optional<String> declaration(String method) {
        IValue[] tooMany = new IValue[MOST_ARGUMENTS];
        Arrays.setAll(tooMany, i -> number(0));
        try {
            IValueUtils.runMethod(block, method, tooMany).close();
            return Optional.empty();
        } catch (RuntimeException e) {
            String message = String.valueOf(e.getMessage());
            int at = message.indexOf(DECLARATION);
            return at < 0
                    ? Optional.empty()
                    : message.substring(at + DECLARATION.length()).lines().findFirst();
        } finally {
            for (IValue argument : tooMany) {
                argument.close();
            }
        }
    }

    /** A tensor as it was returned; closing it is the caller's. */
    PtNDArray tensor(IValue value) {
        return value.toTensor(manager);
    }

    /** A dictionary of tensors, which are left to the caller. */
    IValue dictionary(Map<String, IValue> tensors) {
        return IValue.stringIValueMapFrom(tensors);
    }

    /** Calls a method; closes the arguments, and leaves the result to the caller. */
    IValue call(String method, IValue... arguments) {
        try {
            return ask(method, arguments);
        } finally {
            for (IValue argument : arguments) {
                argument.close();
            }
        }
    }

    /** Calls a method; leaves the arguments and the result to the caller. */
    IValue ask(String method, IValue... arguments) {
        try {
            return IValueUtils.runMethod(block, method, arguments);
        } catch (RuntimeException e) {
            throw new EngineException("libtorch failed in %s: %s".formatted(method, reason(e)), e);
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
