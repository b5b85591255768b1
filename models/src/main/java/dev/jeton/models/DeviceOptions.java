package dev.jeton.models;

import java.time.Duration;

/**
 * How an engine uses its device.
 *
 * @param device which: its number among those that the process may see, its UUID, or the UUID's beginning; empty for
 *     the first
 * @param deterministic whether only algorithms are taken whose sums have one order, chosen by shape alone
 * @param kvType of K and V in memory: {@code auto} as activations or weights, {@code f32}, {@code bf16}, {@code fp8}
 *     (e4m3) or {@code int8}; each engine takes some of them
 * @param search how long a load may take to time algorithms that no earlier load has timed; zero for not at all
 */
public record DeviceOptions(String device, boolean deterministic, String kvType, Duration search) {

    /** What a server starts with when nothing is configured. */
    public static final DeviceOptions DEFAULT = new DeviceOptions("", false, "auto", Duration.ofSeconds(20));
}
