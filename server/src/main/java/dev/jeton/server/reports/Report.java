package dev.jeton.server.reports;

import dev.jeton.accounting.AccountingException;
import dev.jeton.accounting.CsvText;
import dev.jeton.accounting.Filter;
import dev.jeton.accounting.Grouping;
import dev.jeton.accounting.Grouping.Dimension;
import dev.jeton.accounting.Money;
import dev.jeton.accounting.Period;
import dev.jeton.accounting.Reports;
import dev.jeton.accounting.Scope;
import dev.jeton.accounting.TaskTotal;
import dev.jeton.accounting.Total;
import dev.jeton.accounting.Waste;
import dev.jeton.server.json.JsonWriter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * What was used, what it cost and what of it was wasted, by group.
 *
 * @param by what it was asked by: {@code tenant}, {@code label:NAME}
 * @param audience who reads it
 * @param totals a row each
 * @param waste device time that served nobody; empty for who may not see metered cost
 */
public record Report(String by, Audience audience, List<Total> totals, Optional<Waste> waste) {

    private static final String LABEL = "label:";

    /** With a list of its own. */
    public Report {
        totals = List.copyOf(totals);
    }

    /**
     * Asks the ledger.
     *
     * @param by see {@link #grouping}
     * @param after the group after which it begins; empty for the first
     * @param most rows at most
     */
    public static Report of(
            Reports reports,
            Scope scope,
            Audience audience,
            Period time,
            Filter filter,
            String by,
            Optional<String> after,
            int most) {
        List<Total> totals = reports.totals(scope, time.from(), time.until(), filter, grouping(by), after, most);
        Optional<Waste> waste = audience.metered()
                ? Optional.of(reports.waste(scope, time.from(), time.until(), filter))
                : Optional.empty();
        return new Report(by, audience, totals, waste);
    }

    /**
     * What a report is divided by.
     *
     * @param by tenant, project, key, model, hour, work, price_book, task, prompt_version, route, context_bucket or
     *     label:NAME
     * @throws AccountingException where it is none of these
     */
    public static Grouping grouping(String by) {
        if (by.startsWith(LABEL) && by.length() > LABEL.length()) {
            return new Grouping.ByLabel(by.substring(LABEL.length()));
        }
        try {
            return new Grouping.By(Dimension.valueOf(by.toUpperCase(Locale.ROOT)));
        } catch (IllegalArgumentException e) {
            throw new AccountingException(
                    ("there is no report by '%s': tenant, project, key, model, hour, work, price_book, task,"
                                    + " prompt_version, route, context_bucket or label:NAME is expected")
                            .formatted(by));
        }
    }

    /** The same with its first rows alone. */
    public Report first(int rows) {
        return new Report(by, audience, totals.subList(0, rows), waste);
    }

    /** The heads of the columns after the group's. */
    public List<String> columns() {
        return ReportColumn.of(audience).stream().map(ReportColumn::title).toList();
    }

    /** A group's cells in those columns. */
    public List<String> cells(Total total) {
        return ReportColumn.of(audience).stream()
                .map(column -> column.cell(total))
                .toList();
    }

    /**
     * Columns that a table for people has: those about tasks only where there are any.
     *
     * @return places in {@link #columns}
     */
    public List<Integer> telling() {
        boolean tasks = totals.stream()
                .anyMatch(total -> total.steps() > 0 || !total.tasks().equals(TaskTotal.NONE));
        List<ReportColumn> columns = ReportColumn.of(audience);
        return IntStream.range(0, columns.size())
                .filter(place -> tasks || !columns.get(place).ofTasks())
                .boxed()
                .toList();
    }

    /** Device time that served nobody, as rows: what, seconds, money, who pays. Empty where it may not be seen. */
    public List<List<String>> wasted() {
        List<List<String>> rows = new ArrayList<>();
        parts().forEach((name, part) ->
                rows.add(List.of(name, ReportColumn.seconds(part.nanos()), Money.text(part.money()), payer(name))));
        return rows;
    }

    private Map<String, Waste.Part> parts() {
        Map<String, Waste.Part> parts = new LinkedHashMap<>();
        waste.ifPresent(lost -> {
            parts.put("recomputed", lost.recompute());
            parts.put("overrun", lost.overrun());
            parts.put("house", lost.house());
            parts.put("cancelled", lost.cancelled());
            parts.put("failed", lost.failed());
            if (audience.house()) {
                parts.put("idle", lost.idle());
                parts.put("overhead", lost.overhead());
            }
        });
        return parts;
    }

    private static String payer(String part) {
        return switch (part) {
            case "cancelled", "failed" -> "tenant";
            case "idle", "overhead" -> "operator";
            default -> "house";
        };
    }

    /** The rows as CSV with a line of heads, as RFC 4180 says but for its line ends. */
    public String csv() {
        StringBuilder text = new StringBuilder();
        text.append(CsvText.cell(by.replace(':', '_')))
                .append(',')
                .append(String.join(",", columns()))
                .append('\n');
        for (Total total : totals) {
            text.append(CsvText.cell(total.group()))
                    .append(',')
                    .append(String.join(",", cells(total)))
                    .append('\n');
        }
        return text.toString();
    }

    /** Writes its fields into an object: {@code by}, {@code rows} and, where there is one, {@code waste}. */
    public void write(JsonWriter json) {
        json.name("by").value(by).name("rows").beginArray();
        for (Total total : totals) {
            json.beginObject().name("group").value(total.group());
            ReportColumn.of(audience).forEach(column -> write(json, column, column.cell(total)));
            json.endObject();
        }
        json.endArray();
        if (waste.isPresent()) {
            json.name("waste").beginObject();
            parts().forEach((name, part) -> json.name(name)
                    .beginObject()
                    .name("device_s")
                    .value(part.nanos() / 1e9)
                    .name("money")
                    .value(Money.text(part.money()))
                    .endObject());
            json.endObject();
        }
    }

    private static void write(JsonWriter json, ReportColumn column, String cell) {
        json.name(column.title());
        switch (column.kind()) {
            case COUNT -> json.value(Long.parseLong(cell));
            case DECIMAL -> json.value(Double.parseDouble(cell));
            case MONEY -> json.value(cell);
            case RATE -> {
                if (cell.isEmpty()) {
                    json.nullValue();
                } else {
                    json.value(Double.parseDouble(cell));
                }
            }
            case PRICE -> {
                if (cell.isEmpty()) {
                    json.nullValue();
                } else {
                    json.value(cell);
                }
            }
        }
    }
}
