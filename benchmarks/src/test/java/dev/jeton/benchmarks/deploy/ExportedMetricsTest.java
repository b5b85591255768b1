package dev.jeton.benchmarks.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.benchmarks.deploy.DeployFiles.Rule;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** Rules and dashboards against what a real server exports. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class ExportedMetricsTest {

    private static final Pattern LABEL_VALUES = Pattern.compile("label_values\\((.*), (\\w+)\\)");

    private KnownMetrics known = new KnownMetrics();

    @BeforeAll
    void askAServer(@TempDir Path books) throws IOException, InterruptedException {
        try (RunningServer server = new RunningServer(books)) {
            known = server.metrics();
        }
        known.addOpen("up").addOpen("ALERTS");
        DeployFiles.rules().stream().filter(rule -> !rule.alert()).forEach(rule -> known.addOpen(rule.name()));
    }

    static List<Rule> rules() {
        return DeployFiles.rules();
    }

    @ParameterizedTest
    @MethodSource("rules")
    void everyRuleUsesWhatIsExported(Rule rule) {
        assertThat(known.unknown(rule.expression())).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"operations.json", "money.json"})
    void everyPanelUsesWhatIsExported(String file) {
        for (JsonNode panel : DeployFiles.dashboard(file).get("panels")) {
            for (JsonNode target : panel.path("targets")) {
                assertThat(known.unknown(target.get("expr").asString()))
                        .as(panel.get("title").asString())
                        .isEmpty();
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"operations.json", "money.json"})
    void everyVariableAsksForWhatIsExported(String file) {
        for (JsonNode variable : DeployFiles.dashboard(file).at("/templating/list")) {
            if (variable.get("type").asString().equals("query")) {
                Matcher query = LABEL_VALUES.matcher(variable.get("definition").asString());
                assertThat(query.matches()).as(variable.get("name").asString()).isTrue();
                assertThat(known.unknown("sum by (%s) (%s)".formatted(query.group(2), query.group(1))))
                        .as(variable.get("name").asString())
                        .isEmpty();
            }
        }
    }
}
