package dev.jeton.benchmarks.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** Whether dashboards are of the form that Grafana imports. */
class DashboardsTest {

    private static final int COLUMNS = 24;
    private static final Pattern VARIABLE = Pattern.compile("\\$\\{?([a-zA-Z]\\w*)");

    private static List<JsonNode> panels(String file) {
        List<JsonNode> panels = new ArrayList<>();
        DeployFiles.dashboard(file).get("panels").forEach(panels::add);
        return panels;
    }

    private static List<JsonNode> charts(String file) {
        return panels(file).stream()
                .filter(panel -> !panel.get("type").asString().equals("row"))
                .toList();
    }

    private static String title(JsonNode panel) {
        return panel.get("title").asString();
    }

    @ParameterizedTest
    @ValueSource(strings = {"operations.json", "money.json"})
    void panelsHaveIdsAndTitlesOfTheirOwn(String file) {
        assertThat(panels(file)).extracting(panel -> panel.get("id").asInt()).doesNotHaveDuplicates();
        assertThat(panels(file)).extracting(DashboardsTest::title).doesNotHaveDuplicates();
    }

    @ParameterizedTest
    @ValueSource(strings = {"operations.json", "money.json"})
    void panelsDoNotOverlap(String file) {
        Set<List<Integer>> taken = new HashSet<>();
        for (JsonNode panel : panels(file)) {
            JsonNode place = panel.get("gridPos");
            int x = place.get("x").asInt();
            int y = place.get("y").asInt();
            assertThat(x + place.get("w").asInt()).as(title(panel)).isLessThanOrEqualTo(COLUMNS);
            for (int row = y; row < y + place.get("h").asInt(); row++) {
                for (int column = x; column < x + place.get("w").asInt(); column++) {
                    assertThat(taken.add(List.of(row, column))).as(title(panel)).isTrue();
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"operations.json", "money.json"})
    void panelsSayWhatTheyShowAndInWhichUnit(String file) {
        for (JsonNode panel : charts(file)) {
            assertThat(panel.get("description").asString()).as(title(panel)).isNotBlank();
            assertThat(panel.at("/fieldConfig/defaults/unit").asString())
                    .as(title(panel))
                    .isNotBlank();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"operations.json", "money.json"})
    void everyQuestionGoesToTheDataSourceThatWasChosen(String file) {
        for (JsonNode panel : charts(file)) {
            assertThat(panel.get("targets")).as(title(panel)).isNotEmpty();
            Set<String> references = new TreeSet<>();
            for (JsonNode target : panel.get("targets")) {
                assertThat(target.at("/datasource/uid").asString())
                        .as(title(panel))
                        .isEqualTo("${datasource}");
                assertThat(references.add(target.get("refId").asString()))
                        .as(title(panel))
                        .isTrue();
            }
            assertThat(panel.at("/datasource/uid").asString()).as(title(panel)).isEqualTo("${datasource}");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"operations.json", "money.json"})
    void everyVariableThatIsUsedIsDefinedAndEveryOneDefinedIsUsed(String file) {
        JsonNode dashboard = DeployFiles.dashboard(file);
        Set<String> defined = new TreeSet<>();
        dashboard
                .at("/templating/list")
                .forEach(variable -> defined.add(variable.get("name").asString()));

        Set<String> used = new TreeSet<>();
        VARIABLE.matcher(dashboard.get("panels").toString()).results().forEach(found -> used.add(found.group(1)));

        assertThat(used).isEqualTo(defined);
    }

    @Test
    void dashboardsHaveNamesOfTheirOwn() {
        assertThat(List.of("operations.json", "money.json"))
                .extracting(file -> DeployFiles.dashboard(file).get("uid").asString())
                .doesNotHaveDuplicates();
    }
}
