package dev.jeton.models.cuda;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.ModelException;
import dev.jeton.models.TensorType;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.reference.AdapterContract;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.TinyAdapter;
import dev.jeton.models.reference.TinyModel;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** Adapters on the cuda engine, on a machine that stands in for one with a GPU. */
class CudaAdapterTest extends AdapterContract {

    @TempDir
    Path folder;

    @RegisterExtension
    static final StandInMachine MACHINE = new StandInMachine();

    @Override
    protected Engine load(Path model, EngineOptions options) {
        return CudaEngine.load(model, options, MACHINE.libraries());
    }

    @Override
    protected TensorType exactly(TensorType type) {
        return TensorType.F16;
    }

    /** As {@code CudaFamilyTest}'s, for what is computed in fp16. */
    @Override
    protected double tolerance(double ofFloat32) {
        return 0.15;
    }

    @Test
    void shouldRefuseAdaptersThatDoNotFit() throws IOException {
        TinyModel model = new TinyModel(folder.resolve("m"), Configs.llama(""), TensorType.F16, 1);
        TinyAdapter adapter = new TinyAdapter(folder.resolve("a"), model, Pattern.compile("_proj"), 512, 1, false, 2);
        EngineOptions options = new EngineOptions(0, 1 << 20, 4, 64, 16, 2, "none");
        MACHINE.knobs().devices(1, 9, 0, 90 << 20);
        assertThatThrownBy(() -> load(model.folder, options.withAdapters(Collections.nCopies(9, adapter.folder))))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("the adapter in " + adapter.folder + " takes")
                .hasMessageContaining("free");
    }
}
