package dev.jeton.accounting;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import dev.jeton.accounting.FocusExport.Basis;
import dev.jeton.accounting.Posting.Account;
import java.math.BigDecimal;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class FocusExportTest {

    private final StringBuilder out = new StringBuilder();

    private FocusExport export(Basis basis) {
        return new FocusExport(basis, FocusExport.Reader.OPERATOR, Hours.ISSUER, version -> Hours.BOOK, out);
    }

    private List<Map<String, String>> rows() {
        return Csv.parse(out.toString()).rows();
    }

    private static BigDecimal sum(List<Map<String, String>> rows, String column) {
        return rows.stream()
                .map(row -> new BigDecimal(row.getOrDefault(column, "0")))
                .reduce(BigDecimal.ZERO, BigDecimal::add);
    }

    @Test
    void shouldWriteARowForEachKindOfTokenPricedOnceFromTheSum() {
        FocusExport export = export(Basis.LIST);
        export.usage(Hours.row(Hours.HOUR, "blue", Map.of(), 1, new Tokens(1_000_001, 20, 3), 510_006_037L));
        export.finish();
        assertThat(rows()).hasSize(4);
        assertThat(rows().getFirst())
                .containsEntry("BilledCost", "0.51000051")
                .containsEntry("ListCost", "0.51000051")
                .containsEntry("ListUnitPrice", "0.51")
                .containsEntry("PricingQuantity", "1.000001")
                .containsEntry("PricingUnit", "1000000 Tokens")
                .containsEntry("ConsumedQuantity", "1000001")
                .containsEntry("ConsumedUnit", "Tokens")
                .containsEntry("SkuMeter", "Input Tokens")
                .containsEntry("SubAccountId", "blue")
                .containsEntry("BillingCurrency", "EUR")
                .containsEntry("BillingAccountName", "Compute, \"central\"")
                .doesNotContainKeys("Tags", "ChargeClass", "InvoiceId");
        assertThat(rows())
                .extracting(row -> row.get("SkuMeter"))
                .containsExactly("Input Tokens", "Cache Read Input Tokens", "Output Tokens", null);
        assertThat(rows().getLast())
                .containsEntry("ChargeCategory", "Adjustment")
                .containsEntry("BilledCost", "0.000000001")
                .containsEntry("x_Account", "Rounding");
    }

    @Test
    void shouldWriteARowForBytesWhereTheBookHasAPriceForThem() {
        FocusExport export = export(Basis.LIST);
        export.usage(Hours.bytes("blue", new Zones("here", "far"), 1_234_567_891, 26_296_296));
        export.usage(Hours.bytes("blue", new Zones("here", "near"), 5_000, 0));
        export.usage(Hours.bytes("blue", new Zones("away", ""), 7_000, 0));
        export.finish();
        assertThat(rows())
                .filteredOn(row -> "Data Transfer".equals(row.get("SkuMeter")))
                .extracting(row -> row.get("SkuId"), row -> row.get("BilledCost"))
                .containsExactly(tuple("egress/here/far", "0.0262962960783"), tuple("egress/here/near", "0"));
        assertThat(rows().get(1))
                .containsEntry("ChargeCategory", "Usage")
                .containsEntry("ConsumedQuantity", "1.234567891")
                .containsEntry("ConsumedUnit", "GB")
                .containsEntry("PricingQuantity", "1.234567891")
                .containsEntry("PricingUnit", "GB")
                .containsEntry("ListUnitPrice", "0.0213")
                .containsEntry("PricingCategory", "Standard")
                .containsEntry("ServiceCategory", "AI and Machine Learning")
                .containsEntry("SkuPriceId", "egress/here/far/0.0213")
                .containsEntry("SubAccountId", "blue")
                .containsEntry("x_ZoneFrom", "here")
                .containsEntry("x_ZoneTo", "far");
        assertThat(rows().getFirst()).containsEntry("x_ListCost", "0").containsEntry("x_EgressCost", "0.026296296");
        assertThat(sum(rows(), "BilledCost")).isEqualByComparingTo("0.026296296");
    }

    @Test
    void shouldPriceBytesByTheHoursAverageWhereAPartOfThemWasNotPriced() {
        FocusExport export = export(Basis.LIST);
        export.usage(Hours.bytes("blue", new Zones("here", "far"), 2_000_000_000, 21_300_000));
        export.usage(Hours.bytes("blue", new Zones("here", "far"), 1_000_000_000, 0));
        export.finish();
        assertThat(rows())
                .filteredOn(row -> "Data Transfer".equals(row.get("SkuMeter")))
                .extracting(row -> row.get("ListUnitPrice"), row -> row.get("PricingCategory"))
                .containsExactly(tuple("0.01065", "Dynamic"), tuple("0", "Dynamic"));
        assertThat(export.billed()).isEqualByComparingTo("0.0213");
    }

    @Test
    void shouldCorrectBytesInARowOfTheirOwn() {
        FocusExport export = export(Basis.LIST);
        export.correction(Hours.bytes("blue", new Zones("here", ""), 1_000_000, 12), Period.named("2025-10"));
        assertThat(rows())
                .extracting(row -> row.get("SkuId"), row -> row.get("ConsumedUnit"), row -> row.get("BilledCost"))
                .containsExactly(tuple("tokens/llama/all", "Tokens", "0"), tuple("egress/here/*", "GB", "0.000000012"));
        assertThat(rows().getLast()).containsEntry("ChargeClass", "Correction");
    }

    @Test
    void shouldNameTheHourAndItsMonth() {
        FocusExport export = export(Basis.LIST);
        export.usage(Hours.row(Hours.HOUR, "blue", Map.of(), 1, new Tokens(0, 0, 0), 0));
        assertThat(rows().getFirst())
                .containsEntry("ChargePeriodStart", "2025-11-20T08:00:00Z")
                .containsEntry("ChargePeriodEnd", "2025-11-20T09:00:00Z")
                .containsEntry("BillingPeriodStart", "2025-11-01T00:00:00Z")
                .containsEntry("BillingPeriodEnd", "2025-12-01T00:00:00Z");
    }

    @Test
    void shouldSumToTheLedgerExactlyInBothBases() {
        for (int seed = 0; seed < 60; seed++) {
            Random random = new Random(seed);
            for (Basis basis : Basis.values()) {
                out.setLength(0);
                FocusExport export = export(basis);
                long list = 0;
                long egress = 0;
                long metered = 0;
                long money = 0;
                for (int i = 0; i < 12; i++) {
                    long hour = Hours.HOUR + i / 3 * 3_600_000_000L;
                    HourRow row =
                            Hours.priced(random, hour, random.nextBoolean() ? "acme" : "blue", random.nextInt(3) == 0);
                    export.usage(row);
                    list += row.list();
                    egress += row.egress();
                    metered += row.metered();
                    money += row.metered() + row.houseMoney();
                }
                for (Account account : List.of(Account.IDLE, Account.OVERHEAD, Account.TENANT, Account.ROUNDING)) {
                    long part = random.nextLong(9_000_000_000L);
                    String tenant = account == Account.TENANT ? "acme" : "";
                    export.device(new DeviceHour(
                            Hours.HOUR,
                            "gpu-0",
                            account,
                            tenant,
                            Hours.BOOK.version(),
                            random.nextLong(1L << 41),
                            5,
                            part));
                    money += part;
                }
                export.finish();
                BigDecimal expected = Money.decimal(basis == Basis.LIST ? list + egress : money);
                assertThat(sum(rows(), "BilledCost")).as("seed " + seed).isEqualByComparingTo(expected);
                assertThat(export.billed()).isEqualByComparingTo(expected);
                assertThat(sum(rows(), "x_ListCost")).isEqualByComparingTo(Money.decimal(list));
                assertThat(sum(rows(), "x_EgressCost")).isEqualByComparingTo(Money.decimal(egress));
                assertThat(sum(rows(), "x_MeteredCost"))
                        .isEqualByComparingTo(Money.decimal(basis == Basis.LIST ? metered : money));
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Basis.class)
    void shouldMultiplyToTheCostExactlyInEachRow(Basis basis) {
        FocusExport export = export(basis);
        export.usage(Hours.priced(new Random(3), Hours.HOUR, "acme", false));
        export.finish();
        List<Map<String, String>> priced =
                rows().stream().filter(row -> row.containsKey("ListUnitPrice")).toList();
        assertThat(priced).isNotEmpty();
        for (Map<String, String> row : priced) {
            assertThat(new BigDecimal(row.get("ListUnitPrice")).multiply(new BigDecimal(row.get("PricingQuantity"))))
                    .isEqualByComparingTo(new BigDecimal(row.get("BilledCost")));
        }
    }

    @Test
    void shouldRecogniseWorkThatWasNotToldByItsPrice() {
        FocusExport export = export(Basis.LIST);
        Tokens tokens = new Tokens(3_000_000, 0, 1_000_000);
        ListPricing pricing = new ListPricing(Hours.BOOK);
        long batch = pricing.price("llama", "blue", tokens, 0, Work.BATCH).total();
        long embedded =
                pricing.price("llama", "blue", tokens, 0, Work.EMBEDDINGS).total();
        export.usage(Hours.row(Hours.HOUR, "blue", Map.of(), 1, tokens, batch));
        export.usage(Hours.row(Hours.HOUR, "blue", Map.of(), 1, tokens, embedded));
        assertThat(rows())
                .extracting(row -> row.get("SkuMeter"), row -> row.get("ListUnitPrice"))
                .containsExactly(
                        tuple("Input Tokens", "0.34017"),
                        tuple("Output Tokens", "1.0005"),
                        tuple("Embedded Tokens", "0.02"));
    }

    @Test
    void shouldNotLetATextBecomeAFormulaNorMarkANumber() {
        Zones formula = new Zones("=1+1", "@far");
        FocusExport export = export(Basis.LIST);
        export.usage(Hours.bytes("+acme", formula, 10, 0));
        export.correction(
                Hours.row(Hours.HOUR, "-2+3", Map.of("=a", "=b"), 1, Tokens.NONE, -5_000_000_000L),
                Period.named("2025-10"));
        assertThat(rows().getFirst())
                .containsEntry("SubAccountId", "'+acme")
                .containsEntry("x_ZoneFrom", "'=1+1")
                .containsEntry("x_ZoneTo", "'@far");
        assertThat(rows().getLast())
                .containsEntry("SubAccountId", "'-2+3")
                .containsEntry("BilledCost", "-5")
                .containsEntry("Tags", "{\"=a\":\"=b\"}");
    }

    @Test
    void shouldPriceWorkAsWhatItIsThoughAnotherKindCostsTheSame() {
        FocusExport export = export(Basis.LIST);
        export.usage(Hours.work("acme", Work.BATCH, new Tokens(1_000_000, 0, 0), 333_300_000L));
        export.usage(Hours.work("blue", Work.BATCH, new Tokens(1_000_000, 0, 0), 340_170_000L));
        export.usage(Hours.work("blue", Work.EMBEDDINGS, new Tokens(0, 0, 0), 0));
        assertThat(rows())
                .extracting(row -> row.get("SkuId"), row -> row.get("ListUnitPrice"), row -> row.get("x_Work"))
                .containsExactly(
                        tuple("tokens/llama/input/batch", "0.3333", "batch"),
                        tuple("tokens/llama/input/batch", "0.34017", "batch"),
                        tuple("tokens/llama/embeddings", "0.02", "embeddings"));
    }

    @Test
    void shouldCallNothingRoundingThatRoundingCannotExplain() {
        FocusExport export = export(Basis.LIST);
        export.usage(Hours.row(Hours.HOUR, "blue", Map.of(), 2, new Tokens(1_000_000, 0, 0), 510_000_003L));
        export.usage(Hours.row(Hours.HOUR, "blue", Map.of(), 2, new Tokens(1_000_000, 0, 0), 510_000_004L));
        export.finish();
        assertThat(rows())
                .filteredOn(row -> row.get("ChargeCategory").equals("Adjustment"))
                .extracting(row -> row.get("ChargeDescription"), row -> row.get("BilledCost"))
                .containsExactly(
                        tuple("Discounts and price changes within the hour for llama", "0.000000004"),
                        tuple("Rounding of the hour", "0.000000003"));
    }

    @Test
    void shouldNotCallAPriceChangeRounding() {
        FocusExport export = export(Basis.LIST);
        export.usage(Hours.row(Hours.HOUR, "blue", Map.of(), 1, new Tokens(1_000_000, 0, 0), 400_000_000L));
        export.finish();
        assertThat(rows().getLast())
                .containsEntry("ChargeDescription", "Discounts and price changes within the hour for llama")
                .containsEntry("BilledCost", "-0.11")
                .containsEntry("SubAccountId", "blue");
    }

    @Test
    void shouldWriteIdleOverheadHouseAndReservedRowsInTheMeteredBasis() {
        FocusExport export = export(Basis.METERED);
        export.usage(Hours.row(Hours.HOUR, "acme", Map.of(), 1, new Tokens(1, 2, 3), 9));
        String version = Hours.BOOK.version();
        export.device(new DeviceHour(Hours.HOUR, "gpu-0", Account.IDLE, "", version, 2_000_000_000L, 4, 6));
        export.device(new DeviceHour(Hours.HOUR, "gpu-0", Account.TENANT, "acme", version, 1_000_000_000L, 4, 3));
        assertThat(rows()).extracting(row -> row.get("x_Account")).containsExactly("Tenant", "House", "Idle", "Tenant");
        assertThat(rows().get(1)).doesNotContainKeys("SubAccountId", "SubAccountName");
        assertThat(rows().get(2))
                .containsEntry("SkuMeter", "Device Time")
                .containsEntry("ConsumedQuantity", "2")
                .containsEntry("ConsumedUnit", "Seconds")
                .containsEntry("ListUnitPrice", "0.000000003");
        assertThat(rows().getLast())
                .containsEntry("CapacityReservationStatus", "Unused")
                .containsEntry("CapacityReservationId", "acme/gpu-0");
    }

    @Test
    void shouldMarkCorrectionsAndBillThemInTheMonthInWhichTheyWereBooked() {
        FocusExport export = export(Basis.METERED);
        long booked = Hours.HOUR + 40L * 24 * 3_600_000_000L;
        export.correction(
                Hours.row(booked, "acme", Map.of(), 0, Tokens.NONE, 0, -2_000_000_000L, -5, 0, 0),
                Period.named("2025-11-20"));
        assertThat(rows())
                .singleElement()
                .satisfies(row -> assertThat(row)
                        .containsEntry("ChargeClass", "Correction")
                        .containsEntry("BilledCost", "-0.000000005")
                        .containsEntry("ConsumedQuantity", "-2")
                        .containsEntry("ChargePeriodStart", "2025-11-20T00:00:00Z")
                        .containsEntry("ChargePeriodEnd", "2025-11-21T00:00:00Z")
                        .containsEntry("BillingPeriodStart", "2025-12-01T00:00:00Z")
                        .doesNotContainKeys("ListUnitPrice", "SkuPriceId"));
        assertThatThrownBy(() -> export.usage(
                        Hours.row(Hours.HOUR, "acme", Map.of(), 0, Tokens.NONE, 0, -2_000_000_000L, -5, 0, 0)))
                .hasMessageContaining("is a correction");
    }

    @Test
    void shouldQuoteWhatCommasQuotesAndLinesWouldBreak() {
        FocusExport export = export(Basis.LIST);
        export.usage(Hours.row(
                Hours.HOUR,
                "a,\"b\"\r\nc",
                Map.of("k\u0001\\", "\"v\", w\n\uD83D\uDE00"),
                1,
                new Tokens(1, 0, 0),
                510));
        assertThat(rows())
                .singleElement()
                .satisfies(row -> assertThat(row)
                        .containsEntry("SubAccountId", "a,\"b\"\r\nc")
                        .containsEntry("Tags", "{\"k\\u0001\\\\\":\"\\\"v\\\", w\\u000a\\ud83d\\ude00\"}"));
    }

    @Test
    void shouldRefuseToSumTwoCurrencies() {
        PriceBook dollars = PriceBook.parse("p", "currency: USD");
        DeviceHour idle = new DeviceHour(Hours.HOUR, "d", Account.IDLE, "", "usd", 1, 1, 1);
        FocusExport metered = new FocusExport(
                Basis.METERED,
                FocusExport.Reader.OPERATOR,
                Hours.ISSUER,
                version -> version.equals("usd") ? dollars : Hours.BOOK,
                out);
        metered.usage(Hours.row(Hours.HOUR, "a", Map.of(), 1, Tokens.NONE, 0));
        assertThatThrownBy(() -> metered.device(idle)).hasMessageContaining("is in USD, books before it in EUR");
    }

    @Test
    void shouldNotTellATenantWhatDependsOnOthers() {
        FocusExport export =
                new FocusExport(Basis.LIST, FocusExport.Reader.TENANT, Hours.ISSUER, version -> Hours.BOOK, out);
        HourRow row = Hours.row(Hours.HOUR, "blue", Map.of(), 1, new Tokens(1_000_001, 20, 3), 510_006_037L);
        export.usage(row);
        export.correction(row, Period.named("2025-10"));
        export.finish();
        assertThat(rows())
                .hasSizeGreaterThan(2)
                .allSatisfy(
                        cells -> assertThat(cells).doesNotContainKeys("x_DeviceSeconds", "x_Joules", "x_MeteredCost"));
        assertThat(rows().getFirst()).containsEntry("x_ListCost", "0.510006037").containsEntry("x_Requests", "1");
        assertThatThrownBy(() -> new FocusExport(
                        Basis.METERED, FocusExport.Reader.TENANT, Hours.ISSUER, version -> Hours.BOOK, out))
                .hasMessageContaining("for operators");
    }

    @Test
    void stepsOfTasksAreRowsByListAtTheirAverage() {
        FocusExport export = export(Basis.LIST);
        export.usage(Hours.steps("acme", TaskStep.Kind.RETRIEVAL, 3, 1_000_000_001));
        export.finish();

        assertThat(rows().getFirst())
                .containsEntry("SkuId", "steps/retrieval")
                .containsEntry("ConsumedQuantity", "3")
                .containsEntry("ListUnitPrice", "0.333333333666")
                .containsEntry("x_StepCost", "1.000000001")
                .containsEntry("x_Step", "retrieval");
        assertThat(export.billed()).isEqualByComparingTo("1.000000001");
        assertThat(rows()).hasSize(2);
    }
}
