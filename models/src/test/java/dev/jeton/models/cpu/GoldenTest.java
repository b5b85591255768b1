package dev.jeton.models.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.GgufStories;
import dev.jeton.models.SharedData;
import dev.jeton.models.TensorType;
import dev.jeton.models.engine.Driver;
import dev.jeton.models.engine.SamplingParameters;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;

/** A real model, whose greedy texts and log-probabilities were made by a float64 reference. */
class GoldenTest {

    private static final SamplingParameters GREEDY =
            new SamplingParameters(0, 0, 1, 0, 1, 0, 0, dev.jeton.models.engine.LogitBias.NONE, 0, 0, new int[0], 0);

    @TempDir
    private Path temporary;

    @Test
    void shouldReproduceTheGoldenTextsTokenForToken() throws IOException {
        Path folder = SharedData.find("stories260K");
        check(folder, folder);
    }

    @Test
    void shouldReproduceTheGoldenTextsFromAGgufFile() throws IOException {
        Path folder = SharedData.find("stories260K");
        check(folder, GgufStories.write(folder, temporary.resolve("stories.gguf"), name -> TensorType.F32));
    }

    private static void check(Path folder, Path model) throws IOException {
        JsonNode goldens =
                new ObjectMapper().readTree(folder.resolve("golden.json").toFile());
        try (CpuEngine engine = CpuEngine.load(model, EngineOptions.DEFAULT)) {
            Driver driver = new Driver(engine);
            for (JsonNode golden : goldens) {
                int[] prompt = ints(golden.get("prompt_token_ids"));
                int[] expected = ints(golden.get("greedy_token_ids"));
                Driver.Sequence sequence = driver.generate(0, prompt, GREEDY, expected.length, 64);
                assertThat(sequence.generated())
                        .as(golden.get("prompt").asString())
                        .isEqualTo(expected);
                for (int i = 0; i < expected.length; i++) {
                    assertThat((double) sequence.logProbabilities.get(i))
                            .isCloseTo(golden.get("logprobs").get(i).asDouble(), within(1e-3));
                }
                driver.close(sequence);
            }
        }
    }

    private static int[] ints(JsonNode node) {
        List<Integer> values = new ArrayList<>();
        node.forEach(n -> values.add(n.asInt()));
        return values.stream().mapToInt(Integer::intValue).toArray();
    }
}
