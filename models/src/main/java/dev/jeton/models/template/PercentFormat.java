package dev.jeton.models.template;

import dev.jeton.models.TemplateException;
import java.util.List;

/** Python's {@code %} for texts, as far as chat templates use it: {@code %s}, {@code %d} and {@code %%}. */
final class PercentFormat {

    private PercentFormat() {}

    /**
     * A pattern with values in it.
     *
     * @throws TemplateException for other conversions, and where there are more or fewer values than places
     */
    static String of(String pattern, List<Object> values) {
        StringBuilder out = new StringBuilder();
        int next = 0;
        for (int i = 0; i < pattern.length(); i++) {
            char c = pattern.charAt(i);
            char kind = c == '%' && ++i < pattern.length() ? pattern.charAt(i) : ' ';
            if (c != '%' || kind == '%') {
                out.append(c);
            } else if (kind != 's' && kind != 'd' || next == values.size()) {
                throw new TemplateException(
                        "chat template: '%s' cannot be formatted with %d values".formatted(pattern, values.size()));
            } else {
                Object value = values.get(next++);
                out.append(kind == 's' ? Values.text(value) : String.valueOf(Values.toLong(value)));
            }
        }
        if (next < values.size()) {
            throw new TemplateException(
                    "chat template: '%s' has fewer places than values, %d".formatted(pattern, values.size()));
        }
        return Operators.bounded(out.toString());
    }
}
