package dev.jeton.models.cuda;

import dev.jeton.models.ModelException;
import dev.jeton.models.Tensor;
import dev.jeton.models.TensorType;
import dev.jeton.models.WeightFiles;
import dev.jeton.models.cuda.Shard.Cut;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

/**
 * The weights of a model's {@link Shard}: tensors under the names of the whole and with the shapes of the part. Rows of
 * a tensor are where the file has them; columns are gathered first, so that only the part's bytes are read.
 *
 * <p>What was gathered stays until {@link #release}. Memory: the largest group of tensors between two releases, which
 * is a matrix's part.
 *
 * <p>Owned by one thread.
 */
final class ShardFiles implements AutoCloseable {

    /** Modules that the files of some families have in place of several. */
    private static final List<String> FUSED = List.of("qkv_proj", "gate_up_proj");

    private static final int STRIPES = 8;
    private static final int ALIGNMENT = 64;
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final WeightFiles files;
    private final Shard shard;
    private final List<Arena> grown = new ArrayList<>();
    private MemorySegment scratch = MemorySegment.NULL;
    private long used;

    ShardFiles(WeightFiles files, Shard shard) {
        this.files = files;
        this.shard = shard;
    }

    /** The element type as the format names it; empty where the files do not hold the tensor. */
    Optional<String> type(String name) {
        return files.type(name);
    }

    /**
     * The first of a part's groups of inputs in the whole; 0 where all inputs are one.
     *
     * @param inputs of the part
     * @param group inputs of a group
     */
    int firstGroup(String module, int inputs, int group) {
        return Shard.cut(module) == Cut.INPUTS && inGroups(module) ? inputs * shard.part(module) / group : 0;
    }

    /** How many parts there are. */
    int ranks() {
        return shard.ranks();
    }

    /** Whether a part's inputs are those of its own groups in order, or another part's are not in question. */
    boolean inOrder(String module, int[] groupOf, int group) {
        if (shard.ranks() == 1 || Shard.cut(module) != Cut.INPUTS) {
            return true;
        }
        int first = firstGroup(module, groupOf.length, group);
        return IntStream.range(0, groupOf.length).allMatch(i -> groupOf[i] == first + i / group);
    }

    /**
     * Refuses a part that begins or ends within a block of values that share a scale.
     *
     * @param block outputs, and inputs, of a block
     * @throws ModelException naming the module
     */
    void requireWhole(String module, int outputs, int inputs, int block) {
        int size = switch (Shard.cut(module)) {
            case NONE -> block;
            case OUTPUTS -> outputs;
            case INPUTS -> inputs;
        };
        if (shard.ranks() > 1 && size % block != 0) {
            throw new ModelException(
                    "%s would have %d rows or columns on each of %d GPUs, and has scales of blocks of %d"
                            .formatted(module, size, shard.ranks(), block));
        }
    }

    /** The part of a tensor, if the files hold it. */
    Optional<Tensor> find(String name) {
        return files.find(name).map(tensor -> {
            int dimension = tensor.elements() == 1 ? -1 : dimension(name);
            return dimension < 0 ? tensor : part(tensor, dimension, module(name));
        });
    }

    /** How many elements the part of a tensor has, if the files hold it. */
    Optional<Long> elements(String name) {
        return files.find(name).map(tensor -> {
            int dimension = tensor.elements() == 1 ? -1 : dimension(name);
            if (dimension < 0) {
                return tensor.elements();
            }
            requireParts(tensor, dimension, module(name));
            return tensor.elements() / shard.parts(module(name));
        });
    }

    /** The part of a tensor, which has the given shape; an error that names it where it is missing or differs. */
    Tensor tensor(String name, long... shape) {
        int padding = shard.padding(module(name));
        if (padding > 0) {
            long[] stored = shape.clone();
            stored[Shard.cut(module(name)) == Cut.OUTPUTS ? 0 : 1] -= padding;
            return padded(files.tensor(name, stored), shape[0], shape[1]);
        }
        int dimension = dimension(name);
        if (dimension >= 0 && shard.uneven(module(name))) {
            long[] whole = shape.clone();
            whole[dimension] = shard.whole().experts().intermediate();
            return uneven(files.tensor(name, whole), dimension, shape);
        }
        Tensor tensor = files.tensor(name, wholeShape(name, dimension, shape));
        return dimension < 0 ? tensor : part(tensor, dimension, module(name));
    }

