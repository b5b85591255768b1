package dev.jeton.accounting;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.jeton.accounting.FocusExport.Basis;
import dev.jeton.accounting.FocusRules.Outcome;
import dev.jeton.accounting.FocusRules.Status;
import dev.jeton.accounting.Posting.Account;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** The export against the rules of the FOCUS validator, which nobody here wrote. */
class FocusRulesTest {

    private static final String MODEL = "focus-model-1.2.json";

    /** What Jeton's export offers of the features that FOCUS makes columns depend on. */
    private static final Set<String> FEATURES = Set.of(
            "ACCOUNT_NAMING_SUPPORTED",
            "CAPACITY_RESERVATION_SUPPORTED",
            "MULTIPLE_PRICING_CATEGORIES_SUPPORTED",
            "PUBLIC_PRICE_LIST_SUPPORTED",
            "SUB_ACCOUNT_SUPPORTED",
            "TAGGING_SUPPORTED",
            "UNIT_PRICING_SUPPORTED",
            "USAGE_MEASUREMENT_SUPPORTED");

    private static String model = "";

    @BeforeAll
    static void findModel() throws IOException {
        Path folder = Path.of(System.getProperty("jeton.shared", "../../shared/data"));
        assumeTrue(
                Files.exists(folder.resolve(MODEL)),
                MODEL + " is not here; set -Djeton.shared to the folder that holds it");
        model = Files.readString(folder.resolve(MODEL));
    }

    private static Map<String, Outcome> check(Csv csv) {
        return new FocusRules(model, FEATURES).check(csv);
    }

    private static Csv export(Basis basis) {
        StringBuilder out = new StringBuilder();
        FocusExport export =
                new FocusExport(basis, FocusExport.Reader.OPERATOR, Hours.ISSUER, version -> Hours.BOOK, out);
        Random random = new Random(5);
        for (int i = 0; i < 24; i++) {
            long hour = Hours.HOUR + i / 4 * 3_600_000_000L;
            export.usage(Hours.priced(random, hour, i % 2 == 0 ? "acme" : "blue", i % 3 == 0));
        }
        export.usage(Hours.row(Hours.HOUR, "blue", Map.of(), 1, new Tokens(1_000_000, 0, 0), 400_000_000L));
        String version = Hours.BOOK.version();
        for (Account account : List.of(Account.IDLE, Account.OVERHEAD, Account.HOUSE, Account.ROUNDING)) {
            export.device(new DeviceHour(Hours.HOUR, "gpu-0", account, "", version, 7_000_000_001L, 9, 1_234_567));
        }
        export.device(new DeviceHour(Hours.HOUR, "gpu-0", Account.TENANT, "acme", version, 7_000_000_001L, 9, 77));
        Period closed = Period.named("2025-10");
        export.correction(
                Hours.row(Hours.HOUR, "acme", Map.of(), 1, new Tokens(4, 5, 6), -9, -2_000_000_000L, -5, 3, 1), closed);
        export.correction(Hours.bytes("acme", new Zones("here", "far"), 4, 5), closed);
        export.usage(Hours.bytes("acme", new Zones("here", "far"), 2_000_000_000, 21_300_000));
        export.usage(Hours.steps("acme", TaskStep.Kind.RETRIEVAL, 3, 1_000_000_001));
        export.correction(Hours.steps("acme", TaskStep.Kind.LOG_STORAGE, 1, 7), closed);
        export.correction(new DeviceHour(Hours.HOUR, "gpu-0", Account.IDLE, "", version, 5, 0, -1), closed);
        export.finish();
        return Csv.parse(out.toString());
    }

    @ParameterizedTest
    @EnumSource(Basis.class)
    void shouldExportWhatEveryRuleOfTheModelAllows(Basis basis) {
        Map<String, Outcome> outcomes = check(export(basis));
        assertThat(FocusRules.failures(outcomes)).isEmpty();
        assertThat(outcomes.values())
                .filteredOn(outcome -> outcome.status() == Status.ADVISED)
                .isEmpty();
    }

