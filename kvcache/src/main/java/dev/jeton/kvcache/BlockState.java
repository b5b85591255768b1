package dev.jeton.kvcache;

/** What a block is; every block is exactly one of these. */
public enum BlockState {
    /** Without content. */
    FREE,
    /** Its owner is filling it; others may already wait for it. */
    COMPUTING,
    /** Full of content that nobody holds; the first to be given away when no block is free. */
    CACHED,
    /** Full of content that at least one sequence holds. */
    HELD
}
