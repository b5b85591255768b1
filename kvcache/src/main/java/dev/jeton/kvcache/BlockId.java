package dev.jeton.kvcache;

/**
 * A block's name: its index within its layer group and tier, which is what engines address. Which tier it is of says
 * the place where it stands: block tables name blocks of the device, and {@link TierMoves} keeps the two apart.
 */
public final class BlockId {

    /** Entry of a block table whose block fell out of the window. */
    public static final int NONE = -1;

    /** Most blocks of one tier. */
    public static final int MAX_BLOCKS = 1 << 27;

    private BlockId() {}
}
