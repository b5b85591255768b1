package dev.jeton.server.admin;

import dev.jeton.server.api.ApiException;
import dev.jeton.server.config.BudgetFormat;
import dev.jeton.server.http.Exchange;
import dev.jeton.server.json.Json;
import dev.jeton.server.json.JsonObject;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * A call of the admin API.
 *
 * @param exchange request and answer
 * @param who id of the admin key
 * @param path parts of the path that stand for something, by name
 */
record AdminCall(Exchange exchange, String who, Map<String, String> path) {

    /** A field of every body, and a parameter of calls without one. */
    static final String REASON = "reason";

    private static final int MAX_REASON = 500;
    private static final int MAX_DIGITS = 18;

    /** A part of the path. */
    String at(String name) {
        return path.getOrDefault(name, "");
    }

    /**
     * The body; an object without fields where there is none.
     *
     * @param fields that it may have, beside a reason
     * @param of what it is, for messages
     */
    JsonObject body(List<String> fields, String of) {
        byte[] bytes = exchange.body();
        JsonObject given = bytes.length == 0 ? AuditEntry.object() : Json.object(bytes);
        BudgetFormat.known(
                given,
                java.util.stream.Stream.concat(fields.stream(), java.util.stream.Stream.of(REASON))
                        .toList(),
                of);
        return given;
    }

    /** The body as text. */
    String text() {
        return new String(exchange.body(), StandardCharsets.UTF_8);
    }

    /** Who asks, with the reason in a body. */
    Author author(JsonObject body) {
        return author(body.optionalText(REASON).orElse(""));
    }

    /** Who asks, with the reason among the URL's parameters. */
    Author author() {
        return author(parameter(REASON).orElse(""));
    }

    private Author author(String reason) {
        if (reason.length() > MAX_REASON || reason.chars().anyMatch(Character::isISOControl)) {
            throw ApiException.invalid(
                    REASON, "'reason' must be at most %d characters, all of them printable".formatted(MAX_REASON));
        }
        return new Author(who, exchange.remote(), reason, expected());
    }

    private OptionalLong expected() {
        Optional<String> header = exchange.header("if-match").map(String::strip).filter(text -> !text.equals("*"));
        if (header.isEmpty()) {
            return OptionalLong.empty();
        }
        String digits = header.get().replaceAll("^\"(.*)\"$", "$1");
        if (!isNumber(digits)) {
            throw ApiException.invalid(
                    "if-match",
                    "'If-Match' must be the version of the policy, as the header 'etag' of an answer has it");
        }
        return OptionalLong.of(Long.parseLong(digits));
    }

    /** A parameter of the URL; only those that are asked for may be given. */
    Optional<String> parameter(String name) {
        return query().getOrDefault(name, List.of()).stream().findFirst();
    }

    /** A whole number among the URL's parameters. */
    long number(String name, long otherwise, long least, long most) {
        Optional<String> text = parameter(name);
        if (text.isEmpty()) {
            return otherwise;
        }
        long number = isNumber(text.get()) ? Long.parseLong(text.get()) : -1;
        if (number < least || number > most) {
            throw ApiException.invalid(name, "'%s' must be a whole number from %d to %d".formatted(name, least, most));
        }
        return number;
    }

    private static boolean isNumber(String text) {
        return !text.isEmpty() && text.length() <= MAX_DIGITS && text.chars().allMatch(c -> c >= '0' && c <= '9');
    }

    /** Complains of parameters that are not known. */
    void parameters(List<String> known) {
        for (String name : query().keySet()) {
            if (!known.contains(name)) {
                String shown = ApiException.shown(name);
                throw ApiException.invalid(
                        shown, "There is no parameter '%s' here; there are: %s".formatted(shown, known));
            }
        }
    }

    private Map<String, List<String>> query() {
        try {
            return exchange.query();
        } catch (IllegalArgumentException e) {
            throw ApiException.invalid("", "The URL's query has broken percent escapes");
        }
    }
}
