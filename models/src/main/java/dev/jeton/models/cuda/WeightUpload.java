package dev.jeton.models.cuda;

import dev.jeton.models.ModelException;
import dev.jeton.models.QuantizedBlock;
import dev.jeton.models.Tensor;
import dev.jeton.models.TensorType;
import dev.jeton.natives.DeviceMemory;
import dev.jeton.natives.PinnedMemory;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.function.Consumer;
import java.util.stream.IntStream;

/**
 * Brings tensors from mapped files to the device in sixteen bits (norms in 32), through two pieces of pinned memory:
 * while the device copies one, the host fills the other. Elements of another plain type are converted on the device,
 * blocks on the host.
 *
 * <p>Limit: a byte is read once from the page cache and crosses the bus once, 20 to 50 GB/s; one core fills about 10
 * GB/s, so several do.
 */
final class WeightUpload {

    private static final int PIECE = 32 << 20;
    private static final int PARTS = 8;
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final Device device;
    private final DeviceShape.Type type;
    private final StepKernels kernels;
    private final PinnedMemory[] staging = new PinnedMemory[2];
    private final Mark[] sent = new Mark[2];
    private final DeviceMemory scratch;
    private int next;

    WeightUpload(Device device, DeviceShape.Type type, StepKernels kernels) {
        this.device = device;
        this.type = type;
        this.kernels = kernels;
        for (int i = 0; i < 2; i++) {
            staging[i] = device.pinned(PIECE);
            sent[i] = device.mark();
        }
        scratch = device.memory(PIECE);
    }

    /** Room for so many elements of the engine's type. */
    DeviceMemory memory(long elements) {
        return device.memory(2 * elements);
    }

    /** Memory with a small tensor in binary32, whatever its type: what one rounding more would shift in every row. */
    DeviceMemory floats(Tensor tensor) {
        return floats(tensor.toFloats());
    }

    /** Memory with numbers in binary32. */
    DeviceMemory floats(float[] values) {
        DeviceMemory memory = device.memory((long) Float.BYTES * values.length);
        bytes(MemorySegment.ofArray(values), memory, 0);
        return memory;
    }

    /** Sends a tensor to {@code offset} bytes into memory. */
    void send(Tensor tensor, DeviceMemory to, long offset) {
        if (tensor.type() == (type == DeviceShape.Type.BF16 ? TensorType.BF16 : TensorType.F16)) {
            pieces(tensor, (piece, from, count) -> device.upload(to, offset + from, piece, 0, count));
            return;
        }
        if (tensor.type().quantized()) {
            dequantised(tensor, to, offset);
            return;
        }
        int width = tensor.type().bytes();
        pieces(tensor, (piece, from, count) -> {
            device.upload(scratch, 0, piece, 0, count);
            convert(tensor.type(), to.address(offset + from / width * 2, count / width * 2), count / width);
        });
    }

    /** Blocks of a GGUF file become floats on the host. */
    private void dequantised(Tensor tensor, DeviceMemory to, long offset) {
        long elements = tensor.elements();
        int most = PIECE / Float.BYTES;
        for (long from = 0; from < elements; from += most) {
            long first = from;
            int count = (int) Math.min(most, elements - from);
            PinnedMemory piece = staging[next];
            Mark mark = sent[next];
            next ^= 1;
            mark.await();
            int part = (count / PARTS / QuantizedBlock.MOST + 1) * QuantizedBlock.MOST;
            IntStream.range(0, PARTS).parallel().forEach(i -> {
                int at = i * part;
                if (at < count) {
                    float[] values = new float[Math.min(part, count - at)];
                    tensor.copyTo(first + at, values, 0, values.length);
                    MemorySegment.copy(values, 0, piece.segment(), FLOAT, (long) Float.BYTES * at, values.length);
                }
            });
            device.upload(scratch, 0, piece, 0, (long) Float.BYTES * count);
            convert(TensorType.F32, to.address(offset + 2 * from, 2L * count), count);
            mark.record();
        }
    }

