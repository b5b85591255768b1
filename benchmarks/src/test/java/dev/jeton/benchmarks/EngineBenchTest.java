package dev.jeton.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.TensorType;
import dev.jeton.models.cpu.CpuEngine;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.TinyModel;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class EngineBenchTest {

    @TempDir
    private Path folder;

    /** A state goes on where it ended, so rounds must begin anew. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void takesFiguresOfSeveralRoundsWhetherOrNotThereAreStates(boolean states) throws IOException {
        String config = states ? Configs.qwen35("") : Configs.llama("");
        TinyModel model = new TinyModel(folder, config, TensorType.F32, 1);
        try (CpuEngine engine = CpuEngine.load(model.folder, new EngineOptions(0, 32 << 20, 4, 1024, 16, 2, "none"))) {
            EngineBench bench = new EngineBench(engine, 0.3);
            assertThat(bench.prefill(64)).isPositive();
            assertThat(bench.decode(2)).isPositive();
            assertThat(bench.closedLoop(3)).isPositive();
        }
    }
}
