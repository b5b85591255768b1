package dev.jeton.benchmarks.deploy;

import dev.jeton.accounting.BookPace;
import dev.jeton.accounting.Bookkeeper;
import dev.jeton.accounting.BudgetRefusal;
import dev.jeton.models.Engines;
import dev.jeton.models.StepSize;
import dev.jeton.natives.GpuMemory;
import dev.jeton.natives.GpuUtilization;
import dev.jeton.scheduler.StepListener;
import dev.jeton.server.ModelLoader;
import dev.jeton.server.OpenBooks;
import dev.jeton.server.Server;
import dev.jeton.server.api.Outcome;
import dev.jeton.server.api.ServedModel;
import dev.jeton.server.config.Configuration;
import dev.jeton.server.config.Configuration.ModelSettings;
import dev.jeton.server.config.ConfigurationLoader;
import dev.jeton.server.config.Settings;
import dev.jeton.server.metrics.GpuSample;
import dev.jeton.server.metrics.ServerMetrics;
import dev.jeton.server.tls.TlsStats;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.concurrent.locks.LockSupport;

/** A server with the smaller demo model, books, and a GPU that only its metrics know of. */
final class RunningServer implements AutoCloseable {

    private static final String MODEL = "jeton-demo-small";
    private static final long LIMIT_NANOS = 60_000_000_000L;
    private static final long PAUSE_NANOS = 20_000_000L;

    /** One that is spent soon, and one that is tried out. */
    private static final String BUDGETS = """
            budgets:
              - {id: tokens, level: tenant, tenant: default, unit: output-tokens, window: day, timezone: UTC, limit: 20}
              - {id: tried, level: tenant, tenant: default, unit: requests, window: total, limit: 1, mode: shadow}
            """;

    private final Server server;
    private final HttpClient client = HttpClient.newHttpClient();

    /**
     * Starts it.
     *
     * @param books an empty folder
     */
    RunningServer(Path books) throws IOException {
        Path budgets = Files.writeString(books.resolve("budgets.yaml"), BUDGETS);
        Settings settings = new ConfigurationLoader(Map.of())
                .file(budgets)
                .flags(Map.of("server.port", "0", "books.folder", books.toString()))
                .load();
        Configuration configuration = settings.configuration();
        ServerMetrics metrics = new ServerMetrics(false);
        metrics.gpu(RunningServer::gpu, false);
        metrics.certificate(() -> new TlsStats(2_000_000_000, 0, 0, 0));
        Bookkeeper bookkeeper = OpenBooks.of(configuration, BookPace.PROMPT).orElseThrow();
        Path folder = DeployFiles.HOME.resolve("models/demo").resolve(MODEL);
        ModelSettings model = settings.model(folder.toString(), MODEL).on("cpu", StepSize.PROCESSOR);
        StepListener steps = StepListener.both(
                metrics.steps(MODEL), bookkeeper.meter(model.engine()).engine());
        ServedModel served = new ModelLoader(
                        Engines.found(), configuration.stream().stallTimeout())
                .load(MODEL, folder, model, steps);
        server = new Server(configuration, List.of(served), metrics, Optional.of(bookkeeper));
    }

    private static GpuSample gpu() {
        return new GpuSample(
                new GpuSample.Gpu(0, "GPU-0", "GPU", ""),
                false,
                Optional.of(new GpuUtilization(50, 50)),
                Optional.of(new GpuMemory(4, 1, 1, 2)),
                OptionalDouble.of(300),
                OptionalDouble.of(700),
                OptionalLong.of(1),
                OptionalInt.of(60),
                OptionalInt.of(1_000),
                OptionalInt.of(1_000));
    }

    /** All that it exports once it has worked, once the ledger has that, and once garbage was collected. */
    KnownMetrics metrics() throws IOException, InterruptedException {
        post("/v1/completions", "{\"model\":\"%s\",\"prompt\":\"What is a token?\",\"max_tokens\":4}".formatted(MODEL));
        post(
                "/v1/responses",
                "{\"model\":\"%s\",\"input\":\"What is a token?\",\"max_output_tokens\":4}".formatted(MODEL));
        post(
                "/v1/messages",
                "{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi!\"}],\"max_tokens\":4}"
                        .formatted(MODEL));
        post(
                "/v1/chat/completions",
                "{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":\"Hello!\"}],\"max_tokens\":4}"
                        .formatted(MODEL));
        post(
                "/v1/completions",
                "{\"model\":\"%s\",\"prompt\":\"And?\",\"max_tokens\":40,\"ignore_eos\":true}".formatted(MODEL));
        refused("/v1/completions", "{\"model\":\"%s\",\"prompt\":\"And?\",\"max_tokens\":4}".formatted(MODEL));
        System.gc();
        String scrape = scrape();
        for (String late : List.of("jeton_books_device_cost_total", "jvm_gc_pause_seconds_sum")) {
            for (long start = System.nanoTime(); !scrape.contains("\n" + late); scrape = scrape()) {
                if (System.nanoTime() - start > LIMIT_NANOS) {
                    throw new AssertionError(late + " was not exported");
                }
                LockSupport.parkNanos(PAUSE_NANOS);
            }
        }
        KnownMetrics known = new KnownMetrics().add(scrape);
        for (Outcome outcome : Outcome.values()) {
            known.add("jeton_requests_total{outcome=\"%s\"} 0".formatted(outcome.label()));
        }
        for (BudgetRefusal.Reason reason : BudgetRefusal.Reason.values()) {
            known.add("jeton_budget_refusals_total{reason=\"%s\"} 0".formatted(reason.text()));
        }
        return known;
    }

    private void post(String path, String body) throws IOException, InterruptedException {
        send(path, body, 200);
    }

    private void refused(String path, String body) throws IOException, InterruptedException {
        send(path, body, 429);
    }

    private void send(String path, String body, int status) throws IOException, InterruptedException {
        HttpResponse<String> answer = client.send(
                HttpRequest.newBuilder(uri(path))
                        .POST(HttpRequest.BodyPublishers.ofString(body))
                        .build(),
                HttpResponse.BodyHandlers.ofString());
        if (answer.statusCode() != status) {
            throw new AssertionError(answer.body());
        }
    }

    private String scrape() throws IOException, InterruptedException {
        return client.send(HttpRequest.newBuilder(uri("/metrics")).build(), HttpResponse.BodyHandlers.ofString())
                .body();
    }

    private URI uri(String path) {
        return URI.create("http://127.0.0.1:" + server.port() + path);
    }

    @Override
    public void close() {
        client.close();
        server.close();
    }
}
