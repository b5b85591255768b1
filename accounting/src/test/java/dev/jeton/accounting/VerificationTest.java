package dev.jeton.accounting;

import static org.assertj.core.api.Assertions.assertThat;

import java.sql.SQLException;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

@ParameterizedClass
@EnumSource(Database.Kind.class)
class VerificationTest {

    private final TestBooks books;

    VerificationTest(Database.Kind kind) {
        books = new TestBooks(kind);
    }

    @AfterEach
    void close() {
        books.close();
    }

    @Test
    void findsNothingInSoundBooks() {
        for (int node = 0; node < 2; node++) {
            String name = "node" + node;
            books.apply(name, TestFacts.random(new SplittableRandom(node), name, 600));
        }

        assertThat(verify()).isEmpty();
    }

    @Test
    void findsAnAmountThatWasChanged() throws SQLException {
        spoil("UPDATE posting SET amount = amount + 1 WHERE number = 0");

        assertThat(verify()).anyMatch(finding -> finding.contains("sum to 1 NANOS instead of 0"));
    }

    @Test
    void findsMoneyThatWasMovedFromOneTenantToAnother() throws SQLException {
        spoil("UPDATE posting SET request = 0, party = 'bob' WHERE account = 'TENANT' AND kind = 'DECODE'");

        assertThat(verify())
                .anyMatch(finding -> finding.contains("usage of alice") && finding.contains("6000 metered"))
                .anyMatch(finding -> finding.contains("usage of bob") && finding.contains("-6000 metered"));
    }

    @Test
    void findsAnHourThatWasChanged() throws SQLException {
        spoil("UPDATE usage_hour SET list_money = list_money - 5");

        assertThat(verify()).anyMatch(finding -> finding.contains("usage of alice") && finding.contains("-5 list"));
    }

    @Test
    void findsMoneyOfBytesThatWasChanged() throws SQLException {
        spoil("UPDATE request SET egress_money = egress_money + 3");

        assertThat(verify()).anyMatch(finding -> finding.contains("usage of alice") && finding.contains("-3 egress"));
    }

    @Test
    void findsBytesThatWereMovedToAnotherZone() throws SQLException {
        spoil("UPDATE usage_hour SET zone_to = 'near'");

        assertThat(verify())
                .anyMatch(finding -> finding.contains("usage of alice") && finding.contains(" 111 egress"))
                .anyMatch(finding -> finding.contains("usage of alice") && finding.contains(" -111 egress"));
    }

    @Test
    void findsAnHourOfADeviceThatWasChanged() throws SQLException {
        spoil("UPDATE device_hour SET idle_nanos = idle_nanos - 1, draining_nanos = draining_nanos + 1");

        assertThat(verify())
                .singleElement()
                .asString()
                .contains("device gpu0 of node a, hour", "differs from its rows");
    }

    @Test
    void findsTimeThatWasDropped() throws SQLException {
        spoil("UPDATE device_window SET idle_nanos = idle_nanos - 7 WHERE sequence = 5");

        assertThat(verify())
                .anyMatch(finding -> finding.contains("the states of window 5 of device gpu0")
                        && finding.contains("say 1000000000 ns"));
    }

    @Test
    void findsAWindowThatWasMoved() throws SQLException {
        spoil("UPDATE device_window SET from_nanos = from_nanos + 3, to_nanos = to_nanos + 3 WHERE sequence = 6");

        assertThat(verify())
                .singleElement()
                .asString()
                .contains("window 6 of device gpu0 of node a begins 3 ns (0 us) after window 5 ended");
    }

    @Test
    void findsALineThatWasTakenOut() throws SQLException {
        spoil("DELETE FROM line");

        assertThat(verify())
                .anyMatch(finding -> finding.contains("the lines of window 5")
                        && finding.contains("sum to 0 ns, its steps took 3345 ns"));
    }

    @Test
    void allowsAGapWhereTheProcessWasDown() {
        books.apply("a", TestFacts.begin().window().restarted().window().facts());

        assertThat(verify()).isEmpty();
    }

    @Test
    void findsWindowsThatOverlapAcrossARestart() {
        books.apply(
                "a",
                TestFacts.begin()
                        .window()
                        .passing(-3 * TestFacts.SECOND)
                        .restarted()
                        .window()
                        .facts());

        assertThat(verify()).singleElement().asString().contains("begins -2000000 us after window 4 ended");
    }

    @Test
    void findsARequestThatWasClosedTwice() {
        books.apply(
                "a",
                TestFacts.begin()
                        .opened("r1", "alice", Map.of())
                        .closed("r1", Fact.Outcome.COMPLETED, 10, 1)
                        .closed("r1", Fact.Outcome.ABORTED, 20, 1)
                        .facts());

        assertThat(verify()).containsExactly("request r1 of node a was closed 2 times");
        assertThat(books.query("SELECT outcome, list_money FROM request")).containsExactly("COMPLETED,10");
    }

    @Test
    void findsARequestThatWasOpenedTwice() {
        books.apply(
                "a",
                TestFacts.begin()
                        .opened("r1", "alice", Map.of())
                        .opened("r1", "bob", Map.of())
                        .window("r1")
                        .facts());

        assertThat(verify()).containsExactly("request r1 of node a was opened 2 times");
        assertThat(books.query("SELECT tenant FROM usage_hour")).containsExactly("alice");
    }

    @Test
    void findsARequestThatWasNeverOpened() {
        books.apply(
                "a",
                TestFacts.begin()
                        .closed("r1", Fact.Outcome.COMPLETED, 10, 1)
                        .window("r2")
                        .facts());

        assertThat(verify()).containsExactly("request r1 of node a was never opened");
    }

    @Test
    void findsAnIdOfTwoNodes() {
        books.apply("a", TestFacts.begin().opened("r1", "alice", Map.of()).facts());
        books.apply("b", TestFacts.begin().opened("r1", "bob", Map.of()).facts());

        assertThat(verify()).containsExactly("request r1 was opened on 2 nodes");
    }

    @Test
    void findsProgressThatWasSetBack() throws SQLException {
        spoil("UPDATE node SET last_sequence = 2");

        assertThat(verify()).containsExactly("node a is projected to fact 2, but fact 6 is booked");
    }

    @Test
    void findsAClosedPeriodThatWasChanged() throws SQLException {
        spoil("INSERT INTO period (period, closed_at, requests, list_money, metered) VALUES ('2026-11', 0, 9, 9, 9)");

        assertThat(verify())
                .containsExactly(
                        "period 2026-11 was closed with 9 requests, 9 list, 0 egress, 0 steps, 9 metered; now it has"
                                + " 1 requests, 777 list, 111 egress, 0 steps, 9015 metered");
    }

    /** Sound books of one request with a window of its own and one idle, and something done to them. */
    private void spoil(String sql) throws SQLException {
        books.apply(
                "a",
                TestFacts.begin()
                        .opened("r1", "alice", Map.of())
                        .window("r1")
                        .window()
                        .closed("r1", Fact.Outcome.COMPLETED, 777, 1)
                        .facts());
        assertThat(verify()).isEmpty();
        books.unguard();
        books.execute(sql);
    }

    private List<String> verify() {
        return books.ledger().verify();
    }
}
