package dev.jeton.models.cuda;

import dev.jeton.models.DecoderSpec;
import dev.jeton.models.Experts.Shared;
import dev.jeton.models.Latent;
import dev.jeton.models.ModelException;
import dev.jeton.models.Tensor;
import dev.jeton.models.cuda.DeviceWeights.Dense;
import dev.jeton.models.cuda.DeviceWeights.LatentWeights;
import dev.jeton.models.cuda.DeviceWeights.Layer;
import dev.jeton.models.cuda.DeviceWeights.Sparse;
import dev.jeton.models.cuda.MatrixLoader.Part;
import dev.jeton.natives.DeviceMemory;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** Finds a decoder's tensors by their names and brings what is no matrix of layers to the device itself. */
record WeightLoader(DeviceShape shape, DecoderSpec spec, ShardFiles files, WeightUpload upload, MatrixLoader matrices) {

    /** The layer whose tensors begin with a name. */
    Layer layer(String name, boolean sparse) {
        int hidden = spec.hidden();
        int query = spec.queryWidth();
        int keyValue = spec.keyValueWidth();
        String attention = name + "self_attn.";
        boolean branches = spec.norms().branches();
        return new Layer(
                spec.norms().inputs() ? norm(hidden, name + "input_layernorm.weight") : 0,
                queryKeyValue(attention),
                spec.queryKeyValueBias()
                        ? join(
                                files.tensor(attention + "q_proj.bias", query),
                                files.tensor(attention + "k_proj.bias", keyValue),
                                files.tensor(attention + "v_proj.bias", keyValue))
                        : 0,
                headNorm(
                        attention + "q_norm.weight",
                        spec.queryNormWidth(),
                        shape.shard().part(attention + "q_proj")),
                headNorm(
                        attention + "k_norm.weight",
                        spec.keyNormWidth(),
                        shape.shard().part(attention + "k_proj")),
                spec.sinks() ? sinks(attention + "sinks") : 0,
                spec.latent().exists() ? Optional.of(latent(attention)) : Optional.empty(),
                matrices.load(spec.attendedWidth(), new Part(attention + "o_proj", hidden)),
                spec.outputBias() ? vector(hidden, attention + "o_proj.bias") : 0,
                branches ? norm(hidden, name + "post_attention_layernorm.weight") : 0,
                spec.norms().inputs() ? norm(hidden, name + spec.feedNorm() + ".weight") : 0,
                sparse ? experts(name + "mlp.") : dense(name + "mlp.", spec.intermediate()),
                branches ? norm(hidden, name + "post_feedforward_layernorm.weight") : 0,
                scale(attention + "k_scale"),
                scale(attention + "v_scale"));
    }

    private Matrix queryKeyValue(String attention) {
        Latent latent = spec.latent();
        int hidden = spec.hidden();
        if (!latent.exists()) {
            return matrices.load(
                    hidden,
                    new Part(attention + "q_proj", spec.queryWidth()),
                    new Part(attention + "k_proj", spec.keyValueWidth()),
                    new Part(attention + "v_proj", spec.keyValueWidth()));
        }
        Part vector = new Part(attention + "kv_a_proj_with_mqa", latent.width());
        return latent.queryRank() > 0
                ? matrices.load(hidden, new Part(attention + "q_a_proj", latent.queryRank()), vector)
                : matrices.load(hidden, vector);
    }

    private LatentWeights latent(String attention) {
        Latent latent = spec.latent();
        int narrow = latent.queryRank();
        Matrix queryUp = narrow > 0
                ? matrices.load(narrow, new Part(attention + "q_b_proj", spec.queryWidth()))
                : matrices.load(spec.hidden(), new Part(attention + "q_proj", spec.queryWidth()));
        int keyRows = spec.heads() * latent.rank();
        int valueRows = spec.heads() * latent.value();
        DeviceMemory keys = upload.memory((long) keyRows * latent.plain());
        DeviceMemory values = upload.memory((long) valueRows * latent.rank());
        if (files.type(attention + "k_b.weight").isPresent()) {
            apart(attention + "key_up", keys, latent.rank(), latent.plain());
            apart(attention + "value_up", values, latent.value(), latent.rank());
        } else {
            int rows = spec.heads() * (latent.plain() + latent.value());
            matrices.heads(new Part(attention + "kv_b_proj", rows), latent, keys, values);
        }
        return new LatentWeights(
                narrow > 0 ? norm(narrow, attention + "q_a_layernorm.weight") : 0,
                queryUp,
                norm(latent.rank(), attention + "kv_a_layernorm.weight"),
                new Matrix(keys.address(), keyRows, latent.plain()),
                new Matrix(values.address(), valueRows, latent.rank()));
    }

    /** Matrices of this part's heads that the files have one by one. */
    private void apart(String name, DeviceMemory to, int rows, int columns) {
        int first = shape.shard().rank() * spec.heads();
        for (int head = 0; head < spec.heads(); head++) {
            Tensor own = files.whole("%s.%d.weight".formatted(name, first + head), rows, columns);
            upload.send(own, to, 2L * head * rows * columns);
        }
    }

    /** A feed-forward layer for all tokens. */
    private Dense dense(String name, int width) {
        return matrices.feed(
                spec.hidden(),
                width,
                new Part(name + "gate_proj", width),
                new Part(name + "up_proj", width),
                new Part(name + "down_proj", spec.hidden()));
    }

