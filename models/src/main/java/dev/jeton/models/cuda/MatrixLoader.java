package dev.jeton.models.cuda;

import dev.jeton.models.CheckpointQuantization;
import dev.jeton.models.Latent;
import dev.jeton.models.ModelException;
import dev.jeton.models.Tensor;
import dev.jeton.models.cuda.DeviceWeights.Dense;
import dev.jeton.models.cuda.StoredMatrix.Grouped;
import dev.jeton.natives.DeviceMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * Brings matrices to the device in the format that the files have, or quantised on the way as the options ask. Matrices
 * that read the same input are loaded as one, each into its rows; so are those of all experts of a layer.
 *
 * <p>Bytes on the device: those that come over the bus are written and read once more where they are repacked or
 * quantised, which is little beside the bus.
 */
final class MatrixLoader {

    /** Where tensors that a kernel reads together begin. */
    private static final int ALIGNMENT = 256;

    /** Blocks of threads that pass over a matrix. */
    private static final int SPREAD = 4096;

    /** A matrix of the files. */
    record Part(String name, int rows) {}

    /** An expert's matrices of the files. */
    record Expert(Part gate, Part up, Part down) {}

    /** Those of all experts of a layer: gate and up of the first, of the second and so on, and likewise down. */
    record Experts(Matrix gateUp, Matrix down) {}

    /** Part of a matrix on the device: the outputs that its rows are of, where they have an order of their own. */
    private record Piece(StoredMatrix stored, Optional<int[]> rowOrder) {}

    /** A matrix on the device and its memory. */
    private record Room(Matrix matrix, DeviceMemory values, Optional<DeviceMemory> scales) {
        DeviceMemory scaled() {
            return scales.orElseThrow();
        }
    }

    private final ShardFiles files;
    private final Device device;
    private final WeightUpload upload;
    private final StepKernels kernels;
    private final CheckpointQuantization checkpoint;
    private final WeightFormat wanted;
    private Optional<DeviceMemory> scratch = Optional.empty();

    /**
     * @param wanted the format of matrices that the files have in sixteen bits
     * @throws ModelException where a quantised checkpoint is to be quantised again
     */
    MatrixLoader(
            ShardFiles files,
            Device device,
            WeightUpload upload,
            StepKernels kernels,
            CheckpointQuantization checkpoint,
            WeightFormat wanted) {
        this.files = files;
        this.device = device;
        this.upload = upload;
        this.kernels = kernels;
        this.checkpoint = checkpoint;
        this.wanted = wanted;
        if (wanted != WeightFormat.SIXTEEN && !(checkpoint instanceof CheckpointQuantization.None)) {
            throw new ModelException("the weights are quantised already; leave --quantize");
        }
    }

    /** Loads matrices of {@code columns} inputs one after the other. */
    Matrix load(int columns, Part... parts) {
        return load(columns, 0, parts.length, pieces(columns, Optional.empty(), parts));
    }

    /**
     * Loads a feed-forward layer. Where down has its inputs in an order of its own, so have gate and up their outputs,
     * if they are integers in groups, too: nothing is left to be brought into order then.
     *
     * @param hidden inputs of gate and up
     * @param width inputs of down
     */
    Dense feed(int hidden, int width, Part gate, Part up, Part down) {
        Optional<int[]> order = innerOrder(hidden, width, gate, down);
        Matrix gateUp = load(hidden, 0, 2, pieces(hidden, order, gate, up));
        Matrix loaded = load(width, down);
        return new Dense(gateUp, order.isPresent() ? loaded.inOrder() : loaded);
    }

    /** The order of down's inputs, where gate and up can have their outputs in it. */
    private Optional<int[]> innerOrder(int hidden, int width, Part gate, Part down) {
        StoredMatrix last = stored(width, down);
        boolean possible =
                last.format().inGroups() && stored(hidden, gate).format().inGroups();
        return possible ? last.order() : Optional.empty();
    }

