package dev.jeton.models.cuda;

import dev.jeton.models.DecoderSpec;
import dev.jeton.models.Experts;
import dev.jeton.models.Latent;
import dev.jeton.models.ModelException;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * A decoder as the kernels are compiled for it: one model needs one compilation of each source file.
 *
 * @param spec the model, or the part of it that this device has
 * @param type of weights and activations
 * @param kv type of K and V in pages
 * @param blockSize tokens of a block
 * @param shard which part that is
 */
record DeviceShape(DecoderSpec spec, Type type, KvType kv, int blockSize, Shard shard) {

    /** Sixteen-bit types of weights and activations. The numbers are those of {@code JETON_TYPE}. */
    enum Type {
        /** The upper half of a binary32. */
        BF16,
        /** IEEE 754 binary16. */
        FP16
    }

    /** Types of K and V in pages. The numbers are those of {@code JETON_KV}. */
    enum KvType {
        /** As activations in bf16. */
        BF16(2),
        /** As activations in fp16. */
        FP16(2),
        /** e4m3, each value divided by its layer's scale; rounding takes up to 1/16 of a value. */
        FP8(1),
        /** A byte, with a scale for every token and head; rounding takes up to 1/254 of a head's greatest value. */
        INT8(1);

        private final int bytes;

        KvType(int bytes) {
            this.bytes = bytes;
        }

        /** As {@code engine.kv-cache-dtype} names it. */
        static KvType of(String name, Type activations) {
            return switch (name) {
                case "auto" -> activations == Type.BF16 ? BF16 : FP16;
                case "fp8" -> FP8;
                case "int8" -> INT8;
                default ->
                    throw new ModelException(
                            "kv-cache-dtype \"%s\" is not known to the cuda engine; auto, fp8 and int8 are"
                                    .formatted(name));
            };
        }

        /** Bytes of an element. */
        int bytes() {
            return bytes;
        }
    }

    /** Heads lie in pages in multiples of so many elements. */
    private static final int HEAD_STEP = 16;

    /** Rows are read in vectors of so many elements. */
    private static final int VECTOR = 8;

    private static final int MAX_VOCABULARY = 1 << 20;
    private static final int MAX_HEAD = 256;
    private static final int MAX_GROUP = 64;
    private static final int MAX_LATENT_GROUP = 256;
    private static final int MAX_HIDDEN = 24_576;
    private static final int MAX_EXPERTS = 512;
    /** A lane of a warp for each expert of a token. */
    private static final int MAX_CHOICES = 32;
    /** The same for each group of experts. */
    private static final int MAX_GROUPS = 32;

    /** A part of a model. */
    DeviceShape(Shard shard, Type type, KvType kv, int blockSize) {
        this(shard.spec(), type, kv, blockSize, shard);
    }

    DeviceShape {
        int group = spec.heads() / spec.keyValueHeads();
        if (spec.hidden() % VECTOR != 0 || spec.intermediate() % VECTOR != 0 || spec.queryWidth() % VECTOR != 0) {
            throw new ModelException(
                    ("the cuda engine takes widths that are multiples of %d; hidden is %d, intermediate"
                                    + " %d, heads together %d; use --engine cpu")
                            .formatted(VECTOR, spec.hidden(), spec.intermediate(), spec.queryWidth()));
        }
        int maxGroup = spec.latent().exists() ? MAX_LATENT_GROUP : MAX_GROUP;
        if (spec.hidden() > MAX_HIDDEN || spec.headDim() > MAX_HEAD || group > maxGroup) {
            throw new ModelException(
                    ("the cuda engine takes a hidden width of at most %d, heads of %d and %d query heads"
                                    + " per key head; this model has %d, %d and %d")
                            .formatted(MAX_HIDDEN, MAX_HEAD, maxGroup, spec.hidden(), spec.headDim(), group));
        }
        if (spec.latent().exists()) {
            requireLatent(spec.latent(), kv);
        }
        Experts experts = spec.experts();
        if (experts.count() > MAX_EXPERTS || experts.perToken() > MAX_CHOICES) {
            throw new ModelException(
                    "the cuda engine takes at most %d experts of which a token goes through %d; this model has %d and %d"
                            .formatted(MAX_EXPERTS, MAX_CHOICES, experts.count(), experts.perToken()));
        }
        if (experts.routing().groups() > MAX_GROUPS) {
            throw new ModelException("the cuda engine takes experts in at most %d groups; this model has %d"
                    .formatted(MAX_GROUPS, experts.routing().groups()));
        }
        for (int width : List.of(experts.intermediate(), experts.shared().width())) {
            if (width % VECTOR != 0) {
                throw new ModelException("the cuda engine takes experts of widths that are multiples of %d, not %d"
                        .formatted(VECTOR, width));
            }
        }
        if (spec.vocabulary() > MAX_VOCABULARY) {
            throw new ModelException("the cuda engine takes a vocabulary of at most %d; this model's is %d"
                    .formatted(MAX_VOCABULARY, spec.vocabulary()));
        }
        if (blockSize < 16 || blockSize > 256 || Integer.bitCount(blockSize) != 1) {
            throw new ModelException(
                    "block size %d: the cuda engine takes 16, 32, 64, 128 or 256".formatted(blockSize));
        }
    }