    /** The part of an expert's tensor and zeros after it; bytes of 0 are zeros in all types that can be cut there. */
    private Tensor uneven(Tensor tensor, int dimension, long... shape) {
        int from = shard.firstOfExperts();
        int own = shard.ownOfExperts();
        TensorType type = tensor.type();
        List<Long> part = LongStream.of(shape).boxed().toList();
        if (dimension == 0) {
            long bytes = tensor.row(0).byteSize();
            MemorySegment nothing = MemorySegment.ofArray(new byte[Math.toIntExact(bytes)]);
            MemorySegment data = gather(shape[0], bytes, row -> row < own ? tensor.row(from + row) : nothing);
            return new Tensor(tensor.name(), type, part, data);
        }
        int elements = type.blockElements();
        if (from % elements != 0 || own % elements != 0 || shape[1] % elements != 0) {
            throw new ModelException("tensor \"%s\" of %s cannot be divided among %d GPUs at %d of its inputs"
                    .formatted(tensor.name(), type, shard.ranks(), from));
        }
        long at = (long) from / elements * type.blockBytes();
        long ownBytes = (long) own / elements * type.blockBytes();
        long bytes = shape[1] / elements * type.blockBytes();
        MemorySegment data = gather(shape[0], bytes, row -> {
            MemorySegment padded = MemorySegment.ofArray(new byte[Math.toIntExact(bytes)]);
            MemorySegment.copy(tensor.row(row), at, padded, 0, ownBytes);
            return padded;
        });
        return new Tensor(tensor.name(), type, part, data);
    }

    /** All of a tensor, whatever the part, which has the given shape; an error that names it otherwise. */
    Tensor whole(String name, long... shape) {
        return files.tensor(name, shape);
    }

    /** The part's bytes of a tensor whose elements the engine interprets itself. */
    MemorySegment bytes(String name, String type, long... shape) {
        int dimension = dimension(name);
        MemorySegment whole = files.bytes(name, type, wholeShape(name, dimension, shape));
        if (dimension < 0) {
            return whole;
        }
        String module = module(name);
        long rows = LongStream.of(shape).limit(dimension).reduce(1, Math::multiplyExact);
        long stride = whole.byteSize() / rows;
        long width = stride / shard.parts(module);
        long from = width * shard.part(module);
        if (rows == 1) {
            return whole.asSlice(from, width);
        }
        return gather(rows, width, row -> whole.asSlice(row * stride + from, width));
    }

    private static String module(String name) {
        return name.substring(0, name.lastIndexOf('.'));
    }

    /** The dimension along which a tensor is divided; -1 where every part has all of it. */
    private int dimension(String name) {
        String module = module(name);
        Cut cut = Shard.cut(module);
        if (shard.ranks() == 1) {
            return -1;
        }
        if (FUSED.stream().anyMatch(module::endsWith)) {
            throw new ModelException(
                    "\"%s\" is of several matrices in one, which cannot be divided among GPUs".formatted(name));
        }
        if (cut == Cut.NONE) {
            return -1;
        }
        if (module.equals(Shard.HEAD) && !shard.headDivides()) {
            throw new ModelException(
                    "\"%s\" has %d rows, which do not divide among %d GPUs by eights; --tensor-parallel-size may be one of %s"
                            .formatted(
                                    name, shard.whole().vocabulary(), shard.ranks(), shard.sizes(Shard::headDivides)));
        }
        boolean outputs = cut == Cut.OUTPUTS;
        return switch (name.substring(name.lastIndexOf('.') + 1)) {
            case "weight" -> outputs ? 0 : 1;
            case "weight_packed" -> outputs ? 0 : 1;
            case "bias" -> outputs ? 0 : -1;
            case "weight_scale", "weight_scale_inv", "weight_zero_point" -> outputs ? 0 : inGroups(module) ? 1 : -1;
            case "qweight" -> outputs ? 1 : 0;
            case "qzeros", "scales" -> outputs ? 1 : inGroups(module) ? 0 : -1;
            case "g_idx", "weight_g_idx" -> outputs ? -1 : 0;
            default ->
                throw new ModelException(
                        "tensor \"%s\" cannot be divided among GPUs; use --tensor-parallel-size 1".formatted(name));
        };
    }

    /** Whether a module's scales are of groups of inputs, not of all. */
    private boolean inGroups(String module) {
        return groups(module + ".scales", 0)
                || groups(module + ".weight_scale", 1)
                || groups(module + ".weight_scale_inv", 1);
    }

