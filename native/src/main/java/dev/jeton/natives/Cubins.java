package dev.jeton.natives;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Compiles kernels ahead with nvcc, for the build's profile {@code cubins}: each source of a folder with the default
 * macros for A100, H100 and B200, under the names that {@link Kernels} looks for. What is there already is not compiled
 * again: a name is the hash of all that a cubin depends on but nvcc's version.
 */
final class Cubins {

    /** As {@link CudaDevice#architecture} names them. */
    private static final List<String> ARCHITECTURES = List.of("sm_80", "sm_90a", "sm_100a");

    private Cubins() {}

    /** Takes the folder of the sources and the one for the cubins; exits with 1 where one does not compile. */
    public static void main(String[] arguments) throws IOException, InterruptedException {
        Path from = Path.of(arguments[0]);
        Path to = Files.createDirectories(Path.of(arguments[1]));
        Kernels kernels = new Kernels(Optional.empty(), Optional.empty(), name -> read(from.resolve(name)));
        List<Path> sources;
        try (Stream<Path> files = Files.list(from)) {
            sources = files.filter(file -> file.toString().endsWith(".cu"))
                    .sorted()
                    .toList();
        }
        for (Path source : sources) {
            KernelSource whole = kernels.source(source.getFileName().toString(), List.of());
            for (String architecture : ARCHITECTURES) {
                Path cubin = to.resolve(Kernels.shipped(whole, architecture));
                if (!Files.exists(cubin) && !compiled(source, architecture, cubin)) {
                    System.err.printf("nvcc does not compile %s for %s%n", source, architecture);
                    System.exit(1);
                }
            }
        }
    }

    private static Optional<byte[]> read(Path file) {
        try {
            return Optional.of(Files.readAllBytes(file));
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    private static boolean compiled(Path source, String architecture, Path cubin)
            throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of("nvcc", "-std=c++17", "-cubin", "-arch=" + architecture));
        command.addAll(List.of("-o", cubin.toString(), source.toString()));
        return new ProcessBuilder(command).inheritIO().start().waitFor() == 0;
    }
}
