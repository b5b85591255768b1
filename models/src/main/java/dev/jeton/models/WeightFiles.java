package dev.jeton.models;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * The weights of a model, whatever files they are in: tensors under the names, and in the layout, of a Hugging Face
 * folder.
 *
 * <p>Thread-safe for reading until {@link #close}, after which tensors must not be touched.
 */
public sealed interface WeightFiles extends AutoCloseable permits Safetensors, GgufWeights, FamilyWeights {

    /**
     * Maps the weights of a model: a Hugging Face folder or a GGUF file.
     *
     * @throws ModelException naming what is missing or broken
     */
    static WeightFiles open(Path model) {
        return GgufFile.is(model) ? GgufWeights.open(model) : Safetensors.open(model);
    }

    /**
     * Where a tensor's bytes lie in a file.
     *
     * @param offset of the first byte
     */
    record FilePlace(Path file, long offset) {}

    /** The same under the names, and in the parts, that most families of decoders have. */
    static WeightFiles open(Path model, DecoderSpec spec) {
        WeightFiles files = open(model);
        try {
            return new FamilyWeights(files, spec);
        } catch (RuntimeException | Error e) {
            files.close();
            throw e;
        }
    }

    /** Names of all tensors. */
    Set<String> names();

    /** A tensor, if the files hold it; an error where its element type cannot be read. */
    Optional<Tensor> find(String name);

    /** The element type of a tensor as its format names it; empty where the files do not hold the tensor. */
    Optional<String> type(String name);

    /**
     * The bytes of a tensor whose elements an engine interprets itself: packed weights of a checkpoint.
     *
     * @param type as the format names it
     * @throws ModelException naming the tensor, where it is missing or differs
     */
    MemorySegment bytes(String name, String type, long... shape);

    /**
     * Where a tensor lies, for engines whose library maps files itself; empty where the files do not hold it as it is
     * read, with its elements in order.
     */
    default Optional<FilePlace> place(String name) {
        return Optional.empty();
    }

    /** A tensor of the given shape; an error that names it where it is missing or differs. */
    default Tensor tensor(String name, long... shape) {
        Tensor tensor = find(name)
                .orElseThrow(() -> new ModelException(
                        "%s: tensor \"%s\" is missing; is the download complete?".formatted(source(), name)));
        requireShape(source(), name, tensor.shape(), shape);
        return tensor;
    }

    /** Where the weights are, for messages. */
    Path source();

    @Override
    void close();

    /** Refuses a shape that is not the one that the model's configuration asks for. */
    static void requireShape(Path source, String name, List<Long> found, long... shape) {
        List<Long> wanted = new ArrayList<>();
        for (long size : shape) {
            wanted.add(size);
        }
        if (!found.equals(wanted)) {
            throw new ModelException("%s: tensor \"%s\" has shape %s where the configuration asks for %s"
                    .formatted(source, name, found, wanted));
        }
    }
}
