package dev.jeton.natives;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Where CUDA's libraries are, beyond what the system's loader finds: toolkits, containers, and the wheels that Python
 * packages bring them in.
 */
final class LibraryPlaces {

    /** Folders of wheels below {@code site-packages}: of CUDA 13, then of CUDA 12, and of NCCL for either. */
    private static final List<String> WHEELS =
            List.of("nvidia/cu13/lib", "nvidia/cuda_nvrtc/lib", "nvidia/cublas/lib", "nvidia/nccl/lib");

    private static final int MOST = 256;

    private LibraryPlaces() {}

    /**
     * Names of a library of CUDA's toolkit, in the order in which they are tried. A driver of CUDA 12 runs nothing that
     * a library of CUDA 13 makes; one of CUDA 13 runs either.
     *
     * @param name without a version
     * @param cudaVersion that the driver supports, as 13000 for 13.0
     */
    static List<String> names(String name, int cudaVersion) {
        return cudaVersion / 1_000 == 12
                ? List.of(name + ".12", name + ".13", name)
                : List.of(name + ".13", name + ".12", name);
    }

    /** The driver's folders. */
    static List<Path> driver() {
        return NativeLibrary.NVIDIA_FOLDERS;
    }

    /** Folders of NVRTC, cuBLASLt and NCCL, by the process's environment. */
    static List<Path> toolkit() {
        return toolkit(System.getenv(), Path.of("/"), Path.of(System.getProperty("user.home", "/")));
    }

    /** The same of any machine. */
    static List<Path> toolkit(Map<String, String> environment, Path root, Path home) {
        Set<Path> found = new LinkedHashSet<>();
        for (String name : List.of("CUDA_HOME", "CUDA_PATH")) {
            String folder = environment.getOrDefault(name, "");
            if (!folder.isBlank()) {
                libraries(Path.of(folder), found);
            }
        }
        libraries(root.resolve("usr/local/cuda"), found);
        List<Path> versions = matching(root.resolve("usr/local"), "cuda-*");
        versions.reversed().forEach(folder -> libraries(folder, found));
        NativeLibrary.NVIDIA_FOLDERS.forEach(
                folder -> found.add(root.resolve(Path.of("/").relativize(folder).toString())));
        for (String name : List.of("VIRTUAL_ENV", "CONDA_PREFIX")) {
            String folder = environment.getOrDefault(name, "");
            if (!folder.isBlank()) {
                found.add(Path.of(folder, "lib"));
                pythons(Path.of(folder, "lib"), found);
            }
        }
        for (String folder : environment.getOrDefault("PATH", "").split(":", -1)) {
            // a virtual environment that is in use without having been activated
            if (!folder.isBlank() && Files.exists(Path.of(folder, "python3"))) {
                Path parent = Path.of(folder).getParent();
                pythons(parent == null ? Path.of("lib") : parent.resolve("lib"), found);
            }
        }
        pythons(home.resolve(".local/lib"), found);
        pythons(root.resolve("usr/local/lib"), found);
        pythons(root.resolve("usr/lib"), found);
        pythons(root.resolve("opt/conda/lib"), found);
        return found.stream().limit(MOST).toList();
    }

    private static void libraries(Path toolkit, Set<Path> into) {
        into.add(toolkit.resolve("lib64"));
        for (Path target : matching(toolkit.resolve("targets"), "*-linux")) {
            into.add(target.resolve("lib"));
        }
    }

    private static void pythons(Path lib, Set<Path> into) {
        for (Path python : matching(lib, "python3*").reversed()) {
            for (String packages : List.of("site-packages", "dist-packages")) {
                if (Files.isDirectory(python.resolve(packages).resolve("nvidia"))) {
                    WHEELS.forEach(wheel -> into.add(python.resolve(packages).resolve(wheel)));
                }
            }
        }
    }

    /** By name; none where there is no such folder or it cannot be read. */
    private static List<Path> matching(Path folder, String pattern) {
        List<Path> found = new ArrayList<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(folder, pattern)) {
            for (Path entry : entries) {
                found.add(entry);
            }
        } catch (IOException e) {
            return List.of();
        }
        found.sort(null);
        return found;
    }
}
