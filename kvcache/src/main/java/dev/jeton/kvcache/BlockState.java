package dev.jeton.kvcache;

/** What a block of the device is; every block is exactly one of these. */
public enum BlockState {
    /** Without content. */
    FREE,
    /** Its owner is filling it; others may already wait for it. */
    COMPUTING,
    /** It is being filled from the host's tier, by nobody's steps; sequences may wait for it. */
    LOADING,
    /** Full of content that nobody holds; the first to be given away when no block is free. */
    CACHED,
    /** Full of content that at least one sequence holds. */
    HELD
}