    /**
     * Sends blocks of MXFP4 to the beginning of memory, as ggml has them.
     *
     * @throws ModelException where a scale is greater than kernels multiply by
     */
    void blocks(Tensor tensor, DeviceMemory to) {
        rows(
                tensor,
                row -> requireScales(tensor, row),
                (piece, from, count) -> device.upload(to, from, piece, 0, count));
    }

    /** Greater ones would make values that sixteen bits do not hold. */
    private void requireScales(Tensor tensor, MemorySegment blocks) {
        int most = type == DeviceShape.Type.BF16 ? 252 : 128;
        for (long at = 0; at < blocks.byteSize(); at += TensorType.MXFP4.blockBytes()) {
            int scale = blocks.get(ValueLayout.JAVA_BYTE, at) & 0xFF;
            if (scale > most) {
                throw new ModelException("tensor \"%s\" has the scale %s; in %s at most 2^%d is read"
                        .formatted(tensor.name(), scale == 255 ? "NaN" : "2^" + (scale - 127), type, most - 127));
            }
        }
    }

    /** Sends bytes as they are. */
    void bytes(MemorySegment data, DeviceMemory to, long offset) {
        pieces(data, (piece, from, count) -> device.upload(to, offset + from, piece, 0, count));
    }

    /** What becomes of a piece that was staged: {@code count} bytes of the whole from {@code from} on. */
    private interface Send {
        void piece(PinnedMemory piece, long from, long count);
    }

    /** Of elements in order, which are copied on the way where the file has them otherwise. */
    private void pieces(Tensor tensor, Send send) {
        if (tensor.mapped()) {
            pieces(tensor.data(), send);
        } else {
            rows(tensor, row -> {}, send);
        }
    }

    private void rows(Tensor tensor, Consumer<MemorySegment> check, Send send) {
        long width = tensor.row(0).byteSize();
        long rows = tensor.shape().getFirst();
        long most = PIECE / width;
        for (long from = 0; from < rows; from += most) {
            long first = from;
            long count = Math.min(most, rows - from);
            PinnedMemory piece = staging[next];
            Mark mark = sent[next];
            next ^= 1;
            mark.await();
            long part = (count + PARTS - 1) / PARTS;
            IntStream.range(0, PARTS).parallel().forEach(i -> {
                for (long row = i * part; row < Math.min(count, (i + 1) * part); row++) {
                    MemorySegment data = tensor.row(first + row);
                    check.accept(data);
                    MemorySegment.copy(data, 0, piece.segment(), row * width, width);
                }
            });
            send.piece(piece, from * width, count * width);
            mark.record();
        }
    }

    private void pieces(MemorySegment data, Send send) {
        long bytes = data.byteSize();
        for (long from = 0; from < bytes; from += PIECE) {
            long count = Math.min(PIECE, bytes - from);
            PinnedMemory piece = staging[next];
            Mark mark = sent[next];
            next ^= 1;
            mark.await();
            fill(data.asSlice(from, count), piece.segment());
            send.piece(piece, from, count);
            mark.record();
        }
    }

    private void convert(TensorType from, long to, long count) {
        String name = "convert_%s_%s".formatted(name(from), type == DeviceShape.Type.BF16 ? "bf16" : "fp16");
        kernels.get(name)
                .begin()
                .pointer(scratch.address())
                .pointer(to)
                .longInteger(count)
                .launch(Kernel.blocks(count, 1024), 1, 256, 0);
    }

    private static String name(TensorType type) {
        return switch (type) {
            case F32 -> "f32";
            case F16 -> "fp16";
            case BF16 -> "bf16";
            default -> throw new IllegalArgumentException(type + " is converted on the host");
        };
    }

    private static void fill(MemorySegment from, MemorySegment to) {
        long bytes = from.byteSize();
        long part = (bytes / PARTS + 4095) / 4096 * 4096 + 4096;
        IntStream.range(0, PARTS).parallel().forEach(i -> {
            long at = i * part;
            if (at < bytes) {
                MemorySegment.copy(from, at, to, at, Math.min(part, bytes - at));
            }
        });
    }

    /** Waits until all is there, and gives back what was used for it. */
    void finish() {
        device.await();
        scratch.close();
        for (PinnedMemory piece : staging) {
            piece.close();
        }
    }
}
