package dev.jeton.models;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;

/**
 * The weights of one expert of gpt-oss, whose files have those of all experts of a layer in one tensor, gates and ups
 * by turns: in MXFP4, or in sixteen bits column by column.
 *
 * @param name what the names of the layer's tensors begin with
 * @param expert its number
 */
record GptOssExperts(WeightFiles files, DecoderSpec spec, String name, int expert) {

    private static final int BLOCK = TensorType.MXFP4.blockElements();

    /**
     * A matrix {@code [outputs][inputs]} or its biases {@code [outputs]}, if the files hold it.
     *
     * @param as what it is to be called
     * @param projection gate, up or down
     * @param kind weight or bias
     */
    Optional<Tensor> find(String as, String projection, String kind) {
        boolean down = projection.equals("down");
        String tensor = name + (down ? "down_proj" : "gate_up_proj");
        int hidden = spec.hidden();
        int inner = spec.experts().intermediate();
        int outputs = down ? hidden : inner;
        int step = down ? 1 : 2;
        int first = projection.equals("up") ? 1 : 0;
        if (kind.equals("bias")) {
            return mine(tensor + "_bias", (long) step * outputs)
                    .map(all -> new Tensor(
                            as,
                            all.type(),
                            List.of((long) outputs),
                            all.data(),
                            new TensorLayout.Columns(0, first, step)));
        }
        int inputs = down ? inner : hidden;
        List<Long> shape = List.of((long) outputs, (long) inputs);
        if (files.type(tensor + "_blocks").isPresent()) {
            return Optional.of(blocks(as, tensor, shape, first, step));
        }
        return mine(tensor, inputs, (long) step * outputs)
                .map(all -> new Tensor(
                        as,
                        all.type(),
                        shape,
                        all.data(),
                        new TensorLayout.Columns((long) step * outputs, first, step)));
    }

    private Tensor blocks(String as, String tensor, List<Long> shape, int first, int step) {
        long rows = step * shape.getFirst();
        long inputs = shape.getLast();
        if (inputs % BLOCK != 0) {
            throw new ModelException("%s: tensor \"%s_blocks\" is of %d inputs, which are no blocks of %d"
                    .formatted(files.source(), tensor, inputs, BLOCK));
        }
        int experts = spec.experts().count();
        MemorySegment blocks = files.bytes(tensor + "_blocks", "U8", experts, rows, inputs / BLOCK, BLOCK / 2);
        MemorySegment powers = files.bytes(tensor + "_scales", "U8", experts, rows, inputs / BLOCK);
        return new Tensor(
                as,
                TensorType.MXFP4,
                shape,
                blocks,
                new TensorLayout.PairedHalves(powers, expert * rows + first, step));
    }

    /** What a tensor of all experts holds of this one. */
    private Optional<Tensor> mine(String tensor, long... shape) {
        return files.find(tensor).map(all -> {
            long[] whole = new long[shape.length + 1];
            whole[0] = spec.experts().count();
            System.arraycopy(shape, 0, whole, 1, shape.length);
            WeightFiles.requireShape(files.source(), tensor, all.shape(), whole);
            return all.rows(expert, 1).withoutFirst();
        });
    }
}
