package dev.jeton.server.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.accounting.Budget;
import dev.jeton.accounting.Budget.Level;
import dev.jeton.accounting.Budget.Mode;
import dev.jeton.accounting.Budget.Rung;
import dev.jeton.accounting.BudgetUnit;
import dev.jeton.accounting.BudgetWindow;
import dev.jeton.server.json.Json;
import dev.jeton.server.json.JsonWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.ZoneId;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class BudgetsTest {

    private static final String TENANTS = """
            tenants:
              - {id: search, projects: [web], keys: [{id: app, sha256: "%s"}]}
            """.formatted("0123456789abcdef".repeat(4));

    @TempDir
    private Path folder;

    private List<Budget> budgets(String text) throws IOException {
        Path file = Files.writeString(folder.resolve("jeton.yaml"), text);
        return new ConfigurationLoader(Map.of())
                .file(file)
                .load()
                .configuration()
                .budgets();
    }

    @Test
    void readsABudgetWithEverything() throws IOException {
        assertThat(budgets("""
                        budgets:
                          - id: keys
                            level: key
                            tenant: search
                            project: web
                            key: "*"
                            unit: list-money
                            window: month
                            timezone: Europe/Berlin
                            limit: 12.345678901
                            currency: EUR
                            mode: soft
                            thresholds: [25, 100, 120]
                            ladder: [{shorter: {at-least: 16}}, {cheaper: {model: small}}]
                        """ + TENANTS))
                .containsExactly(new Budget(
                        "keys",
                        Level.KEY,
                        "search",
                        "web",
                        "*",
                        BudgetUnit.LIST_MONEY,
                        new BudgetWindow(BudgetWindow.Kind.MONTH, ZoneId.of("Europe/Berlin")),
                        12_345_678_901L,
                        Mode.SOFT,
                        false,
                        Budget.Grace.NONE,
                        List.of(),
                        List.of(25, 100, 120),
                        List.of(new Rung.Shorter(16), new Rung.Cheaper("small")),
                        "EUR"));
    }

    @Test
    void readsTheUsualWithoutSayingIt() throws IOException {
        assertThat(budgets(TENANTS + """
                        budgets:
                          - {id: day, level: tenant, tenant: search, unit: output-tokens, window: day, limit: 1000000}
                        """))
                .containsExactly(Budget.of(
                        "day",
                        "search",
                        BudgetUnit.OUTPUT_TOKENS,
                        new BudgetWindow(BudgetWindow.Kind.DAY, ZoneId.of("UTC")),
                        1_000_000));
    }

    @Test
    void readsThatServersShareOne() throws IOException {
        assertThat(budgets(TENANTS + """
                        budgets:
                          - {id: day, level: tenant, tenant: search, unit: requests, window: total, limit: 5, shared: true}
                        """))
                .containsExactly(Budget.of("day", "search", BudgetUnit.REQUESTS, BudgetWindow.TOTAL, 5)
                        .sharedBy(true));
    }

    @Test
    void refusesToShareWhatOneServerCountsAlone() {
        assertThatThrownBy(() -> budgets(TENANTS
                        + "budgets: [{id: b, level: task, unit: requests, window: total, limit: 1, shared: true}]"))
                .hasMessageContaining("a budget of level task cannot be shared");
    }

    @Test
    void readsWhatItWrites() throws IOException {
        List<Budget> all = budgets(TENANTS + """
                budgets:
                  - {id: a, level: tenant, tenant: "*", unit: device-seconds, window: hour, limit: 0.000000001}
                  - {id: b, level: project, tenant: search, project: web, unit: requests, window: total, limit: 0}
                  - {id: c, level: task, unit: tool-calls, window: total, limit: 5, mode: shadow, thresholds: []}
                  - {id: d, level: key, tenant: search, key: app, unit: list-money, window: prepaid, currency: EUR, shared: true}
                  - {id: e, level: request, tenant: search, unit: wall-seconds, window: total, limit: 1.5}
                """);
        assertThat(all).hasSize(5);
        for (Budget budget : all) {
            JsonWriter out = new JsonWriter().beginObject();
            BudgetFormat.write(out, budget);
            assertThat(BudgetFormat.read(Json.object(out.endObject().toBytes())))
                    .isEqualTo(budget);
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '"',
            value = {
                "tenant: search -> tenant: serch | jeton.yaml:6: budget 'b': there is no tenant 'serch'; did you mean 'search'?",
                "level: tenant -> level: tenants | jeton.yaml:5: 'level' must be one of: tenant, project",
                "unit: requests -> unit: request | jeton.yaml:7: 'unit' must be one of: requests, model-calls",
                "limit: 5 -> limit: 0.5 | jeton.yaml:9: 'limit' must be a multiple of 1 and at most 9223372036854775807",
                "limit: 5 -> limit: -5 | jeton.yaml:9: 'limit' must be",
                "limit: 5 -> limit: 1e9 | jeton.yaml:9: 'limit' must be a decimal",
                "limit: 5 -> limti: 5 | jeton.yaml:9: 'limti' is nothing that a budget has; did you mean 'limit'?",
                "limit: 5 -> limit: {a: 1} | jeton.yaml:9: 'limit' must be a number or a decimal in quotes",
                "window: day -> window: week | jeton.yaml:8: 'window' must be one of: hour, day, month",
                "mode: hard -> timezone: Mars/Base | jeton.yaml:10: 'timezone' is no name of a timezone",
                "mode: hard -> project: web | jeton.yaml:10: a budget of level tenant has no 'project'",
                "mode: hard -> currency: EUR | jeton.yaml:10: only a budget of list-money has a currency",
                "mode: hard -> thresholds: [80, 50] | jeton.yaml:10: 'thresholds' must grow",
                "mode: hard -> thresholds: [0] | jeton.yaml:10: 'thresholds[0]' must be between 1 and 1000",
                "mode: hard -> ladder: [{shroter: {}}] | jeton.yaml:10: 'shroter' is nothing that a rung of the ladder has",
                "id: b -> id: 'b b' | jeton.yaml:4: 'id': 1 to 64 letters",
            })
    void namesTheLineOfWhatDoesNotFit(String change, String message) {
        String[] parts = change.split(" -> ");
        String text = (TENANTS + """
                budgets:

                  - id: b
                    level: tenant
                    tenant: search
                    unit: requests
                    window: day
                    limit: 5
                    mode: hard
                """)
                .replace("  - " + parts[0] + "\n", "  - " + parts[1] + "\n")
                .replace("    " + parts[0] + "\n", "    " + parts[1] + "\n");
        assertThatThrownBy(() -> budgets(text.replace("budgets:\n\n", "budgets:\n")))
                .isInstanceOf(ConfigException.class)
                .hasMessageStartingWith(message);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '"',
            value = {
                "level: project, tenant: search, project: wbe | the tenant has no project 'wbe'; did you mean 'web'?",
                "level: key, tenant: search, key: apple | the tenant has no key 'apple'; did you mean 'app'?",
                "level: key, tenant: '*', key: app | 'tenant' is '*' and a project or key is named",
                "level: project, tenant: search | 'project' is missing",
                "level: tenant | 'tenant' is missing",
            })
    void refusesABudgetOfNobody(String subject, String message) {
        assertThatThrownBy(() -> budgets(
                        TENANTS + "budgets: [{id: b, %s, unit: requests, window: day, limit: 1}]".formatted(subject)))
                .isInstanceOf(ConfigException.class)
                .hasMessageContaining(message);
    }

    @Test
    void refusesTwoOfOneNameAndOneOfEachThatIsPrepaid() {
        String one = "{id: b, level: tenant, tenant: search, unit: requests, window: day, limit: 1}";
        assertThatThrownBy(() -> budgets(TENANTS + "budgets: [%s, %s]".formatted(one, one)))
                .hasMessageContaining("there are two budgets 'b'");
        assertThatThrownBy(() -> budgets(TENANTS
                        + "budgets: [{id: b, level: key, tenant: search, key: '*', unit: requests, window: prepaid}]"))
                .hasMessageContaining("a prepaid budget is one tenant's");
    }

    @Test
    void theTenantOfServersWithoutTenantsHasBudgets() throws IOException {
        assertThat(budgets("budgets: [{id: b, level: tenant, tenant: default, unit: requests, window: day, limit: 1}]"))
                .hasSize(1);
    }
}
