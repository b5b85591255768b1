package dev.jeton.accounting;

import java.io.IOException;
import java.math.BigDecimal;
import java.time.Instant;
import java.time.YearMonth;
import java.time.ZoneOffset;
import java.time.temporal.ChronoUnit;
import java.util.EnumMap;
import java.util.Map;

/** One row of an export while it is filled; a column that is not set is null, an empty field. */
final class FocusRow {

    private final Map<FocusColumn, String> values = new EnumMap<>(FocusColumn.class);

    /** Sets a column; empty text is null. */
    FocusRow set(FocusColumn column, String value) {
        if (value.isEmpty()) {
            values.remove(column);
        } else {
            values.put(column, value);
        }
        return this;
    }

    FocusRow set(FocusColumn column, BigDecimal value) {
        return set(column, Money.text(value));
    }

    /** What the charge is about, and the month in which it is billed: that in which it was booked. */
    FocusRow periods(Period charged, long booked) {
        YearMonth month = YearMonth.from(instant(booked).atZone(ZoneOffset.UTC));
        return set(FocusColumn.ChargePeriodStart, text(instant(charged.from())))
                .set(FocusColumn.ChargePeriodEnd, text(instant(charged.until())))
                .set(FocusColumn.BillingPeriodStart, start(month))
                .set(FocusColumn.BillingPeriodEnd, start(month.plusMonths(1)));
    }

    private static Instant instant(long micros) {
        return Instant.EPOCH.plus(micros, ChronoUnit.MICROS);
    }

    private static String start(YearMonth month) {
        return text(month.atDay(1).atStartOfDay(ZoneOffset.UTC).toInstant());
    }

    /** With seconds always, and no fraction where there is none. */
    private static String text(Instant instant) {
        return instant.toString();
    }

    /** The same cost in every way of looking at it: Jeton knows neither discounts by contract nor prepayment. */
    FocusRow cost(BigDecimal cost) {
        return set(FocusColumn.BilledCost, cost)
                .set(FocusColumn.EffectiveCost, cost)
                .set(FocusColumn.ListCost, cost)
                .set(FocusColumn.ContractedCost, cost);
    }

    /** What was consumed and what a unit costs; sets the cost to their product, and returns it. */
    BigDecimal priced(BigDecimal quantity, String unit, BigDecimal price, String sku) {
        BigDecimal cost = price.multiply(quantity);
        cost(cost);
        set(FocusColumn.PricingQuantity, quantity);
        set(FocusColumn.PricingUnit, unit);
        set(FocusColumn.ListUnitPrice, price);
        set(FocusColumn.SkuPriceId, sku + "/" + Money.text(price));
        return cost;
    }

    FocusRow tenant(String tenant) {
        return set(FocusColumn.SubAccountId, tenant).set(FocusColumn.SubAccountName, tenant);
    }

    /** Labels as the JSON object that FOCUS wants; null where there are none. */
    FocusRow tags(Map<String, String> labels) {
        return set(FocusColumn.Tags, labels.isEmpty() ? "" : json(labels));
    }

    /** The names of all columns. */
    static void header(Appendable out) throws IOException {
        String separator = "";
        for (FocusColumn column : FocusColumn.values()) {
            out.append(separator).append(column.name());
            separator = ",";
        }
        out.append("\r\n");
    }

    /** Writes it as RFC 4180 says; text that a spreadsheet would take for a formula is marked as text. */
    void write(Appendable out) throws IOException {
        String separator = "";
        for (FocusColumn column : FocusColumn.values()) {
            out.append(separator).append(CsvText.cell(values.getOrDefault(column, "")));
            separator = ",";
        }
        out.append("\r\n");
    }

    /** A flat JSON object. */
    static String json(Map<String, String> values) {
        StringBuilder text = new StringBuilder("{");
        values.forEach((key, value) -> {
            text.append(text.length() == 1 ? "" : ",");
            string(key, text);
            text.append(':');
            string(value, text);
        });
        return text.append('}').toString();
    }

    private static void string(String value, StringBuilder into) {
        into.append('"');
        for (int i = 0; i < value.length(); i++) {
            char c = value.charAt(i);
            if (c == '"' || c == '\\') {
                into.append('\\').append(c);
            } else if (c < ' ' || Character.isSurrogate(c)) {
                // Surrogates too: half of one would not survive UTF-8.
                into.append("\\u%04x".formatted((int) c));
            } else {
                into.append(c);
            }
        }
        into.append('"');
    }
}
