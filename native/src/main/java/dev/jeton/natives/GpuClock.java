package dev.jeton.natives;

/** Clocks of a GPU; the order is NVML's {@code nvmlClockType_t}. */
public enum GpuClock {
    /** Graphics engines. */
    GRAPHICS,
    /** Streaming multiprocessors. */
    SM,
    /** Memory. */
    MEMORY,
    /** Video encoder and decoder. */
    VIDEO
}
