package dev.jeton.models.onnx;

import com.sun.management.OperatingSystemMXBean;
import dev.jeton.models.EngineOptions;
import dev.jeton.models.ModelException;
import dev.jeton.models.OnnxFolder;
import dev.jeton.models.VectorSpec;
import dev.jeton.models.encoder.EncoderEngine;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.EngineException;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;

/** Loads a folder with an ONNX export as the engine for what it holds. */
final class OnnxEngines {

    private OnnxEngines() {}

    /**
     * Loads a folder.
     *
     * @throws ModelException where its files, the options or the machine do not allow it
     */
    static Engine load(Path folder, EngineOptions options) {
        refuse(options);
        OnnxFolder read = OnnxFolder.read(folder);
        OnnxFile file = OnnxFile.read(read.graph());
        long memory =
                ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class).getTotalMemorySize();
        if (file.bytes() > memory - options.kvBytes()) {
            throw new ModelException(
                    "%s has %d bytes of weights, and KV memory of %d is asked for; this machine has %d bytes of memory"
                            .formatted(file.path(), file.bytes(), options.kvBytes(), memory));
        }
        int threads =
                options.threads() > 0 ? options.threads() : Runtime.getRuntime().availableProcessors();
        OrtModel model = OrtModel.open(read.graph(), options.device().device(), threads);
        try {
            return read.encoder().isPresent()
                    ? encoder(model, read.encoder().get(), options, threads)
                    : new DecoderEngine(model, read, file, options, threads);
        } catch (EngineException e) {
            model.close();
            throw new ModelException("%s: %s".formatted(file.path(), e.getMessage()), e);
        } catch (RuntimeException | Error e) {
            model.close();
            throw e;
        }
    }

    private static Engine encoder(OrtModel model, VectorSpec spec, EngineOptions options, int threads) {
        return new EncoderEngine(new OnnxEncoder(model, spec, threads), spec, options);
    }

    /** What the files decide is not an option here. */
    private static void refuse(EngineOptions options) {
        options.device().requireOneDevice("onnx");
        if (!options.quantize().equals("none")) {
            throw new ModelException(
                    "quantize \"%s\" is not for the onnx engine, which computes as graphs say; use a quantised export"
                            .formatted(options.quantize()));
        }
        options.refuseAdapters("onnx");
        options.refuseHostKv("onnx", "keeps K and V in the host's memory anyway: give it more with --kv-memory");
        if (!options.device().kvType().equals("auto")) {
            throw new ModelException(
                    "kv-cache-dtype \"%s\" is for the cpu and cuda engines; the onnx engine keeps K and V as the graph has them"
                            .formatted(options.device().kvType()));
        }
    }
}
