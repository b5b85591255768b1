package dev.jeton.models.cuda;

import java.util.Optional;

/**
 * What a device computes together with the others that have the rest of a model, as launches on its stream: sums of
 * what each gave for the residual stream, and the logits of all parts of the vocabulary. All devices queue the same in
 * the same order; afterwards each has the same bits, so each samples the same tokens.
 *
 * <p>Where heads are normalised together, their mean squares are summed, too: 8 bytes a token and layer.
 *
 * <p>Bytes: a sum of n tokens is {@code 2 * n * hidden} of each device, of which a ring sends and receives {@code 2 (N
 * - 1) / N} times as many, twice a layer; logits are {@code 4 * vocabulary} a row, of which each device receives
 * {@code (N - 1) / N}, and which are read and written once more to become rows.
 */
final class Peers {

    private static final int THREADS = 256;
    /** Logits that a block of threads orders. */
    private static final int ORDER_STEP = 4 * THREADS;

    private final PeerLink link;
    private final StepKernels kernels;
    private final Shard shard;
    private final int hidden;
    private final int perToken;
    private final int stride;
    private final int routerLogits;
    private final long parts;

    private Peers(PeerLink link, Device device, DeviceShape shape, StepKernels kernels, int logitRows) {
        this.link = link;
        this.kernels = kernels;
        shard = shape.shard();
        hidden = shape.spec().hidden();
        perToken = shape.spec().experts().perToken();
        stride = shape.logitStride();
        routerLogits = shape.routerLogits();
        parts = device.memory(4L * logitRows * stride).address();
    }

    /**
     * Those of a device that was joined; none of one that is alone.
     *
     * @param logitRows rows of logits that are computed together at most
     */
    static Optional<Peers> of(Device device, DeviceShape shape, StepKernels kernels, int logitRows) {
        return device.link().map(link -> new Peers(link, device, shape, kernels, logitRows));
    }

    /** Sums rows of the hidden width over all devices, in place. */
    void sum(long values, int rows) {
        link.sum(values, (long) rows * hidden);
    }

    /** Sums what each device gave of its heads' mean squares, two floats a row, in place. */
    void sumMeans(long means, int rows) {
        link.sumFloats(means, 2L * rows);
    }

    /**
     * Writes each token's sum of what its experts, and what is beside them, gave here; {@code to} may be the latter.
     */
    void combine(long header, int entry, int tokens, Left given, long to) {
        kernels.get("combine_experts")
                .begin()
                .pointer(header)
                .integer(entry)
                .pointer(given.values())
                .pointer(given.slots())
                .pointer(given.shares())
                .integer(perToken)
                .pointer(given.beside())
                .pointer(given.besideLogits())
                .integer(routerLogits)
                .integer(hidden)
                .pointer(to)
                .launch(tokens, 1, THREADS, 0);
    }

    /** Where this device's logits of so many rows go, {@code [rows][headRows]}. */
    long part(int rows) {
        return parts + 4L * shard.rank() * rows * shard.headRows();
    }

    /**
     * Brings all devices' logits together, after each has left its own at {@link #part}.
     *
     * @param logits {@code [rows][stride]}
     */
    void gather(long header, int entry, int rows, long logits) {
        link.gather(part(rows), parts, (long) rows * shard.headRows());
        kernels.get("order_logits")
                .begin()
                .pointer(header)
                .integer(entry)
                .pointer(parts)
                .integer(rows)
                .integer(shard.headRows())
                .pointer(logits)
                .integer(stride)
                .launch(rows, Kernel.blocks(stride, ORDER_STEP), THREADS, 0);
    }
}
