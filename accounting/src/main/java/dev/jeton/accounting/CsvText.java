package dev.jeton.accounting;

import java.util.regex.Pattern;

/**
 * Cells of comma-separated values that may be opened in a spreadsheet. What a caller may choose (a label, an id) must
 * not become a formula there: <a href="https://owasp.org/www-community/attacks/CSV_Injection">CSV injection</a>. As
 * OWASP advises, a cell that begins like one gets an apostrophe before it, which spreadsheets take for "this is text".
 */
public final class CsvText {

    /** How formulas begin, full-width forms included; and what spreadsheets skip before one. */
    private static final String FORMULA = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20";
    /** What cuts cells or lines, here or where the semicolon does. */
    private static final Pattern QUOTED = Pattern.compile("[\",;\t\r\n]");

    private static final Pattern NUMBER = Pattern.compile("-?[0-9]+(\\.[0-9]+)?(E-?[0-9]+)?");

    private CsvText() {}

    /** A cell as RFC 4180 writes it. A number stays what it is, whatever its sign. */
    public static String cell(String value) {
        boolean formula = !value.isEmpty()
                && FORMULA.indexOf(value.charAt(0)) >= 0
                && !NUMBER.matcher(value).matches();
        String text = formula ? "'" + value : value;
        return formula || QUOTED.matcher(text).find() ? '"' + text.replace("\"", "\"\"") + '"' : text;
    }
}
