package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.accounting.Payer;
import dev.jeton.server.config.Configuration.ResponseSettings;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class ResponseStoreTest {

    private static final Payer RED = new Payer("red", "p", "k");
    private static final Payer BLUE = new Payer("blue", "p", "k");

    private final AtomicLong now = new AtomicLong();

    private ResponseStore store(int entries, long bytes) {
        return new ResponseStore(new ResponseSettings(true, entries, bytes, Duration.ofNanos(100), 1), now::get);
    }

    private static ResponseStore.Stored response(Optional<Turn> before, int bytes) {
        return new ResponseStore.Stored(new byte[bytes], new Turn(before, new byte[bytes], new byte[0]));
    }

    private static ResponseStore.Stored response(int bytes) {
        return response(Optional.empty(), bytes);
    }

    @Test
    void shouldFindWhatItsTenantStored() {
        ResponseStore store = store(100, 1 << 20);
        ResponseStore.Stored response = response(10);
        store.put(RED, "a", response);
        assertThat(store.find(RED, "a")).contains(response);
        assertThat(store.find(BLUE, "a")).isEmpty();
        assertThat(store.remove(BLUE, "a")).isFalse();
        assertThat(store.find(new Payer("red", "other", "k"), "a")).isEmpty();
        assertThat(store.find(new Payer("red", "p", "other"), "a")).contains(response);
    }

    @Test
    void shouldDropATenantsOldestWhereItHasMoreThanAQuarter() {
        ResponseStore store = store(8, 1 << 20);
        store.put(BLUE, "b", response(10));
        for (String id : List.of("1", "2", "3")) {
            store.put(RED, id, response(10));
        }
        assertThat(store.find(RED, "1")).isEmpty();
        assertThat(store.find(RED, "2")).isPresent();
        assertThat(store.find(BLUE, "b")).isPresent();
        assertThat(store.stats().dropped()).isEqualTo(1);
    }

    @Test
    void shouldNotStoreWhatIsLargerThanAQuarter() {
        ResponseStore store = store(100, 40_000);
        store.put(RED, "small", response(1_000));
        store.put(RED, "large", response(5_000));
        assertThat(store.find(RED, "large")).isEmpty();
        assertThat(store.find(RED, "small")).isPresent();
        assertThat(store.stats().tooLarge()).isEqualTo(1);
    }

    @Test
    void shouldForgetWhatIsTooOld() {
        ResponseStore store = store(100, 1 << 20);
        store.put(RED, "a", response(10));
        now.set(60);
        store.put(RED, "b", response(10));
        now.set(101);
        assertThat(store.find(RED, "a")).isEmpty();
        assertThat(store.find(RED, "b")).isPresent();
        assertThat(store.stats().dropped()).isZero();
    }

    @Test
    void shouldKeepWhatWentBeforeOnceForAllThatGoOnFromIt() {
        ResponseStore store = store(100, 1 << 20);
        ResponseStore.Stored first = response(1_000);
        store.put(RED, "first", first);
        long alone = store.stats().bytes();
        store.put(RED, "left", response(Optional.of(first.turn()), 0));
        store.put(RED, "right", response(Optional.of(first.turn()), 0));
        assertThat(store.stats().bytes()).isLessThan(2 * alone + 1_000);
        store.remove(RED, "first");
        store.remove(RED, "left");
        assertThat(store.find(RED, "right").orElseThrow().turn().before()).contains(first.turn());
        assertThat(store.stats().bytes()).isGreaterThan(1_000);
        store.remove(RED, "right");
        assertThat(store.stats().bytes()).isZero();
    }

    @Test
    void shouldCountAgainWhatHadGoneBeforeWhatGoesOnFromItCame() {
        ResponseStore store = store(100, 1 << 20);
        ResponseStore.Stored first = response(1_000);
        store.put(RED, "first", first);
        store.remove(RED, "first");
        store.put(RED, "second", response(Optional.of(first.turn()), 0));
        assertThat(store.stats().bytes()).isGreaterThan(1_000);
    }

    @Test
    void shouldCountWhatItHoldsWhateverHappens() {
        for (int seed = 0; seed < 50; seed++) {
            Random random = new Random(seed);
            ResponseStore store = store(40, 200_000);
            Map<String, ResponseStore.Stored> known = new HashMap<>();
            List<String> ids = new ArrayList<>();
            for (int i = 0; i < 300; i++) {
                Payer payer = random.nextBoolean() ? RED : BLUE;
                String id = payer.tenant() + random.nextInt(60);
                switch (random.nextInt(4)) {
                    case 0 -> store.remove(payer, id);
                    case 1 -> now.addAndGet(random.nextInt(10));
                    default -> {
                        Optional<Turn> before = ids.isEmpty()
                                ? Optional.empty()
                                : Optional.ofNullable(known.get(ids.get(random.nextInt(ids.size()))))
                                        .filter(stored -> random.nextBoolean())
                                        .map(ResponseStore.Stored::turn);
                        ResponseStore.Stored response = response(before, random.nextInt(3_000));
                        store.put(payer, id, response);
                        known.put(id, response);
                        ids.add(id);
                    }
                }
                assertThat(store.stats().bytes()).as("seed %d", seed).isBetween(0L, 200_000L);
                assertThat(store.stats().entries()).isBetween(0, 40);
            }
            now.addAndGet(1_000);
            assertThat(store.stats().bytes()).as("seed %d", seed).isZero();
            assertThat(store.stats().entries()).isZero();
        }
    }
}
