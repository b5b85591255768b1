package dev.jeton.models.onnx;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.reference.FamilyContract;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;

/** Exports of every family against the float64 reference. */
class OptimumFamilyTest extends FamilyContract {

    @Override
    protected Engine load(Path model, EngineOptions options) {
        try {
            return OnnxEngines.load(export(model).write(), options);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    protected DecoderExport export(Path model) {
        return new DecoderExport(model, DecoderExport.Style.OPTIMUM);
    }
}
