package dev.jeton.server.webhooks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.accounting.Budget;
import dev.jeton.accounting.BudgetEvent;
import dev.jeton.accounting.BudgetUnit;
import dev.jeton.accounting.BudgetView;
import dev.jeton.accounting.BudgetWindow;
import dev.jeton.server.config.ConfigException;
import dev.jeton.server.config.Configuration.WebhookSettings;
import dev.jeton.server.json.Json;
import dev.jeton.server.json.JsonWriter;
import dev.jeton.server.metrics.WebhookStats;
import dev.jeton.server.testing.Eventually;
import dev.jeton.server.testing.TestServer.Answer;
import dev.jeton.server.webhooks.TestReceiver.Got;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.ZoneId;
import java.util.Base64;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Predicate;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WebhooksTest {

    private static final byte[] SECRET = "0123456789abcdef0123456789abcdef".getBytes(StandardCharsets.US_ASCII);
    private static final Budget BUDGET = Budget.of(
            "acme-day",
            "acme",
            BudgetUnit.OUTPUT_TOKENS,
            new BudgetWindow(BudgetWindow.Kind.DAY, ZoneId.of("UTC")),
            1_000);
    private static final BudgetView VIEW = new BudgetView(
            BUDGET, "acme", new BudgetWindow.Span(0, 86_400_000_000L), 1_000, 850, 50, 150, 1_700, 50_000_000_000L);

    @TempDir
    private Path folder;

    private static WebhookSettings settings(String url, int attempts, int queue) {
        return new WebhookSettings(
                url, Base64.getEncoder().encodeToString(SECRET), Duration.ofMillis(300), attempts, queue);
    }

    private Webhooks open(TestReceiver receiver, int attempts, int queue) {
        return open(settings(receiver.url("/hook"), attempts, queue));
    }

    private Webhooks open(WebhookSettings settings) {
        return new Webhooks(
                settings,
                Optional.of(folder),
                () -> TimeUnit.MILLISECONDS.toMicros(System.currentTimeMillis()),
                new Random(1),
                new Pauses(1_000, 20_000));
    }

    private static WebhookEvent event(int percent) {
        return new WebhookEvent.Threshold(1_000_000, percent, VIEW);
    }

    private static void until(Webhooks webhooks, Predicate<WebhookStats> condition) {
        Eventually.until("the webhooks' counters", () -> condition.test(webhooks.stats()));
    }

    @Test
    void anEventArrivesSigned() {
        try (TestReceiver receiver = new TestReceiver((got, earlier) -> 204);
                Webhooks webhooks = open(receiver, 5, 10)) {
            assertThat(webhooks.send(event(80))).isTrue();
            until(webhooks, stats -> stats.delivered() == 1 && stats.queue() == 0);
            Got got = receiver.got().getFirst();
            assertThat(got.path()).isEqualTo("/hook");
            assertThat(got.id()).matches("msg_[0-9a-f]{32}");
            long age = System.currentTimeMillis() / 1_000 - Long.parseLong(got.timestamp());
            assertThat(age).isBetween(0L, 60L);
            assertThat(got.signature())
                    .isEqualTo(Signature.of(SECRET, got.id(), Long.parseLong(got.timestamp()), got.body()));
            assertThat(got.body())
                    .isEqualTo("{\"type\":\"budget.threshold\",\"timestamp\":\"1970-01-01T00:00:01Z\",\"data\":{"
                            + "\"budget\":\"acme-day\",\"subject\":\"acme\",\"unit\":\"output-tokens\",\"window\":{"
                            + "\"kind\":\"day\",\"from\":\"1970-01-01T00:00:00Z\",\"to\":\"1970-01-02T00:00:00Z\"},"
                            + "\"spent\":\"800\",\"reserved\":\"50\",\"limit\":\"1000\",\"percent\":80}}");
        }
    }

    /** The example of the Standard Webhooks specification's libraries. */
    @Test
    void signsAsOthersDo() {
        byte[] secret = Base64.getDecoder().decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        assertThat(Signature.of(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, "{\"test\": 2432232314}"))
                .isEqualTo("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    @Test
    void everyKindOfEventSaysWhatItIs() {
        Budget grace = new Budget(
                "b",
                Budget.Level.TENANT,
                "acme",
                "*",
                "*",
                BudgetUnit.LIST_MONEY,
                BudgetWindow.TOTAL,
                5,
                Budget.Mode.HARD,
                false,
                new Budget.Grace(1_500_000_000L, 2_000_000),
                List.of(),
                List.of(),
                List.of(),
                "EUR");
        Object forecast = data(WebhookEvent.of(new BudgetEvent(1, BudgetEvent.Kind.FORECAST, 0, VIEW)));
        assertThat(Answer.at(forecast, "projected")).isEqualTo("1700");
        assertThat(Answer.at(forecast, "exhausted_at")).isEqualTo("1970-01-01T13:53:20Z");
        Object threshold = data(WebhookEvent.of(new BudgetEvent(1, BudgetEvent.Kind.THRESHOLD, 50, VIEW)));
        assertThat(Answer.at(threshold, "percent")).isEqualTo(50L);
        Object killed = data(new WebhookEvent.Killed(1, grace, "ops", "leak"));
        assertThat(Answer.at(killed, "by")).isEqualTo("ops");
        Object given = data(new WebhookEvent.Grace(1, grace, "ops", "demo"));
        assertThat(Answer.at(given, "amount")).isEqualTo("1.5");
        assertThat(Answer.at(given, "currency")).isEqualTo("EUR");
        assertThat(Answer.at(given, "until")).isEqualTo("1970-01-01T00:00:02Z");
    }

    private static Object data(WebhookEvent event) {
        JsonWriter out = new JsonWriter().beginObject();
        event.write(out);
        return Json.parse(new String(out.endObject().toBytes(), StandardCharsets.UTF_8));
    }

    @Test
    void whatFailsTwiceIsSentAThirdTimeUnderTheSameId() {
        try (TestReceiver receiver = new TestReceiver((got, earlier) -> earlier < 2 ? 500 : 200);
                Webhooks webhooks = open(receiver, 5, 10)) {
            webhooks.send(event(50));
            until(webhooks, stats -> stats.delivered() == 1);
            assertThat(webhooks.stats().retried()).isEqualTo(2);
            assertThat(receiver.got())
                    .hasSize(3)
                    .extracting(Got::id)
                    .containsOnly(receiver.got().getFirst().id());
        }
    }

    @Test
    void whatIsNeverTakenIsGivenUp() {
        try (TestReceiver receiver = new TestReceiver((got, earlier) -> 503);
                Webhooks webhooks = open(receiver, 3, 10)) {
            webhooks.send(event(50));
            until(webhooks, stats -> stats.givenUp() == 1 && stats.queue() == 0);
            assertThat(receiver.got()).hasSize(3);
            JsonWriter out = new JsonWriter();
            webhooks.write(out);
            assertThat(new String(out.toBytes(), StandardCharsets.UTF_8))
                    .contains("\"given_up\":1")
                    .contains("status 503");
        }
        try (TestReceiver receiver = new TestReceiver((got, earlier) -> 200);
                Webhooks webhooks = open(receiver, 3, 10)) {
            assertThat(webhooks.stats().queue()).as("nothing of it is left").isZero();
        }
    }

    @Test
    void aReceiverThatIsGoneIsAskedOnce() {
        try (TestReceiver receiver = new TestReceiver((got, earlier) -> 410);
                Webhooks webhooks = open(receiver, 5, 10)) {
            webhooks.send(event(50));
            until(webhooks, stats -> stats.givenUp() == 1);
            assertThat(receiver.got()).hasSize(1);
        }
    }

    @Test
    void aRedirectIsNotFollowed() {
        try (TestReceiver receiver = new TestReceiver((got, earlier) -> 302);
                Webhooks webhooks = open(receiver, 2, 10)) {
            webhooks.send(event(50));
            until(webhooks, stats -> stats.givenUp() == 1);
            assertThat(receiver.got()).extracting(Got::path).containsOnly("/hook");
        }
    }

    @Test
    void aReceiverThatNeverAnswersHoldsUpNobodyAndTheQueueHasABound() {
        AtomicReference<TestReceiver> self = new AtomicReference<>();
        try (TestReceiver receiver =
                        new TestReceiver((got, earlier) -> self.get().never());
                Webhooks webhooks = open(receiver, 100, 20)) {
            self.set(receiver);
            int accepted = 0;
            for (int i = 0; i < 1_000; i++) {
                accepted += webhooks.send(event(50)) ? 1 : 0;
            }
            assertThat(accepted).isEqualTo(20);
            assertThat(webhooks.stats().dropped()).isEqualTo(980);
            until(webhooks, stats -> stats.retried() >= 4);
            assertThat(webhooks.stats().queue()).isEqualTo(20);
        }
    }

    @Test
    void whatWasNotDeliveredIsDeliveredByTheNextProcessAndWhatWasIsNot() {
        try (TestReceiver receiver =
                        new TestReceiver((got, earlier) -> got.body().contains("\"percent\":50}") ? 200 : 500);
                Webhooks webhooks = open(receiver, 100, 10)) {
            webhooks.send(event(50));
            webhooks.send(event(80));
            webhooks.send(event(100));
            until(webhooks, stats -> stats.delivered() == 1 && stats.retried() > 2 && stats.queue() == 2);
        }
        try (TestReceiver receiver = new TestReceiver((got, earlier) -> 200);
                Webhooks webhooks = open(receiver, 100, 10)) {
            until(webhooks, stats -> stats.delivered() == 2 && stats.queue() == 0);
            assertThat(receiver.got())
                    .extracting(got -> Answer.at(Json.parse(got.body()), "data.percent"))
                    .containsExactlyInAnyOrder(80L, 100L);
        }
    }

    @Test
    void aTornOutboxCostsItsTornLineOnly() throws Exception {
        try (Outbox outbox = new Outbox(folder.resolve(Webhooks.FILE))) {
            outbox.add(new Outgoing("a", "t", "{}"));
            outbox.add(new Outgoing("b", "t", "{}"));
            outbox.done("a");
        }
        Path file = folder.resolve(Webhooks.FILE);
        Files.writeString(file, Files.readString(file) + "{\"id\":\"c\",\"ty");
        try (Outbox outbox = new Outbox(file)) {
            assertThat(outbox.left()).containsExactly(new Outgoing("b", "t", "{}"));
        }
    }

    @Test
    void theOutboxStaysSmall() throws Exception {
        Path file = folder.resolve(Webhooks.FILE);
        String body = "{\"x\":\"%s\"}".formatted("y".repeat(1_000));
        try (Outbox outbox = new Outbox(file)) {
            for (int i = 0; i < 5_000; i++) {
                outbox.add(new Outgoing("id" + i, "t", body));
                if (i >= 10) {
                    outbox.done("id" + (i - 10));
                }
                assertThat(outbox.bytes()).isLessThan(300_000);
            }
            assertThat(outbox.left()).hasSize(10);
        }
        try (Outbox outbox = new Outbox(file)) {
            assertThat(outbox.left())
                    .extracting(Outgoing::id)
                    .startsWith("id4990")
                    .hasSize(10);
        }
    }

    @Test
    void pausesGrowToABoundAndRespectWhatIsAsked() {
        Random random = new Random(7);
        for (int attempt = 1; attempt < 60; attempt++) {
            long grown = Math.min(1_000_000, 1_000L << Math.min(attempt - 1, 20));
            assertThat(new Pauses(1_000, 1_000_000).after(attempt, 0, random)).isBetween(grown / 2, grown);
        }
        assertThat(new Pauses(1_000, 1_000_000).after(1, 500_000, random)).isEqualTo(500_000);
        assertThat(new Pauses(1_000, 1_000_000).after(1, 5_000_000, random)).isEqualTo(1_000_000);
    }

    @Test
    void withoutAReceiverNothingIsDone() {
        try (Webhooks webhooks = open(settings("", 1, 10))) {
            assertThat(webhooks.send(event(50))).isFalse();
            assertThat(webhooks.stats().dropped()).isZero();
        }
        assertThat(folder).isEmptyDirectory();
    }

    @Test
    void aUrlWithoutAHostIsRefused() {
        assertThatThrownBy(() -> open(settings("http://[", 1, 10)))
                .isInstanceOf(ConfigException.class)
                .hasMessageContaining("webhooks.url");
    }
}