    private Sparse experts(String name) {
        int width = spec.experts().intermediate();
        int count = spec.experts().count();
        List<MatrixLoader.Expert> experts = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            String expert = "%sexperts.%d.".formatted(name, i);
            experts.add(new MatrixLoader.Expert(
                    new Part(expert + "gate_proj", width),
                    new Part(expert + "up_proj", width),
                    new Part(expert + "down_proj", spec.hidden())));
        }
        Matrix router = router(name);
        boolean biased = spec.experts().biased();
        long routerBias = biased ? norm(count, name + "gate.bias") : 0;
        long correction = spec.experts().routing().corrected() ? norm(count, name + "gate.e_score_correction_bias") : 0;
        MatrixLoader.Experts loaded = matrices.experts(spec.hidden(), width, experts);
        List<Part> gateUp = experts.stream()
                .flatMap(each -> Stream.of(each.gate(), each.up()))
                .toList();
        List<Part> down = experts.stream().map(MatrixLoader.Expert::down).toList();
        return new Sparse(
                router,
                routerBias,
                correction,
                loaded.gateUp(),
                biased ? biases(gateUp) : 0,
                loaded.down(),
                biased && shape.shard().rank() == 0 ? biases(down) : 0,
                beside(name));
    }

    private Matrix router(String name) {
        int rows = shape.routerLogits();
        int hidden = spec.hidden();
        List<Tensor> parts = new ArrayList<>(
                List.of(files.tensor(name + "gate.weight", spec.experts().count(), hidden)));
        if (spec.experts().shared().gated()) {
            parts.add(files.tensor(name + "shared_expert_gate.weight", 1, hidden));
        }
        return new Matrix(join((long) rows * hidden, parts.toArray(Tensor[]::new)), rows, hidden);
    }

    private Optional<Dense> beside(String name) {
        Shared shared = spec.experts().shared();
        return shared.exists() ? Optional.of(dense(name + "shared_experts.", shared.width())) : Optional.empty();
    }

    /** Biases of matrices one after the other, in binary32. */
    private long biases(List<Part> parts) {
        float[] all = new float[parts.stream().mapToInt(Part::rows).sum()];
        int at = 0;
        for (Part part : parts) {
            files.tensor(part.name() + ".bias", part.rows()).copyTo(0, all, at, part.rows());
            at += part.rows();
        }
        files.release();
        return upload.floats(all).address();
    }

    /** Weights of a norm of heads, of which those of a part are this one's where all have their own. */
    private long headNorm(String name, int width, int part) {
        return switch (spec.norms().heads()) {
            case NONE -> 0;
            case EACH -> norm(width, name);
            case TOGETHER -> {
                DecoderSpec whole = shape.shard().whole();
                int all = name.endsWith("q_norm.weight") ? whole.queryNormWidth() : whole.keyNormWidth();
                yield upload.floats(files.whole(name, all).rows((long) part * width, width))
                        .address();
            }
        };
    }

    /** Those of this part's query heads. */
    private long sinks(String name) {
        Shard shard = shape.shard();
        Tensor all = files.whole(name, shard.whole().heads());
        return upload.floats(all.rows((long) shard.rank() * spec.heads(), spec.heads()))
                .address();
    }

    /** Some rows of a table of all tokens, and padding to {@code rows}, of undefined content. */
    long table(int rows, String name, int from, int count) {
        Tensor all = files.whole(name, spec.vocabulary(), spec.hidden());
        return join((long) rows * spec.hidden(), all.rows(from, count));
    }

    /** The output projection of the tokens that are this part's. */
    Matrix head(long embedding) {
        Shard shard = shape.shard();
        int rows = shard.headRows();
        if (spec.tiedEmbedding()) {
            return new Matrix(embedding + 2L * shard.rank() * rows * spec.hidden(), rows, spec.hidden());
        }
        int count = shard.headTokens();
        return matrices.head(spec.hidden(), rows, new Part(Shard.HEAD, count))
                .orElseGet(() -> new Matrix(
                        table(rows, Shard.HEAD + ".weight", shard.firstToken(), count), rows, spec.hidden()));
    }

    /** A scale of the whole cache, as checkpoints that were calibrated for fp8 have it; 1 elsewhere. */
    private float scale(String name) {
        Optional<Tensor> tensor = files.find(name);
        if (tensor.isEmpty()) {
            return 1;
        }
        float scale = tensor.get().elements() == 1 ? tensor.get().at(0) : Float.NaN;
        if (!(scale > 0 && scale < Float.POSITIVE_INFINITY)) {
            throw new ModelException("tensor \"%s\" has shape %s and begins with %s; one positive scale is expected"
                    .formatted(name, tensor.get().shape(), tensor.get().elements() == 0 ? "nothing" : scale));
        }
        return scale;
    }

    /** In binary32. */
    long norm(long size, String name) {
        return upload.floats(files.tensor(name, size)).address();
    }

    long vector(long size, String name) {
        return join(files.tensor(name, size));
    }

    private long join(Tensor... parts) {
        long elements = 0;
        for (Tensor part : parts) {
            elements += part.elements();
        }
        return join(elements, parts);
    }

    private long join(long elements, Tensor... parts) {
        DeviceMemory memory = upload.memory(elements);
        long at = 0;
        for (Tensor part : parts) {
            upload.send(part, memory, at);
            at += 2 * part.elements();
        }
        return memory.address();
    }
}
