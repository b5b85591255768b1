package dev.jeton.accounting;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Interprets the rules of the FOCUS validator's model on a table. It begins at the model's root and obeys the
 * conditions of composite rules on the way; each rule of the model ends in exactly one outcome, so that what is not
 * checked is not hidden.
 */
final class FocusRules {

    /** What became of a rule. */
    enum Status {
        /** Checked on every row that its conditions name. */
        PASSED,
        /** No row is what it is about: nothing was seen to hold. */
        NO_ROWS,
        /** Some row, or the table, breaks it. */
        FAILED,
        /** Broken, but only recommended. */
        ADVISED,
        /** Allows something, so that nothing can break it. */
        PERMITS,
        /** Holds other rules. */
        GROUP,
        /** About a feature that the provider does not have. */
        FEATURE_NOT_OFFERED,
        /** About a column that the table need not have and does not have. */
        COLUMN_ABSENT,
        /** The model has words for it, but no check: it is for people to judge. */
        WORDS_ONLY,
        /** No column's rules lead to it. */
        UNREACHED
    }

    /** A rule's outcome, and where it is broken. */
    record Outcome(String rule, Status status, String detail) {}

    private static final String ROOT = "CostAndUsage-D-000-M";

    private final JsonNode rules;
    private final Set<String> features;
    private final Map<String, Outcome> outcomes = new LinkedHashMap<>();
    private boolean exercised;
    private FocusChecks checks = new FocusChecks(new Csv(List.of(), List.of()));

    /**
     * With a model.
     *
     * @param features applicability criteria that the provider meets
     */
    FocusRules(String model, Set<String> features) {
        this.rules = JsonMapper.shared().readTree(model).get("ModelRules");
        this.features = features;
    }

    /** Outcomes by rule, for each rule of the model. */
    Map<String, Outcome> check(Csv csv) {
        outcomes.clear();
        checks = new FocusChecks(csv);
        visit(ROOT, List.of());
        for (String rule : rules.propertyNames()) {
            if (!outcomes.containsKey(rule)) {
                set(rule, wordsOnly(rule) ? Status.WORDS_ONLY : Status.UNREACHED, "");
            }
        }
        return outcomes;
    }

    /** Whether neither the rule nor any rule in it has a check. */
    private boolean wordsOnly(String rule) {
        JsonNode requirement = rules.get(rule).get("ValidationCriteria").get("Requirement");
        for (JsonNode item : requirement.path("Items")) {
            if (!item.has("ModelRuleId") || !wordsOnly(item.get("ModelRuleId").asString())) {
                return false;
            }
        }
        return requirement.isEmpty() || requirement.has("Items");
    }

    /** Rules that the table breaks. */
    static List<Outcome> failures(Map<String, Outcome> outcomes) {
        return outcomes.values().stream()
                .filter(outcome -> outcome.status() == Status.FAILED)
                .toList();
    }

    /** How many rules came to which end. */
    static Map<Status, Long> summary(Map<String, Outcome> outcomes) {
        return outcomes.values().stream()
                .collect(Collectors.groupingBy(
                        Outcome::status, () -> new EnumMap<>(Status.class), Collectors.counting()));
    }

    private void set(String rule, Status status, String detail) {
        outcomes.merge(rule, new Outcome(rule, status, detail), (a, b) -> a.status() == Status.FAILED ? a : b);
    }

    private void visit(String id, List<JsonNode> conditions) {
        JsonNode rule = rules.get(id);
        if (rule == null) {
            throw new IllegalStateException("the model names a rule that it does not have: " + id);
        }
        JsonNode criteria = rule.get("ValidationCriteria");
        JsonNode requirement = criteria.get("Requirement");
        for (JsonNode feature : rule.get("ApplicabilityCriteria")) {
            if (!features.contains(feature.asString())) {
                setAll(id, Status.FEATURE_NOT_OFFERED, feature.asString());
                return;
            }
        }
        List<JsonNode> all = new ArrayList<>(conditions);
        if (!criteria.get("Condition").isEmpty()) {
            all.add(criteria.get("Condition"));
        }
        if (requirement.isEmpty()) {
            set(id, Status.WORDS_ONLY, "");
        } else if (requirement.path("CheckFunction").asString("").equals("AND")
                && rule.get("Function").asString().equals("Composite")) {
            set(id, Status.GROUP, "");
            for (JsonNode item : requirement.get("Items")) {
                visit(item.get("ModelRuleId").asString(), all);
            }
        } else if (rule.get("EntityType").asString().equals("Column")
                && !checks.present(rule.get("Reference").asString())) {
            setAll(id, Status.COLUMN_ABSENT, rule.get("Reference").asString());
        } else {
            judge(id, requirement, all, criteria.get("Keyword").asString());
        }
    }

    /** A rule and the rules in it. */
    private void setAll(String id, Status status, String detail) {
        set(id, status, detail);
        for (JsonNode item :
                rules.get(id).get("ValidationCriteria").get("Requirement").path("Items")) {
            if (item.has("ModelRuleId")) {
                setAll(item.get("ModelRuleId").asString(), status, detail);
            }
        }
    }

