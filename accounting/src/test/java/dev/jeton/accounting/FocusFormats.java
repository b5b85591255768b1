package dev.jeton.accounting;

import java.time.DateTimeException;
import java.time.Instant;
import java.util.Currency;
import java.util.regex.Pattern;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Types and formats of values as FOCUS 1.2 words them. */
final class FocusFormats {

    /** No sign but a minus, no exponent sign but a minus, no separators. */
    private static final Pattern NUMBER = Pattern.compile("-?\\d+(\\.\\d+)?(E-?\\d+)?");

    private static final Pattern DATE = Pattern.compile("\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d+)?Z");

    /** A unit, with a count or of a time: Tokens, 1000000 Tokens, GB-Hours, Requests/Second. */
    private static final Pattern UNIT =
            Pattern.compile("([1-9]\\d* )?[A-Z][A-Za-z]*( [A-Z][A-Za-z]*)*(-[A-Z][a-z]+)?(/([1-9]\\d* )?[A-Z][a-z]+)?");

    private FocusFormats() {}

    static boolean decimal(String value) {
        return NUMBER.matcher(value).matches();
    }

    /** A check that only looks at one value, which is not null. */
    static boolean check(String function, String value) {
        return switch (function) {
            case "TypeDecimal", "FormatNumeric" -> decimal(value);
            case "TypeString" -> true;
            case "FormatString" -> !value.isBlank() && value.chars().noneMatch(c -> c == 0xFFFD);
            case "TypeDateTime", "FormatDateTime" -> date(value);
            case "FormatUnit" -> UNIT.matcher(value).matches();
            case "FormatCurrency", "CheckNationalCurrency" -> currency(value);
            case "FormatKeyValue" -> flat(value);
            default -> throw new IllegalStateException("the model has a check that is not interpreted: " + function);
        };
    }

    private static boolean date(String value) {
        if (!DATE.matcher(value).matches()) {
            return false;
        }
        try {
            Instant.parse(value);
            return true;
        } catch (DateTimeException e) {
            return false;
        }
    }

    private static boolean currency(String value) {
        return Currency.getAvailableCurrencies().stream()
                .anyMatch(currency -> currency.getCurrencyCode().equals(value));
    }

    private static boolean flat(String value) {
        try {
            JsonNode node = JsonMapper.builder()
                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                    .build()
                    .readTree(value);
            return node.isObject() && node.valueStream().noneMatch(JsonNode::isContainer);
        } catch (JacksonException e) {
            return false;
        }
    }
}
