package dev.jeton.models.torch;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;

/**
 * Which parts of DJL's PyTorch engine are here. Names no class of DJL, so it works without any.
 *
 * @param environment variables that say where libtorch is
 * @param loader where jars are looked for
 */
record TorchLibraries(Map<String, String> environment, ClassLoader loader) {

    /** Version of DJL that all its parts have; newer ones do not find their JNI without a network. */
    static final String DJL = "0.35.1";

    /** Version of libtorch that the JNI is built for. */
    static final String TORCH = "2.7.1";

    private static final String GROUP = "ai.djl.pytorch:";

    /** Copies the environment. */
    TorchLibraries {
        environment = Map.copyOf(environment);
    }

    /** The parts as this process sees them. */
    static TorchLibraries ofProcess() {
        return new TorchLibraries(System.getenv(), TorchLibraries.class.getClassLoader());
    }

    /** Kind of libtorch: {@code cpu}, or {@code cu128} where the environment says so. */
    static String flavor(Map<String, String> environment) {
        String path = environment.getOrDefault("PYTORCH_LIBRARY_PATH", "");
        String flavor = environment.getOrDefault("PYTORCH_FLAVOR", "");
        return path.isEmpty() || flavor.isEmpty() ? "cpu" : flavor;
    }

    /** Empty where all is here, else what is missing and which artifact or variable brings it. */
    String missing() {
        if (!has("ai/djl/pytorch/engine/PtEngine.class")) {
            return "DJL's PyTorch engine; put %spytorch-engine:%s on the class path".formatted(GROUP, DJL);
        }
        String platform = platform();
        String flavor = flavor(environment);
        if (!has("jnilib/pytorch.properties")) {
            return "DJL's JNI for PyTorch; put %spytorch-jni:%s-%s on the class path".formatted(GROUP, TORCH, DJL);
        }
        if (!has("jnilib/%s/%s/%s".formatted(platform, flavor, System.mapLibraryName("djl_torch")))) {
            return "DJL's JNI for %s with %s, which %spytorch-jni:%s-%s does not have; PYTORCH_FLAVOR is cpu or cu128"
                    .formatted(platform, flavor, GROUP, TORCH, DJL);
        }
        String folder = environment.getOrDefault("PYTORCH_LIBRARY_PATH", "");
        return folder.isEmpty() ? missingJar(platform) : missingFolder(folder);
    }

    /** What the engine would run on unless told otherwise; empty where something is missing. */
    String device() {
        if (!missing().isEmpty()) {
            return "";
        }
        return flavor(environment).equals("cpu")
                ? Runtime.getRuntime().availableProcessors() + " cores"
                : "the first GPU (libtorch with " + flavor(environment) + ")";
    }

    private String missingJar(String platform) {
        if (has("pytorch/cpu/%s/%s".formatted(platform, System.mapLibraryName("torch_cpu")))) {
            return "";
        }
        return "libtorch; put %spytorch-native-cpu:%s:%s on the class path, or name a folder in PYTORCH_LIBRARY_PATH"
                .formatted(GROUP, TORCH, platform);
    }

    private String missingFolder(String folder) {
        String library = System.mapLibraryName("torch_cpu");
        if (!Files.isRegularFile(Path.of(folder).resolve(library))) {
            return "libtorch: PYTORCH_LIBRARY_PATH names %s, which holds no %s".formatted(folder, library);
        }
        String version = environment.getOrDefault("PYTORCH_VERSION", "");
        return version.equals(TORCH)
                ? ""
                : "libtorch %s: PYTORCH_VERSION must be set to it beside PYTORCH_LIBRARY_PATH, and is \"%s\""
                        .formatted(TORCH, version);
    }

    private boolean has(String resource) {
        return loader.getResource(resource) != null;
    }

    /** As DJL names it, for example {@code linux-x86_64}. */
    static String platform() {
        String os = System.getProperty("os.name").toLowerCase(Locale.ROOT);
        String name =
                os.startsWith("linux") ? "linux" : os.startsWith("mac") ? "osx" : os.startsWith("win") ? "win" : os;
        String arch = System.getProperty("os.arch");
        return name + "-" + (arch.equals("amd64") ? "x86_64" : arch);
    }
}
