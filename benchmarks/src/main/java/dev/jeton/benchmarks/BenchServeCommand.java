package dev.jeton.benchmarks;

import dev.jeton.benchmarks.load.LoadGenerator;
import dev.jeton.benchmarks.load.Report;
import dev.jeton.benchmarks.load.Target;
import dev.jeton.benchmarks.load.Workload;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicLong;
import picocli.CommandLine;
import picocli.CommandLine.Option;

/** {@code jeton bench serve}: load on a server, closed loop or open. */
@CommandLine.Command(
        name = "serve",
        description = "Sends load to a server's /completions and reports throughput and latencies.",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        footer = {
            "",
            "Example: jeton bench serve --url http://localhost:8000/v1 --concurrency 8 --requests 64 \\",
            "             --input-len 128 --output-len 64",
            "         jeton bench serve --rate 2 --requests 500 --lengths AzureLLMInferenceTrace_code.csv"
        })
final class BenchServeCommand implements Callable<Integer> {

    private static final long BAR_NANOS = 200_000_000;

    @CommandLine.Spec
    private CommandLine.Model.CommandSpec spec = CommandLine.Model.CommandSpec.create();

    @Option(names = "--url", description = "The API's root (default: ${DEFAULT-VALUE}).")
    private String url = "http://localhost:8000/v1";

    @Option(names = "--model", description = "Model (default: the first that the server lists).")
    private String model = "";

    @Option(names = "--api-key", description = "Bearer token (default: none).")
    private String apiKey = "";

    @Option(names = "--requests", description = "Requests to send (default: ${DEFAULT-VALUE}).")
    private int requests = 64;

    @Option(names = "--warm-up", description = "Requests before, not counted (default: ${DEFAULT-VALUE}).")
    private int warmUp = 0;

    @Option(
            names = "--concurrency",
            description = "Clients at a time; with --rate the most at a time (default: ${DEFAULT-VALUE}).")
    private int concurrency = 8;

    @Option(names = "--rate", description = "Requests a second, Poisson arrivals; 0 is a closed loop (default: 0).")
    private double rate = 0;

    @Option(names = "--input-len", description = "Prompt tokens (default: ${DEFAULT-VALUE}).")
    private int inputLength = 128;

    @Option(names = "--output-len", description = "Tokens to generate (default: ${DEFAULT-VALUE}).")
    private int outputLength = 64;

    @Option(names = "--lengths", paramLabel = "CSV", description = "File of lengths in place of fixed ones.")
    private Optional<Path> lengths = Optional.empty();

    @Option(names = "--shared-prefix", description = "Tokens that requests share at the beginning (default: 0).")
    private int sharedPrefix = 0;

    @Option(names = "--shared-share", description = "Share of the requests that have it (default: 1).")
    private double sharedShare = 1;

    @Option(names = "--token-range", description = "Ids used in prompts, as LOW-HIGH (default: ${DEFAULT-VALUE}).")
    private String tokenRange = "10-250";

    @Option(names = "--no-stream", description = "Ask for whole answers.")
    private boolean noStream = false;

    @Option(names = "--stop-at-eos", description = "Let the model end before --output-len.")
    private boolean stopAtEos = false;

    @Option(names = "--limit-ttft", description = "Goodput: most seconds to the first token.")
    private double limitFirst = 0;

    @Option(names = "--limit-tpot", description = "Goodput: most seconds per output token.")
    private double limitPerToken = 0;

    @Option(names = "--limit-e2e", description = "Goodput: most seconds to the end.")
    private double limitEnd = 0;

    @Option(names = "--seed", description = "Seed of prompts and arrivals (default: ${DEFAULT-VALUE}).")
    private long seed = 1;

    @Option(names = "--json", paramLabel = "FILE", description = "Also write the report as JSON.")
    private Optional<Path> json = Optional.empty();

    @Override
    public Integer call() throws IOException, InterruptedException {
        Target target = Target.of(url, model, apiKey);
        if (model.isEmpty()) {
            target = LoadGenerator.withFirstModel(target);
        }
        LoadGenerator.Plan plan = new LoadGenerator.Plan(requests, warmUp, concurrency, rate, !noStream, !stopAtEos);
        Report report = new LoadGenerator(target, workload(), plan).run(this::progress);
        Report.Limits limits = new Report.Limits(limitFirst, limitPerToken, limitEnd);
        PrintWriter out = spec.commandLine().getOut();
        out.println();
        out.print(report.text(limits));
        out.flush();
        if (json.isPresent()) {
            Files.writeString(json.get(), report.json(limits));
        }
        boolean allFailed = report.samples().stream().noneMatch(s -> s.good());
        return allFailed ? CommandLine.ExitCode.SOFTWARE : CommandLine.ExitCode.OK;
    }

    private Workload workload() throws IOException {
        String[] range = tokenRange.split("-");
        if (range.length != 2) {
            throw new IllegalArgumentException("--token-range must be LOW-HIGH, as in 10-250");
        }
        List<Workload.Length> rows = lengths.isPresent()
                ? Workload.read(lengths.get())
                : List.of(new Workload.Length(inputLength, outputLength));
        return new Workload(
                rows, sharedPrefix, sharedShare, Integer.parseInt(range[0]), Integer.parseInt(range[1]), seed);
    }

    private final AtomicLong drawnAt = new AtomicLong(System.nanoTime());

    private void progress(int ended) {
        long now = System.nanoTime();
        long last = drawnAt.get();
        if ((now - last > BAR_NANOS && drawnAt.compareAndSet(last, now)) || ended == requests) {
            int filled = (int) (30L * ended / requests);
            spec.commandLine()
                    .getErr()
                    .printf("\r[%s%s] %d/%d", "#".repeat(filled), ".".repeat(30 - filled), ended, requests);
            spec.commandLine().getErr().flush();
        }
    }
}
