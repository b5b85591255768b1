package dev.jeton.accounting;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/** Periods that are costed again by other prices. */
@ParameterizedClass
@EnumSource(Database.Kind.class)
class RecostingTest {

    /** A book by which everything costs so many times as much. */
    static final String DEARER = "factor: 2";

    private static final String DEAREST = "factor: 3";

    /** Costs as the books of {@link TestFacts} do, or so many times as much. */
    static final Costings COSTINGS = (priceBook, policy) -> priceBook.startsWith("factor: ")
            ? times(Long.parseLong(priceBook.substring("factor: ".length())))
            : TestFacts.COSTING;

    private static final long DAY_AFTER = TestFacts.micros("2026-11-21T05:30:00Z");
    private static final long OPEN_HOUR = TestFacts.micros("2026-11-21T05:00:00Z");
    private static final String DAY = "2026-11-20";

    private final TestBooks books;

    RecostingTest(Database.Kind kind) {
        books = new TestBooks(kind);
    }

    @AfterEach
    void close() {
        books.close();
    }

    private static WindowCosting times(long factor) {
        return (window, payers) -> TestFacts.COSTING.postings(window, payers).stream()
                .map(p -> new Posting(
                        p.account(),
                        p.party(),
                        p.request(),
                        p.kind(),
                        p.unit(),
                        p.unit() == Posting.Unit.MONEY ? factor * p.amount() : p.amount()))
                .toList();
    }

    private static Fact.Recosted recosted(long at, String content) {
        return new Fact.Recosted(at, DAY, "book of " + content, content);
    }

    private static TestFacts started() {
        return TestFacts.begin().opened("r1", "alice", Map.of("task", "t")).window("r1");
    }

    private List<String> metered() {
        return books.query("SELECT SUM(metered) FROM usage_hour");
    }

    @Test
    void correctsAClosedPeriodByReversals() {
        books.apply("a", started().add(new Fact.PeriodClosed(DAY_AFTER, DAY)).facts());
        List<String> before = books.query("SELECT * FROM posting ORDER BY number");

        books.recost(DAY, "book2", DEARER, COSTINGS);

        assertThat(books.query("SELECT * FROM posting ORDER BY number")).startsWith(before.toArray(String[]::new));
        assertThat(books.query("""
                SELECT SUM(CASE WHEN reversal_of >= 0 THEN amount ELSE 0 END),
                       SUM(CASE WHEN reversal_of < 0 AND price_book = 'book2' THEN amount ELSE 0 END),
                       SUM(amount)
                FROM posting WHERE account = 'TENANT' AND unit = 'MONEY'
                """)).containsExactly("-9015,18030,18030");
        assertThat(books.query("SELECT hour, corrects, price_book, metered FROM usage_hour ORDER BY hour, price_book"))
                .containsExactly(
                        TestFacts.START + ",,book1,9015",
                        OPEN_HOUR + "," + DAY + ",book1,-9015",
                        OPEN_HOUR + "," + DAY + ",book2,18030");
        assertThat(books.ledger().verify()).isEmpty();
    }

    @Test
    void anOpenPeriodIsCostedAgainInItsOwnHours() {
        books.apply("a", started().facts());

        books.recost(DAY, "book2", DEARER, COSTINGS);

        assertThat(books.query("SELECT DISTINCT hour, corrects FROM posting")).containsExactly(TestFacts.START + ",");
        assertThat(metered()).containsExactly("18030");
        assertThat(books.query("SELECT DISTINCT SUM(amount) FROM posting GROUP BY node, sequence, unit"))
                .containsExactly("0");
        assertThat(books.ledger().verify()).isEmpty();
    }

    @Test
    void theSameAgainPostsNothing() {
        books.apply("a", started().facts());
        books.recost(DAY, "book2", DEARER, COSTINGS);
        List<String> postings = books.query("SELECT * FROM posting ORDER BY sequence, number");

        books.recost(DAY, "book2", DEARER, COSTINGS);

        assertThat(books.query("SELECT * FROM posting ORDER BY sequence, number"))
                .isEqualTo(postings);
        assertThat(books.ledger().recosts(DAY, "book2")).isEqualTo(2);
    }

    @Test
    void theFirstPricesAgainBringTheFirstAmountsBack() {
        books.apply("a", started().facts());
        books.recost(DAY, "book2", DEARER, COSTINGS);

        books.recost(DAY, "book1", "prices: 1", COSTINGS);

        assertThat(metered()).containsExactly("9015");
        assertThat(books.ledger().verify()).isEmpty();
    }

    @Test
    void whatComesLaterAboutThePeriodIsCostedByItsPrices() {
        books.apply(
                "a",
                started()
                        .add(recosted(DAY_AFTER, DEARER))
                        .window("r1")
                        .passing(86_400 * TestFacts.SECOND)
                        .facts(),
                COSTINGS);

        assertThat(books.query("SELECT DISTINCT price_book FROM posting WHERE sequence = 7"))
                .containsExactly("book of " + DEARER);
        assertThat(metered()).containsExactly("36060");
        assertThat(books.ledger().verify()).isEmpty();
    }

