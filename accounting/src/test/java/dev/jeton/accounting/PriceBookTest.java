package dev.jeton.accounting;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PriceBookTest {

    private static final long NOW = Period.micros(Instant.parse("2026-11-20T08:00:00Z"));

    @TempDir
    private Path folder;

    private static PriceBook book(String text) {
        return PriceBook.parse("prices.yaml", "currency: EUR\n" + text);
    }

    @Test
    void shouldReadEveryPart() {
        PriceBook book = book("""
                electricity: 0.28
                residency-share: 0.1
                devices:
                  - name: gpu-*
                    purchase: 32000
                    lifetime-days: 1461
                    purchased: 2026-01-01
                    idle-watts: 90
                    busy-watts: 700
                    pue: 1.3
                  - {name: gpu-7, per-hour: 2.5, energy: extra, residency-share: 0}
                tariffs:
                  - {model: llama, input: 0.5, cached-input: 0.05, output: 1.5, batch-discount: 50}
                  - {model: "embed-*", embeddings: 0.02}
                egress:
                  - {per-gb: 0.01}
                  - {from: a, to: b, per-gb: 0.002}
                reservations:
                  - {tenant: acme, device: gpu-0, share: 0.25, until: 2027-01-01T00:00:00Z}
                """);
        assertThat(book.currency().getCurrencyCode()).isEqualTo("EUR");
        assertThat(book.device("gpu-0").capital())
                .isEqualTo(new DevicePrice.Owned(
                        Rate.of("32000"),
                        1461 * 86_400_000_000L,
                        Period.micros(Instant.parse("2026-01-01T00:00:00Z"))));
        assertThat(book.device("gpu-0").residency()).isEqualTo(Rate.of("0.1"));
        assertThat(book.device("gpu-0").energyIncluded()).isFalse();
        assertThat(book.device("gpu-7").residency()).isEqualTo(Rate.ZERO);
        assertThat(book.device("gpu-7").energyIncluded()).isFalse();
        assertThat(book.device("cpu")).isEqualTo(DevicePrice.FREE);
        assertThat(book.prices("cpu")).isFalse();
        assertThat(book.tariff("embed-small", "", NOW).orElseThrow().rate(Tariff.Meter.EMBEDDINGS))
                .isEqualTo(Rate.of("0.02"));
        assertThat(book.egress(new Zones("a", "b"), 3_000_000_000L)).isEqualTo(6_000_000);
        assertThat(book.egress(new Zones("b", "a"), 3_000_000_000L)).isEqualTo(30_000_000);
        assertThat(book.egress(new Zones("a", ""), 3_000_000_000L)).isEqualTo(30_000_000);
        assertThat(book.egress(Zones.UNKNOWN, 3_000_000_000L)).isEqualTo(30_000_000);
        assertThat(book.reservations().getFirst().holds("gpu-0", NOW)).isTrue();
        assertThat(book.warning()).isEmpty();
    }

    @Test
    void shouldNameItsVersionByItsContent() {
        PriceBook one = book("electricity: 1");
        assertThat(one.version())
                .matches("[0-9a-f]{16}")
                .isEqualTo(book("electricity: 1").version());
        assertThat(one.version())
                .isNotEqualTo(book("electricity: 1 # same price").version());
        assertThat(PriceBook.version("abc")).isEqualTo("ba7816bf8f01cfea");
    }

    @Test
    void shouldReadItselfBackFromItsContent() {
        PriceBook book = book("tariffs: [{model: a, input: 1, output: 2}]");
        assertThat(PriceBook.parse("again", book.content())).isEqualTo(book);
    }

    @Test
    void shouldPreferTheTenantThenTheCloserName() {
        PriceBook book = book("""
                tariffs:
                  - {model: "*", input: 1, output: 1}
                  - {model: llama-*, input: 2, output: 2}
                  - {model: llama-8b, input: 3, output: 3}
                  - {model: "*", tenant: acme, input: 4, output: 4}
                  - {model: llama-8b, tenant: acme, input: 5, output: 5, until: 2026-01-01}
                """);
        assertThat(book.tariff("qwen", "x", NOW).orElseThrow().input()).isEqualTo(Rate.of("1"));
        assertThat(book.tariff("llama-70b", "x", NOW).orElseThrow().input()).isEqualTo(Rate.of("2"));
        assertThat(book.tariff("llama-8b", "x", NOW).orElseThrow().input()).isEqualTo(Rate.of("3"));
        assertThat(book.tariff("llama-8b", "acme", NOW).orElseThrow().input()).isEqualTo(Rate.of("4"));
        assertThat(book.tariff("llama-8b", "acme", 0).orElseThrow().input()).isEqualTo(Rate.of("5"));
    }

    @Test
    void shouldChangeTariffsAtTheirBoundsWithoutGapOrOverlap() {
        PriceBook book = book("""
                tariffs:
                  - {model: m, input: 1, output: 1, until: 2026-07-01}
                  - {model: m, input: 2, output: 2, from: 2026-07-01}
                """);
        long bound = Period.micros(Instant.parse("2026-07-01T00:00:00Z"));
        assertThat(book.tariff("m", "", bound - 1).orElseThrow().input()).isEqualTo(Rate.of("1"));
        assertThat(book.tariff("m", "", bound).orElseThrow().input()).isEqualTo(Rate.of("2"));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
            electricity: -1                                                  | :2: 'electricity': -1 is negative
            electricity: cheap                                               | 'cheap' is not a number
            electricity: [1]                                                 | a plain value is expected
            tarifs: []                                                       | 'tarifs': is not a key
            tariffs: 3                                                       | a list is expected
            tariffs: [3]                                                     | 'tariffs[0]' needs keys
            tariffs: [{model: a, input: 1, output: 1, colour: 2}]            | 'tariffs[0].colour': is not a key
            tariffs: [{model: a, input: 1}]                                  | 'tariffs[0].output': is missing
            tariffs: [{model: a}]                                            | 'tariffs[0].input': is missing
            tariffs: [{input: 1, output: 1}]                                 | 'tariffs[0].model': is missing
            tariffs: [{model: "a*b", input: 1, output: 1}]                   | not at its end
            tariffs: [{model: a, input: 1e10, output: 1}]                    | more than 1000000000
            tariffs: [{model: a, input: 1, output: 1, batch-discount: 101}]  | more than 100
            tariffs: [{model: a, input: 1, output: 1, from: 2026-13-01}]     | is not a date
            tariffs: [{model: a, input: 1, output: 1, from: 12026-01-01}]    | is not a date
            tariffs: [{model: a, input: 1, output: 1, from: 0026-01-01}]     | the year 26
            tariffs: [{model: a, input: 1, output: 1, from: 2027-01-01, until: 2026-01-01}] | not after 'from'
            tariffs: [{model: a, embeddings: 1}, {model: a, embeddings: 2, from: 2026-01-01}] | overlaps the tariff on line 2
            devices: [{name: a, per-hour: 1}, {name: a, per-hour: 2}]        | has an entry already
            devices: [{name: a}]                                             | either rented
            devices: [{name: a, per-hour: 1, purchase: 1}]                   | either rented
            devices: [{name: a, purchase: 1}]                                | 'devices[0].lifetime-days': is missing
            devices: [{name: a, per-hour: 1, lifetime-days: 3}]              | neither 'lifetime-days'
            devices: [{name: a, per-hour: 1, pue: 0.9}]                      | less than 1
            devices: [{name: a, per-hour: 1, idle-watts: 9, busy-watts: 3}]  | less than 'idle-watts'
            devices: [{name: a, per-hour: 1, energy: maybe}]                 | neither 'included' nor 'extra'
            residency-share: 1.1                                             | more than 1
            egress: [{per-gb: 1}, {from: "*", per-gb: 2}]                    | one entry a pair
            steps: [{kind: coffee, price: 1}]                                | is no kind of step
            steps: [{kind: tool}]                                            | 'steps[0].price': is missing
            steps: [{kind: tool, per: 0, price: 1}]                          | not a whole number from 1 on
            steps: [{kind: tool, per: 1.5, price: 1}]                        | not a whole number from 1 on
            steps: [{kind: tool, price: -1}]                                 | negative
            steps: [{kind: tool, price: 1}, {kind: tool, unit: "*", price: 2}] | one entry a kind and unit
            reservations: [{tenant: t, device: d}]                           | 'reservations[0].share': is missing or 0
            reservations: [{tenant: t, device: d, share: 0.6}, {tenant: u, device: "*", share: 0.5}] | sum to 1.1
            currency: USD                                                    | Duplicate
            a: &x 1                                                          | is not a key
            electricity: *x                                                  | aliases are not read
            electricity: "1                                                  | this is not YAML
            """)
    void shouldRefuse(String text, String message) {
        assertThatThrownBy(() -> book(text))
                .isInstanceOf(AccountingException.class)
                .hasMessageStartingWith("prices.yaml:")
                .hasMessageContaining(message);
    }

    @Test
    void shouldPriceStepsByTheirKindAndUnit() {
        PriceBook book = book("""
                steps:
                  - {kind: retrieval, per: 1000, price: 0.5}
                  - {kind: egress, unit: GB, price: 0.02}
                  - {kind: egress, price: 7}
                """);
        assertThat(book.step(TaskStep.Kind.RETRIEVAL, Rate.of("3"), "queries")).isEqualTo(1_500_000);
        assertThat(book.step(TaskStep.Kind.EGRESS, Rate.of("2.5"), "GB")).isEqualTo(50_000_000);
        assertThat(book.step(TaskStep.Kind.EGRESS, Rate.of("2"), "")).isEqualTo(14_000_000_000L);
        assertThat(book.step(TaskStep.Kind.TOOL, Rate.of("2"), "")).isZero();
        // half a nano-unit goes to the even neighbour
        assertThat(book.step(TaskStep.Kind.RETRIEVAL, Rate.of("0.000001"), "")).isZero();
        assertThat(book.step(TaskStep.Kind.RETRIEVAL, Rate.of("0.000003"), "")).isEqualTo(2);
        assertThat(book.warning()).isEmpty();
    }

    @Test
    void shouldAllowSharesThatSumToOneAtAnyTime() {
        assertThat(book("""
                reservations:
                  - {tenant: t, device: d, share: 0.6, until: 2026-06-01}
                  - {tenant: u, device: d, share: 0.6, from: 2026-06-01}
                  - {tenant: v, device: d, share: 0.4}
                """).reservations()).hasSize(3);
    }

    @Test
    void shouldRefuseAnUnknownOrMissingCurrency() {
        assertThatThrownBy(() -> PriceBook.parse("p", "currency: ABC")).hasMessageContaining("p:1: 'currency': 'ABC'");
        assertThatThrownBy(() -> PriceBook.parse("p", "electricity: 1")).hasMessageContaining("is missing");
        assertThatThrownBy(() -> PriceBook.parse("p", "")).hasMessageContaining("a price book needs keys");
        assertThatThrownBy(() -> PriceBook.parse("p", "currency: EUR\n---\ncurrency: USD"))
                .hasMessageContaining("second document");
    }

    @Test
    void shouldRefuseAFileOfAbsurdSize() throws IOException {
        Path file = folder.resolve("large.yaml");
        Files.writeString(file, "currency: EUR\n" + "#".repeat(PriceBook.MAX_BYTES));
        assertThatThrownBy(() -> PriceBook.load(file)).hasMessageContaining("larger than 1,048,576 bytes");
        assertThatThrownBy(() -> PriceBook.load(folder.resolve("none.yaml"))).hasMessageContaining("none.yaml");
        assertThatThrownBy(() -> book("[".repeat(100_000))).isInstanceOf(AccountingException.class);
        assertThatThrownBy(() -> book("a: " + "[".repeat(20) + "]".repeat(20))).hasMessageContaining("too deeply");
    }

    /** GPUs that share a model are one device group, named by its members. */
    @Test
    void shouldPriceEachMemberOfAGroupUnlessTheGroupIsNamed() {
        PriceBook book = book("""
                electricity: 0.25
                devices:
                  - {name: "cuda*", per-hour: 2.5, idle-watts: 70, busy-watts: 600, energy: extra}
                  - {name: "cuda-2+3", per-hour: 4}
                """);
        DevicePrice one = book.device("cuda-1");
        DevicePrice four = book.device("cuda-0+1+2+3");
        assertThat(four.capital()).isEqualTo(new DevicePrice.Rented(Rate.of("10")));
        assertThat(four.idleWatts()).isEqualTo(Rate.of("280"));
        assertThat(four.busyWatts()).isEqualTo(Rate.of("2400"));
        assertThat(four.cost(0, 3_600_000_000L)).isEqualTo(4 * one.cost(0, 3_600_000_000L));
        assertThat(book.device("cuda-2+3").capital()).isEqualTo(new DevicePrice.Rented(Rate.of("4")));
    }

    @Test
    void shouldWarnThatTheBuiltInBookIsFree() {
        PriceBook book = PriceBook.free();
        assertThat(book.warning().orElseThrow()).contains("will be 0").contains("docs/price-book.yaml");
        assertThat(book.prices("any device")).isTrue();
        assertThat(book.tariff("any model", "any tenant", NOW)).isPresent();
    }

    @Test
    void shouldReadTheExampleOfTheDocumentation() {
        PriceBook book = PriceBook.load(Path.of("../docs/price-book.yaml"));
        assertThat(book.warning()).isEmpty();
        assertThat(book.device("gpu-0").idleWatts()).isNotEqualTo(Rate.ZERO);
    }

    @Test
    void shouldRefuseWhateverIsBrokenWithAMessageOfItsOwn() throws IOException {
        String example = Files.readString(Path.of("../docs/price-book.yaml"));
        String scraps = " \n\t:-[]{}\"'*&!|>%@`#,?0.1e~\u0000\u00e9";
        for (int seed = 0; seed < 4_000; seed++) {
            Random random = new Random(seed);
            StringBuilder text = new StringBuilder(example);
            for (int i = random.nextInt(6); i >= 0; i--) {
                int at = random.nextInt(text.length());
                switch (random.nextInt(3)) {
                    case 0 -> text.deleteCharAt(at);
                    case 1 -> text.insert(at, random.nextBoolean() ? "!!binary " : "!!set ");
                    default -> text.setCharAt(at, scraps.charAt(random.nextInt(scraps.length())));
                }
            }
            try {
                assertThat(PriceBook.parse("fuzz.yaml", text.toString()).version())
                        .hasSize(16);
            } catch (AccountingException e) {
                assertThat(e).as("seed " + seed).hasMessageStartingWith("fuzz.yaml:");
            }
        }
    }
}
