package dev.jeton.benchmarks;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/** Llama shapes that figures are given for. */
public enum ModelShape {
    /** 15 million weights, tied. */
    S15M(288, 6, 6, 6, 768, 32_000, 2048, 10_000, true),
    /** 110 million weights, tied. */
    M110M(768, 12, 12, 12, 2048, 32_000, 2048, 10_000, true),
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
        this.hidden = hidden;
        this.layers = layers;
        this.heads = heads;
        this.keyValueHeads = keyValueHeads;
        this.intermediate = intermediate;
        this.vocabulary = vocabulary;
        this.context = context;
        this.rotaryTheta = rotaryTheta;
        this.tied = tied;
    }

    /** The shape that an option names: 15m, 110m, 1b or 8b. */
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
