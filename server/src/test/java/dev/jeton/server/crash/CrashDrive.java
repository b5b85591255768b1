package dev.jeton.server.crash;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.accounting.Recovery;
import dev.jeton.server.json.Json;
import dev.jeton.server.testing.Eventually;
import dev.jeton.server.testing.PrometheusText;
import dev.jeton.server.testing.TestServer.Answer;
import java.io.IOException;
import java.math.BigDecimal;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;

/**
 * Drives a server with several clients, kills it when they have received so many tokens, starts it again on the same
 * folder and checks the books; as often as wanted, each time with what the time before left.
 */
final class CrashDrive {

    private static final int CLIENTS = 8;
    private static final int MOST_TOKENS = 20_000;
    private static final long PATIENCE_SECONDS = 60;
    private static final String PRICES = """
            currency: USD
            devices:
              - {name: "*", per-hour: 3.6}
            tariffs:
              - {model: "*", input: 1000, cached-input: 100, output: 2000}
            """;

    /** Larger than what a run can spend, but for requests' own: those end streams. */
    private static final String BUDGETS = """
            budgets:
              - {id: tokens, level: tenant, tenant: default, unit: output-tokens, window: month, timezone: UTC,
                 limit: 100000000}
              - {id: input, level: tenant, tenant: default, unit: input-tokens, window: total, limit: 100000000}
              - {id: calls, level: tenant, tenant: default, unit: requests, window: total, limit: 100000000}
              - {id: money, level: tenant, tenant: default, unit: list-money, window: total, limit: 100000000,
                 currency: USD}
              - {id: each, level: request, tenant: default, unit: output-tokens, window: total, limit: 2000}
            """;

    private final List<String> settings;
    private final CrashBooks books;
    private final CrashTally tally = new CrashTally();

    /**
     * @param folder for everything that outlives a server
     * @param ledger JDBC URL
     * @param user of the ledger's database
     */
    CrashDrive(Path folder, String ledger, String user) throws IOException {
        Path prices = Files.writeString(folder.resolve("prices.yaml"), PRICES);
        Path budgets = Files.writeString(folder.resolve("budgets.yaml"), BUDGETS);
        settings = List.of(
                CrashServer.YAML + "=" + budgets,
                "books.folder=" + folder,
                "books.node=" + CrashBooks.NODE,
                "books.ledger=" + ledger,
                "books.user=" + user,
                "books.prices=" + prices);
        books = new CrashBooks(folder, ledger, user);
    }

    /** Kills so many servers and ends the last one in good order; what came of it. */
    CrashTally run(long seed, int kills) throws IOException, InterruptedException {
        SplittableRandom random = new SplittableRandom(seed);
        ServerProcess server = ServerProcess.start(settings);
        try {
            for (int round = 1; round <= kills; round++) {
                List<Attempt> attempts = drive(server, round, random.split());
                tally.killed();
                Map<String, Recovery.Abandoned> abandoned = books.abandoned();
                server = ServerProcess.start(settings);
                awaitLedger(server);
                books.check(round, attempts, abandoned, tally);
                books.checkBudgets(budgets(server));
            }
            server.end();
        } finally {
            server.abandon();
        }
        books.checkTotal(tally.booked());
        return tally;
    }

    /** Clients send and receive until the server is killed under them. */
    private static List<Attempt> drive(ServerProcess server, int round, SplittableRandom random)
            throws InterruptedException {
        AtomicLong left = new AtomicLong(random.nextInt(1, MOST_TOKENS));
        CountDownLatch due = new CountDownLatch(1);
        AtomicReference<Throwable> failure = new AtomicReference<>();
        CrashClient client = new CrashClient(server.port(), CrashBooks.ROUND + "=" + round, more -> {
            if (left.addAndGet(-more) <= 0) {
                due.countDown();
            }
        });
        List<List<Attempt>> attempts = new ArrayList<>();
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < CLIENTS; i++) {
            List<Attempt> own = new ArrayList<>();
            attempts.add(own);
            String name = "r%d-c%d-".formatted(round, i);
            SplittableRandom choices = random.split();
            threads.add(Thread.ofVirtual().start(() -> {
                try {
                    while (due.getCount() > 0) {
                        own.add(new Attempt(ask(name + own.size(), choices)));
                        client.send(own.getLast());
                    }
                } catch (IOException e) {
                    if (due.getCount() > 0) {
                        failure.set(e);
                    }
                } catch (RuntimeException e) {
                    failure.set(e);
                } finally {
                    due.countDown();
                }
            }));
        }
        boolean enough = due.await(PATIENCE_SECONDS, TimeUnit.SECONDS);
        server.kill();
        for (Thread thread : threads) {
            thread.join();
        }
        assertThat(failure.get()).as("a request failed before the kill").isNull();
        assertThat(enough).as("the clients received what they asked for").isTrue();
        return attempts.stream().flatMap(List::stream).toList();
    }

    /** A third each of long streams, short streams and whole answers; now and then a client hangs up. */
    private static Attempt.Ask ask(String id, SplittableRandom random) {
        int kind = random.nextInt(3);
        int letters = kind == 0 ? random.nextInt(200, 3_000) : random.nextInt(1, 60);
        // Either the answer ends by itself or its bound cuts it.
        int most = letters + random.nextInt(2) * 5;
        int sequences = random.nextInt(4) == 0 ? random.nextInt(2, 4) : 1;
        boolean stream = kind < 2;
        int hangUpAfter = stream && random.nextInt(8) == 0 ? random.nextInt(1, letters + 1) : Integer.MAX_VALUE;
        return new Attempt.Ask(id, stream, sequences, letters, most, hangUpAfter);
    }

    /** Waits until the ledger has all that the start booked. */
    private static void awaitLedger(ServerProcess server) {
        try (HttpClient client = HttpClient.newHttpClient()) {
            // In this order: what waits to be durable is not behind yet.
            Eventually.until("all is durable", () -> metric(client, server, "jeton_journal_pending_bytes") == 0);
            Eventually.until("the ledger has it", () -> metric(client, server, "jeton_ledger_lag_facts") == 0);
        }
    }

    /** What is spent of the budgets, by id; fails where something is reserved, since nothing runs. */
    private static Map<String, BigDecimal> budgets(ServerProcess server) throws IOException, InterruptedException {
        Map<String, BigDecimal> used = new HashMap<>();
        try (HttpClient client = HttpClient.newHttpClient()) {
            URI uri = URI.create("http://127.0.0.1:%d/v1/budgets".formatted(server.port()));
            Object answer =
                    Json.parse(client.send(HttpRequest.newBuilder(uri).build(), HttpResponse.BodyHandlers.ofString())
                            .body());
            for (int i = 0; Answer.at(answer, "data." + i) != null; i++) {
                assertThat(Answer.at(answer, "data." + i + ".reserved"))
                        .as("reserved after a restart")
                        .isIn("0", "0.00");
                used.put((String) Answer.at(answer, "data." + i + ".budget"), new BigDecimal((String)
                        Answer.at(answer, "data." + i + ".used")));
            }
        }
        return used;
    }

    private static double metric(HttpClient client, ServerProcess server, String name) {
        URI uri = URI.create("http://127.0.0.1:%d/metrics".formatted(server.port()));
        try {
            HttpResponse<String> answer =
                    client.send(HttpRequest.newBuilder(uri).build(), HttpResponse.BodyHandlers.ofString());
            return PrometheusText.parse(answer.body()).value(name);
        } catch (IOException e) {
            throw new IllegalStateException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }
}
