package dev.jeton.models.torch;

import ai.djl.ndarray.types.DataType;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.jni.IValue;
import dev.jeton.models.DecoderSpec;
import dev.jeton.models.ModelException;
import dev.jeton.models.Tensor;
import dev.jeton.models.TensorType;
import dev.jeton.models.WeightFiles;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A model's weights as libtorch reads them: where they lie in files that it maps, without a copy, if the engine
 * computes in their type on the machine's cores; converted or on the device otherwise. The one place that knows of
 * files; checked by {@link WeightFiles}, which are needed only while loading.
 */
final class TorchWeights implements AutoCloseable {

    /** Most elements that are copied at once. */
    private static final int PIECE_FLOATS = 1 << 24;

    /** A file as libtorch maps it: all of it, as elements of one type. */
    private record Mapping(Path file, TorchType type) {}

    private final WeightFiles files;
    private final DecoderTensors tensors;
    private final TorchType type;
    private final boolean gpu;

    private TorchWeights(WeightFiles files, DecoderTensors tensors, boolean gpu) {
        this.files = files;
        this.tensors = tensors;
        this.gpu = gpu;
        type = type();
    }

    /**
     * Maps the weights of a model.
     *
     * @throws ModelException naming what is missing or broken
     */
    static TorchWeights open(Path model, DecoderSpec spec, DecoderTensors tensors, boolean gpu) {
        WeightFiles files = WeightFiles.open(model, spec);
        try {
            return new TorchWeights(files, tensors, gpu);
        } catch (RuntimeException | Error e) {
            files.close();
            throw e;
        }
    }

    /**
     * bf16 where all matrices but routers are, or some are quantised, which is widened; fp16 where all are, on a GPU
     * only, since cores compute it slowly; else float32.
     */
    private TorchType type() {
        List<TensorType> types = tensors.inOrder().stream()
                .filter(entry -> entry.shape().size() == 2 && !entry.single())
                .map(entry -> tensor(entry).type())
                .distinct()
                .toList();
        if (types.equals(List.of(TensorType.BF16)) || types.stream().anyMatch(TensorType::quantized)) {
            return TorchType.BFLOAT16;
        }
        return gpu && types.equals(List.of(TensorType.F16)) ? TorchType.HALF : TorchType.FLOAT;
    }

    private Tensor tensor(DecoderTensors.Entry entry) {
        return files.tensor(entry.name(), entry.shapeArray());
    }

    /** What the engine computes in. */
    TorchType computeType() {
        return type;
    }

    /** Bytes that the weights take on the device, mapped ones included. */
    long bytes() {
        long bytes = 0;
        for (DecoderTensors.Entry entry : tensors.inOrder()) {
            TorchType kept = kept(entry);
            bytes += entry.elements() * kept.bytes();
            Tensor tensor = tensor(entry);
            boolean asStored = TorchType.of(tensor.type()).equals(Optional.of(kept));
            // on the way to another type the file's pages are in memory, too
            bytes += !gpu && !asStored
                    ? tensor.elements()
                            / tensor.type().blockElements()
                            * tensor.type().blockBytes()
                    : 0;
        }
        return bytes;
    }

    private TorchType kept(DecoderTensors.Entry entry) {
        return entry.single() ? TorchType.FLOAT : type;
    }

    /** Hands all to the module, in the order that its script expects. */
    void load(TorchModule module) {
        List<Mapping> mapped = new ArrayList<>();
        for (DecoderTensors.Entry entry : tensors.inOrder()) {
            Tensor tensor = tensor(entry);
            Optional<TorchType> stored = TorchType.of(tensor.type());
            Optional<WeightFiles.FilePlace> place = files.place(entry.name());
            if (stored.isPresent()
                    && place.isPresent()
                    && place.get().offset() % stored.get().bytes() == 0) {
                take(module, mapped, entry, place.get(), stored.get());
            } else {
                copy(module, entry, tensor);
            }
        }
        module.run("unmap");
    }

    private void take(
            TorchModule module,
            List<Mapping> mapped,
            DecoderTensors.Entry entry,
            WeightFiles.FilePlace place,
            TorchType stored) {
        Mapping mapping = new Mapping(place.file(), stored);
        if (!mapped.contains(mapping)) {
            map(module, mapping);
            mapped.add(mapping);
        }
        module.run(
                "take",
                TorchModule.number(mapped.indexOf(mapping)),
                TorchModule.number(place.offset() / stored.bytes()),
                TorchModule.number(entry.elements()),
                TorchModule.number(kept(entry).code()),
                TorchModule.numbers(entry.shapeArray()));
    }

    private static void map(TorchModule module, Mapping mapping) {
        long bytes;
        try {
            bytes = Files.size(mapping.file);
        } catch (IOException e) {
            throw new ModelException("%s cannot be read: %s".formatted(mapping.file, e.getMessage()), e);
        }
        module.run(
                "map",
                IValue.from(mapping.file.toString()),
                TorchModule.number(bytes / mapping.type.bytes()),
                TorchModule.number(mapping.type.code()));
    }

    /** Row by row through float32, which holds all types exactly: for what libtorch cannot map. */
    private void copy(TorchModule module, DecoderTensors.Entry entry, Tensor tensor) {
        long rows = entry.shape().getFirst();
        int columns = Math.toIntExact(entry.elements() / rows);
        long most = Math.max(1, PIECE_FLOATS / columns);
        for (long from = 0; from < rows; from += most) {
            int count = (int) Math.min(most, rows - from);
            float[] values = new float[count * columns];
            tensor.copyTo(from * columns, values, 0, values.length);
            long[] shape = entry.shapeArray();
            shape[0] = count;
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment memory = arena.allocate(4L * values.length, 8);
                MemorySegment.copy(values, 0, memory, ValueLayout.JAVA_FLOAT, 0, values.length);
                try (PtNDArray array = module.tensor(memory, DataType.FLOAT32)) {
                    module.run(
                            from == 0 ? "add" : "join",
                            IValue.from(array),
                            TorchModule.number(kept(entry).code()),
                            TorchModule.numbers(shape));
                }
            }
        }
    }

    @Override
    public void close() {
        files.close();
    }
}
