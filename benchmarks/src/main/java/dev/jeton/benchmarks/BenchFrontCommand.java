package dev.jeton.benchmarks;

import dev.jeton.accounting.Bookkeeper;
import dev.jeton.models.Engines;
import dev.jeton.models.StepSize;
import dev.jeton.models.engine.StepTimeModel;
import dev.jeton.scheduler.StepListener;
import dev.jeton.server.ModelLoader;
import dev.jeton.server.OpenBooks;
import dev.jeton.server.Server;
import dev.jeton.server.api.ServedModel;
import dev.jeton.server.config.Configuration;
import dev.jeton.server.config.ConfigurationLoader;
import dev.jeton.server.config.Settings;
import dev.jeton.server.logging.Logging;
import dev.jeton.server.metrics.ServerMetrics;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import picocli.CommandLine;
import picocli.CommandLine.Option;

/**
 * {@code jeton bench front}: the whole server over an engine that computes nothing and takes the time of a GPU, so that
 * what a token costs beside the GPU can be measured without one. {@code benchmarks/front} puts load on it and reads its
 * processor time from {@code /metrics}.
 */
@CommandLine.Command(
        name = "front",
        description = "Serves made-up tokens at a GPU's pace: what the server itself costs. Runs until it is ended.",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        footer = {
            "",
            "Example: jeton bench front --model models/demo/jeton-demo --floor-ms 2 --sequences 128",
            "Then:    jeton bench serve --concurrency 128 --requests 1280"
        })
final class BenchFrontCommand implements Callable<Integer> {

    private static final String NAME = "paced";

    @CommandLine.Spec
    private CommandLine.Model.CommandSpec spec = CommandLine.Model.CommandSpec.create();

    @Option(names = "--model", required = true, paramLabel = "FOLDER", description = "Whose tokenizer is used.")
    private Path model = Path.of("");

    @Option(names = "--port", description = "Port to listen on (default: ${DEFAULT-VALUE}).")
    private int port = 8000;

    @Option(names = "--floor-ms", description = "Least milliseconds of a step (default: ${DEFAULT-VALUE}).")
    private double floorMillis = 0;

    @Option(names = "--token-us", description = "Microseconds of arithmetic a token (default: ${DEFAULT-VALUE}).")
    private double tokenMicros = 0;

    @Option(names = "--kv-token-ns", description = "Nanoseconds a KV token read (default: ${DEFAULT-VALUE}).")
    private double kvTokenNanos = 0;

    @Option(names = "--sequences", description = "Most sequences in a step (default: ${DEFAULT-VALUE}).")
    private int sequences = 256;

    @Option(names = "--batched-tokens", description = "Most tokens in a step (default: ${DEFAULT-VALUE}).")
    private int batchedTokens = 4_096;

    @Option(names = "--step-target", paramLabel = "TIME", description = "As of jeton serve (default: 50ms).")
    private String stepTarget = "0s";

    @Option(names = "--books", paramLabel = "FOLDER", description = "Keep books there (default: none are kept).")
    private Optional<Path> books = Optional.empty();

    @Override
    public Integer call() throws InterruptedException {
        Settings settings = settings();
        Configuration configuration = settings.configuration();
        Logging.configure(configuration.log());
        ServerMetrics metrics = new ServerMetrics(configuration.metrics().vllmNames());
        Optional<Bookkeeper> keeper = OpenBooks.of(configuration);
        StepListener steps = metrics.steps(NAME);
        StepListener listener = keeper.map(
                        open -> StepListener.both(steps, open.meter(NAME).engine()))
                .orElse(steps);
        PacedProvider provider =
                new PacedProvider(new StepTimeModel.Coefficients(1e6 * floorMillis, 1e3 * tokenMicros, kvTokenNanos));
        ModelLoader loader = new ModelLoader(
                new Engines(List.of(provider)), configuration.stream().stallTimeout());
        ServedModel served = loader.load(
                NAME, model, settings.model(model.toString(), NAME).on(provider.name(), StepSize.GPU), listener);
        Server server = new Server(configuration, List.of(served), metrics, keeper);
        Runtime.getRuntime().addShutdownHook(new Thread(server::close, "shutdown"));
        spec.commandLine().getErr().printf("ready on port %d%n", server.port());
        spec.commandLine().getErr().flush();
        new CountDownLatch(1).await();
        return CommandLine.ExitCode.OK;
    }

    private Settings settings() {
        Map<String, String> flags = new LinkedHashMap<>(Map.of(
                "server.port", String.valueOf(port),
                "log.level", "warn",
                "engine.max-num-seqs", String.valueOf(sequences),
                "engine.max-batched-tokens", String.valueOf(batchedTokens),
                "engine.step-target", stepTarget,
                "books.enabled", String.valueOf(books.isPresent())));
        books.ifPresent(folder -> flags.put("books.folder", folder.toString()));
        return new ConfigurationLoader(Map.of()).flags(flags).load();
    }
}
