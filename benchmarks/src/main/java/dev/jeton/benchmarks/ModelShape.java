package dev.jeton.benchmarks;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/** Shapes that figures are given for: Llama's, and Mixtral's where there are experts. */
public enum ModelShape {
    /** 15 million weights, tied. */
    S15M(288, 6, 6, 6, 768, 32_000, 2048, 10_000, true),
    /** 110 million weights, tied. */
    M110M(768, 12, 12, 12, 2048, 32_000, 2048, 10_000, true),
    /**
     * 500 million weights: eight experts of 110 million's shape, of which a token goes through two; 166 million are
     * read.
     */
    E8X110M(768, 12, 12, 12, 2048, 32_000, 2048, 10_000, true, 8, 2),
    /** 1.1 billion weights, as TinyLlama. */
    L1B(2048, 22, 32, 4, 5632, 32_000, 2048, 10_000, false),
    /** 8 billion weights, as Llama 3. */
    X8B(4096, 32, 32, 8, 14_336, 128_256, 8192, 500_000, false);

    final int hidden;
    final int layers;
    final int heads;
    final int keyValueHeads;
    final int intermediate;
    final int vocabulary;
    final int context;
    final int rotaryTheta;
    final boolean tied;
    /** Of each layer; 0 for none. */
    final int experts;

    final int expertsPerToken;

    ModelShape(
            int hidden,
            int layers,
            int heads,
            int keyValueHeads,
            int intermediate,
            int vocabulary,
            int context,
            int rotaryTheta,
            boolean tied) {
        this(hidden, layers, heads, keyValueHeads, intermediate, vocabulary, context, rotaryTheta, tied, 0, 0);
    }

    ModelShape(
            int hidden,
            int layers,
            int heads,
            int keyValueHeads,
            int intermediate,
            int vocabulary,
            int context,
            int rotaryTheta,
            boolean tied,
            int experts,
            int expertsPerToken) {
        this.hidden = hidden;
        this.layers = layers;
        this.heads = heads;
        this.keyValueHeads = keyValueHeads;
        this.intermediate = intermediate;
        this.vocabulary = vocabulary;
        this.context = context;
        this.rotaryTheta = rotaryTheta;
        this.tied = tied;
        this.experts = experts;
        this.expertsPerToken = expertsPerToken;
    }

    /** The shape that an option names: 15m, 110m, 8x110m, 1b or 8b. */
    public static ModelShape named(String name) {
        return Arrays.stream(values())
                .filter(shape -> shape.label().equals(name.toLowerCase(Locale.ROOT)))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("shape \"%s\" is not known; %s are"
                        .formatted(
                                name,
                                Arrays.stream(values()).map(ModelShape::label).collect(Collectors.joining(", ")))));
    }

    /** As the option names it. */
    public String label() {
        return name().substring(1).toLowerCase(Locale.ROOT);
    }
}
