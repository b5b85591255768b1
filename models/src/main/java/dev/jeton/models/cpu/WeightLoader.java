package dev.jeton.models.cpu;

import static dev.jeton.models.cpu.Kernels.PANEL;

import dev.jeton.models.DecoderSpec;
import dev.jeton.models.Experts.Shared;
import dev.jeton.models.Latent;
import dev.jeton.models.Tensor;
import dev.jeton.models.WeightFiles;
import java.lang.foreign.SegmentAllocator;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * Finds a decoder's tensors by their names, and says which of them become one matrix ({@link MatrixPacking}); norms and
 * biases are read at once. Used by one thread while weights are loaded.
 */
final class WeightLoader {

    /** More weights than this do not stay in a core's share of the last cache from step to step. */
    private static final long CACHED_WEIGHTS = 8L << 20;

    private final DecoderSpec spec;
    private final WeightFiles files;
    private final MatrixPacking packing;
    private final int stride;

    WeightLoader(DecoderSpec spec, WeightFiles files, boolean quantize, boolean halves, SegmentAllocator memory) {
        this.spec = spec;
        this.files = files;
        stride = PackedMatrix.panelsFor(spec.hidden()) * PANEL;
        long inner = Math.max(
                spec.intermediate(),
                (long) spec.experts().count() * spec.experts().intermediate());
        long width = spec.queryWidth() + spec.keyValueWidth() + (3 * inner + 1) / 2;
        boolean large = 2L * spec.hidden() * (spec.layers() * width + spec.vocabulary()) > CACHED_WEIGHTS;
        packing = new MatrixPacking(files.source(), quantize, halves, large, memory);
    }

    /** Packs all matrices that were made, with all threads of the team. */
    void pack(ComputeTeam team) {
        packing.run(team);
    }

    DecoderWeights.Layer layer(int index) {
        String name = "model.layers." + index + ".";
        String attention = name + "self_attn.";
        int hidden = spec.hidden();
        boolean delta = spec.delta().in(index);
        DeltaLoader linear = new DeltaLoader(spec, files, name + "linear_attn.");
        PackedMatrix qkv = packing.stacked(hidden, delta ? linear.projections() : queryKeyValue(attention));
        int width = delta ? spec.delta().valuesWidth() : spec.attendedWidth();
        String projection = delta ? linear.output() : attention + "o_proj.weight";
        PackedMatrix output = packing.stacked(width, List.of(files.tensor(projection, hidden, width)));
        boolean branches = spec.norms().branches();
        return new DecoderWeights.Layer(
                qkv,
                delta ? new float[0] : biases(qkv.panels() * PANEL, attention),
                output,
                spec.outputBias() ? vector(attention + "o_proj.bias", hidden, stride) : new float[0],
                spec.sinks() ? vector(attention + "sinks", spec.heads(), spec.heads()) : new float[0],
                spec.latent().exists() ? Optional.of(latent(attention)) : Optional.empty(),
                delta ? Optional.of(linear.weights()) : Optional.empty(),
                spec.experts().in(index) ? sparse(name + "mlp.") : dense(name + "mlp.", spec.intermediate(), false),
                spec.norms().inputs() ? norm(name + "input_layernorm.weight") : new float[0],
                branches ? norm(name + "post_attention_layernorm.weight") : new float[0],
                spec.norms().inputs() ? norm(name + spec.feedNorm() + ".weight") : new float[0],
                branches ? norm(name + "post_feedforward_layernorm.weight") : new float[0],
                headNorm(attention + "q_norm.weight", delta ? 0 : spec.queryNormWidth()),
                headNorm(attention + "k_norm.weight", delta ? 0 : spec.keyNormWidth()));
    }

    private List<Tensor> queryKeyValue(String attention) {
        int hidden = spec.hidden();
        Latent latent = spec.latent();
        if (latent.exists()) {
            Tensor query = latent.queryRank() > 0
                    ? files.tensor(attention + "q_a_proj.weight", latent.queryRank(), hidden)
                    : files.tensor(attention + "q_proj.weight", spec.queryWidth(), hidden);
            return List.of(query, files.tensor(attention + "kv_a_proj_with_mqa.weight", latent.width(), hidden));
        }
        int kv = spec.keyValueWidth();
        List<Tensor> parts = new ArrayList<>(List.of(
                files.tensor(attention + "q_proj.weight", spec.queryWidth(), hidden),
                files.tensor(attention + "k_proj.weight", kv, hidden),
                files.tensor(attention + "v_proj.weight", kv, hidden)));
        if (spec.outputGate()) {
            parts.add(files.tensor(attention + "gate_proj.weight", spec.queryWidth(), hidden));
        }
        return parts;
    }

