package dev.jeton.models.cuda;

import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;

/**
 * Where the engine's libraries are, and what it keeps on disk.
 *
 * @param driver {@code libcuda}; empty where it is looked for in the usual places, as are the others
 * @param nvrtc {@code libnvrtc}
 * @param cublasLt {@code libcublasLt}
 * @param nccl {@code libnccl}, which only a model on several devices needs
 * @param joinOne whether a device that is alone goes the way of several, through NCCL: to try it where there is one
 * @param cache folder of compiled kernels and chosen algorithms
 */
record DeviceLibraries(
        Optional<Path> driver,
        Optional<Path> nvrtc,
        Optional<Path> cublasLt,
        Optional<Path> nccl,
        boolean joinOne,
        Path cache) {

    /**
     * As environment variables say: {@code JETON_CUDA_DRIVER}, {@code JETON_NVRTC}, {@code JETON_CUBLASLT} and
     * {@code JETON_NCCL} name files, {@code JETON_CUDA_CACHE} a folder; {@code JETON_JOIN_ONE} is 1 where a device that
     * is alone is to be joined.
     */
    static DeviceLibraries of(Map<String, String> environment) {
        String home = environment.getOrDefault("XDG_CACHE_HOME", System.getProperty("user.home", "/tmp") + "/.cache");
        return new DeviceLibraries(
                file(environment, "JETON_CUDA_DRIVER"),
                file(environment, "JETON_NVRTC"),
                file(environment, "JETON_CUBLASLT"),
                file(environment, "JETON_NCCL"),
                environment.getOrDefault("JETON_JOIN_ONE", "").equals("1"),
                Path.of(environment.getOrDefault("JETON_CUDA_CACHE", home + "/jeton/cuda")));
    }

    /** The same where a device that is alone is joined. */
    DeviceLibraries joiningOne() {
        return new DeviceLibraries(driver, nvrtc, cublasLt, nccl, true, cache);
    }

    private static Optional<Path> file(Map<String, String> environment, String name) {
        return Optional.ofNullable(environment.get(name))
                .filter(value -> !value.isEmpty())
                .map(Path::of);
    }
}
