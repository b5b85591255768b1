package dev.jeton.models.reference;

import dev.jeton.models.SafetensorsWriter;
import dev.jeton.models.TensorType;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.DoubleStream;
import org.junit.jupiter.api.Test;

/** All over weights that the engine quantises at load, too. */
public abstract class MoreFamiliesContract extends ExpertFamiliesContract {

    @Test
    void shouldMatchTheReferenceForMixtralOverQuantisedWeights() throws IOException {
        checkQuantised(model(Configs.mixtral(""), "BF16"), plain(16), plain(16));
    }

    @Test
    void shouldMatchTheReferenceForPhi3OverQuantisedWeights() throws IOException {
        checkQuantised(model(Configs.phi3(""), "BF16"), plain(24), plain(24));
    }

    @Test
    void shouldMatchTheReferenceForGemma2OverQuantisedWeights() throws IOException {
        checkQuantised(model(Configs.gemma2(""), "BF16"), plain(24), plain(24));
    }

    @Test
    void shouldMatchTheReferenceForGemma3OverQuantisedWeights() throws IOException {
        double[] wide = DoubleStream.of(plain(24)).map(f -> f / 8).toArray();
        checkQuantised(model(Configs.gemma3(""), "BF16"), wide, local());
    }

    /** All but the router is in eight bits. */
    private void checkQuantised(TinyModel model, double[] frequencies, double[] windowFrequencies) {
        Map<String, double[]> quantised = new LinkedHashMap<>(model.weights);
        quantised.replaceAll((name, values) -> model.shapes.get(name).length == 1 || name.endsWith("gate.weight")
                ? values
                : eights(values, model.shapes.get(name)[1]));
        check(model, quantised, frequencies, windowFrequencies, 1, new Served(0, "q8_0"));
    }

    /** Blocks of 32 inputs: whole numbers up to 127 times a scale of sixteen bits. */
    private static double[] eights(double[] values, int columns) {
        double[] result = new double[values.length];
        for (int row = 0; row < values.length; row += columns) {
            for (int from = row; from < row + columns; from += 32) {
                int end = Math.min(from + 32, row + columns);
                float most = 0;
                for (int i = from; i < end; i++) {
                    most = Math.max(most, (float) Math.abs(values[i]));
                }
                float scale = SafetensorsWriter.rounded(TensorType.F16, most / 127);
                for (int i = from; i < end; i++) {
                    result[i] = Math.rint((float) values[i] * (1 / scale)) * (double) scale;
                }
            }
        }
        return result;
    }
}
