package dev.jeton.natives;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LibraryPlacesTest {

    @TempDir
    private Path root;

    private Path home() {
        return root.resolve("home/somebody");
    }

    @Test
    void newestToolkitComesBeforeOlderOnes() throws IOException {
        Files.createDirectories(root.resolve("usr/local/cuda-12.8/targets/x86_64-linux/lib"));
        Files.createDirectories(root.resolve("usr/local/cuda-13.0/targets/x86_64-linux/lib"));
        List<Path> places = LibraryPlaces.toolkit(Map.of("CUDA_HOME", "/opt/cuda"), root, home());
        assertThat(places)
                .containsSubsequence(
                        Path.of("/opt/cuda/lib64"),
                        root.resolve("usr/local/cuda/lib64"),
                        root.resolve("usr/local/cuda-13.0/targets/x86_64-linux/lib"),
                        root.resolve("usr/local/cuda-12.8/lib64"),
                        root.resolve("usr/local/nvidia/lib64"));
    }

    @Test
    void wheelsOfVirtualEnvironmentUserAndSystemAreFound() throws IOException {
        Path environment = root.resolve("env");
        for (Path packages : List.of(
                environment.resolve("lib/python3.12/site-packages"),
                home().resolve(".local/lib/python3.12/site-packages"),
                root.resolve("usr/local/lib/python3.12/dist-packages"),
                root.resolve("usr/lib/python3/dist-packages"))) {
            Files.createDirectories(packages.resolve("nvidia"));
        }
        Files.createDirectories(root.resolve("usr/lib/python3.9/dist-packages"));
        List<Path> places = LibraryPlaces.toolkit(Map.of("VIRTUAL_ENV", environment.toString()), root, home());
        assertThat(places)
                .containsSubsequence(
                        environment.resolve("lib/python3.12/site-packages/nvidia/cu13/lib"),
                        environment.resolve("lib/python3.12/site-packages/nvidia/cuda_nvrtc/lib"),
                        home().resolve(".local/lib/python3.12/site-packages/nvidia/cublas/lib"),
                        home().resolve(".local/lib/python3.12/site-packages/nvidia/nccl/lib"),
                        root.resolve("usr/local/lib/python3.12/dist-packages/nvidia/cu13/lib"),
                        root.resolve("usr/lib/python3/dist-packages/nvidia/cu13/lib"));
        assertThat(places).noneMatch(place -> place.toString().contains("python3.9"));
    }

    @Test
    void wheelsOfAnEnvironmentThatIsOnlyOnThePathAreFound() throws IOException {
        Path environment = root.resolve("opt/tools/.venv");
        Files.createDirectories(environment.resolve("lib/python3.11/site-packages/nvidia"));
        Files.createDirectories(environment.resolve("bin"));
        Files.createFile(environment.resolve("bin/python3"));
        Path without = Files.createDirectories(root.resolve("opt/other/bin"));
        Files.createDirectories(root.resolve("opt/other/lib/python3.11/site-packages/nvidia"));
        String path = "%s::%s:/usr/bin".formatted(without, environment.resolve("bin"));
        assertThat(LibraryPlaces.toolkit(Map.of("PATH", path), root, home()))
                .contains(environment.resolve("lib/python3.11/site-packages/nvidia/cu13/lib"))
                .noneMatch(place -> place.startsWith(root.resolve("opt/other")));
    }

    @Test
    void librariesThatTheDriverRunsAreTriedFirst() {
        assertThat(LibraryPlaces.names("libnvrtc.so", 12_080)).startsWith("libnvrtc.so.12");
        assertThat(LibraryPlaces.names("libnvrtc.so", 13_000)).startsWith("libnvrtc.so.13");
    }

    @Test
    void missingCompilerSaysWhereItWasLookedForAndWhatBringsIt() {
        assertThatThrownBy(() -> Nvrtc.open(Optional.of(root.resolve("libnvrtc.so")), 13_000))
                .isInstanceOf(LibraryMissingException.class)
                .hasMessageContaining("nvidia-cuda-nvrtc")
                .hasMessageContaining("libnvrtc.so (no such file)");
    }
}
