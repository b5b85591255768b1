package dev.jeton.scheduler;

/**
 * Gauges and counters of the host's tier of one dispatcher's KV cache; all 0 where there is none.
 *
 * @param blocksFree blocks without content
 * @param blocksFilling blocks that the device's are being copied to
 * @param blocksKept blocks with content
 * @param blocksReading blocks with content that is being copied to the device
 * @param hitTokens tokens looked up that only the host had
 * @param offloadedBlocks blocks copied to the host
 * @param offloadedBytes their bytes
 * @param loadedBlocks blocks copied to the device
 * @param loadedBytes their bytes
 * @param offloading blocks waiting to be copied to the host, or being copied
 * @param loading blocks waiting to be copied to the device, or being copied
 * @param evictions copies given away for others
 */
public record HostTierStats(
        int blocksFree,
        int blocksFilling,
        int blocksKept,
        int blocksReading,
        long hitTokens,
        long offloadedBlocks,
        long offloadedBytes,
        long loadedBlocks,
        long loadedBytes,
        int offloading,
        int loading,
        long evictions) {

    /** Where there is no host's tier. */
    public static final HostTierStats NONE = new HostTierStats(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
}
