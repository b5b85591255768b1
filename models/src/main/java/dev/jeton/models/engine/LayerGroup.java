package dev.jeton.models.engine;

/**
 * Layers that share one shape of block and one block table per sequence.
 *
 * @param blockSize tokens a block holds; a power of two
 * @param blockCount blocks of the device's tier
 * @param bytesPerBlock bytes of K and V of all layers of the group in one block, on all devices together
 * @param window tokens that a position may look back on, itself included; 0 where the whole context is read. Blocks
 *     wholly before the window of every position still to come are never read again.
 * @param hostBlocks blocks of the host's tier, to and from which blocks are copied; 0 where there is none
 */
public record LayerGroup(int blockSize, int blockCount, long bytesPerBlock, int window, int hostBlocks) {

    /** Without a host's tier. */
    public LayerGroup(int blockSize, int blockCount, long bytesPerBlock, int window) {
        this(blockSize, blockCount, bytesPerBlock, window, 0);
    }

    /** Checks the bounds named above. */
    public LayerGroup {
        if (blockSize < 1 || Integer.bitCount(blockSize) != 1) {
            throw new IllegalArgumentException("block size " + blockSize + " is not a power of two");
        }
        if (blockCount < 1 || bytesPerBlock < 1 || window < 0 || hostBlocks < 0) {
            throw new IllegalArgumentException("layer group of %d blocks of %d bytes, window %d, %d blocks on the host"
                    .formatted(blockCount, bytesPerBlock, window, hostBlocks));
        }
    }
}
