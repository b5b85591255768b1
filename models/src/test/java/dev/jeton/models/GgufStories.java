package dev.jeton.models;

import dev.jeton.models.reference.GgufModel;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;

/** A real model's folder as a GGUF file: weights, and a SentencePiece vocabulary with scores in place of merges. */
public final class GgufStories {

    private GgufStories() {}

    /** Converts a folder; tests that need it are skipped where there is none. */
    public static Path write(Path folder, Path file, Function<String, TensorType> types) throws IOException {
        DecoderSpec spec = DecoderSpec.read(folder);
        Map<String, double[]> values = new LinkedHashMap<>();
        try (WeightFiles weights = WeightFiles.open(folder)) {
            for (String name : weights.names()) {
                float[] floats = weights.find(name).orElseThrow().toFloats();
                double[] exact = new double[floats.length];
                for (int i = 0; i < exact.length; i++) {
                    exact[i] = floats[i];
                }
                values.put(name, exact);
            }
        }
        values.remove("lm_head.weight");
        GgufModel model = new GgufModel("llama", spec, values, types);
        tokenizer(folder, model.writer);
        return model.write(file);
    }

    private static void tokenizer(Path folder, GgufWriter writer) {
        JsonNode json =
                new ObjectMapper().readTree(folder.resolve("tokenizer.json").toFile());
        JsonNode vocabulary = json.get("model").get("vocab");
        String[] tokens = new String[vocabulary.size()];
        vocabulary.properties().forEach(e -> tokens[e.getValue().asInt()] = e.getKey());
        float[] scores = new float[tokens.length];
        Arrays.fill(scores, -1e6f);
        List<String> made = new ArrayList<>();
        for (JsonNode merge : json.get("model").get("merges")) {
            String piece = merge.isArray()
                    ? merge.get(0).asString() + merge.get(1).asString()
                    : merge.asString().replace(" ", "");
            if (!made.contains(piece)) {
                scores[vocabulary.get(piece).asInt()] = -made.size();
                made.add(piece);
            }
        }
        int[] types = new int[tokens.length];
        for (int id = 0; id < tokens.length; id++) {
            types[id] = id == 0 ? 2 : id < 3 ? 3 : tokens[id].matches("<0x[0-9A-F]{2}>") ? 6 : 1;
        }
        writer.put("tokenizer.ggml.model", "llama")
                .put("tokenizer.ggml.tokens", List.of(tokens))
                .put("tokenizer.ggml.scores", scores)
                .put("tokenizer.ggml.token_type", types)
                .put("tokenizer.ggml.bos_token_id", 1)
                .put("tokenizer.ggml.eos_token_id", 2)
                .put("tokenizer.ggml.unknown_token_id", 0)
                .put("tokenizer.ggml.add_bos_token", true)
                .put("tokenizer.ggml.add_eos_token", false);
    }
}
