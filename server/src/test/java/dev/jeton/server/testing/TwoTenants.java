package dev.jeton.server.testing;

import dev.jeton.server.config.Tenant;
import dev.jeton.server.testing.TestServer.Answer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.file.Files;
import java.nio.file.Path;

/** A server with books, tenants {@code red} and {@code blue}, and an operator: {@code KEY} is the key of each. */
public final class TwoTenants {

    public static final String RED = "red-key";
    public static final String BLUE = "blue-key";
    public static final String OPERATOR = "operator-key";

    /**
     * A million input tokens cost 1000 EUR, output tokens 2000: a token is 0.001 or 0.002. A byte of an answer to red
     * is 0.0001, one to blue 0.0002.
     */
    private static final String PRICES = """
            currency: EUR
            devices:
              - {name: "*", per-hour: 7.2}
            tariffs:
              - {model: "*", input: 1000, cached-input: 100, output: 2000}
            egress:
              - {from: here, to: far, per-gb: 100000}
              - {from: here, to: near, per-gb: 200000}
            """;

    private static final String TENANTS = """
            metrics: {tenants: [blue]}
            tenants:
              - {id: red, zone: far, projects: [red-project], keys: [{id: red-app, sha256: "%s", project: red-project}]}
              - id: blue
                zone: far
                projects: [blue-project]
                keys: [{id: blue-app, sha256: "%s", project: blue-project, zone: near}]
              - {id: house, keys: [{id: boss, sha256: "%s", scope: operator}]}
            budgets:
              - {id: red-secret-budget, level: tenant, tenant: red, unit: requests, window: total, limit: 1000000}
            """;

    private TwoTenants() {}

    /** To be started, with its books in the folder. */
    public static TestServer.Builder in(Path folder) {
        return in(folder, RED);
    }

    /** The same, where red has another key. */
    public static TestServer.Builder in(Path folder, String red) {
        try {
            Path prices = Files.writeString(folder.resolve("prices.yaml"), PRICES);
            return TestServer.builder()
                    .set("books.folder", folder.resolve("books").toString())
                    .set("books.prices", prices.toString())
                    .set("books.zone", "here")
                    .yaml(TENANTS.formatted(
                            Tenant.Key.digest(red), Tenant.Key.digest(BLUE), Tenant.Key.digest(OPERATOR)));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** A GET with a key. */
    public static Answer get(TestServer server, String key, String path) {
        return server.send(
                server.request(path).header("authorization", "Bearer " + key).GET());
    }

    /** A completion of three tokens with a key, an id and labels of the client's own. */
    public static Answer complete(TestServer server, String key, String prompt, String id, String labels) {
        return server.send(server.request("/v1/completions")
                .header("authorization", "Bearer " + key)
                .header("x-request-id", id)
                .header("x-jeton-labels", labels)
                .POST(BodyPublishers.ofString(
                        "{\"model\": \"test-model\", \"prompt\": \"%s\", \"max_tokens\": 3}".formatted(prompt))));
    }

    /** Waits until the ledger has so many requests. */
    public static void awaitBooked(TestServer server, int requests) {
        Eventually.until(
                "the ledger has " + requests + " requests",
                () -> get(server, OPERATOR, "/v1/books/requests?limit=1000")
                                .body()
                                .split("\"books.request\"", -1)
                                .length
                        > requests);
    }
}
