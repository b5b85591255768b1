package dev.jeton.server.http;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.server.config.Configuration.HttpSettings;
import dev.jeton.server.testing.Eventually;
import dev.jeton.server.testing.RawClient;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.zip.CRC32;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Bodies that are taken as they arrive, over a listener whose handler sums them up. */
class ArrivingBodyTest {

    private static final int MOST = 8 << 20;
    private static final HttpSettings SETTINGS = new HttpSettings(
            100,
            16,
            4,
            1 << 16,
            2 << 20,
            4096,
            16_384,
            Duration.ofSeconds(10),
            Duration.ofMillis(400),
            Duration.ofSeconds(10),
            1 << 16,
            1 << 16,
            1);

    private final CountDownLatch taking = new CountDownLatch(1);
    private final HttpListener listener =
            new HttpListener("127.0.0.1", 0, SETTINGS, Duration.ofSeconds(10), Optional.empty(), new Sums());

    @AfterEach
    void close() {
        taking.countDown();
        listener.close();
    }

    private final class Sums implements RequestHandler {
        @Override
        public long mostArriving(String method, String path) {
            return path.startsWith("/up") ? MOST : 0;
        }

        @Override
        public void handle(Exchange exchange) throws InterruptedException {
            switch (exchange.path()) {
                case "/up" -> answer(exchange);
                case "/up/later" -> {
                    taking.await();
                    answer(exchange);
                }
                case "/up/refused" -> exchange.respond(401, Map.of(), text("no"));
                case "/hold" -> {
                    taking.await();
                    exchange.respond(200, Map.of(), text("held"));
                }
                default -> exchange.respond(200, Map.of(), text("else " + exchange.body().length));
            }
        }

        private void answer(Exchange exchange) throws InterruptedException {
            CRC32 sum = new CRC32();
            try {
                for (byte[] part = exchange.arriving().next();
                        part.length > 0;
                        part = exchange.arriving().next()) {
                    sum.update(part);
                }
                exchange.respond(200, Map.of(), text("sum " + sum.getValue()));
            } catch (UnfinishedBodyException e) {
                if (e.status() > 0) {
                    exchange.respond(e.status(), Map.of(), text(String.valueOf(e.getMessage())));
                }
            }
        }

        @Override
        public byte[] refusal(int status, String path, String message) {
            return text("refused " + message);
        }
    }