    /**
     * The same of all experts of a layer, each of which may have orders of its own.
     *
     * @throws ModelException where no kernel reads them as they are
     */
    Experts experts(int hidden, int width, List<Expert> experts) {
        List<Piece> gateUp = new ArrayList<>();
        List<Piece> down = new ArrayList<>();
        boolean ordered = false;
        for (Expert expert : experts) {
            Optional<int[]> order = innerOrder(hidden, width, expert.gate, expert.down);
            ordered |= order.isPresent();
            gateUp.addAll(pieces(hidden, order, expert.gate, expert.up));
            down.addAll(pieces(width, Optional.empty(), expert.down));
        }
        Matrix first = fitting(load(hidden, 0, 2, gateUp));
        Matrix last = fitting(load(width, 0, 1, down));
        if (last.order() != 0 && !ordered) {
            throw new ModelException("%s reorders inputs, which %s, in %s, cannot give in that order"
                    .formatted(experts.getFirst().down.name, experts.getFirst().gate.name, first.format()));
        }
        return new Experts(first, last.inOrder());
    }

    /** Weights of experts are never written out, so their widths must be those that kernels read. */
    private static Matrix fitting(Matrix matrix) {
        if (matrix.columns() % matrix.format().step() != 0) {
            throw new ModelException(
                    "experts of %d inputs are not multiplied in %s, which takes multiples of %d; use the original weights"
                            .formatted(
                                    matrix.columns(),
                                    matrix.format(),
                                    matrix.format().step()));
        }
        return matrix;
    }

    private List<Piece> pieces(int columns, Optional<int[]> rowOrder, Part... parts) {
        return stored(columns, parts).stream()
                .map(each -> new Piece(each, rowOrder))
                .toList();
    }

    /**
     * Loads the output projection where the checkpoint has quantised it; empty where it has not.
     *
     * @param rows of the matrix, those past the part's own being of undefined content
     * @throws ModelException where logits cannot be computed from it as it is
     */
    Optional<Matrix> head(int columns, int rows, Part part) {
        WeightFormat format = stored(columns, part).format();
        if (format == WeightFormat.SIXTEEN) {
            return Optional.empty();
        }
        if (columns % format.step() != 0) {
            throw new ModelException("%s of %d inputs is not multiplied in %s, which takes multiples of %d"
                    .formatted(part.name, columns, format, format.step()));
        }
        return Optional.of(load(columns, rows, 1, pieces(columns, Optional.empty(), part)));
    }

    /**
     * Brings the matrices that each head of latent attention has, in sixteen bits whatever the files have them in.
     *
     * @param both of all heads, K and then V of each
     * @param keys where {@code K^T} of all heads goes
     * @param values where V goes
     */
    void heads(Part both, Latent latent, DeviceMemory keys, DeviceMemory values) {
        StoredMatrix stored = stored(latent.rank(), both);
        Room room = room(stored.format(), both.rows, latent.rank());
        List<DeviceMemory> used = new ArrayList<>();
        used.add(room.values);
        room.scales.ifPresent(used::add);
        long plain = room.values.address();
        if (stored.format() == WeightFormat.SIXTEEN) {
            upload.send(files.tensor(both.name + ".weight", both.rows, latent.rank()), room.values, 0);
        } else {
            List<Optional<int[]>> orders = new ArrayList<>();
            fill(room, 1, List.of(new Piece(stored, Optional.empty())), orders);
            plain = written(room.matrix, orders.isEmpty() ? Optional.empty() : orders.getFirst(), used);
        }
        kernels.get("split_heads")
                .begin()
                .pointer(plain)
                .integer(latent.value())
                .pointer(keys.address())
                .pointer(values.address())
                .launch(SPREAD, 1, 256, 0);
        files.release();
        device.await();
        used.forEach(DeviceMemory::close);
    }

