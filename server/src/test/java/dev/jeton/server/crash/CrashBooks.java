package dev.jeton.server.crash;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.accounting.Fact;
import dev.jeton.accounting.Filter;
import dev.jeton.accounting.Journal;
import dev.jeton.accounting.JournalConfig;
import dev.jeton.accounting.Ledger;
import dev.jeton.accounting.Money;
import dev.jeton.accounting.Recovery;
import dev.jeton.accounting.Reports;
import dev.jeton.accounting.RequestRow;
import dev.jeton.accounting.Scope;
import java.io.IOException;
import java.math.BigDecimal;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The books of servers that are killed, held against what clients saw. */
final class CrashBooks {

    /** The servers' name in the ledger. */
    static final String NODE = "crash";
    /** The label that tells the crashes apart. */
    static final String ROUND = "round";

    private final Path folder;
    private final String ledger;
    private final String user;

    /** @param ledger JDBC URL */
    CrashBooks(Path folder, String ledger, String user) {
        this.folder = folder;
        this.ledger = ledger;
        this.user = user;
    }

    /**
     * What the journal says was cut off, by the client's id: read from a copy, so that the server finds it untouched.
     */
    Map<String, Recovery.Abandoned> abandoned() throws IOException {
        Path copy = Files.createDirectories(folder.resolve("copy"));
        try (Stream<Path> files = Files.list(copy)) {
            for (Path old : files.toList()) {
                Files.delete(old);
            }
        }
        try (Stream<Path> files = Files.list(folder.resolve("journal"))) {
            for (Path file : files.toList()) {
                Files.copy(file, copy.resolve(file.getFileName()));
            }
        }
        try (Journal journal = Journal.open(copy, JournalConfig.of(NODE))) {
            return Recovery.abandoned(journal).stream()
                    .collect(Collectors.toMap(left -> clientsId(left.opened().request()), Function.identity()));
        }
    }

    /**
     * Checks the requests of a crash.
     *
     * @param abandoned what the journal said after it
     */
    void check(int round, List<Attempt> attempts, Map<String, Recovery.Abandoned> abandoned, CrashTally tally) {
        try (Ledger books = Ledger.open(ledger, user, "")) {
            assertThat(books.verify()).isEmpty();
            Map<String, RequestRow> rows = rows(books, round);
            for (Attempt attempt : attempts) {
                Optional<RequestRow> row =
                        Optional.ofNullable(rows.remove(attempt.ask().id()));
                if (row.isEmpty()) {
                    assertThat(attempt.received() > 0 || attempt.answered())
                            .as("delivered and not in the books: %s", attempt)
                            .isFalse();
                    assertThat(abandoned).doesNotContainKey(attempt.ask().id());
                    tally.unbooked();
                } else {
                    check(
                            attempt,
                            row.get(),
                            Optional.ofNullable(abandoned.get(attempt.ask().id())),
                            tally);
                }
            }
            assertThat(rows).as("in the books and never sent").isEmpty();
        }
    }

    /** Checks that what all crashes left sums to so many requests: nothing was booked a second time later. */
    void checkTotal(long requests) {
        try (Ledger books = Ledger.open(ledger, user, "")) {
            assertThat(books.verify()).isEmpty();
            long[] sum = {0};
            books.reports()
                    .hours(
                            Scope.OPERATOR,
                            0,
                            Long.MAX_VALUE,
                            Filter.ALL,
                            hour -> sum[0] += hour.row().requests());
            assertThat(sum[0]).isEqualTo(requests);
        }
    }

