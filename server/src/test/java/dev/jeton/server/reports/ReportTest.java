package dev.jeton.server.reports;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.accounting.TaskTotal;
import dev.jeton.accounting.Tokens;
import dev.jeton.accounting.Total;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class ReportTest {

    private static Total total(String group, long list, long metered) {
        return new Total(group, 1, 1, 0, 0, Tokens.NONE, 0, list, 0, metered, 0, 0, 0, 0, 0, 0, TaskTotal.NONE, 0);
    }

    @Test
    void aLabelIsNoFormulaInCsvAndANumberIsNoText() {
        List<Total> totals = List.of(
                total("=HYPERLINK(\"http://x\")", 0, 7_000_000_000L),
                total("@a", 0, 0),
                total("\t=1", 0, 0),
                total("-5", 0, 0),
                total("plain", 0, 0));

        List<String> lines = new Report("label:team", Audience.OPERATOR, totals, Optional.empty())
                .csv()
                .lines()
                .skip(1)
                .toList();

        assertThat(lines.get(0))
                .startsWith("\"'=HYPERLINK(\"\"http://x\"\")\",1,")
                .contains(",7,-7,");
        assertThat(lines.get(1)).startsWith("\"'@a\",1,");
        assertThat(lines.get(2)).startsWith("\"'\t=1\",1,");
        assertThat(lines.get(3)).startsWith("-5,1,");
        assertThat(lines.get(4)).startsWith("plain,1,");
    }

    @Test
    void theNameOfALabelIsNoFormulaEither() {
        String csv = new Report("=team", Audience.TENANT, List.of(), Optional.empty()).csv();

        assertThat(csv).startsWith("\"'=team\",requests,");
    }
}
