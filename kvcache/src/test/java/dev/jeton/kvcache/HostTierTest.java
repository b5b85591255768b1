package dev.jeton.kvcache;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class HostTierTest {

    private static final int BLOCK = 4;
    private static final int DEVICE = 16;
    private static final int HOST = 40;
    private final KvCache cache = new KvCache(BLOCK, List.of(new KvCache.Group(DEVICE, HOST, 0)), 1, true);
    private final HostTier host = cache.host();
    private long loaded;
    private long offloaded;

    @AfterEach
    void booksAddUp() {
        cache.verifyIntegrity();
    }

    @Test
    void bringsBackWhatTheDeviceHasGivenAway() {
        evict(tokens(0, 25));
        KvSequence again = sequence();

        assertThat(cache.findable(again, tokens(0, 25), 25)).isEqualTo(24);
        assertThat(admit(again, tokens(0, 25))).isTrue();
        assertThat(again.found()).isEqualTo(24);
        assertThat(cache.computable(again, 0, 25))
                .as("nothing before it is there")
                .isZero();
        copyAll();
        cache.advance(again);

        assertThat(again.computed()).isEqualTo(24);
        assertThat(cache.computable(again, 24, 1)).isEqualTo(1);
        assertThat(cache.hostHitTokens()).isEqualTo(24);
        assertThat(host.loadedOf(0)).isEqualTo(6);
    }

    @Test
    void bringsBackWhatOneSequenceNeedsForAllWhoWantIt() {
        evict(tokens(0, 25));
        KvSequence first = admitted(tokens(0, 25));
        KvSequence second = admitted(tokens(0, 25));

        assertThat(second.table(0).block(5)).isEqualTo(first.table(0).block(5));
        assertThat(host.loads().underWay()).isEqualTo(6);
        copyAll();
        cache.advance(second);
        assertThat(second.computed()).isEqualTo(24);
    }

    @Test
    void goesOnBringingBackWhenEverybodyHasLeft() {
        evict(tokens(0, 25));
        KvSequence first = admitted(tokens(0, 25));
        cache.release(first, 5);
        assertThat(cache.count(BlockState.LOADING)).isEqualTo(6);
        cache.verifyIntegrity();
        copyAll();

        assertThat(cache.count(BlockState.LOADING)).isZero();
        KvSequence later = admitted(tokens(0, 25));
        assertThat(later.computed()).isEqualTo(24);
    }

    @Test
    void computesWhatWouldBeFewTokensToBringBack() {
        evict(tokens(0, 13));
        KvSequence again = admitted(tokens(0, 13));

        assertThat(again.found()).isZero();
        assertThat(cache.computable(again, 0, 13)).isEqualTo(13);
    }

    @Test
    void bringsBackTheTailBehindWhatTheDeviceStillHas() {
        int[] prompt = tokens(0, 41);
        evict(prompt);
        KvSequence head = admitted(tokens(0, 21));
        copyAll();
        KvSequence whole = admitted(prompt);

        assertThat(whole.table(0).block(4)).isEqualTo(head.table(0).block(4));
        assertThat(host.loads().underWay()).isEqualTo(5);
        assertThat(cache.hostHitTokens()).isEqualTo(20 + 20);
    }

    /** Half of the device's blocks are free or have a copy; younger content is not copied. */
    @Test
    void copiesOnlyWhatWouldBeGivenAwaySoon() {
        release(tokens(0, 4 * DEVICE));
        host.writeBehind();

        assertThat(host.offloads().underWay()).isEqualTo(DEVICE / 2);
        copyAll();
        host.writeBehind();
        assertThat(host.offloads().underWay()).isZero();
    }

    @Test
    void doesNotGiveAwayABlockThatIsBeingCopied() {
        release(tokens(0, 4 * DEVICE));
        host.writeBehind();
        KvSequence wants = sequence();

        assertThat(admit(wants, tokens(1_000, 4 * DEVICE))).isFalse();
        assertThat(admit(wants, tokens(1_000, 4 * DEVICE / 2))).isTrue();
        assertThat(cache.extend(wants, 4 * DEVICE, 1)).isFalse();
        assertThat(cache.extendableLater(wants, 4 * DEVICE)).isTrue();
        assertThat(cache.extendableLater(wants, 4 * DEVICE + 1)).isFalse();
        copyAll();
        assertThat(cache.extend(wants, 4 * DEVICE, 1)).isTrue();
    }

    @Test
    void holdsABlockThatIsBeingCopied() {
        release(tokens(0, 4 * (DEVICE - 1)));
        host.writeBehind();
        KvSequence again = admitted(tokens(0, 4 * (DEVICE - 1) + 1));

        assertThat(again.computed()).isEqualTo(4 * (DEVICE - 1));
        cache.release(again, 3);
        assertThat(host.offloads().underWay()).isEqualTo(DEVICE / 2 - 1);
        copyAll();
    }

    @Test
    void copiesNothingTwice() {
        evict(tokens(0, 25));
        KvSequence again = admitted(tokens(0, 25));
        copyAll();
        long before = host.offloadedOf(0);
        cache.release(again, 4);
        evictAll();

        assertThat(host.count(HostState.KEPT)).isEqualTo((int) host.offloadedOf(0));
        assertThat(cache.findable(sequence(), tokens(0, 25), 25)).isEqualTo(24);
        assertThat(host.offloadedOf(0)).isEqualTo(before);
    }

    @Test
    void theHostGivesAwayWhatWasUsedLongestAgoFirst() {
        evict(tokens(0, 25));
        for (int other = 1; other * 6 <= HOST; other++) {
            evict(tokens(1_000 * other, 25));
            KvSequence used = admitted(tokens(0, 25));
            copyAll();
            cache.release(used, 9);
        }
        evictAll();

        assertThat(host.evictions()).isPositive();
        assertThat(cache.findable(sequence(), tokens(0, 25), 25))
                .as("used again and again")
                .isEqualTo(24);
        assertThat(cache.findable(sequence(), tokens(1_000, 25), 25))
                .as("used once")
                .isLessThan(24);
    }

    // ---- what an engine does ----

    private void copyAll() {
        int[] some = new int[64];
        while (host.loads().waiting() > 0) {
            loaded += host.loads().start(some, new int[64]);
        }
        while (host.offloads().waiting() > 0) {
            offloaded += host.offloads().start(some, new int[64]);
        }
        host.loaded(loaded);
        host.offloaded(offloaded);
    }

    // ---- sequences ----

    /** Computes a prompt, lets go of it and has the device give all of it away, copied before. */
    private void evict(int[] prompt) {
        release(prompt);
        evictAll();
    }

    private void evictAll() {
        KvSequence one = sequence();
        int length = 1;
        assertThat(admit(one, tokens(500_000 + (int) offloaded, 4 * DEVICE), 1)).isTrue();
        while (length < 4 * DEVICE) {
            host.writeBehind();
            copyAll();
            length++;
            assertThat(cache.extend(one, length, 1)).isTrue();
        }
        cache.release(one, 2);
    }

    private void release(int[] prompt) {
        KvSequence sequence = admitted(prompt);
        copyAll();
        cache.advance(sequence);
        cache.commit(sequence, prompt, prompt.length, true, 1);
        cache.release(sequence, 1);
    }

    private KvSequence admitted(int[] prompt) {
        KvSequence sequence = sequence();
        assertThat(admit(sequence, prompt)).isTrue();
        return sequence;
    }

    private boolean admit(KvSequence sequence, int[] prompt) {
        return admit(sequence, prompt, prompt.length);
    }

    private boolean admit(KvSequence sequence, int[] prompt, int length) {
        return cache.admit(sequence, prompt, length, true, List.of(), 0, 0);
    }

    private static KvSequence sequence() {
        return new KvSequence(1, 0, 0);
    }

    private static int[] tokens(int from, int count) {
        int[] tokens = new int[count];
        for (int i = 0; i < count; i++) {
            tokens[i] = from + i;
        }
        return tokens;
    }
}
