package dev.jeton.server.metrics;

import dev.jeton.accounting.Bill;
import dev.jeton.accounting.Bookkeeper;
import dev.jeton.scheduler.Dispatcher;
import dev.jeton.scheduler.StepListener;
import dev.jeton.server.http.ConnectionStats;
import dev.jeton.server.tls.TlsStats;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.binder.jvm.ClassLoaderMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmGcMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmMemoryMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmThreadMetrics;
import io.micrometer.core.instrument.binder.system.FileDescriptorMetrics;
import io.micrometer.core.instrument.binder.system.ProcessorMetrics;
import io.micrometer.core.instrument.binder.system.UptimeMetrics;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.IntSupplier;
import java.util.function.Supplier;
import java.util.function.ToDoubleFunction;

/**
 * Everything the server exports under {@code jeton_}, and the optional set under vLLM's names. Built once at start;
 * recording and scraping from any thread.
 */
public final class ServerMetrics implements AutoCloseable {

    private static final double NANOS = 1e9;

    private final PrometheusMeterRegistry registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
    private final Map<String, ModelMetrics> models = new ConcurrentHashMap<>();
    private final Map<String, DispatcherMetrics> dispatchers = new LinkedHashMap<>();
    private final Map<String, Counter> requests = new ConcurrentHashMap<>();
    private final Optional<VllmNames> vllm;
    private final Map<String, VllmNames.Model> vllmModels = new LinkedHashMap<>();
    /** Micrometer keeps what it observes by weak reference only. */
    private volatile CostMetrics costs;

    private volatile Optional<BooksMetrics> booked = Optional.empty();

    private volatile Optional<BudgetMetrics> budgets = Optional.empty();

    private volatile Optional<OtlpMetrics> otlp = Optional.empty();

    private final List<Object> observed = new CopyOnWriteArrayList<>();

    private final JvmGcMetrics gc = new JvmGcMetrics();

    /** @param vllmNames whether the compatibility set is exported too */
    public ServerMetrics(boolean vllmNames) {
        costs = new CostMetrics(registry, Set.of());
        vllm = vllmNames ? Optional.of(new VllmNames(registry)) : Optional.empty();
        new JvmMemoryMetrics().bindTo(registry);
        gc.bindTo(registry);
        new JvmThreadMetrics().bindTo(registry);
        new ClassLoaderMetrics().bindTo(registry);
        new ProcessorMetrics().bindTo(registry);
        new UptimeMetrics().bindTo(registry);
        new FileDescriptorMetrics().bindTo(registry);
        Gauge.builder("process.resident.memory.bytes", ResidentMemory::bytes)
                .description("Resident memory of the process; 0 where the system does not tell")
                .register(registry);
    }

    /** Adds a served model; at start only. */
    public void addModel(String model, Dispatcher dispatcher) {
        DispatcherMetrics stats = new DispatcherMetrics(registry, model, dispatcher);
        dispatchers.put(model, stats);
        vllm.ifPresent(names -> vllmModels.put(model, names.model(model, stats)));
        models.put(model, new ModelMetrics(registry, model, Optional.ofNullable(vllmModels.get(model))));
    }

    /**
     * Adds an adapter of a model that was added; it is never removed, and one of the same name goes on with its meters.
     * What its requests need has its name, but for vLLM's names, which know the model's only; steps, queue and memory
     * are the model's.
     */
    public void addAdapter(String adapter, String model) {
        models.put(adapter, new ModelMetrics(registry, adapter, Optional.ofNullable(vllmModels.get(model))));
    }

    /** Adds what the admin API has loaded. */
    public void loadedAdapters(Supplier<AdapterStats> stats) {
        observed.add(stats);
        gauge(stats, "jeton.adapters.loaded", "Adapters that the admin API has loaded", AdapterStats::loaded);
        gauge(stats, "jeton.adapters.loaded.bound", "Most of them", AdapterStats::bound);
        gauge(
                stats,
                "jeton.adapters.loaded.bytes",
                "Bytes of memory that they take, until the last request through them has ended",
                AdapterStats::bytes);
        gauge(stats, "jeton.adapters.loaded.bytes.bound", "Most of them", AdapterStats::bytesBound);
    }

