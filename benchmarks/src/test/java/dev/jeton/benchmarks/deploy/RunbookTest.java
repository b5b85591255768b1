package dev.jeton.benchmarks.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.benchmarks.deploy.DeployFiles.Rule;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;

/** Alerts, their runbook and their tests belong together. */
class RunbookTest {

    private static final Pattern HEADING = Pattern.compile("(?m)^#+ (.*)$");
    private static final Pattern LINK = Pattern.compile("\\]\\(#([^)]*)\\)");

    private static String runbook() {
        return DeployFiles.runbook();
    }

    static List<Rule> alerts() {
        return DeployFiles.alerts();
    }

    /** As GitHub makes it of a heading. */
    private static String anchor(String heading) {
        return heading.toLowerCase(Locale.ROOT).replaceAll("[^\\w -]", "").replace(' ', '-');
    }

    private static Set<String> matches(Pattern pattern, String text) {
        return pattern.matcher(text)
                .results()
                .map((MatchResult found) -> found.group(1))
                .collect(Collectors.toSet());
    }

    @Test
    void rulesHaveNamesOfTheirOwn() {
        assertThat(DeployFiles.rules()).extracting(Rule::name).doesNotHaveDuplicates();
    }

    @Test
    void theRunbookHasASectionForEachAlertAndForNoOther() {
        Set<String> sections = matches(Pattern.compile("(?m)^### (Jeton\\w*)$"), runbook());

        assertThat(sections)
                .containsExactlyInAnyOrderElementsOf(
                        alerts().stream().map(Rule::name).toList());
    }

    @ParameterizedTest
    @MethodSource("alerts")
    void itsSectionSaysWhatItMeansHowToSeeItAndWhatToDo(Rule alert) {
        String section = Arrays.stream(runbook().split("(?m)^##"))
                .filter(part -> part.lines().findFirst().orElse("").equals("# " + alert.name()))
                .findFirst()
                .orElseThrow();

        assertThat(section).contains("**Means**", "**See**", "**Do**");
    }

    @ParameterizedTest
    @MethodSource("alerts")
    void itSaysHowBadItIsAndWhereToReadOn(Rule alert) {
        assertThat(alert.node().at("/labels/severity").asString()).isIn("critical", "warning", "info");
        assertThat(alert.node().at("/annotations/summary").asString()).isNotBlank();
        assertThat(alert.node().at("/annotations/runbook_url").asString())
                .isEqualTo("RUNBOOK.md#" + anchor(alert.name()));
    }

    @Test
    void linksWithinTheRunbookLeadSomewhere() {
        Set<String> anchors = new TreeSet<>();
        matches(HEADING, runbook()).forEach(heading -> anchors.add(anchor(heading)));

        assertThat(anchors).containsAll(matches(LINK, runbook()));
    }

    @ParameterizedTest
    @MethodSource("alerts")
    void thereIsACaseInWhichItFiresAndOneInWhichItDoesNot(Rule alert) {
        Set<Boolean> fires = new TreeSet<>();
        for (JsonNode test : DeployFiles.ruleTests()) {
            for (JsonNode expected : test.path("alert_rule_test")) {
                if (expected.get("alertname").asString().equals(alert.name())) {
                    fires.add(!expected.path("exp_alerts").isEmpty());
                }
            }
        }
        assertThat(fires).containsExactly(false, true);
    }
}
