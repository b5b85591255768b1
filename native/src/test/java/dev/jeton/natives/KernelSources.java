package dev.jeton.natives;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** The kernels' folder, and programs run over it. */
final class KernelSources {

    private static final long LIMIT_SECONDS = 400;

    private KernelSources() {}

    /** Where they lie. */
    static Path folder() {
        return Path.of("kernels").toAbsolutePath();
    }

    /** How a program ended and what it printed. */
    record Outcome(int code, String output) {}

    /** Runs a program to its end; code -1 if it took too long. */
    static Outcome run(Path folder, List<String> command) throws IOException, InterruptedException {
        Path output = Files.createTempFile(folder, "output", ".txt");
        Process process = new ProcessBuilder(command)
                .directory(folder.toFile())
                .redirectErrorStream(true)
                .redirectOutput(output.toFile())
                .start();
        boolean ended = process.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS);
        if (!ended) {
            process.destroyForcibly();
        }
        return new Outcome(ended ? process.exitValue() : -1, command + "\n" + Files.readString(output));
    }

    /** Whether a program is there. */
    static boolean exists(Path folder, String... command) throws InterruptedException {
        try {
            return run(folder, List.of(command)).code() == 0;
        } catch (IOException e) {
            return false;
        }
    }

    /** Brings the headers of the host's CUDA machine into a folder. */
    static void copyHostMachine(Path folder) throws IOException {
        for (String name : List.of("cuda_host.h", "cuda_host_fibers.h", "cuda_host_races.cpp")) {
            try (InputStream in = KernelSources.class.getResourceAsStream("testing/" + name)) {
                if (in == null) {
                    throw new IOException(name + " is not among the test's resources");
                }
                Files.copy(in, folder.resolve(name));
            }
        }
    }
}
