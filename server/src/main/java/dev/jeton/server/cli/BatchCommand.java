package dev.jeton.server.cli;

import dev.jeton.server.batch.BatchRun;
import dev.jeton.server.batch.BatchTarget;
import dev.jeton.server.batch.BatchTotals;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code jeton batch}. */
@Command(
        name = "batch",
        description = {
            "Sends a file of requests to a running server and keeps what it answers.",
            "The file has OpenAI's form: for each request a line",
            "{\"custom_id\": ..., \"url\": \"/v1/chat/completions\", \"body\": {...}}.",
            "Run again, the same command goes on where it was broken off."
        },
        mixinStandardHelpOptions = true,
        sortOptions = false,
        footer = {
            "",
            "Example: jeton batch --input requests.jsonl --output answers.jsonl --label job=nightly",
            "         jeton batch --input requests.jsonl --output answers.jsonl --retry-failed"
        })
final class BatchCommand implements Callable<Integer> {

    private static final int MOST_PARALLEL = 4_096;
    private static final long EACH_MILLIS = 5_000;
    /** What is under way when the command is broken off is waited for so long. */
    private static final long ENDING_MILLIS = 10_000;

    @Option(names = "--input", paramLabel = "FILE", required = true, description = "The requests, JSON Lines.")
    private Path input = Path.of("");

    @Option(
            names = "--output",
            paramLabel = "FILE",
            required = true,
            description = "The answers, a line each in the order in which they come.")
    private Path output = Path.of("");

    @Option(names = "--errors", paramLabel = "FILE", description = "What was refused (default: OUTPUT.errors).")
    private Optional<Path> errors = Optional.empty();

    @Option(names = "--retry-failed", description = "Send again what was refused before; forgets what --errors has.")
    private boolean again = false;

    @Option(
            names = "--url",
            paramLabel = "URL",
            defaultValue = "${env:JETON_URL:-http://127.0.0.1:8000}",
            description = "Of the server (default: JETON_URL, or http://127.0.0.1:8000).")
    private String url = "";

    @Option(
            names = "--api-key",
            paramLabel = "KEY",
            defaultValue = "${env:JETON_API_KEY:-}",
            description = "Who asks and pays (default: JETON_API_KEY, which other users of the machine do not see).")
    private String key = "";

    @Mixin
    private AuthoritiesOption authorities = new AuthoritiesOption();

    @Option(
            names = "--parallel",
            paramLabel = "N",
            defaultValue = "64",
            description = "Requests under way at a time (default: ${DEFAULT-VALUE}).")
    private int parallel = 1;

    @Option(
            names = "--tier",
            paramLabel = "TIER",
            defaultValue = "flex",
            description = {
                "service_tier of requests that do not say (default: ${DEFAULT-VALUE}: when nobody else waits, at the",
                "batch discount). '' leaves it out, for servers that do not know it."
            })
    private String tier = "";

    @Option(names = "--label", paramLabel = "NAME=VALUE", description = "For the books' reports. Repeatable.")
    private Map<String, String> labels = new LinkedHashMap<>();

    @Option(
            names = "--patience",
            paramLabel = "SECONDS",
            defaultValue = "600",
            description = "Give up once nothing was answered for so long (default: ${DEFAULT-VALUE}).")
    private long patience = 0;

    @Spec
    private CommandSpec spec = CommandSpec.create();

    @Override
    public Integer call() throws InterruptedException {
        if (parallel < 1 || parallel > MOST_PARALLEL) {
            throw new ParameterException(
                    spec.commandLine(), "--parallel is %d; it must be from 1 to %d".formatted(parallel, MOST_PARALLEL));
        }
        if (patience < 1) {
            throw new ParameterException(
                    spec.commandLine(), "--patience is %d; it must be 1 or more".formatted(patience));
        }
        BatchTarget target = new BatchTarget(BatchTarget.url(url), key, labels(), authorities.file());
        Path refused = errors.orElseGet(() -> output.resolveSibling(output.getFileName() + ".errors"));
        try (BatchRun run = BatchRun.open(input, tier, output, refused, again, target, Duration.ofSeconds(patience))) {
            return run(run, refused);
        }
    }

    private String labels() {
        return labels.entrySet().stream()
                .map(label -> label.getKey() + "=" + label.getValue())
                .collect(Collectors.joining(", "));
    }

    private int run(BatchRun run, Path refused) throws InterruptedException {
        PrintWriter err = spec.commandLine().getErr();
        long start = System.nanoTime();
        Thread caller = Thread.currentThread();
        Thread ending = new Thread(() -> end(run, caller), "batch-ending");
        Runtime.getRuntime().addShutdownHook(ending);
        Thread progress = Thread.ofVirtual().start(() -> tell(run, start, err));
        try {
            run.run(parallel);
        } finally {
            progress.interrupt();
            progress.join();
            err.println(line(run.totals(), System.nanoTime() - start));
            err.flush();
            try {
                Runtime.getRuntime().removeShutdownHook(ending);
            } catch (IllegalStateException e) {
                err.println("broken off; the same command goes on from here");
                err.flush();
            }
        }
        BatchTotals totals = run.totals();
        if (totals.failed() > 0) {
            err.println("%d were refused: see %s".formatted(totals.failed(), refused));
            err.flush();
        }
        return totals.failed() > 0 ? 1 : 0;
    }

    /** At SIGINT or SIGTERM. */
    private static void end(BatchRun run, Thread caller) {
        run.stop();
        try {
            caller.join(ENDING_MILLIS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static void tell(BatchRun run, long start, PrintWriter err) {
        try {
            while (true) {
                Thread.sleep(EACH_MILLIS);
                err.println(line(run.totals(), System.nanoTime() - start));
                err.flush();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** How far it is, for people. */
    static String line(BatchTotals totals, long nanos) {
        double seconds = Math.max(1e-3, nanos / 1e9);
        int now = totals.answered() + totals.failed();
        StringBuilder line = new StringBuilder();
        line.append(String.format(Locale.ROOT, "%,d of %,d done", totals.done(), totals.requests()));
        if (totals.before() > 0) {
            line.append(String.format(Locale.ROOT, " (%,d before)", totals.before()));
        }
        if (totals.failed() > 0) {
            line.append(String.format(Locale.ROOT, ", %,d refused", totals.failed()));
        }
        line.append(String.format(
                Locale.ROOT, "; %.1f requests/s, %,.0f tokens/s", now / seconds, totals.tokens() / seconds));
        totals.costs().entrySet().stream()
                .sorted(Map.Entry.comparingByKey())
                .forEach(cost -> line.append(", ")
                        .append(cost.getValue().stripTrailingZeros().toPlainString())
                        .append(' ')
                        .append(cost.getKey()));
        if (now > 0 && totals.done() < totals.requests()) {
            double left = (totals.requests() - totals.done()) * seconds / now;
            line.append(String.format(Locale.ROOT, "; about %,.0f s left", left));
        }
        if (!totals.trouble().isEmpty()) {
            line.append("; waits: ").append(totals.trouble());
        }
        return line.toString();
    }
}
