package dev.jeton.models.onnx;

import ai.onnxruntime.NodeInfo;
import ai.onnxruntime.OnnxJavaType;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtLoggingLevel;
import ai.onnxruntime.OrtProvider;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.TensorInfo;
import dev.jeton.models.ModelException;
import dev.jeton.models.engine.EngineException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A graph that ONNX Runtime has loaded. Its threads wait without spinning, so that cores which are busy elsewhere cost
 * their share and no more.
 *
 * <p>Owned by one thread. Everything that ONNX Runtime throws becomes a {@link ModelException} while loading, and an
 * {@link EngineException} after.
 */
final class OrtModel implements AutoCloseable {

    private static final Pattern DEVICE = Pattern.compile("(cpu|cuda|tensorrt)(?::(\\d{1,3}))?");
    private static final String GPU_ARTIFACT = "com.microsoft.onnxruntime:onnxruntime_gpu";

    private final OrtEnvironment environment;
    private final OrtSession session;
    private final Map<String, TensorInfo> inputs;
    private final Map<String, TensorInfo> outputs;
    private final String device;

    private OrtModel(OrtEnvironment environment, OrtSession session, String device) throws OrtException {
        this.environment = environment;
        this.session = session;
        this.device = device;
        inputs = tensors(session.getInputInfo());
        outputs = tensors(session.getOutputInfo());
    }

    private static Map<String, TensorInfo> tensors(Map<String, NodeInfo> nodes) {
        Map<String, TensorInfo> tensors = new LinkedHashMap<>();
        nodes.forEach((name, node) -> {
            if (node.getInfo() instanceof TensorInfo info) {
                tensors.put(name, info);
            }
        });
        return tensors;
    }

    /** The version of the library, once it could be loaded. */
    static String version() {
        return environment().getVersion();
    }

    /** One environment serves the process; it logs nothing, since what goes wrong is said by exceptions. */
    private static OrtEnvironment environment() {
        return DeepStack.call(() -> OrtEnvironment.getEnvironment(OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL, "jeton"));
    }

    /**
     * Loads a graph.
     *
     * @param graph the file
     * @param device {@code cpu}, {@code cuda:N} or {@code tensorrt:N}; empty for the cpu
     * @throws ModelException where the graph or the device cannot be used
     */
    static OrtModel open(Path graph, String device, int threads) {
        Matcher wanted = DEVICE.matcher(device.isEmpty() ? "cpu" : device);
        if (!wanted.matches()) {
            throw new ModelException(
                    "device \"%s\" is not known to the onnx engine; cpu, cuda:0 and tensorrt:0 are".formatted(device));
        }
        OrtEnvironment environment = environment();
        int number = wanted.group(2) == null ? 0 : Integer.parseInt(wanted.group(2));
        try (OrtSession.SessionOptions options = new OrtSession.SessionOptions()) {
            options.setIntraOpNumThreads(threads);
            options.setInterOpNumThreads(1);
            // it would remember a plan for each shape that ever came, and with lengths they never end
            options.setMemoryPatternOptimization(false);
            options.addConfigEntry("session.intra_op.allow_spinning", "0");
            options.addConfigEntry("session.inter_op.allow_spinning", "0");
            options.setSessionLogLevel(OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL);
            provider(options, wanted.group(1), number);
            OrtSession session = environment.createSession(graph.toString(), options);
            try {
                return new OrtModel(environment, session, wanted.group(1) + ":" + number);
            } catch (OrtException | RuntimeException e) {
                session.close();
                throw e;
            }
        } catch (OrtException e) {
            throw new ModelException(
                    "ONNX Runtime %s cannot load %s: %s".formatted(version(), graph, e.getMessage()), e);
        }
    }

    private static void provider(OrtSession.SessionOptions options, String name, int number) {
        OrtProvider provider = switch (name) {
            case "cuda" -> OrtProvider.CUDA;
            case "tensorrt" -> OrtProvider.TENSOR_RT;
            default -> OrtProvider.CPU;
        };
        if (!OrtEnvironment.getAvailableProviders().contains(provider)) {
            throw new ModelException(
                    "device %s:%d: the ONNX Runtime at hand has no %s provider; put %s:%s in the place of %s"
                            .formatted(name, number, provider, GPU_ARTIFACT, version(), OnnxEngineProvider.ARTIFACT));
        }
        try {
            switch (provider) {
                case CUDA -> options.addCUDA(number);
                case TENSOR_RT -> {
                    options.addTensorrt(number);
                    // what TensorRT has no kernel for runs on CUDA, not on the cpu
                    options.addCUDA(number);
                }
                default -> {
                    // always there
                }
            }
        } catch (OrtException e) {
            throw new ModelException(
                    "device %s:%d cannot be used by ONNX Runtime %s: %s; it needs driver and CUDA libraries"
                            .formatted(name, number, version(), e.getMessage()),
                    e);
        }
    }

    /** Where it runs. */
    String device() {
        return device;
    }

    /** Names of all inputs. */
    Set<String> inputs() {
        return session.getInputNames();
    }

    /** Names of all outputs. */
    Set<String> outputs() {
        return session.getOutputNames();
    }

    /** Type and shape of an input that is a tensor; unknown sizes are -1. */
    Optional<TensorInfo> input(String name) {
        return Optional.ofNullable(inputs.get(name));
    }

    /** Type and shape of an output that is a tensor; unknown sizes are -1. */
    Optional<TensorInfo> output(String name) {
        return Optional.ofNullable(outputs.get(name));
    }

    /** A tensor over {@code memory}, of exactly the shape's size; to be closed, which leaves the memory alone. */
    OnnxTensor tensor(MemorySegment memory, OnnxJavaType type, long... shape) {
        try {
            return OnnxTensor.createTensor(
                    environment, memory.asByteBuffer().order(ByteOrder.nativeOrder()), shape, type);
        } catch (OrtException e) {
            throw failed(e);
        }
    }

    /**
     * Runs the graph; its outputs are written to the given tensors.
     *
     * @throws EngineException if the run failed; what the outputs hold is undefined then
     */
    void run(Map<String, OnnxTensor> given, Map<String, OnnxTensor> written) {
        try (OrtSession.Result _ = session.run(given, Set.of(), written)) {
            // all outputs are ours
        } catch (OrtException e) {
            throw failed(e);
        } catch (IllegalStateException e) {
            throw new EngineException("ONNX Runtime: " + e.getMessage(), e);
        }
    }

    /** Runs the graph for one output whose shape only the graph knows; the result is to be closed. */
    OrtSession.Result run(Map<String, OnnxTensor> given, String output) {
        try {
            return session.run(given, Set.of(output));
        } catch (OrtException e) {
            throw failed(e);
        }
    }

    private static EngineException failed(OrtException e) {
        return new EngineException("ONNX Runtime: " + e.getMessage(), e);
    }

    @Override
    public void close() {
        try {
            session.close();
        } catch (OrtException e) {
            throw failed(e);
        }
    }
}
