package dev.jeton.models.torch;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.MachineMemory;
import dev.jeton.models.ModelException;
import dev.jeton.models.TorchScriptFolder;
import dev.jeton.models.encoder.EncoderEngine;
import dev.jeton.models.engine.EngineException;
import java.nio.file.Path;

/** Loads a folder with an encoder's TorchScript module as an engine. */
final class TorchEncoders {

    private TorchEncoders() {}

    /**
     * Loads a folder.
     *
     * @throws ModelException where its files, the options or the machine do not allow it
     */
    static EncoderEngine load(Path folder, EngineOptions options, TorchDevice device, MachineMemory memory) {
        TorchEngine.refuse(options);
        TorchScriptFolder read = TorchScriptFolder.read(folder);
        ScriptFile.check(
                read.module(),
                device.isGpu() ? Long.MAX_VALUE : memory.available().orElse(Long.MAX_VALUE));
        int threads = options.threads() > 0 ? options.threads() : TorchRuntime.defaultThreads();
        try {
            TorchEncoder encoder = TorchEncoder.load(read, device, threads);
            try {
                return new EncoderEngine(encoder, read.encoder(), options);
            } catch (RuntimeException | Error e) {
                encoder.close();
                throw e;
            }
        } catch (EngineException | ModelException e) {
            throw new ModelException("the torch engine cannot load %s: %s".formatted(read.module(), e.getMessage()), e);
        }
    }
}