    /**
     * Writes a matrix out in sixteen bits, with its inputs in the order that the model has them in.
     *
     * @param order that the matrix has them in
     * @param used gets the memory for it
     */
    private long written(Matrix matrix, Optional<int[]> order, List<DeviceMemory> used) {
        long bytes = 2L * matrix.rows() * matrix.columns();
        DeviceMemory plain = device.memory(bytes);
        used.add(plain);
        kernels.get("dequantize", matrix.format())
                .begin()
                .pointer(matrix.address())
                .pointer(matrix.scales())
                .integer(matrix.rows())
                .integer(matrix.columns())
                .pointer(plain.address())
                .launch(SPREAD, 1, 256, 0);
        if (order.isEmpty()) {
            return plain.address();
        }
        DeviceMemory places = indexes(inverse(order.get()));
        DeviceMemory ordered = device.memory(bytes);
        used.addAll(List.of(places, ordered));
        kernels.get("gather_columns")
                .begin()
                .pointer(0)
                .integer(matrix.rows())
                .pointer(plain.address())
                .pointer(places.address())
                .integer(matrix.columns())
                .pointer(ordered.address())
                .launch(matrix.rows(), Kernel.blocks(matrix.columns(), 8 * 256), 256, 0);
        return ordered.address();
    }

    private static int[] inverse(int[] order) {
        int[] places = new int[order.length];
        for (int i = 0; i < order.length; i++) {
            places[order[i]] = i;
        }
        return places;
    }

    private StoredMatrix stored(int columns, Part part) {
        return new StoredMatrix(files, checkpoint, part.name, part.rows, columns);
    }

    /**
     * Rows of q, k and v, or of gate and up, are one matrix in the files of some families; where it is quantised, it is
     * loaded as it is.
     */
    private List<StoredMatrix> stored(int columns, Part... parts) {
        String first = parts[0].name;
        String whole = parts.length == 3 && first.endsWith(".q_proj")
                ? first.replaceFirst("q_proj$", "qkv_proj")
                : parts.length == 2 && first.endsWith(".gate_proj")
                        ? first.replaceFirst("gate_proj$", "gate_up_proj")
                        : first;
        int rows = Arrays.stream(parts).mapToInt(Part::rows).sum();
        StoredMatrix fused = stored(columns, new Part(whole, rows));
        return !whole.equals(first) && fused.format() != WeightFormat.SIXTEEN
                ? List.of(fused)
                : Arrays.stream(parts).map(part -> stored(columns, part)).toList();
    }

    /**
     * Loads pieces one after the other.
     *
     * @param least rows that the matrix has at least
     * @param together how many pieces at a time are multiplied with the same inputs, and so have them in one order
     */
    private Matrix load(int columns, int least, int together, List<Piece> pieces) {
        List<StoredMatrix> all = pieces.stream().map(Piece::stored).toList();
        List<WeightFormat> formats = all.stream().map(this::format).distinct().toList();
        WeightFormat format = WeightFormat.common(formats)
                .orElseThrow(() ->
                        new ModelException("%s are of different formats (%s), which cannot be multiplied together"
                                .formatted(
                                        names(all),
                                        formats.stream()
                                                .map(WeightFormat::toString)
                                                .collect(Collectors.joining(", ")))));
        int rows = all.stream().mapToInt(StoredMatrix::rows).sum();
        Room room = room(format, Math.max(least, rows), columns);
        List<Optional<int[]>> orders = new ArrayList<>();
        fill(room, together, pieces, orders);
        Matrix matrix = room.matrix;
        if (orders.stream().allMatch(Optional::isEmpty)) {
            return matrix;
        }
        int[] inputs = orders.stream()
                .flatMapToInt(order -> order.map(Arrays::stream).orElseGet(() -> IntStream.range(0, columns)))
                .toArray();
        long order = indexes(inputs).address();
        return new Matrix(matrix.format(), matrix.address(), matrix.scales(), matrix.rows(), columns, order);
    }

