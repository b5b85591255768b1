package dev.jeton.server;

import dev.jeton.models.ModelException;
import dev.jeton.models.torch.TorchDevice;
import dev.jeton.natives.CudaDriver;
import dev.jeton.natives.NativeException;
import dev.jeton.server.config.Configuration.ModelSettings;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The name under which the time of what an engine runs on is booked: the engine's, and for the cuda engine on another
 * GPU than the first that this process may see, {@code cuda-1} and so on. Models on one GPU share a group, however
 * their settings name it, and so do models on the machine's cores, whichever engine runs them.
 */
public final class DeviceGroup {

    /** The device group of engines that compute on the machine's cores. */
    static final String PROCESSORS = "cpu";

    private static final String GPU = "cuda";
    private static final String TORCH = "torch";
    private static final String ONNX = "onnx";
    private static final String TENSORRT = "trtllm";
    private static final Pattern ONNX_GPU = Pattern.compile("(?:cuda|tensorrt)(?::(\\d{1,3}))?");

    private DeviceGroup() {}

    /** Where a model's time is booked. A GPU that is not there is the engine's to complain of, when it loads. */
    public static String of(ModelSettings model) {
        return of(model, driver());
    }

    static String of(ModelSettings model, Optional<Path> driver) {
        if (model.engine().equals(TORCH)) {
            return torch(model.device(), System.getenv());
        }
        if (model.engine().equals(ONNX)) {
            return onnx(model.device());
        }
        if (model.engine().equals(TENSORRT)) {
            return GPU;
        }
        if (!model.engine().equals(GPU) || model.device().isEmpty()) {
            return model.engine();
        }
        try {
            return name(CudaDriver.open(driver).device(model.device()).ordinal());
        } catch (NativeException e) {
            return GPU;
        }
    }

    /** The torch engine computes on what other engines compute on, and so their group is its group. */
    static String torch(String device, Map<String, String> environment) {
        try {
            TorchDevice chosen = TorchDevice.of(device, environment);
            return chosen.isGpu() ? name(chosen.gpu()) : PROCESSORS;
        } catch (ModelException e) {
            return PROCESSORS;
        }
    }

    /** The onnx engine, too: on the machine's cores unless a GPU is named. */
    static String onnx(String device) {
        Matcher gpu = ONNX_GPU.matcher(device);
        if (!gpu.matches()) {
            return PROCESSORS;
        }
        return name(gpu.group(1) == null ? 0 : Integer.parseInt(gpu.group(1)));
    }

    private static String name(int ordinal) {
        return ordinal == 0 ? GPU : GPU + "-" + ordinal;
    }

    /** The number of the GPU that a group is; empty where it is none. */
    static OptionalInt gpu(String group) {
        if (group.equals(GPU)) {
            return OptionalInt.of(0);
        }
        return group.matches(GPU + "-[1-9][0-9]{0,3}")
                ? OptionalInt.of(Integer.parseInt(group.substring(GPU.length() + 1)))
                : OptionalInt.empty();
    }

    /** What CUDA and NVML both call the GPU of that number. */
    static String uuid(int ordinal) {
        return uuid(ordinal, driver());
    }

    static String uuid(int ordinal, Optional<Path> driver) {
        return CudaDriver.open(driver).device(Integer.toString(ordinal)).uuid();
    }

    private static Optional<Path> driver() {
        return Optional.ofNullable(System.getenv("JETON_CUDA_DRIVER"))
                .filter(file -> !file.isEmpty())
                .map(Path::of);
    }
}
