package dev.jeton.server.batch;

import dev.jeton.server.tls.Authorities;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.HexFormat;

/**
 * Sends a batch's requests. Each has an {@code Idempotency-Key} that it has again in a run that goes on, so a server
 * that knows such keys does and bills no request twice whose answer was lost. Thread-safe.
 */
final class BatchClient implements BatchRun.Sender {

    private static final Duration CONNECT = Duration.ofSeconds(30);
    /** An answer may wait for others for as long as the server lets it. */
    private static final Duration ANSWER = Duration.ofHours(24);

    private static final int KEY_DIGITS = 40;

    private final BatchTarget target;
    private final String identity;
    private final HttpClient client;

    /** @param identity of the batch, as {@link BatchResults#identity} tells it */
    BatchClient(BatchTarget target, String identity) {
        this.target = target;
        this.identity = identity;
        HttpClient.Builder builder =
                HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).connectTimeout(CONNECT);
        target.authorities().ifPresent(file -> builder.sslContext(Authorities.trusting("--ca", file)));
        client = builder.build();
    }

    @Override
    public BatchReply send(BatchLine line) throws IOException, InterruptedException {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(target.url() + line.path()))
                .timeout(ANSWER)
                .header("content-type", "application/json")
                .header("idempotency-key", key(line))
                .POST(BodyPublishers.ofByteArray(line.body()));
        if (!target.key().isEmpty()) {
            request.header("authorization", "Bearer " + target.key());
        }
        if (!target.labels().isEmpty()) {
            request.header("x-jeton-labels", target.labels());
        }
        return BatchReply.of(client.send(request.build(), BodyHandlers.ofByteArray()));
    }

    private String key(BatchLine line) {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            for (String part : new String[] {identity, line.path(), line.customId()}) {
                digest.update(part.getBytes(StandardCharsets.UTF_8));
                digest.update((byte) 0);
            }
            return "batch-"
                    + HexFormat.of().formatHex(digest.digest(line.body())).substring(0, KEY_DIGITS);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }

    @Override
    public void close() {
        client.shutdownNow();
        client.close();
    }
}