    /** Brings pieces to their rows; adds the order of inputs of each that are together. */
    private void fill(Room room, int together, List<Piece> pieces, List<Optional<int[]>> orders) {
        List<StoredMatrix> all = pieces.stream().map(Piece::stored).toList();
        int columns = room.matrix.columns();
        int from = 0;
        for (int i = 0; i < pieces.size(); i++) {
            StoredMatrix each = all.get(i);
            switch (room.matrix.format()) {
                case SIXTEEN -> upload.send(plain(each), room.values, 2L * from * columns);
                case INT8, FP8, FP8_BLOCK -> {
                    if (each.format() == WeightFormat.SIXTEEN) {
                        quantize(each, room.matrix, from);
                    } else {
                        copy(each, room, from);
                    }
                }
                case INT4, INT4_64, INT4_32, INT8_128, INT8_64, INT8_32 -> {
                    Grouped grouped = each.grouped();
                    if (i % together == 0) {
                        orders.add(grouped.order());
                    } else if (!Arrays.equals(
                            grouped.order().orElse(null), orders.getLast().orElse(null))) {
                        throw new ModelException(
                                "%s reorder inputs each in its own way, so that they cannot be multiplied together"
                                        .formatted(names(all.subList(i / together * together, i + 1))));
                    }
                    repack(grouped, pieces.get(i).rowOrder, each, room.matrix, from);
                }
                case MXFP4 -> repackBlocks(each, room.matrix, from);
            }
            from += each.rows();
            files.release();
        }
    }

    private static String names(List<StoredMatrix> all) {
        return all.stream().limit(3).map(StoredMatrix::name).collect(Collectors.joining(", "))
                + (all.size() > 3 ? " and %d more".formatted(all.size() - 3) : "");
    }

    private WeightFormat format(StoredMatrix stored) {
        WeightFormat own = stored.format();
        if (own == WeightFormat.MXFP4 && wanted != WeightFormat.SIXTEEN) {
            throw quantisedAlready(stored, own.toString());
        }
        boolean free = checkpoint instanceof CheckpointQuantization.None && own == WeightFormat.SIXTEEN;
        return free ? wanted : own;
    }

    private static ModelException quantisedAlready(StoredMatrix stored, String type) {
        return new ModelException(
                "the weights are quantised already (%s is %s); leave --quantize".formatted(stored.name(), type));
    }

    private Room room(WeightFormat format, int rows, int columns) {
        DeviceMemory values = device.memory(format.valueBytes(rows, columns));
        Optional<DeviceMemory> scales = format == WeightFormat.SIXTEEN
                ? Optional.empty()
                : Optional.of(device.memory(format.scaleBytes(rows, columns)));
        long scalesAt = scales.map(DeviceMemory::address).orElse(0L);
        return new Room(new Matrix(format, values.address(), scalesAt, rows, columns, 0), values, scales);
    }

    private Tensor plain(StoredMatrix stored) {
        Tensor tensor = files.tensor(stored.name() + ".weight", stored.rows(), stored.columns());
        if (tensor.type().quantized() && wanted != WeightFormat.SIXTEEN) {
            throw quantisedAlready(stored, tensor.type().toString());
        }
        return tensor;
    }

    private void quantize(StoredMatrix stored, Matrix matrix, int from) {
        int columns = matrix.columns();
        DeviceMemory plain = scratch(2L * stored.rows() * columns);
        upload.send(plain(stored), plain, 0);
        kernels.get(matrix.format() == WeightFormat.INT8 ? "quantize_int8_rows" : "quantize_fp8_rows")
                .begin()
                .pointer(0)
                .integer(stored.rows())
                .pointer(plain.address())
                .integer(columns)
                .pointer(matrix.address() + (long) from * columns)
                .pointer(matrix.scales(from))
                .launch(stored.rows(), 1, 256, 0);
    }

