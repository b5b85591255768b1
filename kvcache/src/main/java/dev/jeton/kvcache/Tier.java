package dev.jeton.kvcache;

/** Where a block's memory is. */
public enum Tier {
    /** The memory that steps read and write. */
    DEVICE,
    /** Memory to which blocks are offloaded. */
    HOST
}
