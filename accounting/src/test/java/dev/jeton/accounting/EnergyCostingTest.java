package dev.jeton.accounting;

import static dev.jeton.accounting.CostingTest.costing;
import static dev.jeton.accounting.CostingTest.sum;
import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.accounting.Posting.Account;
import dev.jeton.accounting.Posting.Unit;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What windows' energy comes to, and whose it is. */
class EnergyCostingTest {

    private static final long SECOND = 1_000_000_000L;

    @Test
    void shouldPriceEnergyOnceWithWhatTheBuildingAdds() {
        Costing costing = costing(", energy: extra, pue: 1.5", "electricity: 0.2\n");
        Fact.Window window = Windows.of("gpu-0", 0, 3_600_000_000_000L, Windows.states(0, 0, 0, 0), List.of());
        assertThat(costing.cost(window)).isEqualTo(300_000_000L);
        assertThat(costing("", "electricity: 0.2\n").cost(window))
                .as("rent includes energy")
                .isZero();
    }

    @Test
    void shouldBookEnergyAsTheMeterGaveItAndTheRestToTimeOutsideOfSteps() {
        Line line = new Line("a", 30, 0, 10, 0, 0, 0, 0, 400);
        Fact.Window window = Windows.of("gpu-0", 0, 1_000, Windows.states(40, 20, 0, 40), List.of(line));
        List<Posting> postings = costing("", "").postings(window, request -> "t");
        assertThat(sum(postings, Unit.MICROJOULES, Account.TENANT)).isEqualTo(300);
        assertThat(sum(postings, Unit.MICROJOULES, Account.HOUSE)).isEqualTo(100);
        assertThat(sum(postings, Unit.MICROJOULES, Account.OVERHEAD)).isEqualTo(200);
        assertThat(sum(postings, Unit.MICROJOULES, Account.IDLE)).isEqualTo(400);
    }

    @Test
    void shouldDivideEnergyByTimeAndPowerWhereTheMeterGaveNone() {
        Costing costing = costing(", idle-watts: 100, busy-watts: 300", "");
        Fact.Window window =
                Windows.of("gpu-0", 0, 1_000, Windows.states(50, 0, 0, 50), List.of(Windows.line("a", 50, 0)));
        List<Posting> postings = costing.postings(window, request -> "t");
        assertThat(sum(postings, Unit.MICROJOULES, Account.TENANT)).isEqualTo(750);
        assertThat(sum(postings, Unit.MICROJOULES, Account.IDLE)).isEqualTo(250);
    }

    @Test
    void shouldModelEnergyFromThePowerOfEachState() {
        EnergyModel model = new EnergyModel(PriceBook.parse("p", """
                currency: EUR
                devices: [{name: d, per-hour: 1, idle-watts: 90.5, busy-watts: 700}]
                """).device("d"));
        assertThat(model.microjoules(Windows.states(SECOND, 0, SECOND, SECOND))).isEqualTo(881_000_000L);
        assertThat(model.microjoules(List.of())).isZero();
        assertThat(model.microjoules(Windows.states(0, 0, 0, 1))).isZero();
    }

    @Test
    void shouldLetTheMoneyForEnergyFollowEnergy() {
        Costing costing = costing(", energy: extra", "electricity: 3600\n");
        Line line = new Line("a", 500, 0, 0, 0, 0, 0, 0, 9_000);
        Fact.Window window =
                new Fact.Window("gpu-0", 0, 0, 0, 1_000, Windows.states(500, 0, 0, 500), 10_000, true, List.of(line));
        List<Posting> postings = costing.postings(window, request -> request);
        assertThat(sum(postings, Unit.MONEY, Account.TENANT)).isEqualTo(9_000);
        assertThat(sum(postings, Unit.MONEY, Account.IDLE)).isEqualTo(1_000);
    }
}
