package dev.jeton.kvcache;

/**
 * The chain of hashes that names a prompt's full blocks: {@code H(parent, tokens of the block)}, begun from
 * {@code H(salt, adapter)}. Two 64-bit lanes of multiply-fold mixing (as in wyhash), keyed, so that whoever chooses
 * prompts cannot choose collisions: blocks are shared on 128 equal bits without comparing their tokens.
 *
 * <p>One instance per cache; not thread-safe: {@link #high} and {@link #low} hold the last result.
 */
final class PrefixHash {

    private static final long MIX_1 = 0xa0761d6478bd642fL;
    private static final long MIX_2 = 0xe7037ed1a0b428dbL;
    private static final long MIX_3 = 0x8ebc6af09c88c6e3L;

    private final long key;
    private long high;
    private long low;

    PrefixHash(long key) {
        this.key = key;
    }

    /** Upper half of the last hash. */
    long high() {
        return high;
    }

    /** Lower half of the last hash; never 0 together with {@link #high} being 0. */
    long low() {
        return low;
    }

    /** Begins a chain: nothing is shared between different salts or adapters. */
    void root(long salt, int adapter) {
        high = fold(salt ^ key ^ MIX_1, adapter ^ MIX_2);
        low = fold(salt ^ MIX_3, key ^ adapter ^ MIX_1);
    }

    /** The hash of a block of {@code count} tokens after the block whose hash is ({@code parentHigh, parentLow}). */
    void next(long parentHigh, long parentLow, int[] tokens, int from, int count) {
        long a = parentHigh ^ key;
        long b = parentLow ^ Long.rotateLeft(key, 32);
        for (int i = from; i < from + count; i++) {
            long token = tokens[i] & 0xffffffffL;
            a = fold(a ^ token ^ MIX_1, b ^ MIX_2);
            b = fold(b ^ token ^ MIX_3, a ^ MIX_1) + token;
        }
        high = fold(a ^ MIX_2, b ^ key);
        low = fold(b ^ MIX_3, a ^ MIX_1) | 1;
    }

    private static long fold(long x, long y) {
        return Math.unsignedMultiplyHigh(x, y) ^ (x * y);
    }
}