    private static byte[] text(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private RawClient connect() throws IOException {
        return new RawClient(listener.port());
    }

    private static byte[] random(int length) {
        byte[] bytes = new byte[length];
        new Random(20_261_130).nextBytes(bytes);
        return bytes;
    }

    private static String sum(byte[] bytes) {
        CRC32 sum = new CRC32();
        sum.update(bytes);
        return "sum " + sum.getValue();
    }

    private static String head(String path, long length) {
        return "POST " + path + " HTTP/1.1\r\nhost: t\r\ncontent-length: " + length + "\r\n\r\n";
    }

    @Test
    void givesABodyThatIsLargerThanAllBodiesMayBe() throws IOException {
        byte[] body = random(MOST);
        try (RawClient client = connect()) {
            for (int i = 0; i < 3; i++) {
                client.send(head("/up", body.length)).send(body);
                assertThat(client.response()).startsWith("HTTP/1.1 200").endsWith(sum(body));
            }
            client.send(head("/else", 3)).send("abc");
            assertThat(client.response()).endsWith("else 3");
        }
        Eventually.until("room for bodies is free", () -> listener.stats().bufferedBytes() == 0);
    }

    @Test
    void givesABodyInChunks() throws IOException {
        byte[] body = random(300_000);
        try (RawClient client = connect()) {
            client.send("POST /up HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n");
            Random random = new Random(7);
            for (int at = 0; at < body.length; ) {
                int count = Math.min(body.length - at, 1 + random.nextInt(40_000));
                client.send(Integer.toHexString(count) + "\r\n")
                        .send(Arrays.copyOfRange(body, at, at + count))
                        .send("\r\n");
                at += count;
            }
            client.send("0\r\n\r\n");
            assertThat(client.response()).endsWith(sum(body));
        }
    }

    @Test
    void holdsNoMoreOfItThanItsBoundWhileNobodyTakes() throws Exception {
        byte[] body = random(MOST);
        try (RawClient client = connect()) {
            client.send(head("/up/later", body.length));
            Thread sending = Thread.ofVirtual().start(() -> {
                try {
                    client.send(body);
                } catch (IOException e) {
                    throw new AssertionError(e);
                }
            });
            // kernel buffers of both sides take some of it, the rest has to wait
            assertThat(sending.join(Duration.ofMillis(700))).isFalse();
            assertThat(listener.stats().bufferedBytes()).isEqualTo(ArrivingBody.HELD);
            taking.countDown();
            assertThat(client.response()).endsWith(sum(body));
            sending.join();
        }
    }

    @Test
    void answersBeforeTheBodyHasArrived() throws IOException {
        try (RawClient client = connect()) {
            client.send(head("/up/refused", MOST)).send("some");
            assertThat(client.response())
                    .startsWith("HTTP/1.1 401")
                    .contains("connection: close")
                    .endsWith("no");
            assertThat(client.rest()).isEmpty();
        }
        Eventually.until("room for bodies is free", () -> listener.stats().bufferedBytes() == 0);
    }

    @Test
    void refusesWhatIsTooLongFromTheStart() throws IOException {
        try (RawClient client = connect()) {
            client.send(head("/up", MOST + 1L));
            assertThat(client.response()).startsWith("HTTP/1.1 413").contains("at most " + MOST);
            assertThat(client.rest()).isEmpty();
        }
    }

    @Test
    void refusesChunksThatBecomeTooLong() throws IOException {
        byte[] chunk = random(1 << 20);
        try (RawClient client = connect()) {
            client.send("POST /up HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n");
            for (int i = 0; i < 8; i++) {
                client.send("100000\r\n").send(chunk).send("\r\n");
            }
            client.send("1\r\nx\r\n");
            assertThat(client.response()).startsWith("HTTP/1.1 413").contains("more than the " + MOST);
        }
    }

    @Test
    void givesUpOnWhoSendsNothingMore() throws IOException {
        try (RawClient client = connect()) {
            client.send(head("/up", 100)).send("ten bytes.");
            assertThat(client.response()).startsWith("HTTP/1.1 408");
            assertThat(client.rest()).isEmpty();
        }
    }

    @Test
    void endsWhereTheClientHangsUp() throws IOException {
        try (RawClient client = connect()) {
            client.send(head("/up", 100)).send("ten bytes.");
        }
        Eventually.until("room for bodies is free", () -> listener.stats().bufferedBytes() == 0);
    }

    @Test
    void saysMalformedChunksAre() throws IOException {
        try (RawClient client = connect()) {
            client.send("POST /up HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n");
            assertThat(client.response()).startsWith("HTTP/1.1 400").endsWith("malformed HTTP");
        }
    }

    @Test
    void asksForABodyThatWaitsForIt() throws IOException {
        byte[] body = random(1000);
        try (RawClient client = connect()) {
            client.send("POST /up HTTP/1.1\r\nhost: t\r\nexpect: 100-continue\r\ncontent-length: 1000\r\n\r\n");
            assertThat(client.headOfResponse()).startsWith("HTTP/1.1 100");
            client.send(body);
            assertThat(client.response()).endsWith(sum(body));
        }
    }

    @Test
    void takesItsTurnBehindARequestThatIsBeingAnswered() throws IOException {
        byte[] body = random(900_000);
        try (RawClient client = connect()) {
            client.send(head("/hold", 0)).send(head("/up", body.length));
            Thread sending = Thread.ofVirtual().start(() -> {
                try {
                    client.send(body).send(head("/else", 2)).send("ab");
                } catch (IOException e) {
                    throw new AssertionError(e);
                }
            });
            taking.countDown();
            assertThat(client.response()).endsWith("held");
            assertThat(client.response()).endsWith(sum(body));
            assertThat(client.response()).endsWith("else 2");
            assertThat(sending.isAlive()).isFalse();
        }
    }

    /** What waits in vain must not count for ever. */
    @Test
    void freesTheRoomOfRequestsThatWaitWhereTheClientHangsUp() throws IOException {
        try (RawClient client = connect()) {
            client.send(head("/hold", 0));
            for (int i = 0; i < 3; i++) {
                client.send(head("/else", 5_000)).send(random(5_000));
            }
            Eventually.until("all wait", () -> listener.stats().bufferedBytes() >= 15_000);
        }
        Eventually.until("the client is gone", () -> listener.stats().open() == 0);
        assertThat(listener.stats().bufferedBytes()).isZero();
    }
}
