package dev.jeton.benchmarks.deploy;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.dataformat.yaml.YAMLMapper;

/** The files of {@code deploy/}. */
final class DeployFiles {

    static final Path HOME = Path.of("..").toAbsolutePath().normalize();
    static final Path PROMETHEUS = HOME.resolve("deploy/prometheus");

    /** One rule. */
    record Rule(String name, boolean alert, JsonNode node) {
        String expression() {
            return node.get("expr").asString();
        }

        @Override
        public String toString() {
            return name;
        }
    }

    private DeployFiles() {}

    static String text(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static String runbook() {
        return text(HOME.resolve("deploy/RUNBOOK.md"));
    }

    static List<Rule> rules() {
        List<Rule> rules = new ArrayList<>();
        for (JsonNode group : yaml("rules.yml").get("groups")) {
            for (JsonNode rule : group.get("rules")) {
                boolean alert = rule.has("alert");
                rules.add(new Rule(rule.get(alert ? "alert" : "record").asString(), alert, rule));
            }
        }
        return rules;
    }

    static List<Rule> alerts() {
        return rules().stream().filter(Rule::alert).toList();
    }

    /** The cases of {@code promtool test rules}. */
    static JsonNode ruleTests() {
        return yaml("rules-test.yml").get("tests");
    }

    static JsonNode dashboard(String file) {
        return new JsonMapper().readTree(text(HOME.resolve("deploy/grafana").resolve(file)));
    }

    private static JsonNode yaml(String file) {
        return new YAMLMapper().readTree(text(PROMETHEUS.resolve(file)));
    }
}