    private void judge(String id, JsonNode requirement, List<JsonNode> conditions, String keyword) {
        if (keyword.equals("MAY")) {
            set(id, Status.PERMITS, "");
            return;
        }
        exercised = true;
        String broken = checks.table(requirement) ? checks.inTable(requirement) : inRows(requirement, conditions);
        if (broken.isEmpty()) {
            setAll(id, exercised ? Status.PASSED : Status.NO_ROWS, "");
        } else {
            boolean must = keyword.startsWith("MUST");
            set(id, must ? Status.FAILED : Status.ADVISED, broken);
        }
    }

    /** The first row that breaks it; empty text for none. */
    private String inRows(JsonNode requirement, List<JsonNode> conditions) {
        int number = 0;
        exercised = false;
        for (Map<String, String> row : checks.rows()) {
            number++;
            boolean meant = true;
            for (JsonNode condition : conditions) {
                meant &= holds(condition, row);
            }
            exercised |= meant;
            if (meant && !holds(requirement, row)) {
                return "row %d: %s".formatted(number, row);
            }
        }
        return "";
    }

    /** Whether an expression holds for a row. */
    private boolean holds(JsonNode node, Map<String, String> row) {
        if (node.isArray()) {
            for (JsonNode item : node) {
                if (!holds(item, row)) {
                    return false;
                }
            }
            return true;
        }
        if (!node.has("CheckFunction") && node.has("AND")) {
            return holds(node.get("AND"), row);
        }
        String function = node.get("CheckFunction").asString();
        return switch (function) {
            case "AND" -> holds(node.get("Items"), row);
            case "OR" -> {
                for (JsonNode item : node.get("Items")) {
                    if (holds(item, row)) {
                        yield true;
                    }
                }
                yield false;
            }
            case "CheckModelRule" -> {
                JsonNode criteria =
                        rules.get(node.get("ModelRuleId").asString()).get("ValidationCriteria");
                JsonNode condition = criteria.get("Condition");
                yield (!condition.isEmpty() && !holds(condition, row)) || holds(criteria.get("Requirement"), row);
            }
            default -> checks.inRow(function, node, row);
        };
    }

    /** Checks of single functions on a table. */
    private static final class FocusChecks {

        private final Csv csv;

        FocusChecks(Csv csv) {
            this.csv = csv;
        }

        List<Map<String, String>> rows() {
            return csv.rows();
        }

        boolean present(String column) {
            return csv.columns().contains(column);
        }

        /** Whether it is about the whole table. */
        boolean table(JsonNode node) {
            String function = node.path("CheckFunction").asString("");
            return function.equals("ColumnPresent") || function.equals("CheckDistinctCount");
        }

        String inTable(JsonNode node) {
            if (node.get("CheckFunction").asString().equals("ColumnPresent")) {
                String column = node.get("ColumnName").asString();
                return present(column) ? "" : "no column " + column;
            }
            Map<String, Set<String>> values = new HashMap<>();
            for (Map<String, String> row : csv.rows()) {
                String key = row.get(node.get("ColumnAName").asString());
                String value = row.get(node.get("ColumnBName").asString());
                if (key != null && value != null) {
                    values.computeIfAbsent(key, k -> new HashSet<>()).add(value);
                }
            }
            int expected = node.get("ExpectedCount").asInt();
            return values.entrySet().stream()
                    .filter(entry -> entry.getValue().size() != expected)
                    .map(entry -> "'%s' has %s".formatted(entry.getKey(), entry.getValue()))
                    .findFirst()
                    .orElse("");
        }

        boolean inRow(String function, JsonNode node, Map<String, String> row) {
            JsonNode name = node.has("ColumnName") ? node.get("ColumnName") : node.path("CheckCondition");
            String value = row.get(name.asString(""));
            return switch (function) {
                case "CheckValue" -> same(value, node.get("Value"));
                case "CheckNotValue" -> !same(value, node.get("Value"));
                case "CheckSameValue" -> pair(node, row);
                case "CheckNotSameValue" -> !pair(node, row);
                case "CheckGreaterOrEqualThanValue" ->
                    value == null
                            || (FocusFormats.decimal(value)
                                    && new BigDecimal(value)
                                                    .compareTo(node.get("Value").decimalValue())
                                            >= 0);
                case "ColumnByColumnEqualsColumnValue" -> product(node, row);
                case "CheckDecimalValue" -> value != null && FocusFormats.decimal(value);
                default -> value == null || FocusFormats.check(function, value);
            };
        }

        private static boolean same(String value, JsonNode expected) {
            if (value == null || expected.isNull()) {
                return value == null && expected.isNull();
            }
            return expected.isNumber()
                    ? FocusFormats.decimal(value) && new BigDecimal(value).compareTo(expected.decimalValue()) == 0
                    : value.equals(expected.asString());
        }

        private static boolean pair(JsonNode node, Map<String, String> row) {
            String a = row.get(node.get("ColumnAName").asString());
            String b = row.get(node.get("ColumnBName").asString());
            return a == null ? b == null : a.equals(b);
        }

        private static boolean product(JsonNode node, Map<String, String> row) {
            String a = row.get(node.get("ColumnAName").asString());
            String b = row.get(node.get("ColumnBName").asString());
            String result = row.get(node.get("ResultColumnName").asString());
            if (a == null || b == null || result == null) {
                return a == null || b == null;
            }
            return FocusFormats.decimal(a)
                    && FocusFormats.decimal(b)
                    && FocusFormats.decimal(result)
                    && new BigDecimal(a).multiply(new BigDecimal(b)).compareTo(new BigDecimal(result)) == 0;
        }
    }
}
