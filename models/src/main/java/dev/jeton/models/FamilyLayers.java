package dev.jeton.models;

import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/** What the configurations of families say that differs from layer to layer of attention. */
final class FamilyLayers {

    private FamilyLayers() {}

    /** Per layer: how many tokens a position looks back on, itself included; 0 for all. */
    static List<Integer> windows(DecoderFamily family, JsonObject config, int layers) {
        Optional<Integer> window =
                config.optionalInteger("sliding_window", 0, Integer.MAX_VALUE).filter(w -> w > 0);
        return switch (family.windows()) {
            case NONE -> {
                if (config.flag("use_sliding_window", false)) {
                    throw new ModelException(
                            "%s: use_sliding_window is not supported for this architecture".formatted(config.source()));
                }
                yield Collections.nCopies(layers, 0);
            }
            case ALL_LAYERS -> Collections.nCopies(layers, window.orElse(0));
            case ALL_LAYERS_BY_FLAG ->
                Collections.nCopies(layers, config.flag("use_sliding_window", false) ? window.orElse(0) : 0);
            case INTERLEAVED -> {
                if (config.has("layer_types")) {
                    yield byType(config, layers, window.orElse(0));
                }
                int pattern = pattern(family, config, window.isPresent());
                yield IntStream.range(0, layers)
                        .mapToObj(i -> (i + 1) % pattern == 0 ? 0 : window.orElse(0))
                        .toList();
            }
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

    private static int pattern(DecoderFamily family, JsonObject config, boolean windows) {
        int usual = switch (family) {
            case GEMMA3 -> 6;
            case OLMO3, EXAONE4 -> 4;
            default -> 2;
        };
        return windows
                ? config.optionalInteger("sliding_window_pattern", 1, 1 << 12).orElse(usual)
                : usual;
    }

    /**
     * Per layer: whether queries and keys are turned by their positions. A window of EXAONE 4 that is not there is
     * none, since one that is null, as its smallest model has it, cannot be told from that.
     */
    static List<Boolean> turned(DecoderFamily family, JsonObject config, int layers) {
        return switch (family) {
            case EXAONE4 -> {
                boolean all = config.optionalInteger("sliding_window", 0, Integer.MAX_VALUE)
                                .orElse(0)
                        == 0;
                yield windows(family, config, layers).stream()
                        .map(window -> all || window > 0)
                        .toList();
            }
            case SMOLLM3 -> config.has("no_rope_layers") ? turned(config, layers) : turnedBut(config, layers);
            default -> Collections.nCopies(layers, true);
        };
    }

    /** The list is named for what its zeros mean. */
    private static List<Boolean> turned(JsonObject config, int layers) {
        List<Object> flags = config.list("no_rope_layers");
        if (flags.size() < layers) {
            throw new ModelException(
                    "%s: %d no_rope_layers for %d layers".formatted(config.source(), flags.size(), layers));
        }
        return flags.stream()
                .limit(layers)
                .map(flag -> config.checked("no_rope_layers", flag, 0, 1) == 1)
                .toList();
    }

    private static List<Boolean> turnedBut(JsonObject config, int layers) {
        int step = config.optionalInteger("no_rope_layer_interval", 1, 1 << 12).orElse(4);
        return IntStream.range(0, layers).mapToObj(i -> (i + 1) % step != 0).toList();
    }
}
