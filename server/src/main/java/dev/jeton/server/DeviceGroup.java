package dev.jeton.server;

import dev.jeton.models.ModelException;
import dev.jeton.models.torch.TorchDevice;
import dev.jeton.natives.CudaDriver;
import dev.jeton.natives.NativeException;
import dev.jeton.server.config.Configuration.ModelSettings;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * The name under which the time of what an engine runs on is booked: the engine's, and for the cuda engine on another
 * GPU than the first that this process may see, {@code cuda-1} and so on, on several GPUs {@code cuda-0+1}. Models on
 * one GPU share a group, however their settings name it, and so do models on the machine's cores, whichever engine runs
 * them.
 *
 * <p>GPUs that share a model do each step together, so a second of the group is a second of each of them: time is
 * booked once, energy is that of all, and so is the price, see {@code PriceBook.device}.
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
        if (!model.engine().equals(GPU) || (model.device().isEmpty() && model.tensorParallel() == 1)) {
            return model.engine();
        }
        try {
            return name(ordinals(model, CudaDriver.open(driver)));
        } catch (NativeException e) {
            return GPU;
        }
    }

    private static List<Integer> ordinals(ModelSettings model, CudaDriver driver) {
        if (model.device().isEmpty()) {
            return IntStream.range(0, model.tensorParallel()).boxed().toList();
        }
        return Arrays.stream(model.device().split(","))
                .map(device -> driver.device(device.strip()).ordinal())
                .distinct()
                .sorted()
                .toList();
    }

    private static String name(List<Integer> ordinals) {
        return ordinals.size() == 1
                ? name(ordinals.getFirst())
                : GPU + "-" + ordinals.stream().map(String::valueOf).collect(Collectors.joining("+"));
    }

    /**
     * Refuses groups of which two have a GPU in common: its time would be booked in both.
     *
     * @throws ModelException naming both
     */
    public static void requireApart(Set<String> groups) {
        Map<Integer, String> groupOf = new HashMap<>();
        for (String group : groups) {
            for (int gpu : gpus(group)) {
                String other = groupOf.put(gpu, group);
                if (other != null) {
                    throw new ModelException(
                            "GPU %d is in device groups %s and %s, and its time would be booked twice; give the models the"
                                            .formatted(gpu, other, group)
                                    + " same --device and --tensor-parallel-size, or GPUs apart");
                }
            }
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

    /** The numbers of the GPUs that a group is; empty where it is none. */
    static List<Integer> gpus(String group) {
        if (group.equals(GPU)) {
            return List.of(0);
        }
        if (!group.matches(GPU + "-[1-9][0-9]{0,3}") && !group.matches(GPU + "-[0-9]{1,4}(\\+[0-9]{1,4})+")) {
            return List.of();
        }
        return Arrays.stream(group.substring(GPU.length() + 1).split("\\+"))
                .map(Integer::parseInt)
                .toList();
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
