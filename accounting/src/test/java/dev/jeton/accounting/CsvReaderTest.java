package dev.jeton.accounting;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.StringReader;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;

class CsvReaderTest {

    private static List<CsvReader.Row> rows(String text) {
        CsvReader reader = new CsvReader("bill.csv", new StringReader(text));
        List<CsvReader.Row> rows = new ArrayList<>();
        for (Optional<CsvReader.Row> row = reader.next(); row.isPresent(); row = reader.next()) {
            rows.add(row.get());
        }
        return rows;
    }

    private static List<List<String>> fields(String text) {
        return rows(text).stream().map(CsvReader.Row::fields).toList();
    }

    @Test
    void quotedFieldsHoldCommasQuotesAndLineEnds() {
        assertThat(rows("a,\"b,\"\"c\"\"\r\nd\",\r\n\"\",e,f\r\n"))
                .containsExactly(
                        new CsvReader.Row(1, List.of("a", "b,\"c\"\r\nd", "")),
                        new CsvReader.Row(3, List.of("", "e", "f")));
    }

    @Test
    void linesMayEndInAnyWayOrWithTheText() {
        assertThat(fields("a,b\nc,d\re,f\r\n\r\n\ng,h"))
                .containsExactly(List.of("a", "b"), List.of("c", "d"), List.of("e", "f"), List.of("g", "h"));
        assertThat(rows("a\r\n\r\nb\n").getLast().line()).isEqualTo(3);
    }

    @Test
    void aByteOrderMarkIsNoPartOfTheFirstField() {
        assertThat(fields("\ufeff\"a\",b\n")).containsExactly(List.of("a", "b"));
        assertThat(fields("\ufeff")).isEmpty();
        assertThat(fields("")).isEmpty();
    }

    @Test
    void emptyFieldsAreFields() {
        assertThat(fields(",\n\"\"\n")).containsExactly(List.of("", ""), List.of(""));
    }

    @Test
    void whatIsNotWrittenSoIsAnErrorThatNamesTheLine() {
        assertThatThrownBy(() -> rows("a\nb\"c\n")).hasMessage("""
                bill.csv, line 2: has a quote in a field that does not begin with one: put the whole field in quotes, \
                and double those in it""");
        assertThatThrownBy(() -> rows("a\n\"b\"c\n")).hasMessageContaining("line 2: has text after a closing quote");
        assertThatThrownBy(() -> rows("a\n\"b\nc\n"))
                .hasMessageContaining("line 2: a quote is opened and never closed");
    }

    @Test
    void fieldsAndRowsHaveBounds() {
        assertThat(fields("x".repeat(CsvReader.MAX_FIELD))).hasSize(1);
        assertThatThrownBy(() -> rows("x".repeat(CsvReader.MAX_FIELD + 1)))
                .isInstanceOf(AccountingException.class)
                .hasMessageContaining("more than 65,536 characters");
        assertThatThrownBy(() -> rows('"' + "x\n".repeat(CsvReader.MAX_FIELD)))
                .isInstanceOf(AccountingException.class)
                .hasMessageContaining("more than 65,536 characters");
        assertThatThrownBy(() -> rows(",".repeat(CsvReader.MAX_FIELDS)))
                .isInstanceOf(AccountingException.class)
                .hasMessageContaining("more than 1,000 fields");
    }

    @Test
    void readsWhatAnotherReaderReads() {
        for (long seed = 0; seed < 500; seed++) {
            Random random = Facts.random(seed);
            int columns = 1 + random.nextInt(5);
            StringBuilder text = new StringBuilder();
            for (int row = 0; row <= random.nextInt(6); row++) {
                for (int i = 0; i < columns; i++) {
                    text.append(i == 0 ? "" : ",").append(row == 0 ? "c" + i : field(random));
                }
                text.append("\r\n");
            }
            Csv other = Csv.parse(text.toString());
            List<List<String>> fields = fields(text.toString());
            assertThat(fields.getFirst()).as("seed %d", seed).isEqualTo(other.columns());
            assertThat(named(fields)).as("seed %d: %s", seed, text).isEqualTo(other.rows());
        }
    }

    /** Never empty without quotes: that would be a line without anything. */
    private static String field(Random random) {
        String plain = "xyz 0.5é".substring(random.nextInt(7));
        return switch (random.nextInt(3)) {
            case 0 -> plain;
            case 1 -> "\"\"";
            default -> '"' + plain + "\"\",\r\n" + plain + '"';
        };
    }

    private static List<Map<String, String>> named(List<List<String>> fields) {
        List<Map<String, String>> rows = new ArrayList<>();
        for (List<String> row : fields.subList(1, fields.size())) {
            Map<String, String> named = new LinkedHashMap<>();
            for (int i = 0; i < row.size(); i++) {
                if (!row.get(i).isEmpty()) {
                    named.put(fields.getFirst().get(i), row.get(i));
                }
            }
            rows.add(named);
        }
        return rows;
    }
}