    private void copy(StoredMatrix stored, Room room, int from) {
        WeightFormat format = room.matrix.format();
        float[] scales = format == WeightFormat.FP8_BLOCK ? stored.blockScales() : stored.rowScales();
        try (Arena arena = Arena.ofShared()) {
            upload.bytes(stored.eightBits(format, arena), room.values, (long) from * stored.columns());
        }
        upload.bytes(MemorySegment.ofArray(scales), room.scaled(), format.scaleBytes(from, stored.columns()));
    }

    private void repack(Grouped grouped, Optional<int[]> rowOrder, StoredMatrix stored, Matrix matrix, int from) {
        long zerosAt = aligned(grouped.words().byteSize());
        long scalesAt =
                zerosAt + aligned(grouped.zeros().map(MemorySegment::byteSize).orElse(0L));
        long orderAt = scalesAt + aligned(grouped.scales().byteSize());
        long rowOrderAt = orderAt + aligned(4L * stored.columns());
        DeviceMemory packed = scratch(rowOrderAt + 4L * stored.rows());
        upload.bytes(grouped.words(), packed, 0);
        grouped.zeros().ifPresent(zeros -> upload.bytes(zeros, packed, zerosAt));
        upload.bytes(grouped.scales(), packed, scalesAt);
        grouped.order().ifPresent(order -> upload.bytes(MemorySegment.ofArray(order), packed, orderAt));
        rowOrder.ifPresent(order -> upload.bytes(MemorySegment.ofArray(order), packed, rowOrderAt));
        Kernel kernel = kernels.get(grouped.kernel(), matrix.format())
                .begin()
                .pointer(packed.address())
                .pointer(grouped.zeros().isPresent() ? packed.address() + zerosAt : 0)
                .pointer(packed.address() + scalesAt);
        if (!(checkpoint instanceof CheckpointQuantization.Awq)) {
            kernel.pointer(grouped.order().isPresent() ? packed.address() + orderAt : 0)
                    .pointer(rowOrder.isPresent() ? packed.address() + rowOrderAt : 0);
        }
        kernel.integer(grouped.group())
                .integer(stored.rows())
                .integer(stored.columns())
                .pointer(matrix.address() + matrix.format().valueBytes(from, stored.columns()))
                .pointer(matrix.scales(from));
        if (checkpoint instanceof CheckpointQuantization.Gptq gptq) {
            kernel.integer(gptq.zerosLessOne() ? 1 : 0);
        }
        kernel.launch(Kernel.blocks((long) stored.rows() * stored.columns() / 8, 4096), 1, 256, 0);
    }

    private void repackBlocks(StoredMatrix stored, Matrix matrix, int from) {
        Tensor blocks = stored.blocks();
        long bytes = blocks.row(0).byteSize() * stored.rows();
        DeviceMemory packed = scratch(bytes);
        upload.blocks(blocks, packed);
        kernels.get("repack_mxfp4", WeightFormat.MXFP4)
                .begin()
                .pointer(packed.address())
                .integer(stored.rows())
                .integer(stored.columns())
                .pointer(matrix.address() + matrix.format().valueBytes(from, stored.columns()))
                .pointer(matrix.scales(from))
                .launch(Kernel.blocks((long) stored.rows() * stored.columns() / 8, 4096), 1, 256, 0);
    }

    private static long aligned(long bytes) {
        return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }

    private DeviceMemory indexes(int[] values) {
        DeviceMemory memory = device.memory(4L * values.length);
        upload.bytes(MemorySegment.ofArray(values), memory, 0);
        return memory;
    }

    /** Memory that the next matrix may overwrite: everything happens in order. */
    private DeviceMemory scratch(long bytes) {
        if (scratch.map(DeviceMemory::bytes).orElse(0L) < bytes) {
            device.await();
            scratch.ifPresent(DeviceMemory::close);
            scratch = Optional.of(device.memory(bytes));
        }
        return scratch.orElseThrow();
    }

    /** Waits until all is there, and gives back what was used for it. */
    void finish() {
        upload.finish();
        scratch.ifPresent(DeviceMemory::close);
    }
}