    @Test
    void shouldAccountForEachRuleOfTheModel() {
        Map<String, Outcome> outcomes = check(export(Basis.METERED));
        Map<Status, Long> summary = FocusRules.summary(outcomes);
        System.out.println("FOCUS 1.2 rules: " + summary);
        assertThat(outcomes).hasSize(621);
        assertThat(summary.values().stream().mapToLong(Long::longValue).sum()).isEqualTo(621);
        assertThat(summary.get(Status.PASSED)).isGreaterThan(150);
        assertThat(summary).doesNotContainKeys(Status.FAILED, Status.UNREACHED);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            BillingCurrency    | EURO                 | BillingCurrency-C-006-M
            BillingCurrency    |                      | BillingCurrency-C-004-M
            BilledCost         |                      | BilledCost-C-003-M
            BilledCost         | +1.5                 | BilledCost-C-002-M
            BilledCost         | 1,5                  | BilledCost-C-001-M
            EffectiveCost      |                      | EffectiveCost-C-003-M
            BillingAccountId   |                      | BillingAccountId-C-001-M
            BillingAccountId   | ' '                  | BillingAccountId-C-003-M
            ChargePeriodStart  | 2026-11-20 08:00:00  | ChargePeriodStart-C-002-M
            ChargePeriodEnd    | 2026-13-20T08:00:00Z | ChargePeriodEnd-C-002-M
            BillingPeriodStart | 2026-11-01T00:00:00+01:00 | BillingPeriodStart-C-002-M
            BillingPeriodEnd   |                      | BillingPeriodEnd-C-003-M
            ChargeCategory     | Use                  | ChargeCategory-C-003-M
            ChargeClass        | Fix                  | ChargeClass-C-005-C
            ListUnitPrice      | 0.52                 | ListUnitPrice-C-010-C
            ListUnitPrice      | -1                   | ListUnitPrice-C-008-M
            ListUnitPrice      |                      | ListUnitPrice-C-005-C
            ListCost           | 1                    | ListCost-C-009-C
            PricingQuantity    |                      | PricingQuantity-C-005-C
            PricingUnit        |                      | PricingUnit-C-006-C
            ConsumedUnit       |                      | ConsumedUnit-C-006-C
            SkuPriceId         |                      | SkuPriceId-C-005-C
            SkuId              |                      | SkuId-C-005-C
            SubAccountName     |                      | SubAccountName-C-005-C
            ServiceCategory    | Language             | ServiceCategory-C-003-M
            ServiceSubcategory | Containers           | ServiceSubcategory-C-004-M
            ServiceName        |                      | ServiceName-C-003-M
            ProviderName       | Somebody else        | BilledCost-C-005-C
            Tags               | {"a":{}}             | Tags-C-001-M
            Tags               | {"a":1,"a":2}        | Tags-C-001-M
            PricingCategory    | Cheap                | PricingCategory-C-007-M
            ChargeFrequency    | Often                | ChargeFrequency-C-003-M
            """)
    void shouldFailWhereAValueIsBroken(String column, String value, String rule) {
        Csv csv = export(Basis.LIST);
        assertThat(csv.rows().getFirst()).as("the row is sound before").containsEntry("ChargeCategory", "Usage");
        Map<String, Outcome> outcomes = check(change(csv, row -> {
            Map<String, String> changed = new LinkedHashMap<>(row);
            if (value == null) {
                changed.remove(column);
            } else {
                changed.put(column, value);
            }
            return changed;
        }));
        assertThat(outcomes.get(rule).status()).isEqualTo(Status.FAILED);
    }

    /** Changes the first row only. */
    private static Csv change(Csv csv, UnaryOperator<Map<String, String>> change) {
        List<Map<String, String>> rows = new ArrayList<>(csv.rows());
        rows.set(0, change.apply(rows.getFirst()));
        return new Csv(csv.columns(), rows);
    }

    @Test
    void shouldFailWhereAMandatoryColumnIsMissing() {
        Csv csv = export(Basis.LIST);
        for (FocusColumn column : FocusColumn.values()) {
            boolean optional = column.name().startsWith("x_")
                    || Set.of("ChargeFrequency", "InvoiceId", "ServiceSubcategory")
                            .contains(column.name());
            List<String> columns = new ArrayList<>(csv.columns());
            columns.remove(column.name());
            List<Map<String, String>> rows = csv.rows().stream()
                    .map(row -> {
                        Map<String, String> less = new LinkedHashMap<>(row);
                        less.remove(column.name());
                        return less;
                    })
                    .toList();
            List<Outcome> failures = FocusRules.failures(check(new Csv(columns, rows)));
            assertThat(failures.stream().anyMatch(failure -> failure.detail().equals("no column " + column)))
                    .as(column.name())
                    .isEqualTo(!optional);
        }
    }

    @Test
    void shouldFailWhereOnePriceBelongsToTwoSkus() {
        Csv csv = export(Basis.LIST);
        String price = csv.rows().get(1).get("SkuPriceId");
        Csv broken = change(csv, row -> {
            Map<String, String> changed = new LinkedHashMap<>(row);
            changed.put("SkuPriceId", price);
            return changed;
        });
        assertThat(check(broken).get("SkuPriceId-C-008-M").status()).isEqualTo(Status.FAILED);
    }
}