    /** Tells which adapters there are now to balancers that look for vLLM's metric of them; one thread at a time. */
    public void adapters(List<String> names) {
        vllm.ifPresent(known -> known.adapters(names));
    }

    /** What hears of a model's steps. */
    public StepListener steps(String model) {
        return new StepMetrics(registry, model);
    }

    /** Meters of a served model. */
    public ModelMetrics model(String model) {
        ModelMetrics metrics = models.get(model);
        if (metrics == null) {
            throw new IllegalArgumentException("no model is served as " + model);
        }
        return metrics;
    }

    /**
     * Which tenants are labels of their own; at start only.
     *
     * @param ids others are counted as one
     */
    public void tenants(List<String> ids) {
        costs = new CostMetrics(registry, Set.copyOf(ids));
    }

    /** Sends some of the metrics to a collector, too; at start only. It is closed with these. */
    public void export(OtlpMetrics collector) {
        otlp = Optional.of(collector);
    }

    /** What a collector gets; empty for none. */
    public Optional<OtlpMetrics> exported() {
        return otlp;
    }

    /** Counts what a request cost that has ended, however it did. */
    public void cost(String tenant, String model, Bill bill) {
        String label = costs.ended(tenant, model, bill);
        otlp.ifPresent(collector -> collector.cost(label, model, bill));
    }

    /** Adds the books. */
    public void books(Bookkeeper books) {
        observed.add(books);
        booked = Optional.of(new BooksMetrics(registry, books));
        budgets = Optional.of(new BudgetMetrics(registry, books, costs.tenants()));
    }

    /**
     * Adds a GPU.
     *
     * @param latest what was last seen of it
     * @param dcgmNames whether also under dcgm-exporter's names
     */
    public void gpu(Supplier<GpuSample> latest, boolean dcgmNames) {
        observed.add(latest);
        GpuMetrics gpu = new GpuMetrics(registry, latest);
        gpu.jetonNames();
        if (dcgmNames) {
            gpu.dcgmNames(HostName.text());
        }
    }

    /** Adds the listener's connections. */
    public void connections(Supplier<ConnectionStats> stats) {
        observed.add(stats);
        gauge(stats, "jeton.connections", "Connections open", ConnectionStats::open);
        gauge(stats, "jeton.connections.bound", "Most connections at once", ConnectionStats::bound);
        gauge(stats, "jeton.body.bytes", "Bytes of bodies held", ConnectionStats::bufferedBytes);
        gauge(stats, "jeton.body.bytes.bound", "Most of them", ConnectionStats::bufferedBound);
        gauge(
                stats,
                "jeton.unsent.bytes",
                "Bytes of answers that wait for clients to read; as many as of bodies",
                ConnectionStats::unsentBytes);
        FunctionCounter.builder("jeton.connections.refused", stats, s -> s.get().refused())
                .description("Connections refused at the bound")
                .register(registry);
        FunctionCounter.builder("jeton.requests.refused", stats, s -> s.get().refusedRequests())
                .description("Requests refused before they were whole: too large, too slow, malformed")
                .register(registry);
    }

    /** Adds the certificate. */
    public void certificate(Supplier<TlsStats> stats) {
        observed.add(stats);
        gauge(
                stats,
                "jeton.tls.certificate.expiry.timestamp.seconds",
                "When the certificate in use expires, seconds since 1970",
                TlsStats::expires);
        FunctionCounter.builder("jeton.tls.renewals", stats, s -> s.get().renewals())
                .description("Times that renewed files of the certificate were taken")
                .register(registry);
        FunctionCounter.builder("jeton.tls.renewals.failed", stats, s -> s.get().failedRenewals())
                .description("Times that changed files of the certificate could not be taken")
                .register(registry);
        FunctionCounter.builder(
                        "jeton.tls.handshakes.failed", stats, s -> s.get().failedHandshakes())
                .description("Connections that ended before they were encrypted")
                .register(registry);
    }

