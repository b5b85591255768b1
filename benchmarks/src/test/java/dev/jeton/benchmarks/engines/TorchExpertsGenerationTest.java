package dev.jeton.benchmarks.engines;

import dev.jeton.models.reference.Configs;
import org.junit.jupiter.api.Nested;

/** The torch engine with layers of experts. */
class TorchExpertsGenerationTest {

    @Nested
    class Mixtral extends EngineGenerationContract {

        Mixtral() {
            super("torch", untied(Configs.mixtral("")));
        }

        @Override
        protected boolean sameInAnyBatch() {
            return false;
        }
    }

    @Nested
    class Qwen3Moe extends EngineGenerationContract {

        Qwen3Moe() {
            super("torch", untied(Configs.qwen3Moe("\"norm_topk_prob\": true")));
        }

        @Override
        protected boolean sameInAnyBatch() {
            return false;
        }
    }

    /** Where the embedding is the output projection, random weights give one token again and again. */
    private static String untied(String config) {
        return config.replace("\"tie_word_embeddings\": true", "\"tie_word_embeddings\": false");
    }
}
