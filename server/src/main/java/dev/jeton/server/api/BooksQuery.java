package dev.jeton.server.api;

import dev.jeton.accounting.AccountingException;
import dev.jeton.accounting.Fact;
import dev.jeton.accounting.Filter;
import dev.jeton.accounting.Period;
import dev.jeton.accounting.Reports;
import dev.jeton.accounting.Scope;
import dev.jeton.server.reports.Audience;
import dev.jeton.server.reports.Report;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/**
 * What a URL asks of the books. Money depends on it, so nothing is guessed: a parameter that is not known, empty, or
 * given twice is an error.
 */
final class BooksQuery {

    /** Most days of one question. */
    static final int MAX_DAYS = 400;

    private static final String TENANT = "tenant";
    private static final String LABEL = "label";
    private static final long HOUR = TimeUnit.HOURS.toMicros(1);
    private static final long USUAL_SPAN = TimeUnit.DAYS.toMicros(31);
    private static final int MAX_DIGITS = 9;
    private static final int MAX_CURSOR_ID = 512;

    private final Map<String, List<String>> given;
    private final Caller caller;
    private final long now;

    /**
     * Reads the URL.
     *
     * @param now the books' time, microseconds since 1970
     * @param known parameters that may be given
     * @throws ApiException 400, naming the parameter
     */
    BooksQuery(Call call, long now, Set<String> known) {
        this.caller = call.caller();
        this.now = now;
        given = call.query();
        given.forEach((name, values) -> {
            if (!known.contains(name)) {
                throw ApiException.invalid(
                        ApiException.shown(name),
                        "There is no parameter '%s'; there are: %s"
                                .formatted(ApiException.shown(name), String.join(", ", new TreeSet<>(known))));
            }
            if (values.stream().anyMatch(String::isEmpty)) {
                throw ApiException.invalid(name, "'%s' is empty; give it a value or leave it out".formatted(name));
            }
            if (values.size() > 1 && !name.equals(LABEL)) {
                throw ApiException.invalid(name, "'%s' is given more than once".formatted(name));
            }
        });
    }

    /** A parameter's value. */
    Optional<String> text(String name) {
        return given.getOrDefault(name, List.of()).stream().findFirst();
    }

    /** One of a few words; the first of them where none is given. */
    String choice(String name, List<String> words) {
        String word = text(name).orElse(words.getFirst());
        if (!words.contains(word)) {
            throw ApiException.invalid(
                    name,
                    "'%s' must be one of: %s; it is '%s'"
                            .formatted(name, String.join(", ", words), ApiException.shown(word)));
        }
        return word;
    }

    /**
     * Whose rows.
     *
     * @throws ApiException 403, where a tenant asks for another's
     */
    Scope scope() {
        Optional<String> asked = text(TENANT);
        if (caller.operator()) {
            return asked.<Scope>map(Scope.Tenant::new).orElse(Scope.OPERATOR);
        }
        String own = caller.payer().tenant();
        if (asked.isPresent() && !asked.get().equals(own)) {
            throw forbidden(TENANT, "This key sees the books of its own tenant only; leave 'tenant' out");
        }
        return new Scope.Tenant(own);
    }

    /** What of them. */
    Audience audience() {
        if (!caller.operator()) {
            return Audience.TENANT;
        }
        return text(TENANT).isPresent() ? Audience.OPERATOR_OF_ONE : Audience.OPERATOR;
    }

    static ApiException forbidden(String param, String message) {
        return new ApiException(403, "permission_error", param, "operator_only", message);
    }

    /**
     * The time: {@code period}, or {@code from} to {@code to}, which are the last 31 days until the end of this hour
     * where they are not given. Whole hours.
     */
    Period span() {
        Optional<Period> period = text("period").map(text -> time("period", text, Period::named));
        if (period.isPresent()) {
            if (text("from").isPresent() || text("to").isPresent()) {
                throw ApiException.invalid("period", "Give either 'period' or 'from' and 'to', not both");
            }
            return period.get();
        }
        Optional<Long> begin = text("from").map(text -> time("from", text, Period::begin));
        long to = roundedUp(
                text("to").map(text -> time("to", text, Period::begin)).orElse(now + 1));
        long from = Math.floorDiv(begin.orElse(Math.max(0, to - USUAL_SPAN)), HOUR) * HOUR;
        if (from >= to) {
            throw ApiException.invalid("to", "The time ends before it begins: 'to' must be after 'from'");
        }
        if (to - from > TimeUnit.DAYS.toMicros(MAX_DAYS)) {
            throw ApiException.invalid(
                    "from",
                    "More than %d days are asked about; ask about less at once, or use the command line on the server"
                            .formatted(MAX_DAYS));
        }
        return new Period(from, to);
    }

