package dev.jeton.models.cuda;

import dev.jeton.models.DecoderSpec;
import dev.jeton.models.ModelException;
import dev.jeton.models.Safetensors;
import dev.jeton.models.Tensor;
import dev.jeton.models.TensorType;
import dev.jeton.natives.DeviceMemory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A decoder's weights on the device. Matrices that read the same input are one: q, k and v one after the other, gate
 * and then up. What is no matrix is an address; 0 where the model has none.
 *
 * @param embedding {@code [vocabulary][hidden]}, with room for {@link DeviceShape#logitStride} rows
 * @param head the output projection of as many rows; the embedding where they are tied
 * @param finalNorm {@code [hidden]}
 * @param layers in order
 */
record DeviceWeights(long embedding, Matrix head, long finalNorm, List<Layer> layers) {

    /** One layer. */
    record Layer(
            long attentionNorm,
            Matrix queryKeyValue,
            long queryKeyValueBias,
            long queryNorm,
            long keyNorm,
            Matrix output,
            long outputBias,
            long feedForwardNorm,
            Matrix gateUp,
            Matrix down) {}

    DeviceWeights {
        layers = List.copyOf(layers);
    }

    /** Bytes that the weights of a model take in sixteen bits. */
    static long bytes(DecoderSpec spec) {
        long hidden = spec.hidden();
        long layer = hidden * (spec.queryWidth() + 2L * spec.keyValueWidth())
                + hidden * spec.queryWidth()
                + 3 * hidden * spec.intermediate()
                + 4 * hidden
                + spec.queryWidth()
                + 2L * spec.keyValueWidth();
        long tables = (spec.tiedEmbedding() ? 1 : 2) * hidden * spec.vocabulary();
        return 2 * (tables + spec.layers() * layer + hidden);
    }

    /** The type that a model's weights are brought to: fp16 where the files have F16, bf16 otherwise. */
    static DeviceShape.Type type(Path folder) {
        try (Safetensors files = Safetensors.open(folder)) {
            Tensor embedding = files.find("model.embed_tokens.weight")
                    .orElseThrow(
                            () -> new ModelException(folder + ": tensor \"model.embed_tokens.weight\" is missing"));
            return embedding.type() == TensorType.F16 ? DeviceShape.Type.FP16 : DeviceShape.Type.BF16;
        }
    }

    /** Uploads a model folder. */
    static DeviceWeights load(Path folder, DeviceShape shape, WeightUpload upload) {
        try (Safetensors files = Safetensors.open(folder)) {
            Loader loader = new Loader(shape.spec(), files, upload);
            DecoderSpec spec = shape.spec();
            int rows = shape.logitStride();
            Matrix embedding = loader.table(rows, "model.embed_tokens.weight");
            Matrix head = spec.tiedEmbedding() ? embedding : loader.table(rows, "lm_head.weight");
            List<Layer> layers = new ArrayList<>();
            for (int i = 0; i < spec.layers(); i++) {
                layers.add(loader.layer("model.layers." + i + "."));
            }
            DeviceWeights weights = new DeviceWeights(
                    embedding.address(), head, loader.vector(spec.hidden(), "model.norm.weight"), layers);
            upload.finish();
            return weights;
        }
    }

    private record Loader(DecoderSpec spec, Safetensors files, WeightUpload upload) {

        Layer layer(String name) {
            int hidden = spec.hidden();
            int query = spec.queryWidth();
            int keyValue = spec.keyValueWidth();
            String attention = name + "self_attn.";
            return new Layer(
                    vector(hidden, name + "input_layernorm.weight"),
                    matrix(
                            files.tensor(attention + "q_proj.weight", query, hidden),
                            files.tensor(attention + "k_proj.weight", keyValue, hidden),
                            files.tensor(attention + "v_proj.weight", keyValue, hidden)),
                    spec.queryKeyValueBias()
                            ? join(
                                    files.tensor(attention + "q_proj.bias", query),
                                    files.tensor(attention + "k_proj.bias", keyValue),
                                    files.tensor(attention + "v_proj.bias", keyValue))
                            : 0,
                    spec.headNorms() ? vector(spec.headDim(), attention + "q_norm.weight") : 0,
                    spec.headNorms() ? vector(spec.headDim(), attention + "k_norm.weight") : 0,
                    matrix(files.tensor(attention + "o_proj.weight", hidden, query)),
                    spec.outputBias() ? vector(hidden, attention + "o_proj.bias") : 0,
                    vector(hidden, name + "post_attention_layernorm.weight"),
                    matrix(
                            files.tensor(name + "mlp.gate_proj.weight", spec.intermediate(), hidden),
                            files.tensor(name + "mlp.up_proj.weight", spec.intermediate(), hidden)),
                    matrix(files.tensor(name + "mlp.down_proj.weight", hidden, spec.intermediate())));
        }

        /** A row for every token, and padding to {@code rows}, of undefined content. */
        Matrix table(int rows, String name) {
            long address = join((long) rows * spec.hidden(), files.tensor(name, spec.vocabulary(), spec.hidden()));
            return new Matrix(address, rows, spec.hidden());
        }

        /** Matrices with the same input, one after the other. */
        Matrix matrix(Tensor... parts) {
            int rows = 0;
            for (Tensor part : parts) {
                rows += Math.toIntExact(part.shape().get(0));
            }
            return new Matrix(
                    join(parts), rows, Math.toIntExact(parts[0].shape().get(1)));
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
}
