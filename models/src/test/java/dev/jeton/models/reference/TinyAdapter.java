package dev.jeton.models.reference;

import dev.jeton.models.SafetensorsWriter;
import dev.jeton.models.TensorType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import java.util.regex.Pattern;

/** An adapter of a {@link TinyModel} in a folder as PEFT writes it, and the model's weights with it merged in. */
public final class TinyAdapter {

    public final Path folder;
    /** As the reference reads them. */
    public final Map<String, double[]> merged;

    /**
     * Writes an adapter of every matrix whose name matches.
     *
     * @param overRoot whether scales are over the rank's root
     */
    public TinyAdapter(
            Path folder, TinyModel model, Pattern modules, int rank, double alpha, boolean overRoot, long seed)
            throws IOException {
        this.folder = folder;
        merged = new LinkedHashMap<>(model.weights);
        Random random = new Random(seed);
        SafetensorsWriter writer = new SafetensorsWriter();
        double scale = alpha / (overRoot ? Math.sqrt(rank) : rank);
        model.shapes.forEach((name, shape) -> {
            if (shape.length == 2 && modules.matcher(name).find()) {
                double[] down = values(random, rank * shape[1], 1 / Math.sqrt(shape[1]), model.type);
                double[] up = values(random, shape[0] * rank, 1, model.type);
                String module = "base_model.model." + name.substring(0, name.length() - ".weight".length());
                writer.add(module + ".lora_A.weight", model.type, new int[] {rank, shape[1]}, floats(down));
                writer.add(module + ".lora_B.weight", model.type, new int[] {shape[0], rank}, floats(up));
                merged.put(name, sum(model.weights.get(name), down, up, shape, rank, scale));
            }
        });
        Files.createDirectories(folder);
        writer.write(folder.resolve("adapter_model.safetensors"));
        Files.writeString(folder.resolve("adapter_config.json"), """
                {"peft_type": "LORA", "r": %d, "lora_alpha": %s, "use_rslora": %s, "bias": "none",
                 "use_dora": false, "fan_in_fan_out": false, "modules_to_save": null, "task_type": "CAUSAL_LM"}
                """.formatted(rank, alpha, overRoot));
    }

    private static double[] values(Random random, int count, double scale, TensorType type) {
        double[] values = new double[count];
        for (int i = 0; i < count; i++) {
            values[i] = SafetensorsWriter.rounded(type, (float) (scale * random.nextGaussian()));
        }
        return values;
    }

    private static float[] floats(double[] values) {
        float[] floats = new float[values.length];
        for (int i = 0; i < values.length; i++) {
            floats[i] = (float) values[i];
        }
        return floats;
    }

    private static double[] sum(double[] weight, double[] down, double[] up, int[] shape, int rank, double scale) {
        double[] sum = weight.clone();
        for (int o = 0; o < shape[0]; o++) {
            for (int r = 0; r < rank; r++) {
                for (int i = 0; i < shape[1]; i++) {
                    sum[o * shape[1] + i] += scale * up[o * rank + r] * down[r * shape[1] + i];
                }
            }
        }
        return sum;
    }
}
