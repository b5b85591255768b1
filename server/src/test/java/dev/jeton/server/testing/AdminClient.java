package dev.jeton.server.testing;

import dev.jeton.server.config.Tenant;
import dev.jeton.server.testing.TestServer.Answer;
import java.net.URI;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.file.Path;
import java.time.Duration;

/** Administers a {@link TestServer}. */
public final class AdminClient {

    /** A key that may. */
    public static final String KEY = "admin-key";
    /** Another one; its id is {@code auditor}. */
    public static final String OTHER = "other-admin-key";

    private final TestServer server;

    public AdminClient(TestServer server) {
        this.server = server;
    }

    /** A server that is to be administered, with its books in the folder. */
    public static TestServer.Builder in(Path folder) {
        return with(
                TestServer.builder().set("books.folder", folder.resolve("books").toString()), folder);
    }

    /** Settings that a server needs. */
    public static TestServer.Builder with(TestServer.Builder builder, Path folder) {
        // The port is free for the moment: 0 would mean no admin API.
        return builder.set("admin.port", String.valueOf(FreePort.next()))
                .set("admin.keys", "ops:%s,auditor:%s".formatted(Tenant.Key.digest(KEY), Tenant.Key.digest(OTHER)));
    }

    /** Where the admin API is. */
    public String url() {
        return "http://127.0.0.1:" + server.server().adminPort().orElseThrow();
    }

    public HttpRequest.Builder request(String path) {
        return HttpRequest.newBuilder(URI.create(url() + path))
                .header("authorization", "Bearer " + KEY)
                .timeout(Duration.ofSeconds(20));
    }

    public Answer send(HttpRequest.Builder request) {
        return server.send(request);
    }

    public Answer get(String path) {
        return send(request("/admin/v1/" + path).GET());
    }

    public Answer delete(String path) {
        return send(request("/admin/v1/" + path).DELETE());
    }

    /** With JSON in single quotes. */
    public Answer post(String path, String json) {
        return call("POST", path, json.replace('\'', '"'));
    }

    /** With JSON in single quotes. */
    public Answer patch(String path, String json) {
        return call("PATCH", path, json.replace('\'', '"'));
    }

    /** With a body as it is. */
    public Answer call(String method, String path, String body) {
        return send(request("/admin/v1/" + path).method(method, BodyPublishers.ofString(body)));
    }
}
