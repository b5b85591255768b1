package dev.jeton.benchmarks;

import com.sun.management.OperatingSystemMXBean;
import dev.jeton.accounting.Budget;
import dev.jeton.accounting.BudgetUnit;
import dev.jeton.accounting.PriceBook;
import dev.jeton.benchmarks.load.LoadGenerator;
import dev.jeton.benchmarks.load.Report;
import dev.jeton.benchmarks.load.Target;
import dev.jeton.benchmarks.load.Workload;
import dev.jeton.server.cli.Jeton;
import dev.jeton.server.config.Tenant;
import java.io.IOException;
import java.io.PrintWriter;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine;
import picocli.CommandLine.Option;

/**
 * {@code jeton bench books}: what keeping the books costs, in throughput and in processor time; or, with
 * {@code --budgets}, what budgets on every level cost on top.
 *
 * <p>Two whole servers run in this one process, one with books and one without, and are asked by turns while the other
 * idles. They share what the JVM compiled, the weights in memory and the warm load generator, all of which differ from
 * one process to the next by more than the books cost. What they do not share (each engine's own buffers) differs from
 * start to start: so {@code benchmarks/accounting} runs this several times.
 *
 * <p>Runs are short and there are many: a shared machine's speed drifts by a fifth within ten seconds, and what drifts
 * slower than a pair lasts falls on both. A run is two requests of each client. The warm-up is long: the JVM goes on
 * compiling for thousands of requests, which takes a processor from whichever server happens to be asked.
 *
 * <p>The process is cleared of garbage before each run, so that one server's garbage is not collected at the other's
 * expense. A pause after each run lets the ledger catch up; what it does then belongs to nobody, about a second of each
 * run's projection.
 */
@CommandLine.Command(
        name = "books",
        description = "Serves with and without books by turns, and says what the books cost.",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        footer = {
            "",
            "Example: jeton bench books --model models/15m --folder /var/lib/jeton/try --prices docs/price-book.yaml"
        })
final class BenchBooksCommand implements Callable<Integer> {

    private static final long READY_NANOS = TimeUnit.SECONDS.toNanos(120);
    private static final long SETTLE_MILLIS = 1_200;
    /** Taken by servers with tenants; others ask for none. */
    private static final String KEY = "bench-key";

    @CommandLine.Spec
    private CommandLine.Model.CommandSpec spec = CommandLine.Model.CommandSpec.create();

    @Option(names = "--model", required = true, paramLabel = "FOLDER", description = "Model that both serve.")
    private Path model = Path.of("");

    @Option(
            names = "--folder",
            required = true,
            paramLabel = "FOLDER",
            description = "An empty folder for the books, on the disk that is asked about.")
    private Path folder = Path.of("");

    @Option(names = "--prices", paramLabel = "FILE", description = "Price book (default: everything is free).")
    private Optional<Path> prices = Optional.empty();

    @Option(names = "--pairs", description = "Pairs of runs (default: ${DEFAULT-VALUE}).")
    private int pairs = 60;

    @Option(names = "--requests", description = "Requests of a run (default: ${DEFAULT-VALUE}).")
    private int requests = 64;

    @Option(names = "--warm-up", description = "Requests to each server before (default: ${DEFAULT-VALUE}).")
    private int warmUp = 3000;

    @Option(names = "--concurrency", description = "Clients at a time (default: ${DEFAULT-VALUE}).")
    private int concurrency = 32;

    @Option(names = "--input-len", description = "Prompt tokens (default: ${DEFAULT-VALUE}).")
    private int inputLength = 128;

    @Option(names = "--output-len", description = "Tokens to generate (default: ${DEFAULT-VALUE}).")
    private int outputLength = 64;

    @Option(names = "--without-first", description = "Start the server without books first.")
    private boolean withoutFirst = false;

    @Option(
            names = "--budgets",
            description = "Keep books in both, and budgets on every level in the one: what those cost.")
    private boolean budgets = false;

    @Option(names = "--null", description = "Keep books in neither: what the measurement itself says of two alike.")
    private boolean neither = false;

    /** Of one run: output tokens a second, and microseconds of processor per output token. */
    private record Figures(double tokensPerSecond, double microsPerToken) {}

    private long seed = 100;

    @Override
    public Integer call() throws IOException, InterruptedException {
        int withPort;
        int withoutPort;
        if (withoutFirst) {
            withoutPort = start(without());
            withPort = start(with());
        } else {
            withPort = start(with());
            withoutPort = start(without());
        }
        Target with = ready(withPort);
        Target without = ready(withoutPort);
        run(with, warmUp);
        run(without, warmUp);
        PrintWriter out = spec.commandLine().getOut();
        long compiling = compiling();
        for (int pair = 0; pair < pairs; pair++) {
            Figures a = run(pair % 2 == 0 ? with : without, requests);
            Figures b = run(pair % 2 == 0 ? without : with, requests);
            Figures on = pair % 2 == 0 ? a : b;
            Figures off = pair % 2 == 0 ? b : a;
            out.printf(
                    Locale.ROOT,
                    "| %d | %.1f | %.1f | %.2f | %.1f | %.1f | %.2f |%n",
                    pair + 1,
                    on.tokensPerSecond(),
                    off.tokensPerSecond(),
                    100 * (1 - on.tokensPerSecond() / off.tokensPerSecond()),
                    on.microsPerToken(),
                    off.microsPerToken(),
                    100 * (on.microsPerToken() / off.microsPerToken() - 1));
            out.flush();
        }
        spec.commandLine().getErr().printf("the JVM compiled for %d ms meanwhile%n", compiling() - compiling);
        spec.commandLine().getErr().flush();
        return CommandLine.ExitCode.OK;
    }