    private boolean groups(String scales, int dimension) {
        return files.find(scales)
                .filter(scale -> scale.shape().size() == 2 && scale.shape().get(dimension) > 1)
                .isPresent();
    }

    private long[] wholeShape(String name, int dimension, long[] shape) {
        if (dimension < 0) {
            return shape;
        }
        long[] whole = shape.clone();
        whole[dimension] *= shard.parts(module(name));
        return whole;
    }

    private Tensor part(Tensor tensor, int dimension, String module) {
        requireParts(tensor, dimension, module);
        long width = tensor.shape().get(dimension) / shard.parts(module);
        long from = width * shard.part(module);
        if (dimension == 0) {
            return tensor.rows(from, width);
        }
        return columns(tensor, from, width);
    }

    private void requireParts(Tensor tensor, int dimension, String module) {
        long size = tensor.shape().get(dimension);
        if (size % shard.parts(module) != 0) {
            throw new ModelException(
                    "tensor \"%s\" of shape %s cannot be divided among %d GPUs; --tensor-parallel-size may be one of %s"
                            .formatted(
                                    tensor.name(),
                                    tensor.shape(),
                                    shard.ranks(),
                                    shard.sizes(part -> size % part.parts(module) == 0)));
        }
    }

    private Tensor columns(Tensor tensor, long from, long width) {
        TensorType type = tensor.type();
        long rows = tensor.shape().getFirst();
        List<Long> shape = new ArrayList<>(List.of(rows, width));
        int elements = type.blockElements();
        if (from % elements == 0 && width % elements == 0) {
            long bytes = width / elements * type.blockBytes();
            long at = from / elements * type.blockBytes();
            MemorySegment data = gather(rows, bytes, row -> tensor.row(row).asSlice(at, bytes));
            return new Tensor(tensor.name(), type, shape, data);
        }
        // blocks of elements that two parts share are read by both
        long whole = tensor.shape().get(1);
        int count = Math.toIntExact(width);
        MemorySegment data = gather(rows, Float.BYTES * width, row -> {
            float[] values = new float[count];
            tensor.copyTo(row * whole + from, values, 0, count);
            return floats(values);
        });
        return new Tensor(tensor.name(), TensorType.F32, shape, data);
    }

    /** The same values with zeros after them, in float: for the small models whose widths want it. */
    private Tensor padded(Tensor tensor, long rows, long columns) {
        int count = Math.toIntExact(tensor.shape().get(1));
        MemorySegment data = gather(rows, Float.BYTES * columns, row -> {
            float[] values = new float[Math.toIntExact(columns)];
            if (row < tensor.shape().getFirst()) {
                tensor.copyTo(row * count, values, 0, count);
            }
            return floats(values);
        });
        return new Tensor(tensor.name(), TensorType.F32, List.of(rows, columns), data);
    }

    private static MemorySegment floats(float[] values) {
        MemorySegment floats = MemorySegment.ofArray(new byte[Float.BYTES * values.length]);
        MemorySegment.copy(values, 0, floats, FLOAT, 0, values.length);
        return floats;
    }

    /** Where a row's bytes are. */
    private interface Row {
        MemorySegment of(long row);
    }

    private MemorySegment gather(long rows, long width, Row from) {
        MemorySegment to = memory(rows * width);
        long stripe = (rows + STRIPES - 1) / STRIPES;
        IntStream.range(0, STRIPES).parallel().forEach(i -> {
            for (long row = i * stripe; row < Math.min(rows, (i + 1) * stripe); row++) {
                MemorySegment.copy(from.of(row), 0, to, row * width, width);
            }
        });
        return to;
    }

    private MemorySegment memory(long bytes) {
        if (bytes > scratch.byteSize() - used) {
            Arena arena = Arena.ofShared();
            grown.add(arena);
            scratch = arena.allocate(bytes, ALIGNMENT);
            used = 0;
        }
        MemorySegment memory = scratch.asSlice(used, bytes);
        used = Math.min(scratch.byteSize(), (used + bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
        return memory;
    }

    /** What was gathered so far may be overwritten. */
    void release() {
        used = 0;
        while (grown.size() > 1) {
            grown.removeFirst().close();
        }
    }

    /** Closes the files, too. */
    @Override
    public void close() {
        grown.forEach(Arena::close);
        files.close();
    }
}
