package dev.jeton.kvcache;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class KvCacheTest {

    private static final int BLOCK = 4;
    private final KvCache cache = cache(8, true);
    private final BlockCopies copies = new BlockCopies(1);

    @AfterEach
    void booksAddUp() {
        cache.verifyIntegrity();
    }

    @Test
    void holdsReadyBlocksOfTheSamePrefix() {
        KvSequence first = computed(tokens(0, 9));
        KvSequence second = admit(tokens(0, 9));

        assertThat(second.computed()).isEqualTo(8);
        assertThat(second.table(0).block(0)).isEqualTo(first.table(0).block(0));
        assertThat(second.table(0).block(2)).isNotEqualTo(first.table(0).block(2));
    }

    @Test
    void leavesTheLastTokenToCompute() {
        computed(tokens(0, 8));

        assertThat(admit(tokens(0, 8)).computed()).isEqualTo(4);
    }

    @Test
    void sharesNothingUnderAnotherSalt() {
        computed(tokens(0, 9));
        KvSequence other = new KvSequence(1, 7, 0);

        assertThat(cache.admit(other, tokens(0, 9), 9, true, List.of(), 0, 0)).isTrue();
        assertThat(other.found()).isZero();
    }

    @Test
    void waitsForABlockThatAnotherSequenceIsComputing() {
        KvSequence first = admit(tokens(0, 9));
        KvSequence second = admit(tokens(0, 9));

        assertThat(cache.computable(second, 0, 9)).isZero();
        cache.commit(first, tokens(0, 9), 4, true, 1);
        cache.advance(second);
        assertThat(second.computed()).isEqualTo(4);
        assertThat(cache.computable(second, 4, 5)).isZero();
        cache.commit(first, tokens(0, 9), 9, true, 2);
        cache.advance(second);
        assertThat(cache.computable(second, 8, 1)).isEqualTo(1);
        assertThat(cache.sharedWaits()).isEqualTo(1);
    }

    @Test
    void firstWaiterTakesOverWhenTheOwnerLetsGo() {
        KvSequence owner = admit(tokens(0, 9));
        KvSequence heir = admit(tokens(0, 9));
        KvSequence later = admit(tokens(0, 9));
        cache.commit(owner, tokens(0, 9), 4, true, 1);

        cache.release(owner, 2);
        cache.advance(heir);
        cache.advance(later);

        assertThat(cache.computable(heir, 4, 5)).isEqualTo(5);
        assertThat(cache.computable(later, 4, 5)).isZero();
    }

    @Test
    void evictsTheTailOfThePrefixLetGoLongestAgoFirst() {
        KvSequence old = computed(tokens(0, 8));
        KvSequence young = computed(tokens(100, 8));
        cache.release(old, 1);
        cache.release(young, 2);

        KvSequence big = admit(tokens(200, 20));

        assertThat(big.table(0).length()).isEqualTo(5);
        cache.release(big, 3);
        assertThat(admit(tokens(0, 9)).found()).isEqualTo(4);
    }

    @Test
    void aWaiterCanTakeOverWhereOnlyOneOfTwoGroupsStillHasThePrefix() {
        KvCache two = new KvCache(BLOCK, List.of(new KvCache.Group(16, 0), new KvCache.Group(4, BLOCK)), 1, true);
        KvSequence first = new KvSequence(2, 0, 0);
        two.admit(first, tokens(0, 5), 5, true, List.of(), 0, 0);
        two.commit(first, tokens(0, 5), 5, true, 0);
        two.release(first, 0);
        KvSequence evicting = new KvSequence(2, 0, 0);
        two.admit(evicting, tokens(100, 16), 16, true, List.of(), 0, 0);
        two.release(evicting, 0);
        KvSequence owner = new KvSequence(2, 0, 0);
        KvSequence waiter = new KvSequence(2, 0, 0);
        two.admit(owner, tokens(0, 5), 5, true, List.of(), 0, 0);
        two.admit(waiter, tokens(0, 5), 5, true, List.of(), 0, 0);

        two.release(owner, 0);
        two.advance(waiter);

        assertThat(two.computable(waiter, waiter.computed(), 5)).isPositive();
        two.verifyIntegrity();
    }

    @Test
    void changesNothingWhereTooFewBlocksAreAvailable() {
        admit(tokens(0, 20));

        assertThat(cache.admit(sequence(), tokens(100, 16), 16, true, List.of(), 0, 0))
                .isFalse();
        assertThat(cache.count(BlockState.FREE)).isEqualTo(3);
    }

    @Test
    void wouldAdmitWhereThoseWhoLeaveHoldEnough() {
        KvSequence first = admit(tokens(0, 12));
        KvSequence second = admit(tokens(100, 12));

        assertThat(admissible(tokens(200, 20), List.of(first))).isTrue();
        assertThat(admissible(tokens(200, 24), List.of(first))).isFalse();
        assertThat(admissible(tokens(200, 24), List.of(second))).isFalse();
        assertThat(admissible(tokens(200, 32), List.of(first, second))).isTrue();
        assertThat(admissible(tokens(200, 33), List.of(first, second))).isFalse();
    }

    @Test
    void countsABlockThatOneWhoStaysHoldsAsNotLetGoOf() {
        KvSequence leaver = computed(tokens(0, 12));
        KvSequence stayer = computed(tokens(0, 12));

        // eight blocks: two are shared, each has a tail, four are free
        assertThat(admissible(tokens(100, 20), List.of(leaver))).isTrue();
        assertThat(admissible(tokens(100, 24), List.of(leaver))).isFalse();
        assertThat(admissible(tokens(100, 32), List.of(leaver, stayer))).isTrue();
    }

    @Test
    void aPrefixThatOnlyThoseWhoLeaveAreComputingWouldNotBeFound() {
        KvSequence leaver = admit(tokens(0, 9));
        KvSequence waiter = admit(tokens(0, 9));

        // eight blocks: two are shared, each has a tail; the waiter would go on computing the two
        assertThat(admissible(tokens(0, 32), List.of(leaver))).isFalse();
        assertThat(admissible(tokens(0, 28), List.of(leaver))).isTrue();
        assertThat(admissible(tokens(0, 32), List.of(leaver, waiter))).isTrue();
    }

    private boolean admissible(int[] tokens, List<KvSequence> leavers) {
        return cache.admissibleWithout(leavers, sequence(), tokens, tokens.length, true, 0, 0);
    }

    @Test
    void countsCachedBlocksItIsAboutToHoldAsUnavailable() {
        KvSequence first = computed(tokens(0, 17));
        cache.release(first, 1);

        // four cached blocks are held again, and of the four others only four remain for the tail
        assertThat(cache.admit(sequence(), tokens(0, 36), 36, true, List.of(), 0, 2))
                .isFalse();
        assertThat(cache.admit(sequence(), tokens(0, 32), 32, true, List.of(), 0, 2))
                .isTrue();
    }

    @Test
    void forkSharesFullBlocksAndCopiesTheLast() {
        KvSequence parent = sequence();
        KvSequence child = sequence();
        int[] prompt = tokens(0, 7);
        cache.admit(parent, prompt, 7, true, List.of(child), 0, 0);
        cache.commit(parent, prompt, 6, true, 1);

        cache.fork(parent, child, copies, 2);

        assertThat(child.computed()).isEqualTo(6);
        assertThat(child.table(0).block(0)).isEqualTo(parent.table(0).block(0));
        assertThat(copies.count(0)).isEqualTo(1);
        assertThat(copies.from(0)[0]).isEqualTo(parent.table(0).block(1));
        assertThat(copies.to(0)[0]).isEqualTo(child.table(0).block(1));
    }

    @Test
    void residencyIsDividedByHolders() {
        KvSequence alone = sequence();
        cache.admit(alone, tokens(0, 5), 5, true, List.of(), 0, 0);
        cache.commit(alone, tokens(0, 5), 5, true, 100);
        KvSequence sharer = sequence();
        cache.admit(sharer, tokens(0, 5), 5, true, List.of(), 0, 100);

        // first block: alone for 100, halved for 200; tail: alone for 300
        assertThat(cache.blockNanos(alone, 300)).isEqualTo(100 + 100 + 300);
        assertThat(cache.blockNanos(sharer, 300)).isEqualTo(100 + 200);
    }

    @Test
    void generatedBlocksAreFoundByTheNextTurn() {
        KvSequence turn = admit(tokens(0, 5));
        cache.commit(turn, tokens(0, 5), 5, true, 1);
        assertThat(cache.extend(turn, 9, 2)).isTrue();
        cache.commit(turn, tokens(0, 9), 9, true, 3);
        cache.release(turn, 4);

        assertThat(admit(tokens(0, 12)).found()).isEqualTo(8);
    }

    @Test
    void windowedGroupLetsGoOfWhatNoPositionReadsAgain() {
        KvCache windowed = new KvCache(BLOCK, List.of(new KvCache.Group(8, 0), new KvCache.Group(8, 6)), 1, true);
        KvSequence sequence = new KvSequence(2, 0, 0);
        int[] prompt = tokens(0, 17);
        windowed.admit(sequence, prompt, 17, true, List.of(), 0, 0);

        windowed.commit(sequence, prompt, 16, true, 1);

        // position 16 reads 11..16: entries 0 and 1 are out of the window
        assertThat(sequence.table(1).first()).isEqualTo(2);
        assertThat(sequence.table(1).blocks()[1]).isEqualTo(BlockId.NONE);
        assertThat(sequence.table(0).first()).isZero();
        windowed.verifyIntegrity();
    }

    @Test
    void windowedGroupNeedsOnlyTheBlocksItStillReads() {
        KvCache windowed = new KvCache(BLOCK, List.of(new KvCache.Group(12, 0), new KvCache.Group(6, 6)), 1, true);
        KvSequence first = new KvSequence(2, 0, 0);
        int[] prompt = tokens(0, 17);
        windowed.admit(first, prompt, 17, true, List.of(), 0, 0);
        windowed.commit(first, prompt, 17, true, 1);
        windowed.release(first, 2);
        KvSequence thief = new KvSequence(2, 9, 0);
        windowed.admit(thief, tokens(50, 9), 9, false, List.of(), 0, 3);
        windowed.release(thief, 4);

        KvSequence second = new KvSequence(2, 0, 0);
        windowed.admit(second, prompt, 17, true, List.of(), 0, 5);

        assertThat(second.found()).isEqualTo(16);
        assertThat(second.table(1).first()).isEqualTo(2);
        windowed.verifyIntegrity();
    }

    private KvSequence computed(int[] tokens) {
        KvSequence sequence = admit(tokens);
        cache.commit(sequence, tokens, tokens.length, true, 0);
        return sequence;
    }

    private KvSequence admit(int[] tokens) {
        KvSequence sequence = sequence();
        assertThat(cache.admit(sequence, tokens, tokens.length, true, List.of(), 0, 0))
                .isTrue();
        return sequence;
    }

    private static KvSequence sequence() {
        return new KvSequence(1, 0, 0);
    }

    private static KvCache cache(int blocks, boolean prefixCaching) {
        return new KvCache(BLOCK, List.of(new KvCache.Group(blocks, 0)), 42, prefixCaching);
    }

    private static int[] tokens(int from, int count) {
        int[] tokens = new int[count];
        for (int i = 0; i < count; i++) {
            tokens[i] = from + i;
        }
        return tokens;
    }
}
