package dev.jeton.models;

import java.util.Optional;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Tensors of families with layers of linear attention ({@link Delta}) that are of others in the files: queries and the
 * gates of what is attended to head by head in {@code q_proj}; {@code in_proj_q}, {@code in_proj_k} and
 * {@code in_proj_v} one after the other in {@code in_proj_qkv}, or key head by key head in {@code in_proj_qkvz} and
 * {@code in_proj_ba}, with {@code in_proj_z}, {@code in_proj_b} and {@code in_proj_a}.
 *
 * @param files where they are
 * @param own what the files call a tensor
 */
record DeltaTensors(WeightFiles files, DecoderSpec spec, UnaryOperator<String> own) {

    private static final Pattern GATED = Pattern.compile("(.+\\.self_attn\\.)(q|gate)_proj\\.weight");
    private static final Pattern PROJECTED = Pattern.compile("(.+\\.linear_attn\\.)in_proj_([qkvzba])\\.weight");

    /** Of each {@code every} rows of a tensor the {@code height} from {@code first} on. */
    private record Strips(String name, int height, int every, int first) {}

    /** Whether a tensor is one of these. */
    boolean has(String name) {
        return (spec.outputGate() && GATED.matcher(name).matches())
                || (spec.delta().exists() && PROJECTED.matcher(name).matches());
    }

    /** One of them. */
    Optional<Tensor> find(String name) {
        Matcher gated = GATED.matcher(name);
        if (gated.matches()) {
            int head = spec.headDim();
            int first = gated.group(2).equals("q") ? 0 : head;
            return strips(new Strips(gated.group(1) + "q_proj.weight", head, 2 * head, first));
        }
        Matcher projected = PROJECTED.matcher(name);
        if (!projected.matches()) {
            return Optional.empty();
        }
        String layer = projected.group(1);
        String part = projected.group(2);
        String together = layer + ("ba".contains(part) ? "in_proj_ba.weight" : "in_proj_qkvz.weight");
        if (files.type(own.apply(together)).isPresent()) {
            return strips(byKeyHead(layer, part));
        }
        return "qkv".contains(part) ? strips(oneAfterTheOther(layer, part)) : files.find(own.apply(name));
    }

    /** The tensor that they are of is missed by its own name, which is the one that somebody can look for. */
    private Optional<Tensor> strips(Strips of) {
        String whole = own.apply(of.name);
        return Optional.of(files.find(whole)
                .orElseThrow(() -> new ModelException(
                        "%s: tensor \"%s\" is missing; is the download complete?".formatted(files.source(), whole)))
                .strips(of.height, of.every, of.first));
    }

    private Strips oneAfterTheOther(String layer, String part) {
        String name = layer + "in_proj_qkv.weight";
        int keys = spec.delta().keysWidth();
        int all = spec.delta().channels();
        return switch (part) {
            case "q" -> new Strips(name, keys, all, 0);
            case "k" -> new Strips(name, keys, all, keys);
            default -> new Strips(name, spec.delta().valuesWidth(), all, 2 * keys);
        };
    }

    private Strips byKeyHead(String layer, String part) {
        int keys = spec.delta().keyWidth();
        int rates = spec.delta().perKeyHead();
        int values = rates * spec.delta().valueWidth();
        int head = 2 * keys + 2 * values;
        String name = layer + "in_proj_qkvz.weight";
        String ofRates = layer + "in_proj_ba.weight";
        return switch (part) {
            case "q" -> new Strips(name, keys, head, 0);
            case "k" -> new Strips(name, keys, head, keys);
            case "v" -> new Strips(name, values, head, 2 * keys);
            case "z" -> new Strips(name, values, head, 2 * keys + values);
            case "b" -> new Strips(ofRates, rates, 2 * rates, 0);
            default -> new Strips(ofRates, rates, 2 * rates, rates);
        };
    }
}
