package dev.jeton.kvcache;

/**
 * A block's name: its tier in the upper four bits, its index within the tier below. Device blocks are plain indices,
 * which is what engines address.
 */
public final class BlockId {

    /** Entry of a block table whose block fell out of the window. */
    public static final int NONE = -1;

    /** Most blocks of one tier. */
    public static final int MAX_BLOCKS = 1 << 27;

    private static final int TIER_SHIFT = 27;

    private BlockId() {}

    /** The id of block {@code index} of {@code tier}. */
    public static int of(Tier tier, int index) {
        assert index >= 0 && index < MAX_BLOCKS : index;
        return tier.ordinal() << TIER_SHIFT | index;
    }

    /** The tier that an id names. */
    public static Tier tier(int id) {
        assert id >= 0 : id;
        return (id >>> TIER_SHIFT) == 0 ? Tier.DEVICE : Tier.HOST;
    }

    /** The index within its tier. */
    public static int index(int id) {
        assert id >= 0 : id;
        return id & (MAX_BLOCKS - 1);
    }
}
