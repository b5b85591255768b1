package dev.jeton.models.cuda;

import dev.jeton.models.DecoderSpec;
import dev.jeton.models.Experts;
import dev.jeton.models.Experts.Shared;
import dev.jeton.models.ModelException;
import java.util.List;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * The part of a model that one of several GPUs has (Shoeybi et al.: Megatron-LM): a range of heads with the rows of q,
 * k and v and the columns of o that are theirs, a range of the feed-forward width with its rows of gate and up and its
 * columns of down, also of the layer beside experts, and a range of the vocabulary in the output projection. The
 * embedding and the norms are everywhere, but for weights of norms over all heads, of which a part has its heads'. What
 * the columns give is summed over all parts, twice a layer.
 *
 * <p>What keys and values are computed from, where they are latent, every part computes and keeps: only heads' own
 * matrices are divided.
 *
 * <p>Where there are fewer key heads than parts, each key head is in several, with the query heads that read it
 * divided.
 *
 * <p>Experts whose weights share scales in blocks are divided between blocks. Where these do not divide evenly, the
 * last parts have fewer, and zeros after them.
 *
 * @param rank of the part, from 0
 * @param ranks of all parts
 * @param whole the model
 * @param expertStep of what experts' width is divided into multiples
 */
record Shard(int rank, int ranks, DecoderSpec whole, int expertStep) {

    /** The output projection's module. */
    static final String HEAD = "lm_head";

    /** Rows are read in vectors of so many elements. */
    static final int VECTOR = 8;

    private static final int MOST_NAMED = 16;

    /** Of a model whose experts are divided anywhere. */
    Shard(int rank, int ranks, DecoderSpec whole) {
        this(rank, ranks, whole, VECTOR);
    }

    /** One of several parts of a model whose experts are divided anywhere. */
    static Shard of(DecoderSpec whole, int rank, int ranks) {
        return of(whole, rank, ranks, VECTOR);
    }

    /**
     * One of several parts.
     *
     * @throws ModelException where the model does not divide into so many, saying why and into how many it does
     */
    static Shard of(DecoderSpec whole, int rank, int ranks, int expertStep) {
        Shard shard = new Shard(rank, ranks, whole, expertStep);
        String refusal = shard.refusal();
        if (!refusal.isEmpty()) {
            throw new ModelException("%s cannot be divided among %d GPUs: %s; --tensor-parallel-size may be one of %s"
                    .formatted(whole.architecture(), ranks, refusal, shard.sizes(any -> true)));
        }
        return shard;
    }

    /** Numbers of parts into which the model divides, and of which a part fits: for messages. */
    String sizes(Predicate<Shard> fits) {
        return IntStream.rangeClosed(1, MOST_NAMED)
                .filter(size -> {
                    Shard first = new Shard(0, size, whole, expertStep);
                    return first.refusal().isEmpty() && fits.test(first);
                })
                .mapToObj(Integer::toString)
                .collect(Collectors.joining(", "));
    }

    /** Why the model does not divide into so many parts; empty where it does. */
    private String refusal() {
        DecoderSpec spec = whole;
        int keyHeads = spec.keyValueHeads();
        if (ranks == 1) {
            return "";
        }
        if (spec.heads() % ranks != 0) {
            return "it has %d query heads".formatted(spec.heads());
        }
        if (keyHeads % ranks != 0 && ranks % keyHeads != 0) {
            return "it has %d key and value heads, and neither number is a multiple of the other".formatted(keyHeads);
        }
        if (spec.heads() / ranks * spec.headDim() % VECTOR != 0 || spec.attendedWidth() / ranks % VECTOR != 0) {
            return "its heads together are no multiple of %d elements for each".formatted(VECTOR);
        }
        if (dense(spec) && spec.intermediate() % (VECTOR * ranks) != 0) {
            return "its feed-forward width %d is no multiple of %d for each".formatted(spec.intermediate(), VECTOR);
        }
        int expertStepOfAll = expertStep > VECTOR ? expertStep : VECTOR * ranks;
        int sharedWidth = spec.experts().shared().width();
        if (sharedWidth % (VECTOR * ranks) != 0) {
            return "its width %d of what all tokens go through beside experts is no multiple of %d for each"
                    .formatted(sharedWidth, VECTOR);
        }
        if (spec.experts().count() > 0 && spec.experts().intermediate() % expertStepOfAll != 0) {
            return "its experts' width %d is no multiple of %d for each"
                    .formatted(spec.experts().intermediate(), expertStep);
        }
        return "";
    }

    private static boolean dense(DecoderSpec spec) {
        return IntStream.range(0, spec.layers()).anyMatch(i -> !spec.experts().in(i));
    }

    /** Width of this part of the feed-forward layers without experts. */
    private int width() {
        if (ranks == 1) {
            return dense(whole) ? (whole.intermediate() + VECTOR - 1) / VECTOR * VECTOR : whole.intermediate();
        }
        return dense(whole) ? whole.intermediate() / ranks : VECTOR;
    }

