package dev.jeton.models;

import dev.jeton.models.grammar.GrammarException;
import dev.jeton.models.grammar.TextPattern;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A low-rank adapter of a decoder as PEFT leaves it (Hu et al., LoRA: Low-Rank Adaptation of Large Language Models): a
 * folder with adapter_config.json and adapter_model.safetensors. A linear layer with it gives {@code W x + s B (A x)},
 * where s is lora_alpha over the rank, or over its root ({@code use_rslora}).
 *
 * <p>What this does not know it refuses, since an adapter that is applied in part gives answers that nobody has ever
 * tested: DoRA, biases, whole modules beside the low-rank ones, embeddings, the output projection, experts.
 *
 * <p>Thread-safe for reading until {@link #close}, after which tensors must not be touched.
 */
public final class AdapterFolder implements AutoCloseable {

    /** Most that a rank may be. */
    public static final int MOST_RANK = 512;

    /** What says how it is made. */
    public static final String CONFIG = "adapter_config.json";

    /** Its numbers. */
    public static final String WEIGHTS = "adapter_model.safetensors";

    private static final int MAX_PATTERN = 200;
    /** Bytes; two hundred layers need a tenth of it. */
    private static final long MOST_HEADER = 4 << 20;

    private static final List<String> NOT_LOW_RANK = List.of(
            "modules_to_save",
            "trainable_token_indices",
            "target_parameters",
            "alora_invocation_tokens",
            "layer_replication");

    /** Models with encoders of images have their decoder further down. */
    private static final Pattern NAME =
            Pattern.compile("base_model\\.model\\.(?:model|language_model\\.model|model\\.language_model)"
                    + "\\.layers\\.(\\d{1,6})\\.(\\w+\\.\\w+)\\.lora_([AB])(?:\\.default)?\\.weight");

    /** A linear layer that an adapter may change. */
    public enum Target {
        QUERY("self_attn.q_proj", "self_attn.qkv_proj"),
        KEY("self_attn.k_proj", "self_attn.qkv_proj"),
        VALUE("self_attn.v_proj", "self_attn.qkv_proj"),
        OUTPUT("self_attn.o_proj", ""),
        GATE("mlp.gate_proj", "mlp.gate_up_proj"),
        UP("mlp.up_proj", "mlp.gate_up_proj"),
        DOWN("mlp.down_proj", "");

        private final String module;
        /** What it is part of in files that have several as one. */
        private final String fused;

        Target(String module, String fused) {
            this.module = module;
            this.fused = fused;
        }

        /** Numbers that it takes. */
        public int inputs(DecoderSpec spec) {
            return switch (this) {
                case QUERY, KEY, VALUE, GATE, UP -> spec.hidden();
                case OUTPUT -> spec.queryWidth();
                case DOWN -> spec.intermediate();
            };
        }

        /** Numbers that it gives. */
        public int outputs(DecoderSpec spec) {
            return switch (this) {
                case QUERY -> spec.queryWidth();
                case KEY, VALUE -> spec.keyValueWidth();
                case OUTPUT, DOWN -> spec.hidden();
                case GATE, UP -> spec.intermediate();
            };
        }

        /** Its name within a layer, as {@code self_attn.q_proj}. */
        public String module() {
            return module;
        }

        private boolean feedForward() {
            return this == GATE || this == UP || this == DOWN;
        }

        private static Optional<Target> named(String module) {
            return List.of(values()).stream()
                    .filter(target -> target.module.equals(module) || target.fused.equals(module))
                    .findFirst();
        }
    }

    /** The products of a layer that adapters add to, each of one linear layer or of several that read the same. */
    public enum Place {
        QUERY_KEY_VALUE(Target.QUERY, Target.KEY, Target.VALUE),
        OUTPUT(Target.OUTPUT),
        GATE_UP(Target.GATE, Target.UP),
        DOWN(Target.DOWN);

        /** How many there are. */
        public static final int COUNT = 4;

        private final List<Target> targets;

        Place(Target... targets) {
            this.targets = List.of(targets);
        }

        /** The linear layers that it is of. */
        public List<Target> targets() {
            return targets;
        }

        /** Its place among those of all layers. */
        public int at(int layer) {
            return layer * COUNT + ordinal();
        }
    }

    /**
     * What an adapter adds to one linear layer.
     *
     * @param a {@code [rank][inputs]}
     * @param b {@code [outputs][rank]}
     * @param scale what {@code b} is multiplied with
     */
    public record Part(Tensor a, Tensor b, float scale) {

        /** Numbers between the two. */
        public int rank() {
            return a.shape().getFirst().intValue();
        }
    }

    private final Path folder;
    private final DecoderSpec spec;
    private final Safetensors files;
    private final List<Map<Target, Part>> layers = new ArrayList<>();

    private AdapterFolder(Path folder, DecoderSpec spec, Safetensors files) {
        this.folder = folder;
        this.spec = spec;
        this.files = files;
    }

    /**
     * Maps an adapter of a decoder.
     *
     * @throws ModelException naming what is missing, broken, not known, or not this decoder's
     */
    public static AdapterFolder open(Path folder, DecoderSpec spec) {
        if (!Files.isRegularFile(folder.resolve(CONFIG)) || !Files.isRegularFile(folder.resolve(WEIGHTS))) {
            throw new ModelException("%s is no adapter: it needs %s and %s, as PEFT's save_pretrained writes them"
                    .formatted(folder, CONFIG, WEIGHTS));
        }
        JsonObject config = JsonObject.read(folder.resolve(CONFIG));
        if (spec.latent().exists()) {
            throw refused(config, "adapters of models with latent attention are not known; merge it into its model");
        }
        checkKind(config);
        AdapterFolder adapter = new AdapterFolder(folder, spec, Safetensors.open(folder.resolve(WEIGHTS), MOST_HEADER));
        try {
            adapter.read(config);
            return adapter;
        } catch (RuntimeException | Error e) {
            adapter.close();
            throw e;
        }
    }

    private static void checkKind(JsonObject config) {
        String kind = config.string("peft_type").orElse("missing");
        if (!kind.equals("LORA")) {
            throw refused(config, "peft_type is %s; LORA is known".formatted(kind));
        }
        for (String key : List.of("use_dora", "fan_in_fan_out", "lora_bias", "use_qalora")) {
            if (config.flag(key, false)) {
                throw refused(config, key + " is not known");
            }
        }
        String bias = config.string("bias").orElse("none");
        if (!bias.equals("none")) {
            throw refused(config, "bias is %s; adapters without are known".formatted(bias));
        }
        for (String key : NOT_LOW_RANK) {
            if (!config.value(key).map(AdapterFolder::isEmpty).orElse(true)) {
                throw refused(config, key + " is not known: merge such an adapter into its model");
            }
        }
    }

    private static boolean isEmpty(Object value) {
        return value instanceof List<?> list && list.isEmpty() || value instanceof Map<?, ?> map && map.isEmpty();
    }

    private static ModelException refused(JsonObject config, String why) {
        return new ModelException(config.source() + ": " + why);
    }

    private void read(JsonObject config) {
        Map<String, Tensor> downs = new HashMap<>();
        Map<String, Tensor> ups = new HashMap<>();
        for (String name : files.names()) {
            Matcher parts = NAME.matcher(name);
            if (!parts.matches() || place(parts).isEmpty()) {
                throw new ModelException(
                        ("%s: tensor \"%s\" is for no layer that an adapter of this model may change: q_proj, k_proj,"
                                        + " v_proj, o_proj and, where there are no experts, gate_proj, up_proj and"
                                        + " down_proj of %d layers")
                                .formatted(folder, name, spec.layers()));
            }
            Map<String, Tensor> side = parts.group(3).equals("A") ? downs : ups;
            String module = "model.layers.%d.%s".formatted(Integer.parseInt(parts.group(1)), parts.group(2));
            if (side.put(module, files.find(name).orElseThrow()) != null) {
                throw new ModelException("%s: there are two of tensor \"%s\"".formatted(folder, name));
            }
        }
        if (files.names().isEmpty()) {
            throw new ModelException("%s: %s holds no tensors".formatted(folder, WEIGHTS));
        }
        for (String module : ups.keySet()) {
            if (!downs.containsKey(module)) {
                throw new ModelException("%s: %s has lora_B and no lora_A".formatted(folder, module));
            }
        }
        Scales scales = new Scales(config);
        for (int i = 0; i < spec.layers(); i++) {
            Map<Target, Part> layer = new EnumMap<>(Target.class);
            for (Target target : Target.values()) {
                part("model.layers." + i + ".", target, downs, ups, scales).ifPresent(part -> layer.put(target, part));
            }
            layers.add(layer);
        }
    }

    private Optional<Target> place(Matcher parts) {
        int layer = Integer.parseInt(parts.group(1));
        return Target.named(parts.group(2))
                .filter(target -> layer < spec.layers()
                        && !(target.feedForward() && spec.experts().in(layer)));
    }

    private Part part(String module, int outputs, Tensor down, Map<String, Tensor> ups, Target target, Scales scales) {
        Tensor up = Optional.ofNullable(ups.get(module))
                .orElseThrow(() -> new ModelException("%s: %s has lora_A and no lora_B".formatted(folder, module)));
        long rank = down.shape().isEmpty() ? 0 : down.shape().getFirst();
        if (rank < 1 || rank > MOST_RANK) {
            throw new ModelException("%s: tensor \"%s\" has shape %s; a rank is 1 to %d"
                    .formatted(folder, down.name(), down.shape(), MOST_RANK));
        }
        WeightFiles.requireShape(folder, down.name(), down.shape(), rank, target.inputs(spec));
        WeightFiles.requireShape(folder, up.name(), up.shape(), outputs, rank);
        boolean paired = (target == Target.QUERY || target == Target.KEY)
                && DecoderFamily.named(spec.architecture()).turnsNeighbours();
        Tensor ordered =
                paired ? up.fromPairedRows(spec.headDim(), spec.rotary().width()) : up;
        return new Part(down, ordered, scales.of(module, (int) rank));
    }

    /** A layer's own part, or its rows of the part of several that the model's files have as one. */
    private Optional<Part> part(
            String layer, Target target, Map<String, Tensor> downs, Map<String, Tensor> ups, Scales scales) {
        String own = layer + target.module;
        Optional<Tensor> down = Optional.ofNullable(downs.get(own));
        if (down.isPresent() && downs.containsKey(layer + target.fused)) {
            throw new ModelException(
                    "%s: %s is changed twice, by itself and within %s%s".formatted(folder, own, layer, target.fused));
        }
        if (down.isPresent()) {
            return Optional.of(part(own, target.outputs(spec), down.get(), ups, target, scales));
        }
        String fused = layer + target.fused;
        return Optional.ofNullable(downs.get(fused)).map(shared -> {
            int outputs = 0;
            int from = 0;
            for (Target each : Target.values()) {
                from = each == target ? outputs : from;
                outputs += each.fused.equals(target.fused) ? each.outputs(spec) : 0;
            }
            Part all = part(fused, outputs, shared, ups, target, scales);
            return new Part(all.a, all.b.rows(from, target.outputs(spec)), all.scale);
        });
    }

    /** What the low-rank parts are multiplied with: one number, but for modules that have their own. */
    private static final class Scales {
        private final JsonObject config;
        private final double alpha;
        private final boolean overRoot;
        private final List<Own> alphas = new ArrayList<>();

        private record Own(TextPattern modules, double alpha) {}

        Scales(JsonObject config) {
            this.config = config;
            alpha = config.number("lora_alpha").orElseThrow(() -> refused(config, "lora_alpha is missing"));
            overRoot = config.flag("use_rslora", false);
            config.object("alpha_pattern").ifPresent(this::read);
        }

        private void read(JsonObject patterns) {
            List<String> expressions = new ArrayList<>();
            List<Double> values = new ArrayList<>();
            for (String key : patterns.keys()) {
                expressions.add(module(key));
                values.add(patterns.number(key).orElseThrow());
            }
            try {
                List<TextPattern> modules = TextPattern.of(expressions);
                for (int i = 0; i < modules.size(); i++) {
                    alphas.add(new Own(modules.get(i), values.get(i)));
                }
            } catch (GrammarException e) {
                throw refused(config, "alpha_pattern has a key that is no regular expression: " + e.getMessage());
            }
        }

        /** As PEFT does: a key names modules that end with it, and is a regular expression. */
        private String module(String key) {
            if (key.length() > MAX_PATTERN) {
                throw refused(config, "alpha_pattern has a key of %d characters".formatted(key.length()));
            }
            return "(?:.*\\.)?(?:" + key + ")";
        }

        float of(String module, int rank) {
            double own = alphas.stream()
                    .filter(each -> each.modules.matches(module))
                    .mapToDouble(Own::alpha)
                    .findFirst()
                    .orElse(alpha);
            return (float) (own / (overRoot ? Math.sqrt(rank) : rank));
        }
    }

    /** Ranks of all that it adds to a product; 0 where it leaves that alone. */
    public int rank(int layer, Place place) {
        return place.targets().stream()
                .mapToInt(target -> part(layer, target).map(Part::rank).orElse(0))
                .sum();
    }

    /** What it adds to a linear layer; empty where it leaves that alone. */
    public Optional<Part> part(int layer, Target target) {
        return Optional.ofNullable(layers.get(layer).get(target));
    }

    @Override
    public void close() {
        files.close();
    }
}