    @Test
    void otherTimesKeepTheirPrices() {
        books.apply(
                "a",
                started()
                        .add(recosted(DAY_AFTER, DEARER))
                        .add(new Fact.Started(DAY_AFTER, "test", List.of()))
                        .facts(),
                COSTINGS);
        books.apply(
                "b",
                new TestFacts(DAY_AFTER)
                        .add(new Fact.Started(DAY_AFTER, "test", List.of()))
                        .opened("b1", "bob", Map.of())
                        .window("b1")
                        .facts(),
                COSTINGS);

        assertThat(books.query("SELECT tenant, SUM(metered) FROM usage_hour GROUP BY tenant ORDER BY tenant"))
                .containsExactly("alice,18030", "bob,9015");
    }

    @Test
    void itHoldsForWindowsOfEveryNodeBeforeAndAfterIt() {
        List<Fact> deciding = started().add(recosted(DAY_AFTER, DEARER)).facts();
        List<Fact> other =
                TestFacts.begin().opened("b1", "bob", Map.of()).window("b1").facts();
        books.apply("b", other, COSTINGS);
        books.apply("a", deciding, COSTINGS);
        try (TestBooks crosswise = new TestBooks(books.kind())) {
            crosswise.apply("a", deciding, COSTINGS).apply("b", other, COSTINGS);

            String sums = "SELECT tenant, SUM(metered) FROM usage_hour GROUP BY tenant ORDER BY tenant";
            assertThat(books.query(sums)).containsExactly("alice,18030", "bob,18030");
            assertThat(crosswise.query(sums)).isEqualTo(books.query(sums));
            assertThat(crosswise.ledger().verify()).isEmpty();
        }
    }

    @Test
    void ofTwoDecisionsTheLaterHoldsInWhicheverOrderTheJournalsCome() {
        List<Fact> sooner = started().add(recosted(DAY_AFTER, DEARER)).facts();
        List<Fact> later = List.of(recosted(DAY_AFTER + 1, DEAREST));
        books.apply("a", sooner, COSTINGS).apply("b", later, COSTINGS);
        assertThat(metered()).containsExactly("27045");
        try (TestBooks crosswise = new TestBooks(books.kind())) {
            crosswise.apply("b", later, COSTINGS).apply("a", sooner, COSTINGS);

            assertThat(crosswise.query("SELECT SUM(metered) FROM usage_hour")).containsExactly("27045");
        }
    }

    @Test
    void aClockThatStepsBackDoesNotReviveAnEarlierDecision() {
        books.apply(
                "a",
                started()
                        .add(recosted(DAY_AFTER, DEARER))
                        .add(recosted(5, DEAREST))
                        .facts(),
                COSTINGS);

        assertThat(metered()).containsExactly("27045");
    }

    @Test
    void aLostLedgerHasTheSameRowsAgainHoweverItsFactsAreCut() {
        List<Fact> random = TestFacts.random(new SplittableRandom(5), "a", 500);
        List<Fact> facts = new ArrayList<>(random.subList(0, 300));
        facts.add(recosted(DAY_AFTER, DEARER));
        facts.addAll(random.subList(300, 350));
        facts.add(new Fact.PeriodClosed(DAY_AFTER + 1, DAY));
        facts.addAll(random.subList(350, 400));
        facts.add(recosted(DAY_AFTER + 2, DEAREST));
        facts.addAll(random.subList(400, 500));
        for (int count = 37; count < facts.size(); count += 37) {
            books.apply("a", facts.subList(0, count), COSTINGS);
        }
        books.apply("a", facts, COSTINGS);
        try (TestBooks again = new TestBooks(books.kind())) {
            again.apply("a", facts, COSTINGS);

            assertThat(again.dump()).isEqualTo(books.dump());
            assertThat(again.query("SELECT COUNT(*) FROM posting WHERE reversal_of >= 0 AND corrects <> ''"))
                    .doesNotContain("0");
            assertThat(again.ledger().verify()).isEmpty();
        }
    }

    @Test
    void hoursThatTheLastRunLeftAreDoneBeforeAnythingElse() throws Exception {
        TestFacts facts = started();
        books.apply("a", facts.add(recosted(DAY_AFTER, DEARER)).facts(), COSTINGS);
        books.apply("b", List.of(recosted(DAY_AFTER + 1, DEAREST)), COSTINGS);
        List<String> whole = books.query("SELECT * FROM usage_hour ORDER BY price_book");
        try (TestBooks cut = new TestBooks(books.kind())) {
            cut.apply("a", facts.facts(), COSTINGS);
            // as a crash after the transaction with the decision of b leaves it
            long day = Period.named(DAY).from();
            cut.execute(
                    "INSERT INTO document VALUES ('PRICE_BOOK', 'book of %s', '%s', 'b', 1)"
                            .formatted(DEAREST, DEAREST),
                    "INSERT INTO node VALUES ('b', 1, 1, %d, 0, '', '')".formatted(DAY_AFTER + 1),
                    "INSERT INTO recost VALUES ('b', 1, %d, '%s', %d, %d, 'book of %s', %d)"
                            .formatted(
                                    DAY_AFTER + 1, DAY, day, Period.named(DAY).until(), DEAREST, day));

            cut.apply("b", List.of(recosted(DAY_AFTER + 1, DEAREST)), COSTINGS);

            assertThat(cut.query("SELECT * FROM usage_hour ORDER BY price_book"))
                    .isEqualTo(whole);
        }
    }
}
