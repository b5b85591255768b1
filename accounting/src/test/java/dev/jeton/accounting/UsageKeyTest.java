package dev.jeton.accounting;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class UsageKeyTest {

    private static UsageKey key(Zones zones, Work work) {
        return new UsageKey(1, "alice", "web", "k", "llama", "{\"task\":\"sum\"}", "book1", "", zones, work, "");
    }

    /** As rows of ledgers without zones and work have it, so that what comes later is added to them. */
    @Test
    void digestOfUnknownZonesAndWorkIsThatOfAKeyWithoutThem() {
        assertThat(key(Zones.UNKNOWN, Work.UNKNOWN).digest()).isEqualTo("d76e110669336cc6ee4b60d6a7374e08");
    }

    @Test
    void digestTellsZonesAndWorkApart() {
        Set<String> digests = new HashSet<>();
        for (Zones zones : List.of(
                Zones.UNKNOWN, new Zones("a", ""), new Zones("", "a"), new Zones("a", "b"), new Zones("ab", ""))) {
            for (Work work : Work.values()) {
                digests.add(key(zones, work).digest());
            }
        }
        assertThat(digests).hasSize(5 * Work.values().length);
    }
}
