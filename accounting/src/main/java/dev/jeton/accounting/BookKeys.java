package dev.jeton.accounting;

import java.time.DateTimeException;
import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;

/**
 * One section of a price book while it is read: takes key after key, and complains of what is missing, wrong or left
 * over, with the line and the path of the key.
 */
final class BookKeys {

    /** Years outside of which a date is a slip. */
    private static final int FIRST_YEAR = 1970;

    private static final int LAST_YEAR = 2200;

    private final String file;
    private final String path;
    private final BookNode.Keys node;
    private final Set<String> taken = new HashSet<>();

    BookKeys(String file, String path, BookNode node) {
        this.file = file;
        this.path = path;
        if (!(node instanceof BookNode.Keys keys)) {
            throw new AccountingException("%s:%d: %s needs keys with values under it"
                    .formatted(file, node.line(), path.isEmpty() ? "a price book" : "'" + path + "'"));
        }
        this.node = keys;
    }

    int line() {
        return node.line();
    }

    String path() {
        return path;
    }

    /** Whether the key has a value. */
    boolean has(String key) {
        BookNode value = node.values().get(key);
        return value != null
                && !(value instanceof BookNode.Scalar scalar && scalar.text().isEmpty());
    }

    private String full(String key) {
        return path.isEmpty() ? key : path + "." + key;
    }

    /** An error about a key, at its line. */
    AccountingException error(String key, String message) {
        BookNode value = node.values().get(key);
        return new AccountingException(
                "%s:%d: '%s': %s".formatted(file, value == null ? node.line() : value.line(), full(key), message));
    }

    private Optional<BookNode> take(String key) {
        taken.add(key);
        return has(key) ? Optional.ofNullable(node.values().get(key)) : Optional.empty();
    }

    Optional<String> text(String key) {
        return take(key).map(value -> {
            if (!(value instanceof BookNode.Scalar scalar)) {
                throw error(key, "a plain value is expected");
            }
            if (scalar.text().length() > Fact.MAX_NAME) {
                throw error(key, "longer than %d characters".formatted(Fact.MAX_NAME));
            }
            return scalar.text();
        });
    }

    String needed(String key, String what) {
        return text(key).orElseThrow(() -> error(key, "is missing: " + what));
    }

    /** A name, or the beginning of names with a star at its end. */
    String pattern(String key, String what) {
        String text = needed(key, what);
        int star = text.indexOf('*');
        if (star >= 0 && star < text.length() - 1) {
            throw error(key, "'%s' has a * that is not at its end: only a beginning can be matched".formatted(text));
        }
        return text;
    }

    Optional<Rate> rate(String key, Rate most) {
        return text(key).map(text -> {
            Rate rate;
            try {
                rate = Rate.of(text);
            } catch (AccountingException e) {
                throw error(key, String.valueOf(e.getMessage()));
            }
            if (rate.compareTo(most) > 0) {
                throw error(key, "%s is more than %s, the most it may be".formatted(rate, most));
            }
            return rate;
        });
    }

    boolean flag(String key, String yes, String no, boolean otherwise) {
        return text(key)
                .map(text -> {
                    if (!text.equals(yes) && !text.equals(no)) {
                        throw error(key, "'%s' is neither '%s' nor '%s'".formatted(text, yes, no));
                    }
                    return text.equals(yes);
                })
                .orElse(otherwise);
    }

    /** From {@code from} to {@code until}, either of which may be left out. */
    Period period() {
        long from = time("from").orElse(Long.MIN_VALUE);
        long until = time("until").orElse(Long.MAX_VALUE);
        if (from >= until) {
            throw error("until", "is not after 'from' (%s): the entry would never hold".formatted(Period.text(from)));
        }
        return new Period(from, until);
    }

    /** Microseconds since 1970. */
    Optional<Long> time(String key) {
        return text(key).map(text -> {
            Instant instant;
            try {
                instant = text.length() <= 10
                        ? LocalDate.parse(text).atStartOfDay(ZoneOffset.UTC).toInstant()
                        : Instant.parse(text);
            } catch (DateTimeException e) {
                throw error(key, "'%s' is not a date: 2026-11-20 or 2026-11-20T08:00:00Z is expected".formatted(text));
            }
            int year = instant.atZone(ZoneOffset.UTC).getYear();
            if (year < FIRST_YEAR || year > LAST_YEAR) {
                throw error(key, "the year %d is not within %d to %d".formatted(year, FIRST_YEAR, LAST_YEAR));
            }
            return Period.micros(instant);
        });
    }

    /** The sections of a list; none where the key is missing. */
    <T> List<T> list(String key, Function<BookKeys, T> reader) {
        List<T> result = new ArrayList<>();
        take(key).ifPresent(value -> {
            if (!(value instanceof BookNode.Items items)) {
                throw error(key, "a list is expected: entries that begin with -");
            }
            if (items.items().size() > PriceBook.MAX_ENTRIES) {
                throw error(
                        key,
                        "%,d entries are more than %,d".formatted(items.items().size(), PriceBook.MAX_ENTRIES));
            }
            for (BookNode item : items.items()) {
                BookKeys entry = new BookKeys(file, "%s[%d]".formatted(full(key), result.size()), item);
                result.add(reader.apply(entry));
                entry.finish();
            }
        });
        return result;
    }

    /** Complains of a key that nobody took. */
    void finish() {
        for (String key : node.values().keySet()) {
            if (!taken.contains(key)) {
                throw error(
                        key,
                        "is not a key of a price book here; known are "
                                + taken.stream().sorted().toList());
            }
        }
    }
}
