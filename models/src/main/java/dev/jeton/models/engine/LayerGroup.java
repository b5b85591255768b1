package dev.jeton.models.engine;

/**
 * Layers that share one shape of block and one block table per sequence.
 *
 * @param blockSize tokens a block holds; a power of two
 * @param blockCount blocks of the device tier
 * @param bytesPerBlock bytes of K and V of all layers of the group in one block, on all devices together
 * @param window tokens that a position may look back on, itself included; 0 where the whole context is read. Blocks
 *     wholly before the window of every position still to come are never read again.
 */
public record LayerGroup(int blockSize, int blockCount, long bytesPerBlock, int window) {

    /** Checks the bounds named above. */
    public LayerGroup {
        if (blockSize < 1 || Integer.bitCount(blockSize) != 1) {
            throw new IllegalArgumentException("block size " + blockSize + " is not a power of two");
        }
        if (blockCount < 1 || bytesPerBlock < 1 || window < 0) {
            throw new IllegalArgumentException(
                    "layer group of %d blocks of %d bytes, window %d".formatted(blockCount, bytesPerBlock, window));
        }
    }
}
