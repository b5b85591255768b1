package dev.jeton.models.reference;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.TensorType;
import dev.jeton.models.engine.Engine;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Function;
import org.junit.jupiter.api.io.TempDir;

/** What contracts of families share: an engine, and how near it must come to the float64 reference. */
public abstract class ReferenceContract {

    private static final EngineOptions OPTIONS = new EngineOptions(0, 1 << 22, 4, 64, 16, 2, "none");

    @TempDir
    Path folder;

    /** Loads a model folder onto the engine. */
    protected abstract Engine load(Path model, EngineOptions options);

    /** Most that a log-probability may be off with weights of a type; the average is an eighth. */
    protected double tolerance(TensorType weights) {
        return 3e-4;
    }

    /** Whether the engine rounds inputs of products with weights of a type, see {@link ExpertFamiliesContract}. */
    protected boolean roundsInputs(TensorType weights) {
        return false;
    }

    /** The type of weights to test with in place of another: those that the engine keeps exactly. */
    protected TensorType exactly(TensorType type) {
        return type;
    }

    /**
     * Demands that the engine is near the reference.
     *
     * @param clear where inputs are rounded, the margin from which on a choice of experts is compared
     * @return the model that was compared
     */
    final TinyModel check(
            String config, TensorType asked, long seed, double clear, Function<TinyModel, ReferenceDecoder> reference)
            throws IOException {
        TensorType type = exactly(asked);
        TinyModel model = new TinyModel(Files.createTempDirectory(folder, "model"), config, type, seed);
        if (roundsInputs(type)) {
            ReferenceCheck.checkClear(this::load, model, reference.apply(model), tolerance(type), OPTIONS, clear);
        } else {
            ReferenceCheck.check(this::load, model, reference.apply(model), tolerance(type), OPTIONS, seed);
        }
        return model;
    }
}
