package dev.jeton.models.onnx;

import dev.jeton.models.DeviceOptions;
import dev.jeton.models.EngineOptions;
import dev.jeton.models.ModelException;
import dev.jeton.models.engine.Driver;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.EngineException;
import dev.jeton.models.engine.SamplingParameters;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Random;

/** Loads what may be bad in a process of its own, since a crash of a native library would take the tests along. */
public final class BadInputChild {

    private BadInputChild() {}

    /**
     * Arguments: {@code missing}; {@code damage FOLDER SEED COUNT}; or {@code load FOLDER QUANTIZE DEVICE} repeated.
     */
    public static void main(String[] args) throws Exception {
        switch (args[0]) {
            case "missing" -> System.out.println(new OnnxEngineProvider().missing());
            case "damage" -> damage(Path.of(args[1]), Long.parseLong(args[2]), Integer.parseInt(args[3]));
            default -> {
                for (int i = 0; i < args.length; i += 4) {
                    System.out.println(outcome(Path.of(args[i + 1]), args[i + 2], args[i + 3]));
                }
            }
        }
    }

    private static String outcome(Path folder, String quantize, String device) {
        DeviceOptions devices = new DeviceOptions(device, false, "auto", Duration.ZERO);
        EngineOptions options = new EngineOptions(128, 1 << 20, 4, 64, 16, 1, quantize).with(devices);
        try (Engine engine = new OnnxEngineProvider().open(folder, options)) {
            if (engine.info().groups().isEmpty()) {
                return "loaded";
            }
            Driver driver = new Driver(engine).expectingFailures();
            Driver.Sequence sequence = driver.generate(0, new int[] {1, 2, 3}, SamplingParameters.GREEDY, 3, 3);
            return "loaded " + sequence.failure.replace('\n', ' ');
        } catch (ModelException | EngineException e) {
            return e.getClass().getSimpleName() + ": "
                    + String.valueOf(e.getMessage()).replace('\n', ' ');
        }
    }

    private static void damage(Path folder, long seed, int count) throws Exception {
        Path file = folder.resolve("model.onnx");
        byte[] whole = Files.readAllBytes(file);
        Random random = new Random(seed);
        int refused = 0;
        for (int i = 0; i < count; i++) {
            byte[] bytes = whole.clone();
            if (i % 2 == 0) {
                bytes = Arrays.copyOf(bytes, random.nextInt(bytes.length));
            } else {
                for (int k = 0; k < 3; k++) {
                    bytes[random.nextInt(i % 4 == 1 ? 20_000 : bytes.length)] = (byte) random.nextInt(256);
                }
            }
            Files.write(file, bytes);
            String outcome = outcome(folder, "none", "");
            refused += outcome.startsWith("loaded") ? 0 : 1;
        }
        System.out.println("survived " + count + ", refused " + refused);
    }
}
