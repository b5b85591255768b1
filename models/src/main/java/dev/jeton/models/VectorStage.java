package dev.jeton.models;

import java.nio.file.Path;
import java.util.List;

/** A step from a model's hidden states to its vector, in the order in which the folder has them. */
public sealed interface VectorStage {

    /** How hidden states of a text's tokens become one vector. */
    enum Pooling {
        /** That of the first token. */
        FIRST("pooling_mode_cls_token", "cls"),
        /** The greatest of each element. */
        MAX("pooling_mode_max_tokens", "max"),
        /** The sum over the number of tokens. */
        MEAN("pooling_mode_mean_tokens", "mean"),
        /** The sum over the root of the number of tokens. */
        MEAN_ROOT("pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens"),
        /** The mean weighted with each token's place, from 1. */
        WEIGHTED_MEAN("pooling_mode_weightedmean_tokens", "weightedmean"),
        /** That of the last token. */
        LAST("pooling_mode_lasttoken", "lasttoken");

        private final String key;
        private final String title;

        Pooling(String key, String title) {
            this.key = key;
            this.title = title;
        }

        /** Key in 1_Pooling/config.json of sentence-transformers before 6, where all modes are keys. */
        String key() {
            return key;
        }

        /** Name in the value of {@code pooling_mode} since then. */
        String title() {
            return title;
        }
    }

    /** What is applied to each element after a linear layer. */
    enum Activation {
        /** Nothing. */
        IDENTITY,
        /** The hyperbolic tangent. */
        TANH,
        /** The greater of 0 and the element. */
        RELU,
        /** The Gaussian error linear unit, exact. */
        GELU
    }

    /**
     * Pools.
     *
     * @param modes at least one; the vectors of several are joined in this order
     */
    record Pool(List<Pooling> modes) implements VectorStage {
        /** Copies the list. */
        public Pool {
            modes = List.copyOf(modes);
        }
    }

    /**
     * Multiplies with a matrix: {@code linear.weight} of [outputs, inputs], and {@code linear.bias} where there is one.
     *
     * @param weights a safetensors file, or a folder that holds model.safetensors
     */
    record Dense(Path weights, int inputs, int outputs, boolean bias, Activation activation) implements VectorStage {}

    /**
     * Takes off the mean and divides by the deviation, then multiplies with {@code norm.weight} and adds
     * {@code norm.bias}.
     *
     * @param weights a safetensors file, or a folder that holds model.safetensors
     */
    record LayerNorm(Path weights, int width) implements VectorStage {}

    /** Divides by the Euclidean norm. */
    record Normalize() implements VectorStage {}

    /**
     * Multiplies with a row for each label, {@code score.weight} of the model's own files: what transformers has behind
     * a decoder that classifies.
     */
    record LabelLogits(int labels) implements VectorStage {}

    /**
     * The logit of one token, less that of another: how sentence-transformers ranks by what a decoder would say next.
     *
     * @param otherwise the token that says no; -1 for none
     */
    record TokenLogit(int yes, int otherwise) implements VectorStage {}
}
