package dev.jeton.models;

import java.time.Duration;

/**
 * How an engine uses its device.
 *
 * @param device which: its number among those that the process may see, its UUID, or the UUID's beginning; several of
 *     them with commas between; empty for the first
 * @param deterministic whether only algorithms are taken whose sums have one order, chosen by shape alone
 * @param kvType of K and V in memory: {@code auto} as activations or weights, {@code f32}, {@code bf16}, {@code fp8}
 *     (e4m3) or {@code int8}; each engine takes some of them
 * @param search how long a load may take to time algorithms that no earlier load has timed; zero for not at all
 * @param tensorParallel devices that share the model, each with a part of every matrix
 * @param programmaticLaunches whether a kernel may come onto a GPU while the one before it ends, where the GPU can
 * @param fastFp8 whether products of fp8 may keep their sums in fewer bits, where a GPU is faster so
 */
public record DeviceOptions(
        String device,
        boolean deterministic,
        String kvType,
        Duration search,
        int tensorParallel,
        boolean programmaticLaunches,
        boolean fastFp8) {

    /** Most devices that may share a model. */
    public static final int MOST_DEVICES = 64;

    /** Checks that there is a device, and not more than are thinkable. */
    public DeviceOptions {
        if (tensorParallel < 1 || tensorParallel > MOST_DEVICES) {
            throw new ModelException(
                    "--tensor-parallel-size %d: a model is on 1 to %d devices".formatted(tensorParallel, MOST_DEVICES));
        }
    }

    /** With programmatic launches, and exact sums. */
    public DeviceOptions(String device, boolean deterministic, String kvType, Duration search, int tensorParallel) {
        this(device, deterministic, kvType, search, tensorParallel, true, false);
    }

    /** On one device. */
    public DeviceOptions(String device, boolean deterministic, String kvType, Duration search) {
        this(device, deterministic, kvType, search, 1);
    }

    /** Refuses several devices on behalf of an engine that uses one. */
    public void requireOneDevice(String engine) {
        if (tensorParallel > 1) {
            throw new ModelException(
                    "the %s engine runs a model on one device; leave --tensor-parallel-size %d, or take --engine cuda"
                            .formatted(engine, tensorParallel));
        }
    }

    /** What a server starts with when nothing is configured. */
    public static final DeviceOptions DEFAULT = new DeviceOptions("", false, "auto", Duration.ofSeconds(20));
}
