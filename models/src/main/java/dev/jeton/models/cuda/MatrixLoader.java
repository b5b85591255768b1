package dev.jeton.models.cuda;

import dev.jeton.models.CheckpointQuantization;
import dev.jeton.models.ModelException;
import dev.jeton.models.Tensor;
import dev.jeton.natives.DeviceMemory;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * Brings matrices to the device in the format that the files have, or quantised on the way as the options ask. Matrices
 * that read the same input are loaded as one, each into its rows.
 *
 * <p>Bytes on the device: those that come over the bus are written and read once more where they are repacked or
 * quantised, which is little beside the bus.
 */
final class MatrixLoader {

    /** Where tensors that a kernel reads together begin. */
    private static final int ALIGNMENT = 256;

    /** A matrix of the files. */
    record Part(String name, int rows) {}

    /** A matrix on the device and its memory. */
    private record Room(Matrix matrix, DeviceMemory values, Optional<DeviceMemory> scales) {
        DeviceMemory scaled() {
            return scales.orElseThrow();
        }
    }

    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

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
        List<WeightFormat> formats =
                List.of(parts).stream().map(this::format).distinct().toList();
        if (formats.size() > 1) {
            throw new ModelException("%s are of different formats (%s), which cannot be multiplied together"
                    .formatted(
                            List.of(parts).stream().map(Part::name).collect(Collectors.joining(", ")),
                            formats.stream().map(WeightFormat::toString).collect(Collectors.joining(", "))));
        }
        int rows = 0;
        for (Part part : parts) {
            rows += part.rows;
        }
        Room room = room(formats.getFirst(), rows, columns);
        int from = 0;
        for (Part part : parts) {
            switch (room.matrix.format()) {
                case SIXTEEN -> upload.send(plain(part, columns), room.values, 2L * from * columns);
                case INT8 -> quantize("quantize_int8_rows", part, room.matrix, from);
                case INT4 -> repack(part, room.matrix, from);
                case FP8 -> {
                    if (stored(part)) {
                        copy(part, room, from);
                    } else {
                        quantize("quantize_fp8_rows", part, room.matrix, from);
                    }
                }
            }
            from += part.rows;
            files.release();
        }
        return room.matrix;
    }

    private WeightFormat format(Part part) {
        return switch (checkpoint) {
            case CheckpointQuantization.None none -> wanted;
            case CheckpointQuantization.Awq awq -> packed(part);
            case CheckpointQuantization.Gptq gptq -> packed(part);
            case CheckpointQuantization.Fp8 fp8 -> stored(part) ? WeightFormat.FP8 : WeightFormat.SIXTEEN;
        };
    }

    private WeightFormat packed(Part part) {
        return files.type(part.name + ".qweight").isPresent() ? WeightFormat.INT4 : WeightFormat.SIXTEEN;
    }

    private boolean stored(Part part) {
        return files.type(part.name + ".weight").filter("F8_E4M3"::equals).isPresent();
    }

    private Room room(WeightFormat format, int rows, int columns) {
        DeviceMemory values = device.memory((long) rows * columns * format.bits() / Byte.SIZE);
        Optional<DeviceMemory> scales = switch (format) {
            case SIXTEEN -> Optional.empty();
            case INT8, FP8 -> Optional.of(device.memory(4L * rows));
            case INT4 -> Optional.of(device.memory(4L * rows * Kernel.blocks(columns, CheckpointQuantization.GROUP)));
        };
        long scalesAt = scales.map(DeviceMemory::address).orElse(0L);
        return new Room(new Matrix(format, values.address(), scalesAt, rows, columns), values, scales);
    }

    private Tensor plain(Part part, int columns) {
        Tensor tensor = files.tensor(part.name + ".weight", part.rows, columns);
        if (tensor.type().quantized() && wanted != WeightFormat.SIXTEEN) {
            throw new ModelException("the weights are quantised already (%s is %s); leave --quantize"
                    .formatted(part.name, tensor.type()));
        }
        return tensor;
    }

    private void quantize(String kernel, Part part, Matrix matrix, int from) {
        int columns = matrix.columns();
        DeviceMemory plain = scratch(2L * part.rows * columns);
        upload.send(plain(part, columns), plain, 0);
        kernels.get(kernel)
                .begin()
                .pointer(0)
                .integer(part.rows)
                .pointer(plain.address())
                .integer(columns)
                .pointer(matrix.address() + (long) from * columns)
                .pointer(matrix.scales() + 4L * from)
                .launch(part.rows, 1, 256, 0);
    }

    private void repack(Part part, Matrix matrix, int from) {
        int n = part.rows;
        int k = matrix.columns();
        int group = CheckpointQuantization.GROUP;
        if (k % group != 0 || n % 8 != 0) {
            throw new ModelException(
                    "%s has %d outputs and %d inputs; of four bits each, multiples of 8 and %d are read"
                            .formatted(part.name, n, k, group));
        }
        boolean awq = checkpoint instanceof CheckpointQuantization.Awq;
        MemorySegment words = awq
                ? files.bytes(part.name + ".qweight", "I32", k, n / 8)
                : files.bytes(part.name + ".qweight", "I32", k / 8, n);
        MemorySegment zeros = files.bytes(part.name + ".qzeros", "I32", k / group, n / 8);
        MemorySegment scales = files.bytes(part.name + ".scales", "F16", k / group, n);
        requireOrder(part, k);
        long zerosAt = aligned(words.byteSize());
        long scalesAt = zerosAt + aligned(zeros.byteSize());
        DeviceMemory packed = scratch(scalesAt + scales.byteSize());
        upload.bytes(words, packed, 0);
        upload.bytes(zeros, packed, zerosAt);
        upload.bytes(scales, packed, scalesAt);
        Kernel kernel = kernels.get(awq ? "repack_awq" : "repack_gptq")
                .begin()
                .pointer(packed.address())
                .pointer(packed.address() + zerosAt)
                .pointer(packed.address() + scalesAt)
                .integer(n)
                .integer(k)
                .pointer(matrix.address() + (long) from * k / 2)
                .pointer(matrix.scales() + 4L * from * (k / group));
        if (checkpoint instanceof CheckpointQuantization.Gptq gptq) {
            kernel.integer(gptq.zerosLessOne() ? 1 : 0);
        }
        kernel.launch(Kernel.blocks((long) n * k / 8, 4096), 1, 256, 0);
    }

    private static long aligned(long bytes) {
        return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }

    /** GPTQ may say for each input which group it is in; inputs that are not in order would be multiplied wrongly. */
    private void requireOrder(Part part, int k) {
        String name = part.name + ".g_idx";
        if (files.type(name).isEmpty()) {
            return;
        }
        int inputs = files.wholeInputs(part.name, k);
        MemorySegment index = files.whole().bytes(name, "I32", inputs);
        for (int i = 0; i < inputs; i++) {
            if (index.get(INT, 4L * i) != i / CheckpointQuantization.GROUP) {
                throw new ModelException(
                        "tensor \"%s\" reorders inputs, which is not supported; quantise with desc_act false"
                                .formatted(name));
            }
        }
    }

    private void copy(Part part, Room room, int from) {
        int columns = room.matrix.columns();
        upload.bytes(
                files.bytes(part.name + ".weight", "F8_E4M3", part.rows, columns), room.values, (long) from * columns);
        upload.bytes(MemorySegment.ofArray(scales(part)), room.scaled(), 4L * from);
    }

    /** A scale for each row; one for the whole matrix is each row's. */
    private float[] scales(Part part) {
        String name = part.name + ".weight_scale";
        Tensor tensor =
                files.find(name).orElseThrow(() -> new ModelException("tensor \"%s\" is missing".formatted(name)));
        if (tensor.elements() != 1 && tensor.elements() != part.rows) {
            throw new ModelException("tensor \"%s\" has shape %s; one scale, or one for each of %d rows is expected"
                    .formatted(name, tensor.shape(), part.rows));
        }
        float[] scales = new float[part.rows];
        for (int i = 0; i < part.rows; i++) {
            scales[i] = tensor.at(tensor.elements() == 1 ? 0 : i);
            if (!(scales[i] > 0 && scales[i] < Float.POSITIVE_INFINITY)) {
                throw new ModelException(
                        "tensor \"%s\" has the scale %s; scales are positive".formatted(name, scales[i]));
            }
        }
        return scales;
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
