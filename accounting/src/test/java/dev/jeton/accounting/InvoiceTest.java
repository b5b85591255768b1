package dev.jeton.accounting;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.StringReader;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class InvoiceTest {

    private static Invoice read(String text, Map<Invoice.Field, String> columns) {
        return Invoice.read("bill.csv", new StringReader(text), columns);
    }

    private static Invoice read(String text) {
        return read(text, Map.of());
    }

    private static Period period(String from, String until) {
        return new Period(TestFacts.micros(from), TestFacts.micros(until));
    }

    @Test
    void readsThePlainForm() {
        Invoice invoice = read("""
                device,from,to,amount,currency,charge
                gpu0,2026-11-01,2026-11-02,1234.56,EUR,rent
                gpu0,2026-11,2026-12,-0.000000000001,EUR,
                """);

        assertThat(invoice.currency().getCurrencyCode()).isEqualTo("EUR");
        assertThat(invoice.lines())
                .containsExactly(
                        new Invoice.Charge(
                                2,
                                "gpu0",
                                "rent",
                                period("2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z"),
                                new BigDecimal("1234.56")),
                        new Invoice.Charge(
                                3,
                                "gpu0",
                                "",
                                period("2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"),
                                new BigDecimal("-0.000000000001")));
    }

    @Test
    void readsFocusAsProvidersExportIt() {
        String text = "\ufeffBilledCost,BillingCurrency,ChargePeriodEnd,ChargePeriodStart,EffectiveCost,ResourceId,"
                + "SkuId,Tags\r\n1.5,USD,2026-11-01T01:00:00Z,2026-11-01T00:00:00Z,1.2E-5,i-0abc,p5,\"{\"\"a\"\":\n1}\"\r\n";

        assertThat(read(text).lines())
                .containsExactly(new Invoice.Charge(
                        2,
                        "i-0abc",
                        "p5",
                        period("2026-11-01T00:00:00Z", "2026-11-01T01:00:00Z"),
                        new BigDecimal("1.5")));
        assertThat(read(text, Map.of(Invoice.Field.AMOUNT, "effectivecost"))
                        .lines()
                        .getFirst()
                        .amount())
                .isEqualByComparingTo("0.000012");
    }

    @Test
    void readsTheExportOfThisServer() {
        StringBuilder out = new StringBuilder();
        FocusExport export = new FocusExport(
                FocusExport.Basis.METERED, FocusExport.Reader.OPERATOR, Hours.ISSUER, version -> Hours.BOOK, out);
        export.device(new DeviceHour(
                Hours.HOUR, "gpu0", Posting.Account.IDLE, "", Hours.BOOK.version(), 3_000_000_000L, 7, 5_000_000_007L));
        export.finish();

        Invoice invoice = read(out.toString(), Map.of(Invoice.Field.DEVICE, "x_Device"));

        assertThat(invoice.lines().stream().map(Invoice.Charge::amount).reduce(BigDecimal.ZERO, BigDecimal::add))
                .isEqualByComparingTo(export.billed());
        assertThat(invoice.lines().getFirst().resource()).isEqualTo("gpu0");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            gpu0,2026-11-01,2026-11-02,1,ABC            | line 2: 'ABC' is not a currency
            gpu0,2026-11-01,2026-11-02,1,               | line 2: '' is not a currency
            gpu0,2026-11-31,2026-12-02,1,EUR            | line 2: '2026-11-31' is no time
            gpu0,11/01/2026,2026-12-02,1,EUR            | line 2: '11/01/2026' is no time
            gpu0,2026-11-01T00:00,2026-12-02,1,EUR      | line 2: '2026-11-01T00:00' is no time
            gpu0,1026-11-01,2026-12-02,1,EUR            | line 2: '1026-11-01' is no time
            gpu0,2026-11-02,2026-11-02,1,EUR            | line 2: ends at 2026-11-02T00:00:00Z, not after
            gpu0,2026-11-01,2026-11-02,1.234.56,EUR     | line 2: '1.234.56' is no amount
            gpu0,2026-11-01,2026-11-02,,EUR             | line 2: '' is no amount
            gpu0,2026-11-01,2026-11-02,1E999999999,EUR  | line 2: an amount has at most 18 digits
            gpu0,2026-11-01,2026-11-02,1E-999999999,EUR | line 2: an amount has at most 18 digits
            gpu0,2026-11-01,2026-11-02,1                | line 2: has 4 fields, the first row has 5 columns
            """)
    void aLineThatCannotBeMeantIsNamed(String line, String message) {
        assertThatThrownBy(() -> read("device,from,to,amount,currency\n" + line + "\n"))
                .isInstanceOf(AccountingException.class)
                .hasMessageContaining("bill.csv, " + message);
    }

    @Test
    void oneInvoiceHasOneCurrency() {
        assertThatThrownBy(() -> read("""
                device,from,to,amount,currency
                a,2026-11-01,2026-11-02,1,EUR
                a,2026-11-02,2026-11-03,1,USD
                """))
                .hasMessage("bill.csv, line 3: is in USD, lines before it in EUR: one invoice has one currency");
    }

    @Test
    void columnsThatAreMissingOrDoubleAreNamed() {
        assertThatThrownBy(() -> read("device,from,to,currency\n"))
                .hasMessage("bill.csv, line 1: no column is named amount or BilledCost or EffectiveCost");
        assertThatThrownBy(() -> read("device;from;to;amount;currency\n")).hasMessageContaining("save it with commas");
        assertThatThrownBy(() -> read("device,from,to,amount,Amount,currency\n"))
                .hasMessageContaining("there are 2 columns 'amount'");
        assertThatThrownBy(() -> read("device,from,to,amount,currency\n", Map.of(Invoice.Field.CHARGE, "sku")))
                .hasMessageContaining("no column is named sku");
        assertThatThrownBy(() -> read("")).hasMessageContaining("bill.csv is empty");
        assertThatThrownBy(() -> read("device,from,to,amount,currency\n")).hasMessageContaining("has no lines below");
    }

    @Test
    void aFileThatIsNotUtf8OrNotThereIsRefused(@TempDir Path folder) throws IOException {
        Path file = folder.resolve("bill.csv");
        Files.write(file, "device,from,to,amount,currency\ngerät,".getBytes(StandardCharsets.ISO_8859_1));
        assertThatThrownBy(() -> Invoice.load(file, Map.of()))
                .isInstanceOf(AccountingException.class)
                .hasMessageContaining("is not UTF-8");
        assertThatThrownBy(() -> Invoice.load(folder.resolve("none"), Map.of()))
                .isInstanceOf(AccountingException.class)
                .hasMessageContaining("cannot be read");
    }
}