    /** Adds the questions to the ledger. */
    public void questions(Supplier<QuestionStats> stats) {
        observed.add(stats);
        gauge(stats, "jeton.ledger.questions", "Callers who ask the ledger over HTTP", QuestionStats::open);
        gauge(stats, "jeton.ledger.questions.bound", "Most of them at once; more get 503", QuestionStats::bound);
        gauge(stats, "jeton.ledger.questions.waiting", "Questions that wait for a thread", QuestionStats::waiting);
        FunctionCounter.builder(
                        "jeton.ledger.questions.refused", stats, s -> s.get().refused())
                .description("Callers turned away at the bound, or at their tenant's share of it")
                .register(registry);
        FunctionCounter.builder(
                        "jeton.ledger.questions.seconds", stats, s -> s.get().nanos() / NANOS)
                .description("Time that answering them took")
                .register(registry);
    }

    /** Adds the policy and its audit log. */
    public void policy(Supplier<PolicyStats> stats) {
        observed.add(stats);
        gauge(stats, "jeton.policy.version", "Number of the last change of the policy", PolicyStats::version);
        gauge(stats, "jeton.audit.log.bytes", "Bytes of the audit log", PolicyStats::bytes);
        gauge(stats, "jeton.audit.log.bytes.bound", "Most of them; more changes get 503", PolicyStats::bound);
        gauge(stats, "jeton.audit.log.failed", "1 once its disk has failed, until a restart", s -> s.failed() ? 1 : 0);
    }

    /** Adds the answers that are kept to be given again. */
    public void repeats(Supplier<RepeatStats> stats) {
        observed.add(stats);
        gauge(stats, "jeton.idempotency.entries", "Idempotency-Keys that are known", RepeatStats::entries);
        gauge(stats, "jeton.idempotency.entries.bound", "Most of them", RepeatStats::bound);
        gauge(stats, "jeton.idempotency.bytes", "Bytes of the answers kept for them", RepeatStats::bytes);
        gauge(stats, "jeton.idempotency.bytes.bound", "Most of them", RepeatStats::bytesBound);
        FunctionCounter.builder(
                        "jeton.idempotency.replayed", stats, s -> s.get().replayed())
                .description("Answers that were given again")
                .register(registry);
        FunctionCounter.builder("jeton.idempotency.dropped", stats, s -> s.get().dropped())
                .description("Answers that made room for others before their time was over")
                .register(registry);
    }

    /** Adds the responses that are stored. */
    public void responses(Supplier<ResponseStats> stats) {
        observed.add(stats);
        gauge(stats, "jeton.responses.stored", "Responses that are stored", ResponseStats::entries);
        gauge(stats, "jeton.responses.stored.bound", "Most of them", ResponseStats::bound);
        gauge(stats, "jeton.responses.bytes", "Bytes of them and of their inputs", ResponseStats::bytes);
        gauge(stats, "jeton.responses.bytes.bound", "Most of them", ResponseStats::bytesBound);
        counter(
                stats,
                "jeton.responses.dropped",
                "Responses that made room for others before their time was over",
                ResponseStats::dropped);
        counter(stats, "jeton.responses.too.large", "Responses that were too large to store", ResponseStats::tooLarge);
    }

    /** Adds the responses that are made in the background. */
    public void backgrounds(IntSupplier running, int bound) {
        Gauge.builder("jeton.responses.background", running::getAsInt)
                .description("Responses that are made in the background")
                .register(registry);
        Gauge.builder("jeton.responses.background.bound", () -> bound)
                .description("Most of them; more get 429")
                .register(registry);
    }

    /** Adds the files and batches that are kept. */
    public void batches(Supplier<BatchStats> stats) {
        observed.add(stats);
        gauge(stats, "jeton.files", "Files that are kept", BatchStats::files);
        gauge(stats, "jeton.files.bound", "Most of them", BatchStats::filesBound);
        gauge(
                stats,
                "jeton.files.bytes",
                "Bytes of them, of what arrives, and of what batches are writing",
                BatchStats::bytes);
        gauge(stats, "jeton.files.bytes.bound", "Most of them", BatchStats::bytesBound);
        gauge(stats, "jeton.batches.open", "Batches that are not at their end", BatchStats::open);
        gauge(stats, "jeton.batches.open.bound", "Most of them", BatchStats::openBound);
        gauge(stats, "jeton.batch.requests.running", "Requests of batches being answered", BatchStats::running);
        gauge(stats, "jeton.batch.requests.running.bound", "Most of them", BatchStats::runningBound);
        batchRequests(stats, "answered", BatchStats::answered);
        batchRequests(stats, "failed", BatchStats::failed);
    }

