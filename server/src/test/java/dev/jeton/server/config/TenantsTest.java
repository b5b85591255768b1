package dev.jeton.server.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TenantsTest {

    private static final String DIGEST = "0123456789abcdef".repeat(4);

    @TempDir
    private Path folder;

    private List<Tenant> tenants(String text) throws IOException {
        Path file = Files.writeString(folder.resolve("jeton.yaml"), text);
        return new ConfigurationLoader(Map.of())
                .file(file)
                .load()
                .configuration()
                .tenants();
    }

    @Test
    void readsTenantsWithProjectsAndKeys() throws IOException {
        List<Tenant> tenants = tenants("""
                tenants:
                  - id: search
                    name: The search team
                    zone: zone-a
                    projects: [web, batch]
                    keys:
                      - {id: ci, sha256: "%s", project: batch, zone: zone-b}
                      - {id: web, sha256: "%s"}
                  - id: finance
                    keys:
                      - id: reports
                        sha256: "%s"
                        scope: operator
                server: {port: 1}
                """.formatted(DIGEST, DIGEST.replace('0', '2'), DIGEST.replace('0', '1')));
        assertThat(tenants)
                .containsExactly(
                        new Tenant(
                                "search",
                                "The search team",
                                "zone-a",
                                List.of("web", "batch"),
                                List.of(
                                        new Tenant.Key("ci", DIGEST, "batch", Tenant.Scope.TENANT, "zone-b"),
                                        new Tenant.Key("web", DIGEST.replace('0', '2'), "", Tenant.Scope.TENANT, ""))),
                        new Tenant(
                                "finance",
                                "finance",
                                "",
                                List.of(),
                                List.of(new Tenant.Key(
                                        "reports", DIGEST.replace('0', '1'), "", Tenant.Scope.OPERATOR, ""))));
        Tenant search = tenants.getFirst();
        assertThat(search.keys()).extracting(search::zone).containsExactly("zone-b", "zone-a");
    }

    @Test
    void refusesAZoneThatNoPriceBookCouldName() {
        assertThatThrownBy(() -> tenants("tenants: [{id: a, zone: 'zone a'}]"))
                .isInstanceOf(ConfigException.class)
                .hasMessageContaining("the 'zone' of tenant 'a' is 'zone a': 1 to 64 letters");
        assertThatThrownBy(() ->
                        tenants("tenants: [{id: a, keys: [{id: k, zone: '*', sha256: \"%s\"}]}]".formatted(DIGEST)))
                .hasMessageContaining("the 'zone' of key 'k' is '*'");
        assertThatThrownBy(() -> tenants("books: {zone: 'zone a'}")).hasMessageContaining("1 to 64 letters");
    }

    @Test
    void namesTheLineOfWhatDoesNotFit() {
        assertThatThrownBy(() -> tenants("tenants:\n  - id: a\n    color: red\n"))
                .isInstanceOf(ConfigException.class)
                .hasMessageStartingWith("jeton.yaml:3: 'color' is nothing that a tenant has");
    }

    @Test
    void refusesAKeyInPlace() {
        assertThatThrownBy(() -> tenants("tenants: [{id: a, keys: [{id: k, sha256: my-secret-key}]}]"))
                .hasMessageContaining("'jeton key'")
                .hasMessageNotContaining("my-secret-key");
    }

    @Test
    void refusesTwoTenantsOfOneName() {
        assertThatThrownBy(() -> tenants("tenants: [{id: a}, {id: a}]")).hasMessageContaining("two tenants 'a'");
    }

    @Test
    void refusesOneKeyForTwoTenants() {
        String keys = "keys: [{id: k, sha256: \"%s\"}]".formatted(DIGEST);
        assertThatThrownBy(() -> tenants("tenants: [{id: a, %s}, {id: b, %s}]".formatted(keys, keys)))
                .hasMessageContaining("digest of another key");
    }

    @Test
    void refusesAProjectThatTheTenantDoesNotHave() {
        assertThatThrownBy(() ->
                        tenants("tenants: [{id: a, keys: [{id: k, project: p, sha256: \"%s\"}]}]".formatted(DIGEST)))
                .hasMessageContaining("none of its projects");
    }

    @Test
    void refusesIdsThatReportsCouldNotShow() {
        assertThatThrownBy(() -> tenants("tenants: [{id: 'a b'}]")).hasMessageContaining("a tenant's 'id' is 'a b'");
        assertThatThrownBy(() -> tenants("tenants: [{name: b}]")).hasMessageContaining("a tenant's 'id' is ''");
    }

    @Test
    void readsWhenAKeyExpiresAndWhatItIsFor() throws IOException {
        String key = "tenants: [{id: a, keys: [{id: k, sha256: \"%s\", %%s}]}]".formatted(DIGEST);
        Tenant.Key read = tenants(key.formatted("scope: inference, expires: 2026-12-01"))
                .getFirst()
                .keys()
                .getFirst();
        assertThat(read.scope()).isEqualTo(Tenant.Scope.INFERENCE);
        assertThat(read.expires()).isEqualTo(1_796_083_200_000_000L);
        assertThatThrownBy(() -> tenants(key.formatted("expires: soon"))).hasMessageContaining("'expires' of key 'k'");
        assertThatThrownBy(() -> tenants(key.formatted("scope: admin")))
                .hasMessageContaining("none of [tenant, inference, reports, operator]");
    }
}
