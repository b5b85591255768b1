package dev.jeton.scheduler;

/** What a device group is doing; at any instant exactly one of these. */
public enum DeviceState {
    /** A step runs. */
    STEP,
    /** Blocks are copied. */
    COPY,
    /** There is work, but the host has not launched it yet. */
    STALLED,
    /** There is no work. */
    IDLE,
    /** A model is being loaded. */
    LOADING,
    /** No new work is accepted and nothing runs. */
    DRAINING,
    /** The device is lost. */
    DOWN
}
