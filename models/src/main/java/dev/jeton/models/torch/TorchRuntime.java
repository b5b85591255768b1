package dev.jeton.models.torch;

import ai.djl.pytorch.jni.JniUtils;
import dev.jeton.models.ModelException;
import dev.jeton.models.engine.DeviceLostException;
import dev.jeton.models.engine.EngineException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * libtorch in this process. It is loaded once and stays; its threads are the process's.
 *
 * <p>libgomp's threads wait by spinning unless told otherwise before it is loaded, and then a step with more threads
 * than free cores takes up to thirty times longer. So {@code OMP_WAIT_POLICY} is set first, and {@code GOMP_SPINCOUNT}
 * so that they spin for about ten microseconds, unless the environment has them. Without any spinning two threads are
 * no faster than one in decoding, since a step has hundreds of parallel regions; with ten times as much a busy core
 * halves their speed.
 */
final class TorchRuntime {

    private TorchRuntime() {}

    /**
     * Loads libtorch unless it is loaded.
     *
     * @throws ModelException if that fails
     */
    static void start() {
        // DJL otherwise looks for libraries to download and reports its use to a server
        System.setProperty("ai.djl.offline", "true");
        System.setProperty("OPT_OUT_TRACKING", "true");
        environment("OMP_WAIT_POLICY", "PASSIVE");
        environment("GOMP_SPINCOUNT", "1000");
        try {
            ai.djl.engine.Engine.getEngine("PyTorch");
        } catch (RuntimeException | LinkageError e) {
            Throwable cause = e.getCause() == null ? e : e.getCause();
            throw new ModelException(
                    "libtorch cannot be loaded: %s; it is unpacked to DJL_CACHE_DIR (~/.djl.ai), which must be writable"
                            .formatted(cause.getMessage()),
                    e);
        }
    }

    /** What libtorch keeps by thread: called on the thread that is to run steps, when that changes. */
    static void enter(int threads) {
        JniUtils.setGradMode(false);
        // profiling runs and recompilations would make the first steps of every shape slow
        JniUtils.setGraphExecutorOptimize(false);
        JniUtils.setNumThreads(threads);
    }

    /** What a failed call means: CUDA's errors are those of the process, all later calls fail, too. */
    static EngineException checked(EngineException e, TorchDevice device) {
        String message = String.valueOf(e.getMessage());
        return device.isGpu() && (message.contains("CUDA error") || message.contains("CUBLAS_STATUS"))
                ? new DeviceLostException(
                        "the GPU failed, and every sequence on it with it; restart the server: " + message, e)
                : e;
    }

    /** Compute threads where none are configured: a core is left to the server; libgomp's threads do not yield. */
    static int defaultThreads() {
        return Math.max(1, Runtime.getRuntime().availableProcessors() - 1);
    }

    /** Sets a variable for native code in this process, unless it is set; Java's copy of the environment stays. */
    private static void environment(String name, String value) {
        if (System.getProperty("os.name").startsWith("Windows")) {
            return;
        }
        try (Arena arena = Arena.ofConfined()) {
            Linker linker = Linker.nativeLinker();
            MethodHandle set = linker.downcallHandle(
                    linker.defaultLookup().findOrThrow("setenv"),
                    FunctionDescriptor.of(
                            ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.ADDRESS, ValueLayout.JAVA_INT));
            int failed = (int) set.invokeExact(arena.allocateFrom(name), arena.allocateFrom(value), 0);
            if (failed != 0) {
                throw new ModelException("the variable %s cannot be set".formatted(name));
            }
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }
}
