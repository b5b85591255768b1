package dev.jeton.kvcache;

/** What a block of the host is; every block is exactly one of these. */
public enum HostState {
    /** Without content. */
    FREE,
    /** A block of the device is being copied to it. */
    FILLING,
    /** Full of content, and the next to be given away once it was used longest ago. */
    KEPT,
    /** Full of content that is being copied to the device. */
    READING
}
