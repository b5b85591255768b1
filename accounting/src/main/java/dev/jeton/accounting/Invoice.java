package dev.jeton.accounting;

import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.Reader;
import java.math.BigDecimal;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Currency;
import java.util.List;
import java.util.Map;

/**
 * What someone else bills for devices: a cloud provider, a colocation, a utility.
 *
 * @param currency of every amount
 * @param lines in the order of the file
 */
public record Invoice(Currency currency, List<Charge> lines) {

    /** Most bytes of a file. */
    public static final long MAX_BYTES = 256L << 20;
    /** Most lines. */
    public static final int MAX_LINES = 1_000_000;

    /** What is read of a line. */
    public enum Field {
        /** Which device, or the provider's name for it. */
        DEVICE("device", "ResourceId", "ResourceName"),
        /** First moment. */
        FROM("from", "ChargePeriodStart"),
        /** The moment after the last. */
        TO("to", "ChargePeriodEnd"),
        /** Money; negative for what is credited. */
        AMOUNT("amount", "BilledCost", "EffectiveCost"),
        /** A code of ISO 4217. */
        CURRENCY("currency", "BillingCurrency"),
        /** What for: two lines of one charge for one time are one too many. May be missing. */
        CHARGE("charge", "description", "SkuPriceId", "SkuId", "ChargeDescription");

        private final List<String> columns;

        Field(String... columns) {
            this.columns = List.of(columns);
        }

        /** Columns that are taken for it, in this order, whatever their case: the plain ones, then those of FOCUS. */
        public List<String> columns() {
            return columns;
        }
    }

    /**
     * A line of an invoice.
     *
     * @param number the line of the file on which it begins, from 1
     * @param resource what is billed, as the invoice calls it; empty where it does not say
     * @param charge what for; empty where the invoice does not say
     * @param period for which time
     * @param amount units of currency; negative for a credit
     */
    public record Charge(long number, String resource, String charge, Period period, BigDecimal amount) {}

    /** With a list of its own, which is not empty. */
    public Invoice {
        lines = List.copyOf(lines);
        if (lines.isEmpty()) {
            throw new AccountingException("an invoice without lines says nothing; see to the file");
        }
    }

    /**
     * Reads a file of comma-separated values (RFC 4180, UTF-8) whose first row names the columns.
     *
     * @param columns the column for a field, where it is not one of {@link Field#columns}
     * @throws AccountingException naming the line and what is wrong with it
     */
    public static Invoice load(Path file, Map<Field, String> columns) {
        try {
            if (Files.size(file) > MAX_BYTES) {
                throw new AccountingException(
                        "%s has more than %,d bytes; split it by month or by device".formatted(file, MAX_BYTES));
            }
            try (InputStream bytes = Files.newInputStream(file);
                    Reader text = new InputStreamReader(
                            bytes,
                            StandardCharsets.UTF_8
                                    .newDecoder()
                                    .onMalformedInput(CodingErrorAction.REPORT)
                                    .onUnmappableCharacter(CodingErrorAction.REPORT))) {
                return read(String.valueOf(file.getFileName()), text, columns);
            }
        } catch (IOException e) {
            throw new AccountingException(
                    "the invoice %s cannot be read (%s); check the path and the rights".formatted(file, e), e);
        }
    }

    /**
     * Reads a text as {@link #load} reads a file.
     *
     * @param name what messages call it
     */
    static Invoice read(String name, Reader text, Map<Field, String> columns) {
        return new InvoiceReader(name, columns).read(new CsvReader(name, text));
    }
}
