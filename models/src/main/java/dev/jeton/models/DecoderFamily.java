package dev.jeton.models;

import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * The supported families of decoders: what each adds to the common Llama plan. A further family of the same plan is one
 * more constant; tensor names are the same in all.
 */
enum DecoderFamily {
    LLAMA("LlamaForCausalLM", "llama", Biases.BY_CONFIGURATION, false, Windows.NONE),
    /** GGUF files have its models as {@code llama}. */
    MISTRAL("MistralForCausalLM", "", Biases.NONE, false, Windows.ALL_LAYERS),
    QWEN2("Qwen2ForCausalLM", "qwen2", Biases.QUERY_KEY_VALUE, false, Windows.UPPER_LAYERS),
    QWEN3("Qwen3ForCausalLM", "qwen3", Biases.BY_CONFIGURATION, true, Windows.UPPER_LAYERS);

    /** Which attention projections carry a bias. */
    enum Biases {
        NONE,
        QUERY_KEY_VALUE,
        /** All four, where {@code attention_bias} says so. */
        BY_CONFIGURATION
    }

    /** Which layers have a sliding window. */
    enum Windows {
        NONE,
        ALL_LAYERS,
        /** Those from {@code max_window_layers} on, where {@code use_sliding_window}; or as {@code layer_types} says. */
        UPPER_LAYERS
    }

    private final String architecture;
    private final String gguf;
    private final Biases biases;
    private final boolean headNorms;
    private final Windows windows;

    DecoderFamily(String architecture, String gguf, Biases biases, boolean headNorms, Windows windows) {
        this.architecture = architecture;
        this.gguf = gguf;
        this.biases = biases;
        this.headNorms = headNorms;
        this.windows = windows;
    }

    /** The family that a configuration names. */
    static DecoderFamily of(JsonObject config) {
        List<Object> named = config.list("architectures");
        String architecture = named.isEmpty() ? "" : String.valueOf(named.getFirst());
        return Arrays.stream(values())
                .filter(f -> f.architecture.equals(architecture))
                .findFirst()
                .orElseThrow(() -> new ModelException("%s: architecture \"%s\" is not supported; %s are"
                        .formatted(
                                config.source(),
                                architecture,
                                Arrays.stream(values()).map(f -> f.architecture).collect(Collectors.joining(", ")))));
    }

    /** The family that {@code general.architecture} of a GGUF file names. */
    static DecoderFamily ofGguf(String source, String architecture) {
        return Arrays.stream(values())
                .filter(f -> !f.gguf.isEmpty() && f.gguf.equals(architecture))
                .findFirst()
                .orElseThrow(() -> new ModelException("%s: architecture \"%s\" is not supported; %s are"
                        .formatted(
                                source,
                                architecture,
                                Arrays.stream(values())
                                        .map(f -> f.gguf)
                                        .filter(name -> !name.isEmpty())
                                        .collect(Collectors.joining(", ")))));
    }

    /**
     * Whether GGUF files have the rows of q and k pair by pair: llama.cpp turns neighbours in this family, and the two
     * halves of a head in the others.
     */
    boolean pairedRowsInGguf() {
        return this == LLAMA;
    }

    /** Whether attention projections have biases where {@code attention_bias} says so, and not by nature. */
    boolean biasByConfiguration() {
        return biases == Biases.BY_CONFIGURATION;
    }

    String architecture() {
        return architecture;
    }

    /** Whether query and key heads are normalised before rotation. */
    boolean headNorms() {
        return headNorms;
    }

    boolean queryKeyValueBias(JsonObject config) {
        return biases == Biases.QUERY_KEY_VALUE || outputBias(config);
    }

    boolean outputBias(JsonObject config) {
        return biases == Biases.BY_CONFIGURATION && config.flag("attention_bias", false);
    }

    /** Per layer: how many tokens a position looks back on, itself included; 0 for all. */
    List<Integer> windows(JsonObject config, int layers) {
        Optional<Integer> window = config.optionalInteger("sliding_window", 1, Integer.MAX_VALUE);
        return switch (windows) {
            case NONE -> Collections.nCopies(layers, 0);
            case ALL_LAYERS -> Collections.nCopies(layers, window.orElse(0));
            case UPPER_LAYERS -> {
                if (!config.flag("use_sliding_window", false) || window.isEmpty()) {
                    yield Collections.nCopies(layers, 0);
                }
                yield config.has("layer_types")
                        ? byType(config, layers, window.get())
                        : fromLayer(
                                config.optionalInteger("max_window_layers", 0, Integer.MAX_VALUE)
                                        .orElse(28),
                                layers,
                                window.get());
            }
        };
    }

    private static List<Integer> fromLayer(int first, int layers, int window) {
        return IntStream.range(0, layers).mapToObj(i -> i >= first ? window : 0).toList();
    }

    private static List<Integer> byType(JsonObject config, int layers, int window) {
        List<Object> types = config.list("layer_types");
        if (types.size() != layers) {
            throw new ModelException(
                    "%s: %d layer_types for %d layers".formatted(config.source(), types.size(), layers));
        }
        return types.stream()
                .map(type -> switch (String.valueOf(type)) {
                    case "full_attention" -> 0;
                    case "sliding_attention" -> window;
                    default ->
                        throw new ModelException(
                                "%s: layer type \"%s\" is not supported".formatted(config.source(), type));
                })
                .toList();
    }
}
