package dev.jeton.models.torch;

import dev.jeton.models.DeviceOptions;
import dev.jeton.models.EngineOptions;
import dev.jeton.models.ModelException;
import dev.jeton.models.engine.EngineException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;

/** Loads a model as the command line does, in a process that may die of it: exit code 1 and a message, or 0. */
final class Refusal {

    private Refusal() {}

    /** Arguments: model folder, or {@code script} and an archive; KV bytes; quantize; device. */
    public static void main(String[] args) throws IOException {
        try {
            if (args[0].equals("script")) {
                TorchRuntime.start();
                TorchModule.load(Files.readAllBytes(Path.of(args[1]))).close();
            } else {
                EngineOptions options = new EngineOptions(0, Long.parseLong(args[1]), 4, 64, 16, 1, args[2])
                        .with(new DeviceOptions(args[3], false, "auto", Duration.ZERO));
                new TorchEngineProvider().open(Path.of(args[0]), options).close();
            }
        } catch (ModelException | EngineException e) {
            System.err.println(e.getMessage());
            System.exit(1);
        }
    }
}