    private DecoderWeights.LatentWeights latent(String attention) {
        Latent latent = spec.latent();
        int narrow = latent.queryRank();
        List<PackedMatrix> keys = new ArrayList<>();
        List<PackedMatrix> values = new ArrayList<>();
        for (int head = 0; head < spec.heads(); head++) {
            String key = "%skey_up.%d.weight".formatted(attention, head);
            keys.add(packing.stacked(latent.plain(), List.of(files.tensor(key, latent.rank(), latent.plain()))));
            String value = "%svalue_up.%d.weight".formatted(attention, head);
            values.add(packing.stacked(latent.rank(), List.of(files.tensor(value, latent.value(), latent.rank()))));
        }
        return new DecoderWeights.LatentWeights(
                narrow > 0 ? vector(attention + "q_a_layernorm.weight", narrow, narrow) : new float[0],
                narrow > 0
                        ? Optional.of(packing.stacked(
                                narrow,
                                List.of(files.tensor(attention + "q_b_proj.weight", spec.queryWidth(), narrow))))
                        : Optional.empty(),
                vector(attention + "kv_a_layernorm.weight", latent.rank(), latent.rank()),
                List.copyOf(keys),
                List.copyOf(values));
    }

    private DecoderWeights.Dense dense(String name, int width, boolean biased) {
        int hidden = spec.hidden();
        PackedMatrix gateUp = packing.interleaved(
                hidden,
                files.tensor(name + "gate_proj.weight", width, hidden),
                files.tensor(name + "up_proj.weight", width, hidden));
        return new DecoderWeights.Dense(
                gateUp,
                biased ? gateUpBias(name, width, gateUp.panels()) : new float[0],
                packing.stacked(width, List.of(files.tensor(name + "down_proj.weight", hidden, width))),
                biased ? vector(name + "down_proj.bias", hidden, stride) : new float[0]);
    }

    /** Half a panel of each by turns, as the matrix has them. */
    private float[] gateUpBias(String name, int width, int panels) {
        int half = PANEL / 2;
        float[] gate = vector(name + "gate_proj.bias", width, panels * half);
        float[] up = vector(name + "up_proj.bias", width, panels * half);
        float[] both = new float[panels * PANEL];
        for (int panel = 0; panel < panels; panel++) {
            System.arraycopy(gate, panel * half, both, panel * PANEL, half);
            System.arraycopy(up, panel * half, both, panel * PANEL + half, half);
        }
        return both;
    }

    /**
     * A router is small, and which experts a token goes to hangs on its last bits: not quantised, its inputs not
     * rounded.
     */
    private DecoderWeights.Sparse sparse(String name) {
        int count = spec.experts().count();
        Shared shared = spec.experts().shared();
        List<Tensor> logits = new ArrayList<>(List.of(files.tensor(name + "gate.weight", count, spec.hidden())));
        if (shared.gated()) {
            logits.add(files.tensor(name + "shared_expert_gate.weight", 1, spec.hidden()));
        }
        PackedMatrix router = packing.exactly(spec.hidden(), logits);
        List<DecoderWeights.Dense> experts = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            experts.add(dense(
                    "%sexperts.%d.".formatted(name, i),
                    spec.experts().intermediate(),
                    spec.experts().biased()));
        }
        float[] bias =
                spec.experts().biased() ? vector(name + "gate.bias", count, router.panels() * PANEL) : new float[0];
        float[] correction = spec.experts().routing().corrected()
                ? vector(name + "gate.e_score_correction_bias", count, count)
                : new float[0];
        Optional<DecoderWeights.Dense> beside = shared.exists()
                ? Optional.of(dense(name + "shared_experts.", shared.width(), false))
                : Optional.empty();
        return new DecoderWeights.Sparse(router, bias, correction, List.copyOf(experts), beside);
    }

    PackedMatrix head() {
        Tensor table = spec.tiedEmbedding()
                ? embedding(files, spec)
                : files.tensor("lm_head.weight", spec.vocabulary(), spec.hidden());
        return packing.stacked(spec.hidden(), List.of(table));
    }

    static Tensor embedding(WeightFiles files, DecoderSpec spec) {
        return files.tensor("model.embed_tokens.weight", spec.vocabulary(), spec.hidden());
    }

    float[] norm(String name) {
        return vector(name, spec.hidden(), stride);
    }

    private float[] headNorm(String name, int width) {
        return width > 0 ? vector(name, width, width) : new float[0];
    }

    private float[] biases(int padded, String attention) {
        if (!spec.queryKeyValueBias()) {
            return new float[0];
        }
        int q = spec.queryWidth();
        int kv = spec.keyValueWidth();
        float[] all = vector(attention + "q_proj.bias", q, padded);
        System.arraycopy(vector(attention + "k_proj.bias", kv, kv), 0, all, q, kv);
        System.arraycopy(vector(attention + "v_proj.bias", kv, kv), 0, all, q + kv, kv);
        return all;
    }

    private float[] vector(String name, int size, int padded) {
        return Arrays.copyOf(files.tensor(name, size).toFloats(), padded);
    }
}