    /**
     * Checks that budgets have counted what the ledger has of all rounds: of what a kill cut off all that was granted,
     * since it may have been received, and the whole prompt.
     */
    void checkBudgets(Map<String, BigDecimal> used) {
        long tokens = 0;
        long calls = 0;
        BigDecimal money = BigDecimal.ZERO;
        try (Ledger books = Ledger.open(ledger, user, "")) {
            for (RequestRow row :
                    books.reports().requests(Scope.OPERATOR, 0, Long.MAX_VALUE, Filter.ALL, Reports.MAX_REQUESTS)) {
                boolean aborted =
                        row.outcome().filter(Fact.Outcome.ABORTED::equals).isPresent();
                tokens += aborted ? row.granted() : row.tokens().output();
                calls++;
                money = money.add(Money.decimal(row.list()));
            }
        }
        assertThat(calls).as("all requests are on one page").isLessThan(Reports.MAX_REQUESTS);
        assertThat(used.get("tokens")).as("tokens").isEqualByComparingTo(BigDecimal.valueOf(tokens));
        assertThat(used.get("calls")).as("calls").isEqualByComparingTo(BigDecimal.valueOf(calls));
        assertThat(used.get("money")).as("money").isEqualByComparingTo(money);
    }

    private static Map<String, RequestRow> rows(Ledger books, int round) {
        Filter filter = new Filter("", "", "", "", Map.of(ROUND, Integer.toString(round)));
        Map<String, RequestRow> rows = new HashMap<>();
        for (RequestRow row :
                books.reports().requests(Scope.OPERATOR, 0, Long.MAX_VALUE, filter, Reports.MAX_REQUESTS)) {
            assertThat(rows.put(clientsId(row.id()), row))
                    .as("twice in the books: %s", row)
                    .isNull();
        }
        return rows;
    }

    private static String clientsId(String booked) {
        return booked.substring(0, booked.indexOf('~'));
    }

    private static void check(
            Attempt attempt, RequestRow row, Optional<Recovery.Abandoned> abandoned, CrashTally tally) {
        String both = "%s%n%s".formatted(attempt, row);
        assertThat((long) attempt.received())
                .as("received is granted: %s", both)
                .isLessThanOrEqualTo(row.granted());
        assertThat(row.confirmed()).as("confirmed is granted: %s", both).isLessThanOrEqualTo(row.granted());
        if (attempt.answered()) {
            assertThat(row.outcome()).as(both).contains(Fact.Outcome.COMPLETED);
            assertThat(row.tokens().output()).as(both).isEqualTo(attempt.completion());
            assertThat(row.tokens().input() + row.tokens().cached()).as(both).isEqualTo(attempt.prompt());
            // The token that ends a sequence has no text.
            assertThat(row.confirmed() - attempt.received()).as(both).isBetween(0L, (long)
                    attempt.ask().sequences());
            tally.answered(attempt);
        } else if (abandoned.isPresent()) {
            assertThat(row.outcome()).as(both).contains(Fact.Outcome.ABORTED);
            assertThat(row.granted()).as(both).isEqualTo(abandoned.get().granted());
            assertThat(row.confirmed()).as(both).isEqualTo(abandoned.get().confirmed());
            if (!attempt.hungUp()) { // who hung up did not read all that its machine had got, and confirmed, by then
                assertThat(row.confirmed())
                        .as("confirmed is received: %s", both)
                        .isLessThanOrEqualTo(attempt.received());
            }
            tally.aborted(attempt, row);
        } else if (attempt.hungUp()) {
            assertThat(row.outcome().orElseThrow()).as(both).isIn(Fact.Outcome.CANCELLED, Fact.Outcome.COMPLETED);
            tally.hungUp(attempt);
        } else {
            // The end is durable before the last byte is sent, so a kill can come between the two. Of a stream that is
            // its usage and nothing else.
            assertThat(row.outcome()).as(both).contains(Fact.Outcome.COMPLETED);
            if (attempt.ask().stream()) {
                assertThat(row.confirmed() - attempt.received())
                        .as("confirmed is received: %s", both)
                        .isLessThanOrEqualTo(attempt.ask().sequences());
            }
            tally.unseen(attempt, row.confirmed());
        }
    }
}
