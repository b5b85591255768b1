package dev.jeton.accounting;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/** Shared budgets of device time and of wall time, which pass by themselves and between two exchanges. */
@ParameterizedClass
@EnumSource(Database.Kind.class)
@Timeout(value = 240, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class SharedTimeTest {

    private static final Payer PAYER = new Payer("t", "", "k");
    private static final long SECOND = 1_000_000_000L;

    private final TestBooks books;

    SharedTimeTest(Database.Kind kind) {
        books = new TestBooks(kind);
    }

    @AfterEach
    void close() {
        books.close();
    }

    private SharedRun two(BudgetUnit unit, long seconds) {
        Budget budget = Budget.of("time", "t", unit, BudgetWindow.TOTAL, seconds * SECOND)
                .sharedBy(true);
        return new SharedRun(1, books, List.of(budget)).servers(2);
    }

    private static List<BudgetRun.Client> begin(SharedRun.Server server, int requests) {
        List<BudgetRun.Client> all = new ArrayList<>();
        for (int i = 0; i < requests; i++) {
            BudgetRun.Client client = server.run.client(PAYER, 0, 1, 100_000, 100_000);
            server.run.begin(client);
            all.add(client);
        }
        return all;
    }

    private static Optional<BudgetStop> stop(BudgetRun.Client client) {
        return Objects.requireNonNull(client.hold).stoppedBy();
    }

    /** Ten milliseconds of a device of its own for each that runs. */
    private static void compute(List<BudgetRun.Client> clients) {
        for (BudgetRun.Client client : clients) {
            if (client.runs() && stop(client).isEmpty()) {
                Objects.requireNonNull(client.hold).device(SECOND / 100);
            }
        }
    }

    @Test
    void nobodyIsEndedWhileThereIsWallTimeThatNobodyHasSpent() {
        try (SharedRun run = two(BudgetUnit.WALL_SECONDS, 100_000)) {
            SharedRun.Server a = run.servers.get(0);
            a.live(2_000_000, () -> {});
            List<BudgetRun.Client> clients = begin(a, 5);
            a.live(10_000_000, () -> {});
            clients.addAll(begin(a, 20));
            a.live(20_000_000, () -> {});
            assertThat(clients).allMatch(client -> stop(client).isEmpty());
            assertThat(a.view().shared().orElseThrow().charged()).isBetween(530 * SECOND, 570 * SECOND);
        }
    }

    @Test
    void nobodyIsEndedWhileThereIsDeviceTimeThatNobodyHasSpent() {
        try (SharedRun run = two(BudgetUnit.DEVICE_SECONDS, 100_000)) {
            SharedRun.Server a = run.servers.get(0);
            a.live(2_000_000, () -> {});
            List<BudgetRun.Client> clients = begin(a, 5);
            a.live(10_000_000, () -> compute(clients));
            clients.addAll(begin(a, 20));
            a.live(20_000_000, () -> compute(clients));
            assertThat(clients).allMatch(client -> stop(client).isEmpty());
            assertThat(a.view().shared().orElseThrow().charged()).isBetween(530 * SECOND, 570 * SECOND);
        }
    }

    @Test
    void wallTimePassesALimitByNoMoreThanItWouldOnOneServer() {
        try (SharedRun run = two(BudgetUnit.WALL_SECONDS, 60)) {
            SharedRun.Server a = run.servers.get(0);
            a.live(2_000_000, () -> {});
            List<BudgetRun.Client> clients = begin(a, 5);
            a.live(
                    20_000_000,
                    () -> clients.stream()
                            .filter(client -> !client.done && stop(client).isPresent())
                            .forEach(client -> a.run.end(client, Fact.Outcome.COMPLETED)));
            assertThat(clients).allMatch(client -> client.done);
            assertThat(a.view().shared().orElseThrow().charged()).isBetween(55 * SECOND, 60 * SECOND + SECOND / 5);
        }
    }

    @Test
    void deviceTimeThatCannotBeAskedForSaysSo() {
        try (SharedRun run = two(BudgetUnit.DEVICE_SECONDS, 100_000)) {
            SharedRun.Server a = run.servers.get(0);
            a.live(2_000_000, () -> {});
            List<BudgetRun.Client> clients = begin(a, 1);
            a.live(2_000_000, () -> compute(clients));
            run.away = true;
            a.live(100_000_000, () -> compute(clients));
            assertThat(stop(clients.getFirst()).orElseThrow().reason()).isEqualTo(BudgetRefusal.Reason.UNREACHABLE);
        }
    }

    @Test
    void deviceTimeThatGoesBackIsNotSpentMeanwhile() {
        try (SharedRun run = two(BudgetUnit.DEVICE_SECONDS, 100)) {
            SharedRun.Server a = run.servers.get(0);
            a.live(2_000_000, () -> {});
            List<BudgetRun.Client> clients = begin(a, 8);
            a.live(3_000_000, () -> compute(clients));
            clients.stream().skip(1).forEach(client -> a.run.end(client, Fact.Outcome.COMPLETED));
            run.away = true;
            a.exchange(false); // offers back what the others needed
            long keeps = a.view().shared().orElseThrow().allotted();
            BudgetRun.Client last = clients.getFirst();
            for (int i = 0; i < 10_000 && stop(last).isEmpty(); i++) {
                compute(List.of(last));
            }
            assertThat(a.view().shared().orElseThrow().charged()).isBetween(keeps, keeps + SECOND / 100);
        }
    }

    @Test
    void deviceTimePassesALimitByTheStepsInFlightOfEachServerOnly() {
        Budget device = Budget.of("tokens", "t", BudgetUnit.DEVICE_SECONDS, BudgetWindow.TOTAL, 20_000_000_000L)
                .sharedBy(true);
        try (SharedRun run = new SharedRun(1, books, List.of(device))) {
            run.stepNanos = 100_000_000;
            run.servers(2);
            long tokens = run.gets(0, 60) + run.gets(1, 900);
            assertThat(tokens).isBetween(200L, 202L);
        }
    }
}
