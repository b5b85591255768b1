package dev.jeton.models;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The weights of a decoder under the names that most families have, whatever its own are: tensors that are one in the
 * files are given in parts ({@code self_attn.key_up.3.weight} and {@code value_up} are what {@link LatentHeads} has of
 * head 3), norms that multiply with 1 more than their weight as what they multiply with, and rows of q and k half by
 * half of what is turned of each head, also where the files have them pair by pair, since rotation turns neighbours
 * there.
 */
final class FamilyWeights implements WeightFiles {

    private static final Pattern ATTENTION = Pattern.compile("(.+\\.self_attn\\.)([qkv])_proj(\\.(?:weight|bias))");
    private static final Pattern PAIRED = Pattern.compile(".+\\.self_attn\\.[qk]_proj\\.(?:weight|bias)");
    private static final Pattern FEED = Pattern.compile("(.+\\.)mlp\\.(shared_experts\\.)?+(gate|up)_proj\\.weight");
    private static final Pattern EXPERT =
            Pattern.compile("(.+)\\.mlp\\.experts\\.(\\d+)\\.(gate|up|down)_proj\\.(\\w+)");
    private static final Pattern LATENT = Pattern.compile("(.+\\.self_attn\\.)(key|value)_up\\.(\\d+)\\.weight");
    private static final String SHARED_GATE = ".shared_expert_gate.weight";
    private static final String HEAD = "lm_head.weight";
    /** What older files of models with encoders of images call it. */
    private static final String OTHER_HEAD = "language_model.lm_head.weight";

    private static final String ROUTER = ".mlp.gate.weight";
    private static final String CORRECTION = ".mlp.gate.e_score_correction_bias";

    /** What norms of GLM-4 are called, by their names in other families that have as many. */
    private static final Map<String, String> GLM4_NORMS = Map.of(
            ".post_attention_layernorm.weight", ".post_self_attn_layernorm.weight",
            ".pre_feedforward_layernorm.weight", ".post_attention_layernorm.weight",
            ".post_feedforward_layernorm.weight", ".post_mlp_layernorm.weight");

    /** Where models with encoders of images have the decoder, and those without an output projection. */
    private static final List<String> PREFIXES = List.of("language_model.model.", "model.language_model.", "");

    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final WeightFiles files;
    private final DecoderSpec spec;
    private final boolean folder;
    private final DecoderFamily family;
    private final String prefix;
    private final DeltaTensors deltas;

    FamilyWeights(WeightFiles files, DecoderSpec spec) {
        this.files = files;
        this.spec = spec;
        folder = files instanceof Safetensors;
        family = DecoderFamily.named(spec.architecture());
        Set<String> names = files.names();
        prefix = PREFIXES.stream()
                .filter(each -> names.contains(each + "embed_tokens.weight"))
                .findFirst()
                .orElse("model.");
        deltas = new DeltaTensors(files, spec, this::own);
    }

    @Override
    public Set<String> names() {
        return files.names();
    }

    @Override
    public Optional<Tensor> find(String name) {
        if (deltas.has(name)) {
            return deltas.find(name);
        }
        return paired(name) ? stored(name).map(this::fromPairs) : stored(name);
    }

    /** Whether a tensor's rows lie pair by pair. */
    private boolean paired(String name) {
        boolean pairs = folder ? family.turnsNeighbours() : family.pairedRowsInGguf();
        return pairs && PAIRED.matcher(name).matches();
    }

    private Tensor fromPairs(Tensor tensor) {
        return tensor.fromPairedRows(spec.headDim(), spec.rotary().width());
    }