    private List<String> with() throws IOException {
        if (!budgets || neither) {
            return neither ? without() : books("with");
        }
        List<String> flags = books("with");
        flags.addAll(List.of(
                "--config",
                Files.writeString(folder.resolve("budgets.yaml"), yaml(true)).toString()));
        return flags;
    }

    private List<String> without() throws IOException {
        if (!budgets) {
            return List.of("--set", "books.enabled=false");
        }
        List<String> flags = books("without");
        flags.addAll(List.of(
                "--config",
                Files.writeString(folder.resolve("tenants.yaml"), yaml(false)).toString()));
        return flags;
    }

    private List<String> books(String name) {
        List<String> flags =
                new ArrayList<>(List.of("--books", folder.resolve(name).toString()));
        prices.ifPresent(file -> flags.addAll(List.of("--prices", file.toString())));
        return flags;
    }

    /** A tenant with a key; and budgets of every unit on every level that are never spent. */
    private String yaml(boolean withBudgets) {
        StringBuilder yaml = new StringBuilder(
                        "tenants:\n  - {id: bench, projects: [p], keys: [{id: k, project: p, sha256: ")
                .append(Tenant.Key.digest(KEY))
                .append("}]}\n");
        if (withBudgets) {
            String currency = prices.map(PriceBook::load)
                    .orElse(PriceBook.free())
                    .currency()
                    .getCurrencyCode();
            yaml.append("budgets:\n");
            for (Budget.Level level : Budget.Level.values()) {
                for (BudgetUnit unit : BudgetUnit.values()) {
                    yaml.append(budget(level, unit, currency));
                }
            }
        }
        return yaml.toString();
    }

    private static String budget(Budget.Level level, BudgetUnit unit, String currency) {
        String window = level == Budget.Level.REQUEST || level == Budget.Level.TASK
                ? "window: total"
                : "window: month, timezone: Europe/Berlin";
        String of = switch (level) {
            case TENANT, TASK, REQUEST -> "";
            case PROJECT -> ", project: p";
            case KEY -> ", key: k";
        };
        return "  - {id: %s-%s, level: %s, tenant: bench%s, unit: %s, %s, limit: 1000000000%s}\n"
                .formatted(
                        level.text(),
                        unit.text(),
                        level.text(),
                        of,
                        unit.text(),
                        window,
                        unit == BudgetUnit.LIST_MONEY ? ", currency: " + currency : "");
    }

    /** Starts a server of this process as the command line would; it ends with the process. */
    private int start(List<String> flags) throws IOException {
        int port;
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = free.getLocalPort();
        }
        List<String> arguments = new ArrayList<>(List.of(
                "serve", "--port", String.valueOf(port), "--model", model.toString(), "--set", "log.level=warn"));
        arguments.addAll(flags);
        Thread.ofPlatform()
                .name("server-" + port)
                .daemon(true)
                .start(() -> Jeton.main(arguments.toArray(String[]::new)));
        return port;
    }

    private static Target ready(int port) throws IOException, InterruptedException {
        Target target = Target.of("http://127.0.0.1:" + port + "/v1", "", KEY);
        long end = System.nanoTime() + READY_NANOS;
        while (true) {
            try {
                return LoadGenerator.withFirstModel(target);
            } catch (IOException e) {
                if (System.nanoTime() > end) {
                    throw new IOException("the server on port " + port + " did not become ready", e);
                }
                TimeUnit.MILLISECONDS.sleep(50);
            }
        }
    }

    /** Every run has prompts of its own, so that nothing is found in the prefix cache. */
    private Figures run(Target target, int count) throws InterruptedException, IOException {
        System.gc();
        seed++;
        Workload workload = new Workload(List.of(new Workload.Length(inputLength, outputLength)), 0, 1, 10, 250, seed);
        LoadGenerator.Plan plan = new LoadGenerator.Plan(count, 0, concurrency, 0, true, true);
        long before = processor();
        Report report = new LoadGenerator(target, workload, plan).run(ended -> {});
        TimeUnit.MILLISECONDS.sleep(SETTLE_MILLIS);
        long used = processor() - before;
        long tokens = report.samples().stream()
                .filter(sample -> sample.good())
                .mapToLong(sample -> sample.outputTokens())
                .sum();
        if (tokens != (long) count * outputLength) {
            throw new IOException("%d of %d tokens came; see the server's log".formatted(tokens, count * outputLength));
        }
        return new Figures(report.outputTokensPerSecond(), used / 1e3 / tokens);
    }

    private static long compiling() {
        return ManagementFactory.getCompilationMXBean().getTotalCompilationTime();
    }

    /** Of the whole process: unlike throughput it also counts what the ledger does in the pause after a run. */
    private static long processor() {
        return ManagementFactory.getOperatingSystemMXBean() instanceof OperatingSystemMXBean system
                ? system.getProcessCpuTime()
                : 0;
    }
}
