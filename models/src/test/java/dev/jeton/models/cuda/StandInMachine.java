package dev.jeton.models.cuda;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.jeton.natives.testing.CudaStandIn;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.AfterTestExecutionCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * A machine that stands in for one with GPUs and really runs their kernels; tests are skipped where there is no g++.
 * Kernels that were compiled once are there for all classes of tests; all else is the class's own.
 */
final class StandInMachine
        implements BeforeAllCallback, BeforeEachCallback, AfterTestExecutionCallback, AfterAllCallback {

    private final int devices;
    private Optional<CudaStandIn> standIn = Optional.empty();
    private Path folder = Path.of("");

    /** With one GPU. */
    StandInMachine() {
        this(1);
    }

    /** With several, of 1 GiB each. */
    StandInMachine(int devices) {
        this.devices = devices;
    }

    @Override
    public void beforeAll(ExtensionContext context) throws IOException {
        assumeTrue(CudaStandIn.possible(), "there is no g++ to make the stand-in for a GPU");
        folder = Files.createTempDirectory("jeton-machine");
        CudaStandIn made = CudaStandIn.compile(folder);
        standIn = Optional.of(made);
        makeCache(folder.resolve("cache"));
    }

    private void makeCache(Path cache) throws IOException {
        // compiling is most of what these tests take, and many have kernels in common
        Path kernels = knobs().kernels();
        Files.createDirectories(kernels);
        Files.createDirectories(cache);
        Files.createSymbolicLink(cache.resolve("kernels"), kernels);
    }

    @Override
    public void beforeEach(ExtensionContext context) {
        reset();
    }

    /** A new machine, on which nothing is open. */
    void reset() {
        knobs().reset();
        if (devices > 1) {
            knobs().devices(devices, 9, 0, 1L << 30);
        }
    }

    @Override
    public void afterTestExecution(ExtensionContext context) {
        context.getExecutionException().ifPresent(failure -> {
            if (!knobs().message().isEmpty()) {
                failure.addSuppressed(new IllegalStateException("the device was lost: " + knobs().message()));
            }
        });
    }

    /** The machine's files go; what of its library is loaded stays so until the process ends. */
    @Override
    public void afterAll(ExtensionContext context) throws IOException {
        if (standIn.isPresent()) {
            delete(folder);
        }
    }

    private static void delete(Path folder) throws IOException {
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }

    /** Its knobs. */
    CudaStandIn knobs() {
        return standIn.orElseThrow();
    }

    /** What an engine on it is loaded with. */
    DeviceLibraries libraries() {
        return libraries(folder.resolve("cache"));
    }

    /** The same with another cache, new but for compiled kernels, which all have in common. */
    DeviceLibraries librariesWithNewCache() throws IOException {
        Path cache = Files.createTempDirectory(folder, "cache");
        makeCache(cache);
        return libraries(cache);
    }

    private DeviceLibraries libraries(Path cache) {
        CudaStandIn made = knobs();
        return new DeviceLibraries(
                Optional.of(made.driver()),
                Optional.of(made.nvrtc()),
                Optional.of(made.cublasLt()),
                Optional.of(made.nccl()),
                false,
                cache);
    }
}
