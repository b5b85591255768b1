package dev.jeton.models.torch;

import dev.jeton.models.DeviceOptions;
import dev.jeton.models.EngineOptions;
import dev.jeton.models.ModelException;
import dev.jeton.models.engine.EngineException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Random;

/** Loads a model as the command line does, in a process that may die of it: exit code 1 and a message, or 0. */
final class Refusal {

    private Refusal() {}

    /**
     * Arguments: model folder; KV bytes; quantize; device. Or {@code script} and an archive. Or {@code damage}, a
     * folder with an encoder, a seed, and how often its module is damaged.
     */
    public static void main(String[] args) throws IOException {
        try {
            if (args[0].equals("script")) {
                TorchRuntime.start();
                TorchModule.load(Files.readAllBytes(Path.of(args[1]))).close();
            } else if (args[0].equals("damage")) {
                damage(Path.of(args[1]), Long.parseLong(args[2]), Integer.parseInt(args[3]));
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

    private static void damage(Path folder, long seed, int count) throws IOException {
        Path file = folder.resolve("model.pt");
        byte[] whole = Files.readAllBytes(file);
        Random random = new Random(seed);
        int refused = 0;
        for (int i = 0; i < count; i++) {
            byte[] bytes = i % 3 == 0 ? Arrays.copyOf(whole, random.nextInt(whole.length)) : whole.clone();
            for (int k = 0; k < 3 && bytes.length > 0; k++) {
                bytes[random.nextInt(bytes.length)] = (byte) random.nextInt(256);
            }
            Files.write(file, bytes);
            try {
                new TorchEngineProvider()
                        .open(folder, new EngineOptions(0, 0, 4, 64, 16, 1, "none"))
                        .close();
            } catch (ModelException e) {
                refused++;
            }
        }
        System.out.println("survived " + count + ", refused " + refused);
    }
}