    private void batchRequests(Supplier<BatchStats> stats, String outcome, ToDoubleFunction<BatchStats> value) {
        FunctionCounter.builder("jeton.batch.requests", stats, s -> value.applyAsDouble(s.get()))
                .description("Requests of batches by what became of them")
                .tag("outcome", outcome)
                .register(registry);
    }

    /** Adds the grammars that answers follow. */
    public void grammars(Supplier<GrammarStats> stats) {
        observed.add(stats);
        gauge(stats, "jeton.grammar.kept", "Grammars that are kept compiled", GrammarStats::kept);
        gauge(stats, "jeton.grammar.used", "Grammars that requests follow now", GrammarStats::used);
        gauge(stats, "jeton.grammar.bytes", "About the bytes that they take", GrammarStats::bytes);
        gauge(stats, "jeton.grammar.bytes.bound", "Most of them", GrammarStats::bytesBound);
        counter(stats, "jeton.grammar.compiled", "Grammars that were compiled", GrammarStats::compiled);
        counter(stats, "jeton.grammar.refused", "Grammars that could not be", GrammarStats::refused);
        counter(stats, "jeton.grammar.found", "Requests whose grammar was kept", GrammarStats::found);
        FunctionCounter.builder("jeton.grammar.compile", stats, s -> s.get().compileNanos() / 1e9)
                .description("Time that compiling took")
                .baseUnit("seconds")
                .register(registry);
    }

    private <T> void gauge(Supplier<T> stats, String name, String meaning, ToDoubleFunction<T> value) {
        Gauge.builder(name, () -> value.applyAsDouble(stats.get()))
                .description(meaning)
                .register(registry);
    }

    private <T> void counter(Supplier<T> stats, String name, String meaning, ToDoubleFunction<T> value) {
        FunctionCounter.builder(name, stats, s -> value.applyAsDouble(s.get()))
                .description(meaning)
                .register(registry);
    }

    /** Adds the webhooks. */
    public void webhooks(Supplier<WebhookStats> stats) {
        observed.add(stats);
        deliveries(stats, "delivered", WebhookStats::delivered);
        deliveries(stats, "retried", WebhookStats::retried);
        deliveries(stats, "given_up", WebhookStats::givenUp);
        deliveries(stats, "dropped", WebhookStats::dropped);
        Gauge.builder("jeton.webhook.queue", () -> stats.get().queue())
                .description("Events that wait for the receiver of webhooks")
                .register(registry);
        Gauge.builder("jeton.webhook.queue.bound", () -> stats.get().bound())
                .description("Most of them; more are dropped")
                .register(registry);
    }

    private void deliveries(Supplier<WebhookStats> stats, String outcome, ToDoubleFunction<WebhookStats> value) {
        FunctionCounter.builder("jeton.webhook.deliveries", stats, s -> value.applyAsDouble(s.get()))
                .description("Events of webhooks by what became of them; retried: attempts")
                .tag("outcome", outcome)
                .register(registry);
    }

    /** Adds the requests being worked on. */
    public void requests(IntSupplier running, int bound) {
        Gauge.builder("jeton.requests.running", running::getAsInt)
                .description("Requests being worked on")
                .register(registry);
        Gauge.builder("jeton.requests.running.bound", () -> bound)
                .description("Most requests at once; more get 429")
                .register(registry);
    }

    /**
     * A request has ended.
     *
     * @param endpoint one of the server's own names
     * @param model a served model's name, or {@code unknown}
     * @param outcome one of a fixed few
     */
    public void request(String endpoint, String model, String outcome) {
        requests.computeIfAbsent(
                        endpoint + '\n' + model + '\n' + outcome,
                        key -> Counter.builder("jeton.requests")
                                .description("Requests by endpoint, model and outcome")
                                .tag("endpoint", endpoint)
                                .tag("model", model)
                                .tag("outcome", outcome)
                                .register(registry))
                .increment();
    }

    /** Everything in Prometheus' text format. */
    public String scrape() {
        dispatchers.values().forEach(DispatcherMetrics::refresh);
        booked.ifPresent(BooksMetrics::refresh);
        budgets.ifPresent(BudgetMetrics::refresh);
        return registry.scrape();
    }

    @Override
    public void close() {
        otlp.ifPresent(OtlpMetrics::close);
        gc.close();
        registry.close();
    }
}
