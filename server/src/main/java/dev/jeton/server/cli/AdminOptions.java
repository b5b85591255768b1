package dev.jeton.server.cli;

import dev.jeton.server.json.Json;
import dev.jeton.server.json.JsonException;
import dev.jeton.server.json.JsonObject;
import dev.jeton.server.json.JsonWriter;
import dev.jeton.server.tls.Authorities;
import java.io.IOException;
import java.net.ConnectException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.Map;
import java.util.stream.Collectors;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Where the admin API is and who asks; asks it. */
final class AdminOptions {

    private static final Duration TIMEOUT = Duration.ofSeconds(30);

    @Option(
            names = "--url",
            paramLabel = "URL",
            defaultValue = "${env:JETON_ADMIN_URL:-http://127.0.0.1:8001}",
            description = "Of the admin API (default: JETON_ADMIN_URL, or http://127.0.0.1:8001).")
    private String url = "";

    @Option(
            names = "--admin-key",
            paramLabel = "KEY",
            defaultValue = "${env:JETON_ADMIN_KEY:-}",
            description =
                    "A key of admin.keys (default: JETON_ADMIN_KEY, which other users of the machine do not see).")
    private String key = "";

    @Mixin
    private AuthoritiesOption authorities = new AuthoritiesOption();

    @Option(names = "--json", description = "Print the server's answer as it is.")
    private boolean json = false;

    @Option(names = "--reason", paramLabel = "TEXT", description = "Why, for the audit log.")
    private String reason = "";

    /** Whether answers are printed as they are. */
    boolean json() {
        return json;
    }

    String reason() {
        return reason;
    }

    /** A path of parts, each escaped. */
    static String path(String... parts) {
        return Arrays.stream(parts)
                .map(part -> URLEncoder.encode(part, StandardCharsets.UTF_8).replace("+", "%20"))
                .collect(Collectors.joining("/"));
    }

    /** Asks without a body; the reason goes with the URL. */
    Reply get(String path) {
        return ask("GET", path, "", "");
    }

    Reply delete(String path) {
        return ask("DELETE", withReason(path), "", "");
    }

    /** A path that says why. */
    String withReason(String path) {
        return reason.isEmpty()
                ? path
                : path + "?reason="
                        + URLEncoder.encode(reason, StandardCharsets.UTF_8).replace("+", "%20");
    }

    /** Asks with fields, and the reason beside them. */
    Reply send(String method, String path, Map<String, @Nullable Object> fields, String version) {
        JsonWriter out = new JsonWriter().beginObject();
        fields.forEach((name, value) -> {
            if (value != null) {
                out.name(name).tree(value);
            }
        });
        if (!reason.isEmpty()) {
            out.name("reason").value(reason);
        }
        String body = new String(out.endObject().toBytes(), StandardCharsets.UTF_8);
        return ask(method, path, body, version);
    }

    /**
     * Asks.
     *
     * @param version the policy's that the change was thought out for; empty for any
     * @throws AdminCallException where the server cannot be reached, or refuses
     */
    Reply ask(String method, String path, String body, String version) {
        HttpRequest.Builder request;
        try {
            request = HttpRequest.newBuilder(URI.create(url.replaceAll("/+$", "") + "/admin/v1/" + path))
                    .timeout(TIMEOUT)
                    .header("authorization", "Bearer " + key)
                    .method(method, body.isEmpty() ? BodyPublishers.noBody() : BodyPublishers.ofString(body));
        } catch (IllegalArgumentException e) {
            throw new AdminCallException("'%s' is no URL, or the key has characters that none has".formatted(url));
        }
        if (!version.isEmpty()) {
            request.header("if-match", version);
        }
        HttpClient.Builder builder =
                HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).connectTimeout(TIMEOUT);
        authorities.file().ifPresent(file -> builder.sslContext(Authorities.trusting("--ca", file)));
        try (HttpClient client = builder.build()) {
            HttpResponse<String> response = client.send(request.build(), BodyHandlers.ofString());
            if (response.statusCode() >= 300) {
                throw new AdminCallException(error(response));
            }
            return new Reply(
                    response.body(), response.headers().firstValue("etag").orElse(""));
        } catch (ConnectException e) {
            throw new AdminCallException(
                    "nobody listens at %s; start the server with admin.port, and name the port with --url"
                            .formatted(url));
        } catch (SSLException e) {
            throw new AdminCallException(
                    "%s has a certificate that is not trusted, or speaks no TLS; name who issued it with --ca: %s"
                            .formatted(url, e.getMessage()));
        } catch (IOException e) {
            throw new AdminCallException("%s does not answer as a server does: %s".formatted(url, e.getMessage()));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AdminCallException("interrupted");
        }
    }

    private static String error(HttpResponse<String> response) {
        try {
            return Json.object(response.body().getBytes(StandardCharsets.UTF_8))
                    .object("error")
                    .map(error -> error.text("message"))
                    .orElse("status " + response.statusCode());
        } catch (JsonException e) {
            return "status %d, and no words of Jeton's admin API; see to --url".formatted(response.statusCode());
        }
    }

    /**
     * What the server answered.
     *
     * @param body as it came
     * @param version the policy's, as {@code If-Match} takes it
     */
    record Reply(String body, String version) {
        JsonObject json() {
            return Json.object(body.getBytes(StandardCharsets.UTF_8));
        }
    }
}
