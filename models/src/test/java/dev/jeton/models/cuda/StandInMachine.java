package dev.jeton.models.cuda;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.jeton.natives.testing.CudaStandIn;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.extension.AfterTestExecutionCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/** A machine that stands in for one with a GPU and really runs its kernels; tests are skipped where there is no g++. */
final class StandInMachine implements BeforeAllCallback, BeforeEachCallback, AfterTestExecutionCallback {

    private Optional<CudaStandIn> standIn = Optional.empty();
    private Path folder = Path.of("");

    @Override
    public void beforeAll(ExtensionContext context) throws IOException {
        assumeTrue(CudaStandIn.possible(), "there is no g++ to make the stand-in for a GPU");
        folder = Files.createTempDirectory("jeton-machine");
        CudaStandIn made = CudaStandIn.compile(folder);
        standIn = Optional.of(made);
        // compiling is most of what these tests take, and many have kernels in common
        Files.createDirectories(made.kernels());
        Files.createDirectories(folder.resolve("cache"));
        Files.createSymbolicLink(folder.resolve("cache/kernels"), made.kernels());
    }

    @Override
    public void beforeEach(ExtensionContext context) {
        knobs().reset();
    }

    @Override
    public void afterTestExecution(ExtensionContext context) {
        context.getExecutionException().ifPresent(failure -> {
            if (!knobs().message().isEmpty()) {
                failure.addSuppressed(new IllegalStateException("the device was lost: " + knobs().message()));
            }
        });
    }

    /** Its knobs. */
    CudaStandIn knobs() {
        return standIn.orElseThrow();
    }

    /** What an engine on it is loaded with. */
    DeviceLibraries libraries() {
        CudaStandIn made = standIn.orElseThrow();
        return new DeviceLibraries(
                Optional.of(made.driver()),
                Optional.of(made.nvrtc()),
                Optional.of(made.cublasLt()),
                folder.resolve("cache"));
    }
}
