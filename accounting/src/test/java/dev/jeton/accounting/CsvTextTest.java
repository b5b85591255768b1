package dev.jeton.accounting;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CsvTextTest {

    @ParameterizedTest
    @ValueSource(
            strings = {
                "=1+1",
                "+1",
                "-1+1",
                "-",
                "--1",
                "-1.",
                "@SUM(A1)",
                "\t=1",
                "\r=1",
                "\n=1",
                "\uff1d1",
                "=HYPERLINK(\"http://x\",\"y\")"
            })
    void whatBeginsLikeAFormulaIsText(String value) {
        assertThat(CsvText.cell(value)).isEqualTo("\"'" + value.replace("\"", "\"\"") + "\"");
    }

    @ParameterizedTest
    @ValueSource(strings = {"0", "-5", "-0.000000001", "12.5", "-1E-7", "9223372036854775807"})
    void aNumberStaysWhatItIs(String value) {
        assertThat(CsvText.cell(value)).isEqualTo(value);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "search", "a=b", "2026-11-20T10:00:00Z", "{\"a\":1}x", "it's", "gpu-0"})
    void otherTextIsLeftAlone(String value) {
        assertThat(CsvText.cell(value)).isIn(value, '"' + value.replace("\"", "\"\"") + '"');
    }

    @ParameterizedTest
    @ValueSource(strings = {"a,b", "a;=1", "a\tb", "a\"b", "a\nb", "a\rb"})
    void whatCutsCellsIsQuoted(String value) {
        assertThat(CsvText.cell(value)).isEqualTo('"' + value.replace("\"", "\"\"") + '"');
    }

    @Test
    void everyCellIsReadAsItWasButForTheApostrophe() {
        String letters = "=+-@,;\"\t\r\n'a1.";
        for (int seed = 0; seed < 2_000; seed++) {
            Random random = new Random(seed);
            List<String> values = new ArrayList<>();
            List<String> cells = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                StringBuilder value = new StringBuilder();
                for (int length = random.nextInt(6); length > 0; length--) {
                    value.append(letters.charAt(random.nextInt(letters.length())));
                }
                values.add(value.toString());
                cells.add(CsvText.cell(value.toString()));
            }
            Map<String, String> read = Csv.parse("0,1,2,3\r\n" + String.join(",", cells) + "\r\n")
                    .rows()
                    .getFirst();
            for (int i = 0; i < 4; i++) {
                assertThat(read.getOrDefault(String.valueOf(i), ""))
                        .as("seed %d: %s", seed, cells)
                        .isIn(values.get(i), "'" + values.get(i));
            }
        }
    }
}
