package dev.jeton.models;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Optional;

/**
 * The matrices of each head of {@link Latent} attention, {@code K_h^T} {@code [rank][plain]} and {@code V_h}
 * {@code [value][rank]}, of a tensor that has those of all heads. Folders and older GGUF files have {@code kv_b_proj}
 * {@code [heads (plain + value)][rank]}, head by head K and then V; newer GGUF files have both apart, {@code k_b}
 * {@code [heads][rank][plain]} and {@code v_b} {@code [heads][value][rank]}.
 */
final class LatentHeads {

    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final WeightFiles files;
    private final DecoderSpec spec;
    private final Latent latent;
    private final String name;

    /** @param name what the tensors of a layer's attention begin with */
    LatentHeads(WeightFiles files, DecoderSpec spec, String name) {
        this.files = files;
        this.spec = spec;
        latent = spec.latent();
        this.name = name;
    }

    /** One head's, where the layer has them. */
    Optional<Tensor> find(boolean key, int head) {
        Optional<Tensor> apart = files.find(name + (key ? "k_b.weight" : "v_b.weight"));
        if (apart.isPresent()) {
            List<Long> shape = key
                    ? List.of((long) spec.heads(), (long) latent.rank(), (long) latent.plain())
                    : List.of((long) spec.heads(), (long) latent.value(), (long) latent.rank());
            return apart.map(all -> shaped(all, shape).rows(head, 1).withoutFirst());
        }
        int rows = latent.plain() + latent.value();
        List<Long> shape = List.of((long) spec.heads() * rows, (long) latent.rank());
        return files.find(name + "kv_b_proj.weight").map(all -> {
            Tensor both = shaped(all, shape);
            long from = (long) head * rows;
            return key
                    ? widened(both.rows(from, latent.plain())).transposed()
                    : both.rows(from + latent.plain(), latent.value());
        });
    }

    private Tensor shaped(Tensor tensor, List<Long> shape) {
        if (!tensor.shape().equals(shape)) {
            throw new ModelException("%s: tensor \"%s\" has shape %s where the configuration asks for %s"
                    .formatted(files.source(), tensor.name(), tensor.shape(), shape));
        }
        return tensor;
    }

    /** Blocks of a row are of no use to a column. */
    private static Tensor widened(Tensor tensor) {
        if (!tensor.type().quantized()) {
            return tensor;
        }
        float[] values = tensor.toFloats();
        MemorySegment copy = Arena.ofAuto().allocate(4L * values.length, 64);
        MemorySegment.copy(values, 0, copy, FLOAT, 0, values.length);
        return new Tensor(tensor.name(), TensorType.F32, tensor.shape(), copy.asReadOnly());
    }
}
