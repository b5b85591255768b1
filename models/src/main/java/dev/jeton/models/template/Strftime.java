package dev.jeton.models.template;

import dev.jeton.models.TemplateException;
import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;
import java.util.Locale;

/** Python's {@code strftime} in the C locale, as far as templates use it. */
final class Strftime {

    private Strftime() {}

    static String format(LocalDateTime time, String format) {
        StringBuilder out = new StringBuilder();
        for (int i = 0; i < format.length(); i++) {
            char c = format.charAt(i);
            if (c != '%' || i + 1 == format.length()) {
                out.append(c);
                continue;
            }
            char code = format.charAt(++i);
            boolean unpadded = code == '-' && i + 1 < format.length();
            String part = part(time, unpadded ? format.charAt(++i) : code);
            out.append(unpadded ? part.replaceFirst("^0(?=.)", "") : part);
        }
        return out.toString();
    }

    private static String part(LocalDateTime time, char code) {
        String pattern = switch (code) {
            case 'Y' -> "yyyy";
            case 'y' -> "yy";
            case 'm' -> "MM";
            case 'B' -> "MMMM";
            case 'b', 'h' -> "MMM";
            case 'd' -> "dd";
            case 'A' -> "EEEE";
            case 'a' -> "EEE";
            case 'H' -> "HH";
            case 'I' -> "hh";
            case 'M' -> "mm";
            case 'S' -> "ss";
            case 'p' -> "a";
            case 'j' -> "DDD";
            case 'F' -> "yyyy-MM-dd";
            case 'T' -> "HH:mm:ss";
            case '%' -> "'%'";
            default -> throw new TemplateException("chat template: strftime_now does not support %" + code);
        };
        return DateTimeFormatter.ofPattern(pattern, Locale.US).format(time);
    }
}
