package dev.jeton.kvcache;

import java.util.Arrays;

/**
 * From a block's 128-bit hash to its index: open addressing with linear probing and backward-shift deletion, in flat
 * arrays of at least twice the block count, so it never fills and never allocates.
 */
final class PrefixIndex {

    /** Answer of {@link #find} where there is nothing. */
    static final int ABSENT = -1;

    private final int mask;
    private final long[] high;
    private final long[] low;
    private final int[] block;
    private int size;

    PrefixIndex(int blockCount) {
        int capacity = Math.max(16, Integer.highestOneBit(Math.max(1, 2 * blockCount - 1)) << 1);
        mask = capacity - 1;
        high = new long[capacity];
        low = new long[capacity];
        block = new int[capacity];
        Arrays.fill(block, ABSENT);
    }

    int size() {
        return size;
    }

    int find(long hashHigh, long hashLow) {
        for (int i = home(hashHigh); block[i] != ABSENT; i = i + 1 & mask) {
            if (high[i] == hashHigh && low[i] == hashLow) {
                return block[i];
            }
        }
        return ABSENT;
    }

    void put(long hashHigh, long hashLow, int value) {
        int i = home(hashHigh);
        while (block[i] != ABSENT) {
            assert high[i] != hashHigh || low[i] != hashLow : "hash is indexed twice";
            i = i + 1 & mask;
        }
        high[i] = hashHigh;
        low[i] = hashLow;
        block[i] = value;
        size++;
    }

    void remove(long hashHigh, long hashLow) {
        int i = home(hashHigh);
        while (block[i] == ABSENT || high[i] != hashHigh || low[i] != hashLow) {
            if (block[i] == ABSENT) {
                throw new KvCacheException("a block's hash is missing from the prefix index");
            }
            i = i + 1 & mask;
        }
        int hole = i;
        for (int j = i + 1 & mask; block[j] != ABSENT; j = j + 1 & mask) {
            int distanceToHole = j - hole & mask;
            int distanceToHome = j - home(high[j]) & mask;
            if (distanceToHome >= distanceToHole) {
                high[hole] = high[j];
                low[hole] = low[j];
                block[hole] = block[j];
                hole = j;
            }
        }
        block[hole] = ABSENT;
        size--;
    }

    private int home(long hashHigh) {
        return (int) (hashHigh >>> 32 ^ hashHigh) & mask;
    }
}
