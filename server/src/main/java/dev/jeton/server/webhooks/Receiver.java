package dev.jeton.server.webhooks;

import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;

/** Who is told, over HTTP. Redirects are not followed: what is signed goes where the operator said. Any thread. */
final class Receiver implements AutoCloseable {

    private static final int GONE = 410;
    private static final int MAX_SECONDS_DIGITS = 6;

    /** How an attempt went. */
    sealed interface Result {
        /** It was taken. */
        record Taken() implements Result {}

        /**
         * It was not, and may be later.
         *
         * @param why in words
         * @param askedMicros how long the receiver asks to be left alone, 0 where it does not
         */
        record Failed(String why, long askedMicros) implements Result {}

        /** The receiver wants no more of this. */
        record Unwanted() implements Result {}
    }

    private final URI url;
    private final byte[] secret;
    private final Duration timeout;
    private final LongSupplier micros;
    private final HttpClient client;

    /** @param micros the time, microseconds since 1970 */
    Receiver(URI url, byte[] secret, Duration timeout, LongSupplier micros) {
        this.url = url;
        this.secret = secret.clone();
        this.timeout = timeout;
        this.micros = micros;
        client = HttpClient.newBuilder()
                .version(HttpClient.Version.HTTP_1_1)
                .connectTimeout(timeout)
                .followRedirects(HttpClient.Redirect.NEVER)
                .build();
    }

    /** Tries once. */
    Result deliver(Outgoing event) throws InterruptedException {
        long seconds = TimeUnit.MICROSECONDS.toSeconds(micros.getAsLong());
        HttpRequest request = HttpRequest.newBuilder(url)
                .timeout(timeout)
                .header("content-type", "application/json")
                .header("user-agent", "jeton")
                .header("webhook-id", event.id())
                .header("webhook-timestamp", String.valueOf(seconds))
                .header("webhook-signature", Signature.of(secret, event.id(), seconds, event.body()))
                .POST(BodyPublishers.ofString(event.body()))
                .build();
        try {
            HttpResponse<InputStream> response = client.send(request, BodyHandlers.ofInputStream());
            // Its body is nobody's business, and may have no end.
            response.body().close();
            int status = response.statusCode();
            if (status >= 200 && status < 300) {
                return new Result.Taken();
            }
            return status == GONE
                    ? new Result.Unwanted()
                    : new Result.Failed("it answered with status " + status, retryAfter(response));
        } catch (IOException e) {
            return new Result.Failed(String.valueOf(e), 0);
        }
    }

    private static long retryAfter(HttpResponse<?> response) {
        return response.headers()
                .firstValue("retry-after")
                .filter(text -> text.matches("[0-9]{1,%d}".formatted(MAX_SECONDS_DIGITS)))
                .map(text -> TimeUnit.SECONDS.toMicros(Long.parseLong(text)))
                .orElse(0L);
    }

    /** Ends attempts under way. */
    @Override
    public void close() {
        client.shutdownNow();
    }
}