    private static long roundedUp(long micros) {
        return -Math.floorDiv(-micros, HOUR) * HOUR;
    }

    private static <T> T time(String name, String text, Function<String, T> reader) {
        try {
            return reader.apply(ApiException.shown(text));
        } catch (AccountingException e) {
            throw ApiException.invalid(name, String.valueOf(e.getMessage()));
        }
    }

    /** Which requests; beside the scope, not in its place. */
    Filter filter() {
        Map<String, String> labels = new TreeMap<>();
        List<String> pairs = given.getOrDefault(LABEL, List.of());
        if (pairs.size() > Fact.MAX_LABELS) {
            throw ApiException.invalid(
                    LABEL, "No request has more than %d labels, so none has these".formatted(Fact.MAX_LABELS));
        }
        for (String pair : pairs) {
            int colon = pair.indexOf(':');
            String name = colon < 0 ? pair : pair.substring(0, colon);
            if (colon < 0 || !Labels.isName(name)) {
                throw ApiException.invalid(
                        LABEL,
                        "'label' is NAME:VALUE, the name of up to 64 letters, digits, '_', '.' and '-'; this is not:"
                                + " '%s'".formatted(ApiException.shown(pair)));
            }
            if (labels.put(name, pair.substring(colon + 1)) != null) {
                throw ApiException.invalid(LABEL, "The label '%s' is given more than once".formatted(name));
            }
        }
        return new Filter(
                "",
                text("project").orElse(""),
                text("key").orElse(""),
                text("model").orElse(""),
                labels,
                text("task").orElse(""));
    }

    /** What a report is divided by, sound; by tenant where nothing is said. */
    String by() {
        String by = text("by").orElse(TENANT);
        String label = "label:";
        if (by.startsWith(label) && !Labels.isName(by.substring(label.length()))) {
            throw ApiException.invalid(
                    "by",
                    "A label's name has up to 64 letters, digits, '_', '.' and '-'; this is not one: '%s'"
                            .formatted(ApiException.shown(by.substring(label.length()))));
        }
        try {
            Report.grouping(ApiException.shown(by));
            return by;
        } catch (AccountingException e) {
            throw ApiException.invalid("by", String.valueOf(e.getMessage()));
        }
    }

    /** How many rows. */
    int limit(int usual, int most) {
        String text = text("limit").orElse(String.valueOf(usual));
        boolean number = text.length() <= MAX_DIGITS && text.chars().allMatch(c -> c >= '0' && c <= '9');
        int limit = number ? Integer.parseInt(text) : 0;
        if (limit < 1 || limit > most) {
            throw ApiException.invalid(
                    "limit",
                    "'limit' must be a whole number from 1 to %d; it is '%s'"
                            .formatted(most, ApiException.shown(text)));
        }
        return limit;
    }

    /** Where a list goes on. */
    Optional<Reports.Cursor> after() {
        return text("after").map(BooksQuery::cursor);
    }

    /** The group after which a report goes on. */
    Optional<String> group(String by) {
        Optional<String> group = text("after").map(text -> {
            try {
                return new String(Base64.getUrlDecoder().decode(text), StandardCharsets.UTF_8);
            } catch (IllegalArgumentException e) {
                throw ApiException.invalid("after", "'after' is no place in a report; take 'next' of the part before");
            }
        });
        if (by.equals("hour")) {
            group.ifPresent(hour -> time("after", hour, Period::begin));
        }
        return group;
    }

    /** As {@link #group} reads it. */
    static String groupCursor(String group) {
        return Base64.getUrlEncoder().withoutPadding().encodeToString(group.getBytes(StandardCharsets.UTF_8));
    }

    /** As {@link #after} reads it; it says nothing that is not in the row it was made of. */
    static String cursor(long closedAt, String id) {
        String plain = closedAt + ":" + id;
        return Base64.getUrlEncoder().withoutPadding().encodeToString(plain.getBytes(StandardCharsets.UTF_8));
    }

    private static Reports.Cursor cursor(String text) {
        try {
            String plain = new String(Base64.getUrlDecoder().decode(text), StandardCharsets.UTF_8);
            int colon = plain.indexOf(':');
            Reports.Cursor cursor = new Reports.Cursor(
                    Long.parseLong(plain.substring(0, Math.max(0, colon))), plain.substring(colon + 1));
            if (cursor.closedAt() >= 0 && cursor.id().length() <= MAX_CURSOR_ID) {
                return cursor;
            }
        } catch (IllegalArgumentException e) {
            // No Base64, or no number in it: the same as any other text that was made up.
        }
        throw ApiException.invalid("after", "'after' is no place in a list; take 'next' of the part before");
    }
}
