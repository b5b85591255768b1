package dev.jeton.server.admin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.accounting.Budget;
import dev.jeton.accounting.BudgetUnit;
import dev.jeton.accounting.BudgetWindow;
import dev.jeton.accounting.PriceBook;
import dev.jeton.server.api.ApiException;
import dev.jeton.server.config.Tenant;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PolicyStoreTest {

    private static final PriceBook FILE = PriceBook.parse("file", "currency: EUR\n");
    private static final Tenant OF_FILE = new Tenant(
            "filed",
            "filed",
            "",
            List.of("web"),
            List.of(new Tenant.Key("k", "a".repeat(64), "", Tenant.Scope.TENANT, "")));
    private static final Budget BUDGET = Budget.of("b", "filed", BudgetUnit.REQUESTS, BudgetWindow.TOTAL, 10);

    @TempDir
    private Path folder;

    private static PolicyFiles files() {
        return new PolicyFiles(List.of(OF_FILE), List.of(BUDGET), FILE);
    }

    private PolicyStore open(PolicyFiles files) {
        return new PolicyStore(Optional.of(folder), files, 1 << 20, () -> 42);
    }

    private static Author author(OptionalLong expected) {
        return new Author("ops", "", "", expected);
    }

    private static Policy change(PolicyStore store, Change change) {
        return store.change(author(OptionalLong.empty()), before -> Optional.of(change));
    }

    private static Change tenant(String id) {
        return Change.set("tenant.create", id, AuditEntry.object("name", id, "zone", "", "disabled", false));
    }

    private static Change key(String tenant, String id, String digit) {
        return Change.set(
                "key.create",
                tenant + "/" + id,
                KeyFormat.write(new Tenant.Key(id, digit.repeat(64), "", Tenant.Scope.TENANT, "")));
    }

    @Test
    void aRestartFindsWhatWasDecided() {
        Policy decided;
        try (PolicyStore store = open(files())) {
            change(store, tenant("new"));
            change(store, Change.set("project.create", "filed/batch", AuditEntry.object()));
            change(store, key("filed", "added", "b"));
            change(store, key("new", "own", "c"));
            change(store, Change.set("budget.kill", "b", AuditEntry.object("killed", true)));
            change(store, Change.gone("key.delete", "new/own"));
            decided = store.policy();
        }
        assertThat(decided.tenant("filed").orElseThrow().projects()).containsExactly("web", "batch");
        assertThat(decided.tenant("filed").orElseThrow().keys()).hasSize(2);
        assertThat(decided.tenant("new").orElseThrow().keys()).isEmpty();
        assertThat(decided.budget("b").orElseThrow().killed()).isTrue();
        try (PolicyStore store = open(files())) {
            assertThat(store.policy()).isEqualTo(decided);
        }
    }

    @Test
    void aChangeOfTheFilesIsAChangeOfThePolicy() {
        try (PolicyStore store = open(files())) {
            assertThat(store.policy().version())
                    .as("the files, read for the first time")
                    .isEqualTo(1);
        }
        try (PolicyStore store = open(files())) {
            assertThat(store.policy().version()).isEqualTo(1);
        }
        try (PolicyStore store = open(new PolicyFiles(List.of(), List.of(), FILE))) {
            assertThat(store.policy().version()).isEqualTo(2);
            assertThat(store.policy().tenants()).isEmpty();
        }
    }

    @Test
    void whatTheFilesSayWinsOverWhatTheAdminApiMadeOfTheSameName() {
        try (PolicyStore store = open(new PolicyFiles(List.of(), List.of(), FILE))) {
            change(store, tenant("filed"));
            change(store, key("filed", "k", "b"));
            change(store, key("filed", "other", "c"));
        }
        try (PolicyStore store = open(files())) {
            assertThat(store.policy().tenants()).hasSize(1);
            assertThat(store.policy().tenant("filed").orElseThrow().keys())
                    .extracting(Tenant.Key::sha256)
                    .containsExactly("a".repeat(64), "c".repeat(64));
        }
    }

    @Test
    void aNewTenantHasNothingOfAFormerOneOfItsName() {
        try (PolicyStore store = open(new PolicyFiles(List.of(), List.of(), FILE))) {
            change(store, tenant("t"));
            change(store, key("t", "k", "b"));
            change(store, Change.gone("tenant.delete", "t"));
            change(store, tenant("t"));
            assertThat(store.policy().tenant("t").orElseThrow().keys()).isEmpty();
        }
    }

    @Test
    void pricesOfTheAdminApiHoldUntilTheFileIsAnother() {
        String yaml = "currency: EUR\ntariffs: [{model: a, input: 1, output: 1}]\n";
        try (PolicyStore store = open(files())) {
            change(store, Change.set("prices.put", "x", AuditEntry.object("yaml", yaml, "file", FILE.version())));
            assertThat(store.policy().prices().content()).isEqualTo(yaml);
        }
        assertThat(PolicyStore.read(folder, new PolicyFiles(List.of(), List.of(), FILE))
                        .prices()
                        .content())
                .isEqualTo(yaml);
        PriceBook other = PriceBook.parse("other", "currency: USD\n");
        assertThat(PolicyStore.read(folder, new PolicyFiles(List.of(), List.of(), other))
                        .prices())
                .isEqualTo(other);
        try (PolicyStore store = open(new PolicyFiles(List.of(OF_FILE), List.of(BUDGET), other))) {
            assertThat(store.policy().prices()).isEqualTo(other);
        }
        try (PolicyStore store = open(files())) {
            assertThat(store.policy().prices()).as("given up for good").isEqualTo(FILE);
        }
    }

    @Test
    void ofChangesThoughtOutForOneVersionOneIsMade() throws InterruptedException {
        int threads = 8;
        AtomicInteger made = new AtomicInteger();
        AtomicInteger refused = new AtomicInteger();
        try (PolicyStore store = open(files())) {
            for (int round = 0; round < 20; round++) {
                long version = store.policy().version();
                CountDownLatch start = new CountDownLatch(1);
                List<Thread> all = new ArrayList<>();
                for (int i = 0; i < threads; i++) {
                    String id = "t%d-%d".formatted(round, i);
                    all.add(Thread.ofVirtual().start(() -> {
                        try {
                            start.await();
                            store.change(author(OptionalLong.of(version)), before -> Optional.of(tenant(id)));
                            made.incrementAndGet();
                        } catch (ApiException e) {
                            refused.addAndGet(e.status() == 412 ? 1 : 1_000);
                        } catch (InterruptedException e) {
                            Thread.currentThread().interrupt();
                        }
                    }));
                }
                start.countDown();
                for (Thread thread : all) {
                    thread.join();
                }
                assertThat(store.policy().version()).isEqualTo(version + 1);
            }
            assertThat(made).hasValue(20);
            assertThat(refused).hasValue(20 * (threads - 1));
            assertThat(store.policy().tenants()).hasSize(21);
        }
    }

    @Test
    void listenersHearOfEveryChangeInItsOrderAfterItHolds() {
        List<Integer> heard = new ArrayList<>();
        try (PolicyStore store = open(files())) {
            store.follow(new PolicyListener() {
                @Override
                public void tenants(List<Tenant> tenants) {
                    heard.add(tenants.size());
                    assertThat(store.policy().tenants()).isEqualTo(tenants);
                }

                @Override
                public void budgets(List<Budget> budgets) {
                    heard.add(100 + budgets.size());
                }

                @Override
                public void prices(PriceBook prices) {
                    heard.add(1_000);
                }
            });
            change(store, tenant("a"));
            change(store, tenant("b"));
            change(store, Change.set("budget.kill", "b", AuditEntry.object("killed", true)));
        }
        assertThat(heard).containsExactly(1, 101, 1_000, 2, 3, 101);
    }

    @Test
    void aFullLogRefusesChangesAndLosesNone() {
        try (PolicyStore store = new PolicyStore(Optional.of(folder), files(), 2_000, () -> 42)) {
            for (int i = 0; i < 100; i++) {
                try {
                    change(store, tenant("t" + i));
                } catch (ApiException e) {
                    assertThat(e.status()).isEqualTo(503);
                    assertThat(e).hasMessageContaining("admin.log-size");
                }
            }
            assertThat(store.stats().bytes()).isBetween(1_500L, 2_000L);
            assertThat(store.policy().tenants()).hasSizeBetween(2, 10);
            assertThat(store.policy().version())
                    .isEqualTo(store.policy().tenants().size());
        }
    }

    @Test
    void withoutAFolderTheFilesHoldAndNothingChanges() {
        try (PolicyStore store = new PolicyStore(Optional.empty(), files(), 1 << 20, () -> 42)) {
            assertThat(store.policy().tenants()).containsExactly(OF_FILE);
            assertThatThrownBy(() -> change(store, tenant("a"))).isInstanceOf(ApiException.class);
        }
    }
}