    private static void requireLatent(Latent latent, KvType kv) {
        for (int width : List.of(latent.queryRank(), latent.rank(), latent.plain(), latent.rotary(), latent.value())) {
            if (width % VECTOR != 0) {
                throw new ModelException(
                        ("the cuda engine takes latent attention of widths that are multiples of %d, not %d;"
                                        + " use --engine cpu")
                                .formatted(VECTOR, width));
            }
        }
        if (kv.bytes() != 2) {
            throw new ModelException(
                    "the cuda engine keeps what latent attention keeps in sixteen bits; leave --kv-cache-dtype");
        }
    }

    /** Query heads that share a key head. */
    int group() {
        return spec.heads() / spec.keyValueHeads();
    }

    /** Width of the feed-forward layers without experts; 0 where there are none. */
    int denseIntermediate() {
        boolean any =
                IntStream.range(0, spec.layers()).anyMatch(i -> !spec.experts().in(i));
        return any ? spec.intermediate() : 0;
    }

    /** Width of the widest feed-forward layer that all tokens go through, also beside experts. */
    int feedWidth() {
        return Math.max(denseIntermediate(), spec.experts().shared().width());
    }

    /** Logits of a token that a router's product gives, of which the last may be none. */
    int routerLogits() {
        return (spec.experts().logits() + VECTOR - 1) / VECTOR * VECTOR;
    }

    /** Rows of experts in a step: one for each token and expert that it goes through. */
    int slots(int tokens) {
        return Math.multiplyExact(tokens, spec.experts().perToken());
    }

    /**
     * Most tiles of so many rows that slots of so many tokens make, each expert's rows beginning a tile of their own.
     */
    int expertTiles(int tokens, int tileRows) {
        return Math.min(spec.experts().count(), slots(tokens)) + slots(tokens) / tileRows;
    }

    /** Elements of a head in pages. */
    private int headPad() {
        return padded(spec.headDim());
    }

    private static int padded(int elements) {
        return (elements + HEAD_STEP - 1) / HEAD_STEP * HEAD_STEP;
    }

    /**
     * Width of q, k and v of one token together; of what queries are computed from, the vector and what of the key is
     * turned, where they are latent.
     */
    int qkvWidth() {
        return spec.latent().exists()
                ? spec.latent().queryRank() + spec.latent().width()
                : spec.queryWidth() + 2 * spec.keyValueWidth();
    }

    /** Bytes of K and V, and of scales where there are any, of one layer in one block. */
    long layerBytes() {
        if (spec.latent().exists()) {
            return (long) blockSize
                    * kv.bytes()
                    * (padded(spec.latent().rank()) + padded(spec.latent().rotary()));
        }
        int scale = kv == KvType.INT8 ? Float.BYTES : 0;
        return 2L * spec.keyValueHeads() * blockSize * ((long) headPad() * kv.bytes() + scale);
    }

    /** Floats of a row of logits: the vocabulary, and padding that nobody reads. */
    int logitStride() {
        return shard.ranks() * shard.headRows();
    }

    /** Macros that every source takes. */
    List<String> macros() {
        return List.of("-DJETON_TYPE=" + type.ordinal(), "-DJETON_RESIDUAL=1");
    }

    /** Macros of the sources that know heads and pages, which are compiled anew for every shape of them. */
    List<String> pageMacros() {
        return List.of(
                "-DJETON_TYPE=" + type.ordinal(),
                "-DJETON_RESIDUAL=1",
                "-DJETON_KV=" + kv.ordinal(),
                "-DHEAD_DIM=" + spec.headDim(),
                "-DROTARY_DIM=" + spec.rotary().width(),
                "-DGROUP=" + group(),
                "-DBLOCK_SIZE=" + blockSize);
    }

    /** Macros of the source that attends to latent vectors. */
    List<String> latentMacros() {
        return Stream.concat(
                        pageMacros().stream(),
                        Stream.of(
                                "-DLATENT_RANK=" + spec.latent().rank(),
                                "-DLATENT_PAIRED=" + (spec.latent().paired() ? 1 : 0)))
                .toList();
    }
}
