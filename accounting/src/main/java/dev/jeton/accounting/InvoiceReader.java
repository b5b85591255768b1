package dev.jeton.accounting;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Currency;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Reads lines of an invoice and refuses what cannot be meant; messages name the file and the line. */
final class InvoiceReader {

    /** Most characters of an amount, digits before its point, and decimals. */
    private static final int MAX_TEXT = 64;

    private static final int MAX_WHOLE = 18;
    private static final int MAX_DECIMALS = 30;

    private final String name;
    private final Map<Invoice.Field, String> columns;
    private final Map<Invoice.Field, Integer> places = new EnumMap<>(Invoice.Field.class);
    private Optional<Currency> currency = Optional.empty();

    /** With columns for fields that have others than usual. */
    InvoiceReader(String name, Map<Invoice.Field, String> columns) {
        this.name = name;
        this.columns = columns;
    }

    Invoice read(CsvReader rows) {
        CsvReader.Row head = rows.next()
                .orElseThrow(() -> new AccountingException(name + " is empty: a row with the names of the columns is"
                        + " expected, as device,from,to,amount,currency"));
        for (Invoice.Field field : Invoice.Field.values()) {
            find(head, field).ifPresent(place -> places.put(field, place));
        }
        List<Invoice.Charge> lines = new ArrayList<>();
        for (Optional<CsvReader.Row> row = rows.next(); row.isPresent(); row = rows.next()) {
            if (lines.size() == Invoice.MAX_LINES) {
                throw wrong(
                        row.get(),
                        "there are more than %,d lines; split the file by month or by device"
                                .formatted(Invoice.MAX_LINES));
            }
            lines.add(line(row.get(), head.fields().size()));
        }
        return new Invoice(
                currency.orElseThrow(() -> new AccountingException(name + " has no lines below its first row")), lines);
    }

    private Optional<Integer> find(CsvReader.Row head, Invoice.Field field) {
        Optional<String> own = Optional.ofNullable(columns.get(field));
        List<String> wanted = own.map(List::of).orElse(field.columns());
        for (String column : wanted) {
            List<Integer> found = new ArrayList<>();
            for (int i = 0; i < head.fields().size(); i++) {
                if (head.fields().get(i).strip().equalsIgnoreCase(column)) {
                    found.add(i);
                }
            }
            if (found.size() > 1) {
                throw wrong(head, "there are %d columns '%s'; leave one".formatted(found.size(), column));
            }
            if (!found.isEmpty()) {
                return Optional.of(found.getFirst());
            }
        }
        if (field == Invoice.Field.CHARGE && own.isEmpty()) {
            return Optional.empty();
        }
        String hint = head.fields().size() == 1 && head.fields().getFirst().contains(";")
                ? "; the columns are separated by semicolons: save it with commas"
                : "";
        throw wrong(head, "no column is named %s%s".formatted(String.join(" or ", wanted), hint));
    }

    private Invoice.Charge line(CsvReader.Row row, int width) {
        if (row.fields().size() != width) {
            throw wrong(
                    row,
                    "has %d fields, the first row has %d columns"
                            .formatted(row.fields().size(), width));
        }
        checkCurrency(row);
        long from = time(row, Invoice.Field.FROM);
        long to = time(row, Invoice.Field.TO);
        if (from >= to) {
            throw wrong(
                    row,
                    "ends at %s, not after it begins (%s): the end is the moment after the last"
                            .formatted(Period.text(to), Period.text(from)));
        }
        return new Invoice.Charge(
                row.line(),
                text(row, Invoice.Field.DEVICE),
                text(row, Invoice.Field.CHARGE),
                new Period(from, to),
                amount(row));
    }

    private String text(CsvReader.Row row, Invoice.Field field) {
        return Optional.ofNullable(places.get(field))
                .map(place -> row.fields().get(place).strip())
                .orElse("");
    }

    private void checkCurrency(CsvReader.Row row) {
        String code = text(row, Invoice.Field.CURRENCY);
        Currency its;
        try {
            its = Currency.getInstance(code);
        } catch (IllegalArgumentException e) {
            throw wrong(row, "'%s' is not a currency: a code of ISO 4217 as EUR or USD is expected".formatted(code));
        }
        if (!currency.map(its::equals).orElse(true)) {
            throw wrong(
                    row,
                    "is in %s, lines before it in %s: one invoice has one currency"
                            .formatted(
                                    its, currency.map(Currency::getCurrencyCode).orElse("")));
        }
        currency = Optional.of(its);
    }

    private long time(CsvReader.Row row, Invoice.Field field) {
        String text = text(row, field);
        try {
            return Period.begin(text);
        } catch (AccountingException e) {
            throw wrong(row, String.valueOf(e.getMessage()));
        }
    }

    private BigDecimal amount(CsvReader.Row row) {
        String text = text(row, Invoice.Field.AMOUNT);
        BigDecimal amount;
        try {
            amount = text.length() > MAX_TEXT ? BigDecimal.ONE.scaleByPowerOfTen(MAX_TEXT) : new BigDecimal(text);
        } catch (NumberFormatException e) {
            throw wrong(row, "'%s' is no amount: a number as 1234.56 or -12 is expected".formatted(text));
        }
        // Before anything is computed with it: an exponent can be absurd.
        if ((long) amount.precision() - amount.scale() > MAX_WHOLE || amount.scale() > MAX_DECIMALS) {
            throw wrong(
                    row,
                    "an amount has at most %d digits and %d decimals, '%s' has more"
                            .formatted(MAX_WHOLE, MAX_DECIMALS, text.substring(0, Math.min(text.length(), MAX_TEXT))));
        }
        return amount;
    }

    private AccountingException wrong(CsvReader.Row row, String what) {
        return new AccountingException("%s, line %d: %s".formatted(name, row.line(), what));
    }
}