    /** The same beside experts. */
    private Shared shared() {
        Shared shared = whole.experts().shared();
        int width = ranks == 1 ? (shared.width() + VECTOR - 1) / VECTOR * VECTOR : shared.width() / ranks;
        return new Shared(width, shared.gated());
    }

    /**
     * How many zeros stand after a module's outputs (gate and up) or inputs (down), so that a width of any size is read
     * in vectors: what they give is nothing.
     */
    int padding(String module) {
        boolean feed = module.contains(".mlp.")
                && !module.contains(".experts.")
                && List.of("gate_proj", "up_proj", "down_proj").contains(module.substring(module.lastIndexOf('.') + 1));
        if (!feed || ranks > 1) {
            return 0;
        }
        return module.contains(".shared_experts.")
                ? shared().width() - whole.experts().shared().width()
                : width() - whole.intermediate();
    }

    /** The model as this part is computed: with fewer heads and narrower feed-forward layers. */
    DecoderSpec spec() {
        Experts experts = whole.experts();
        if (ranks == 1 && width() == whole.intermediate() && shared().equals(experts.shared())) {
            return whole;
        }
        return new DecoderSpec(
                whole.architecture(),
                whole.vocabulary(),
                whole.hidden(),
                whole.layers(),
                whole.heads() / ranks,
                whole.keyValueHeads() / keyParts(),
                whole.headDim(),
                whole.latent(),
                whole.delta(),
                whole.outputGate(),
                width(),
                whole.normEpsilon(),
                whole.output(),
                whole.queryKeyValueBias(),
                whole.outputBias(),
                whole.sinks(),
                whole.norms(),
                whole.activation(),
                new Experts(
                        experts.count(),
                        experts.perToken(),
                        expertWidth(),
                        experts.routing(),
                        experts.biased(),
                        shared(),
                        experts.layers()),
                whole.scales(),
                whole.context(),
                whole.rotary(),
                whole.windowRotary(),
                whole.windows(),
                whole.turned());
    }

    /** Width of this part of experts, zeros included. */
    int expertWidth() {
        int step = expertStep > VECTOR ? expertStep * ranks : ranks;
        return (whole.experts().intermediate() + step - 1) / step * (step / ranks);
    }

    /** Where this part of experts begins in their width. */
    int firstOfExperts() {
        return Math.min(rank * expertWidth(), whole.experts().intermediate());
    }

    /** How much of this part of experts is theirs; zeros follow. */
    int ownOfExperts() {
        return Math.min(expertWidth(), whole.experts().intermediate() - firstOfExperts());
    }

    /** Whether a module is of an expert and has zeros in some of the parts. */
    boolean uneven(String module) {
        return ranks > 1
                && module.contains(".experts.")
                && expertWidth() * ranks != whole.experts().intermediate();
    }

    /** Parts that differ in their key heads. */
    private int keyParts() {
        return Math.min(ranks, whole.keyValueHeads());
    }

    /** Rows of the output projection in each part, of which the last may have fewer: a multiple of 8. */
    int headRows() {
        int vectors = (whole.vocabulary() + VECTOR * ranks - 1) / (VECTOR * ranks);
        return vectors * VECTOR;
    }

    /** The first of the tokens whose rows are this part's. */
    int firstToken() {
        return Math.min(rank * headRows(), whole.vocabulary());
    }

    /** How many tokens' rows are this part's. */
    int headTokens() {
        return Math.min(headRows(), whole.vocabulary() - firstToken());
    }

    /** Whether all parts have as many tokens' rows. */
    boolean headDivides() {
        return ranks == 1 || headRows() * ranks == whole.vocabulary();
    }

    /** How a module's matrix is divided. */
    enum Cut {
        /** Every part has all of it. */
        NONE,
        /** Parts have different outputs: rows of {@code [outputs][inputs]}. */
        OUTPUTS,
        /** Parts have different inputs, and what they give is summed. */
        INPUTS
    }

    /** How the module with a name is divided, as {@code model.layers.0.mlp.down_proj}. */
    static Cut cut(String module) {
        return switch (module.substring(module.lastIndexOf('.') + 1)) {
            case "q_proj", "k_proj", "v_proj", "q_b_proj", "kv_b_proj", "gate_proj", "up_proj", HEAD -> Cut.OUTPUTS;
            case "o_proj", "down_proj" -> Cut.INPUTS;
            default -> Cut.NONE;
        };
    }

    /** Into how many different parts a module is divided. */
    int parts(String module) {
        boolean keys = List.of("k_proj", "v_proj").contains(module.substring(module.lastIndexOf('.') + 1));
        return cut(module) == Cut.NONE ? 1 : keys ? keyParts() : ranks;
    }

    /** Which of a module's parts this is. */
    int part(String module) {
        return rank * parts(module) / ranks;
    }
}