    /** A tensor with its rows as they lie. */
    private Optional<Tensor> stored(String name) {
        Optional<Tensor> whole = files.find(own(name));
        if (whole.isPresent()) {
            if (name.endsWith(SHARED_GATE) && whole.get().shape().size() == 1) {
                return whole.map(Tensor::asRow);
            }
            if (name.endsWith(CORRECTION) && isRow(whole.get())) {
                return whole.map(Tensor::withoutFirst);
            }
            boolean fromOne = fromOne(name);
            Optional<Tensor> given = fromOne ? whole.map(tensor -> changed(tensor, 1, 1)) : whole;
            return scaled(name)
                    ? given.map(tensor -> changed(tensor, spec.scales().logits(), 0))
                    : given;
        }
        Matcher latent = LATENT.matcher(name);
        if (latent.matches()) {
            return new LatentHeads(files, spec, own(latent.group(1)))
                    .find(latent.group(2).equals("key"), Integer.parseInt(latent.group(3)));
        }
        Optional<Part> part = fused(name);
        if (part.isPresent()) {
            return part.flatMap(this::rows);
        }
        Matcher expert = EXPERT.matcher(name);
        if (expert.matches() && folder && family == DecoderFamily.GPT_OSS) {
            return new GptOssExperts(
                            files, spec, own(expert.group(1)) + ".mlp.experts.", Integer.parseInt(expert.group(2)))
                    .find(name, expert.group(3), expert.group(4));
        }
        Optional<Tensor> stacked = expert.matches() && folder && expert.group(4).equals("weight")
                ? stacked(own(expert.group(1)), Integer.parseInt(expert.group(2)), expert.group(3))
                : Optional.empty();
        if (stacked.isPresent()) {
            return stacked;
        }
        if (expert.matches()) {
            int number = Integer.parseInt(expert.group(2));
            return files.find("%s.mlp.experts.%s_proj.%s"
                            .formatted(own(expert.group(1)), expert.group(3), expert.group(4)))
                    .filter(all -> all.shape().size() == (expert.group(4).equals("bias") ? 2 : 3))
                    .map(all -> ofExpert(all, number));
        }
        return Optional.empty();
    }

    /** One of a tensor of all experts. */
    private Tensor ofExpert(Tensor all, int number) {
        if (all.shape().getFirst() != spec.experts().count()) {
            throw new ModelException("%s: tensor \"%s\" has shape %s where there are %d experts"
                    .formatted(source(), all.name(), all.shape(), spec.experts().count()));
        }
        return all.rows(number, 1).withoutFirst();
    }

    /** One of experts in two tensors: gate and then up of each, and down, under Granite's names or transformers 5's. */
    private Optional<Tensor> stacked(String layer, int number, String matrix) {
        boolean down = matrix.equals("down");
        String name = family.isGraniteOfExperts()
                ? "%s.block_sparse_moe.%s_linear.weight".formatted(layer, down ? "output" : "input")
                : "%s.mlp.experts.%s_proj".formatted(layer, down ? "down" : "gate_up");
        int width = spec.experts().intermediate();
        files.type(name).filter(type -> type.startsWith("F8")).ifPresent(type -> {
            throw new ModelException(
                    "%s: tensor \"%s\" has all experts in %s, which is not read; use weights in sixteen bits"
                            .formatted(source(), name, type));
        });
        return files.find(name).map(all -> {
            Tensor expert = ofExpert(all, number);
            return down ? expert : rows(expert, new Part(name, matrix.equals("up") ? width : 0, width, 2 * width));
        });
    }

    /** Whether a norm multiplies with 1 more than its weight; that within layers of linear attention does not. */
    private boolean fromOne(String name) {
        return folder
                && family.normsFromOne()
                && name.endsWith("norm.weight")
                && !name.endsWith(".linear_attn.norm.weight");
    }

    private static boolean isRow(Tensor tensor) {
        return tensor.shape().size() == 2 && tensor.shape().getFirst() == 1;
    }

    @Override
    public Optional<FilePlace> place(String name) {
        if (fromOne(name) || scaled(name) || paired(name) || deltas.has(name)) {
            return Optional.empty();
        }
        return files.place(own(name)).or(() -> fused(name).flatMap(this::place));
    }

    private Optional<FilePlace> place(Part part) {
        return files.find(own(part.name)).flatMap(whole -> {
            long rowBytes = whole.row(0).byteSize();
            return files.place(own(part.name))
                    .map(place -> new FilePlace(place.file(), place.offset() + part.from * rowBytes));
        });
    }

    /** Rows of a tensor that is of several. */
    private record Part(String name, int from, int count, int of) {}

    private Optional<Part> fused(String name) {
        Matcher attention = ATTENTION.matcher(name);
        if (attention.matches()) {
            int query = spec.queryWidth();
            int keyValue = spec.keyValueWidth();
            int all = query + 2 * keyValue;
            String fused = attention.group(1) + "qkv_proj" + attention.group(3);
            return Optional.of(
                    switch (attention.group(2)) {
                        case "q" -> new Part(fused, 0, query, all);
                        case "k" -> new Part(fused, query, keyValue, all);
                        default -> new Part(fused, query + keyValue, keyValue, all);
                    });
        }
        Matcher feed = FEED.matcher(name);
        if (feed.matches()) {
            boolean shared = feed.group(2) != null;
            int width = shared ? spec.experts().shared().width() : spec.intermediate();
            int from = feed.group(3).equals("up") ? width : 0;
            String fused = family.isGraniteOfExperts()
                    ? feed.group(1) + "shared_mlp.input_linear"
                    : feed.group(1) + "mlp.gate_up_proj";
            return Optional.of(new Part(fused + ".weight", from, width, 2 * width));
        }
        return Optional.empty();
    }

