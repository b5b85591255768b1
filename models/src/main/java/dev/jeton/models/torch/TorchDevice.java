package dev.jeton.models.torch;

import dev.jeton.models.ModelException;
import dev.jeton.natives.CudaDriver;
import dev.jeton.natives.NativeException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;

/**
 * What the torch engine computes on.
 *
 * @param gpu number of a GPU among those that this process may see, or -1 for the machine's cores
 */
public record TorchDevice(int gpu) {

    /** The machine's cores. */
    public static final TorchDevice PROCESSORS = new TorchDevice(-1);

    private static final String HOW = "set PYTORCH_LIBRARY_PATH to the folder of a libtorch 2.7.1 for CUDA 12.8,"
            + " PYTORCH_VERSION=2.7.1 and PYTORCH_FLAVOR=cu128";

    /**
     * The device that {@code --device} means: where libtorch is one with CUDA the first GPU unless said otherwise, else
     * the cores.
     *
     * @param device empty, {@code cpu}, {@code cuda}, a GPU's number (also as {@code cuda:1}) or UUID
     * @throws ModelException if that is none, or libtorch is one without CUDA
     */
    public static TorchDevice of(String device, Map<String, String> environment) {
        boolean cuda = TorchLibraries.flavor(environment).startsWith("cu");
        if (device.equals("cpu") || device.isEmpty() && !cuda) {
            return PROCESSORS;
        }
        if (!cuda) {
            throw new ModelException(
                    "device \"%s\" is not one of this PyTorch, which is for processors; %s".formatted(device, HOW));
        }
        String number = device.startsWith("cuda:") ? device.substring(5) : device;
        if (number.isEmpty() || number.equals("cuda")) {
            return new TorchDevice(0);
        }
        if (number.matches("[0-9]{1,4}")) {
            return new TorchDevice(Integer.parseInt(number));
        }
        try {
            Optional<Path> driver = Optional.ofNullable(environment.get("JETON_CUDA_DRIVER"))
                    .filter(file -> !file.isEmpty())
                    .map(Path::of);
            return new TorchDevice(CudaDriver.open(driver).device(number).ordinal());
        } catch (NativeException e) {
            throw new ModelException("device \"%s\": %s".formatted(device, e.getMessage()), e);
        }
    }

    /** Whether it is a GPU. */
    public boolean isGpu() {
        return gpu >= 0;
    }

    /** As libtorch names it. */
    String torchName() {
        return isGpu() ? "cuda:" + gpu : "cpu";
    }
}