    private Optional<Tensor> rows(Part part) {
        return files.find(own(part.name)).map(whole -> rows(whole, part));
    }

    private Tensor rows(Tensor whole, Part part) {
        if (whole.shape().getFirst() != part.of) {
            throw new ModelException("%s: tensor \"%s\" has shape %s where the configuration asks for %d rows"
                    .formatted(source(), part.name, whole.shape(), part.of));
        }
        return whole.rows(part.from, part.count);
    }

    /** What the files call a tensor. */
    private String own(String name) {
        if (!folder) {
            return name;
        }
        String own = ofFamily(name);
        if (own.equals(HEAD) && !files.names().contains(HEAD)) {
            return OTHER_HEAD;
        }
        return own.startsWith("model.") ? prefix + own.substring("model.".length()) : own;
    }

    private String ofFamily(String name) {
        if (family.hasOneSharedExpert() && name.contains(".mlp.shared_experts.")) {
            return name.replace(".mlp.shared_experts.", ".mlp.shared_expert.");
        }
        if (family.isGraniteOfExperts()) {
            return name.replace(ROUTER, ".block_sparse_moe.router.layer.weight")
                    .replace(".mlp.shared_experts.down_proj.", ".shared_mlp.output_linear.")
                    .replace(".mlp.down_proj.", ".shared_mlp.output_linear.");
        }
        if (family == DecoderFamily.GLM4) {
            return GLM4_NORMS.entrySet().stream()
                    .filter(each -> name.endsWith(each.getKey()))
                    .findFirst()
                    .map(each -> name.replace(each.getKey(), each.getValue()))
                    .orElse(name);
        }
        if (family == DecoderFamily.GPT_OSS && name.contains(".mlp.gate.")) {
            return name.replace(".mlp.gate.", ".mlp.router.");
        }
        if (family == DecoderFamily.MINIMAX_M2 && name.endsWith(CORRECTION)) {
            return name.replace(CORRECTION, ".block_sparse_moe.e_score_correction_bias");
        }
        if (family == DecoderFamily.ERNIE4_5_MOE && name.endsWith(CORRECTION)) {
            return name.replace(CORRECTION, ".mlp.moe_statics.e_score_correction_bias");
        }
        if (family.isNamedAsMixtral()) {
            if (name.endsWith(ROUTER)) {
                return name.replace(ROUTER, ".block_sparse_moe.gate.weight");
            }
            Matcher expert = EXPERT.matcher(name);
            if (expert.matches()) {
                String matrix = switch (expert.group(3)) {
                    case "gate" -> "w1";
                    case "down" -> "w2";
                    default -> "w3";
                };
                return "%s.block_sparse_moe.experts.%s.%s.%s"
                        .formatted(expert.group(1), expert.group(2), matrix, expert.group(4));
            }
        }
        return name;
    }

    /** Whether what logits are multiplied with is to be in this weight. */
    private boolean scaled(String name) {
        return name.equals("model.norm.weight") && spec.scales().logits() != 1 && !spec.vectors();
    }

    private static Tensor changed(Tensor tensor, double times, double more) {
        float[] values = tensor.toFloats();
        MemorySegment sum = Arena.ofAuto().allocate(4L * values.length, 64);
        for (int i = 0; i < values.length; i++) {
            sum.setAtIndex(FLOAT, i, (float) (more + times * values[i]));
        }
        return new Tensor(tensor.name(), TensorType.F32, tensor.shape(), sum.asReadOnly());
    }

    @Override
    public Optional<String> type(String name) {
        return files.type(own(name))
                .or(() -> find(name).map(tensor -> tensor.type().name()));
    }

    @Override
    public MemorySegment bytes(String name, String type, long... shape) {
        return files.bytes(own(name), type, shape);
    }

    @Override
    public Path source() {
        return files.source();
    }

    @Override
    public void close() {
        files.close();
    }
}
