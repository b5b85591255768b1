package dev.jeton.server.api;

import dev.jeton.accounting.Bookkeeper;
import dev.jeton.accounting.BudgetRefusal;
import dev.jeton.accounting.Payer;
import dev.jeton.accounting.TaskException;
import dev.jeton.scheduler.RejectedException;
import dev.jeton.server.api.Endpoint.Guard;
import dev.jeton.server.api.PlainEndpoint.Answer;
import dev.jeton.server.batch.Batch;
import dev.jeton.server.batch.BatchLine;
import dev.jeton.server.batch.BatchOwner;
import dev.jeton.server.batch.BatchRefusal;
import dev.jeton.server.batch.BatchReply;
import dev.jeton.server.batch.Batches;
import dev.jeton.server.config.Configuration;
import dev.jeton.server.config.Tenant;
import dev.jeton.server.http.Exchange;
import dev.jeton.server.http.Form;
import dev.jeton.server.http.InnerExchange;
import dev.jeton.server.http.RequestHandler;
import dev.jeton.server.http.UnfinishedBodyException;
import dev.jeton.server.json.JsonException;
import dev.jeton.server.json.JsonWriter;
import dev.jeton.server.metrics.ServerMetrics;
import dev.jeton.server.tracing.Tracing;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.MDC;

/**
 * The HTTP API: finds a request's endpoint, keeps the guards (keys, draining, room), turns every failure into an
 * answer, and writes one access line and one metric per request.
 */
public final class Api implements RequestHandler, AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(Api.class);
    private static final Logger ACCESS = LoggerFactory.getLogger("dev.jeton.access");

    private static final Tracing UNTRACED = Tracing.off();
    private static final Endpoint NONE = json("none", () -> new Answer(404, new byte[0]));

    private final Routes routes = new Routes();
    private final ServedModels models;
    private final ApiKeys keys;
    private final CrossOrigin origins;
    private final WebPages pages;
    private final ServerMetrics metrics;
    private final Admission admission;
    private final Tracing tracing;
    private final LedgerDesk desk;
    private final Optional<Bookkeeper> books;
    private final Repeats repeats;
    private final Optional<Batches> batches;
    private final long mostFile;

    /**
     * @param books where requests are booked; empty keeps none
     * @param version as {@code /version} tells it
     */
    public Api(
            Configuration configuration,
            ServedModels models,
            ServerMetrics metrics,
            Tracing tracing,
            Optional<Bookkeeper> books,
            String version) {
        this.tracing = tracing;
        this.models = models;
        this.keys = new ApiKeys(
                configuration.server().apiKeys(),
                configuration.tenants(),
                () -> TimeUnit.MILLISECONDS.toMicros(System.currentTimeMillis()));
        this.origins = new CrossOrigin(configuration.server().allowedOrigins());
        this.pages = new WebPages(configuration.server(), origins);
        this.metrics = metrics;
        this.admission = new Admission(configuration.server().maxRequests());
        TokenizerGate gate = new TokenizerGate(Runtime.getRuntime().availableProcessors() / 2);
        PromptTokens promptTokens = new PromptTokens(gate);
        OutputLengths lengths = new OutputLengths();
        Grammars grammars = new Grammars(
                Math.max(1, Runtime.getRuntime().availableProcessors() / 4),
                configuration.limits().grammarMemory(),
                System::nanoTime);
        Generator generator = new Generator(
                models,
                metrics,
                grammars,
                books,
                lengths,
                configuration.stream().stallTimeout(),
                configuration.limits().requestTimeout());
        var limits = configuration.limits();
        this.books = books;
        Ladder ladder = new Ladder(models, this::now);
        ModelsEndpoint listing = new ModelsEndpoint(models);
        desk = new LedgerDesk(books, configuration.books());
        repeats = new Repeats(configuration.idempotency(), System::nanoTime);
        batches = Batches.of(configuration.batches(), configuration.http().maxBody(), this::answer);
        mostFile = configuration.batches().maxFile();
        TaskDesk tasks = new TaskDesk(books);
        var completions = new CompletionEndpoint(models, promptTokens, generator, ladder, limits);
        var chat = new ChatEndpoint(models, promptTokens, generator, ladder, limits);
        routes.add("/v1/completions", completions);
        routes.add("/v1/chat/completions", chat);
        ResponseStore store = new ResponseStore(configuration.responses(), System::nanoTime);
        Backgrounds backgrounds = new Backgrounds(
                configuration.responses().maxBackground(),
                configuration.responses().maxBytes(),
                configuration.stream().stallTimeout(),
                (exchange, endpoint) -> handle(exchange, Origin.of(endpoint)));
        var responses = new ResponsesEndpoint(models, promptTokens, generator, ladder, limits, store, backgrounds);
        ResponseDesk stored = new ResponseDesk(store, backgrounds);
        routes.add(ResponsesEndpoint.PATH, responses);
        routes.add(InputTokensEndpoint.PATH, new InputTokensEndpoint(models, responses));
        routes.add(ResponseDesk.BELOW + "{id}", new ResponseEndpoint(stored));
        routes.add(ResponseDesk.BELOW + "{id}", new DeleteResponseEndpoint(stored));
        routes.add(ResponseDesk.BELOW + "{id}" + CancelResponseEndpoint.END, new CancelResponseEndpoint(stored));
        routes.add(ResponseDesk.BELOW + "{id}" + InputItemsEndpoint.END, new InputItemsEndpoint(stored));
        var messages = new MessagesEndpoint(models, promptTokens, generator, ladder, limits);
        routes.add(MessagesEndpoint.PATH, messages);
        routes.add(CountTokensEndpoint.PATH, new CountTokensEndpoint(models, messages));
        Texts texts = new Texts(promptTokens, limits.maxInputs());
        routes.add("/v1/embeddings", new EmbeddingsEndpoint(models, texts, generator, ladder));
        routes.add("/v1/rerank", new RerankEndpoint(models, texts, generator, ladder));
        routes.add("/v1/classify", new ClassifyEndpoint(models, texts, generator, ladder));
        routes.add("/v1/estimate", new EstimateEndpoint(models, chat, responses, completions, books, lengths));
        routes.add("/v1/budgets", new BudgetsEndpoint(books));
        routes.add(ModelsEndpoint.PATH, listing);
        routes.add(ModelsEndpoint.PATH + "/{model}", listing);
        routes.add("/v1/books/report", new ReportEndpoint(desk));
        routes.add("/v1/books/requests", new RequestsEndpoint(desk));
        routes.add(RequestEndpoint.BELOW + "{id}", new RequestEndpoint(desk));
        routes.add(
                "/v1/books/export/focus",
                new FocusEndpoint(desk, configuration.stream().stallTimeout()));
        routes.add(OpenTaskEndpoint.PATH, new OpenTaskEndpoint(tasks));
        routes.add(OpenTaskEndpoint.PATH, new TasksEndpoint(desk));
        routes.add(TaskEndpoint.BELOW + "{id}", new TaskEndpoint(desk, tasks));
        routes.add(TaskEndpoint.BELOW + "{id}" + StepEndpoint.END, new StepEndpoint(tasks));
        routes.add(TaskEndpoint.BELOW + "{id}" + OutcomeEndpoint.END, new OutcomeEndpoint(tasks));
        BatchRoutes.add(routes, new BatchDesk(batches), configuration);
        routes.add("/tokenize", new TokenizeEndpoint(models, promptTokens, limits));
        routes.add("/detokenize", new DetokenizeEndpoint(models, gate));
        routes.add("/version", json("version", () -> new Answer(200, field("version", version))));
        routes.add("/health", json("health", () -> new Answer(200, field("status", "live"))));
        routes.add("/health/live", json("health", this::liveness));
        routes.add("/health/ready", json("health", this::readiness));
        routes.add(
                "/metrics",
                new PlainEndpoint(
                        "metrics",
                        "text/plain; version=0.0.4; charset=utf-8",
                        () -> new Answer(200, metrics.scrape().getBytes(StandardCharsets.UTF_8))));
        metrics.requests(admission::running, configuration.server().maxRequests());
        metrics.questions(desk::stats);
        metrics.repeats(repeats::stats);
        metrics.responses(store::stats);
        metrics.backgrounds(backgrounds::count, configuration.responses().maxBackground());
        metrics.grammars(grammars::stats);
        batches.ifPresent(kept -> metrics.batches(kept::stats));
    }

    /** The books' time, microseconds since 1970. */
    private long now() {
        return books.map(open -> open.clock().micros()).orElse(0L);
    }

    private static PlainEndpoint json(String name, Supplier<Answer> answer) {
        return new PlainEndpoint(name, "application/json", answer);
    }

    private static byte[] field(String name, String value) {
        return new JsonWriter()
                .beginObject()
                .name(name)
                .value(value)
                .endObject()
                .toBytes();
    }

    /** An engine that has failed stays so until the process is started anew, which who asks this can do. */
    private Answer liveness() {
        return admission.draining() || up() ? new Answer(200, field("status", "live")) : engineDown();
    }

    private Answer readiness() {
        if (admission.draining()) {
            return new Answer(503, field("status", "draining"));
        }
        return up() ? new Answer(200, field("status", "ready")) : engineDown();
    }

    private boolean up() {
        return models.all().stream().allMatch(model -> model.dispatcher().up());
    }

    private static Answer engineDown() {
        return new Answer(503, field("status", "engine_down"));
    }

    /** What it answers. */
    public List<Route> routes() {
        return routes.all();
    }

    /** Accepts these tenants' keys from now on, and no call without a key. */
    public void tenants(List<Tenant> tenants) {
        keys.replace(tenants);
    }

    /** Works on batches from now on. */
    public void start() {
        batches.ifPresent(Batches::start);
    }

    /** Refuses work from now on, and asks for none of batches. */
    public void drain() {
        batches.ifPresent(Batches::stop);
        admission.drain();
    }

    /**
     * Waits until no work is running.
     *
     * @return false if {@code timeout} passed before
     */
    public boolean awaitIdle(Duration timeout) throws InterruptedException {
        return admission.awaitIdle(timeout.toNanos());
    }

    /** Ends the work on batches, and the questions to the ledger, which may then be closed. */
    @Override
    public void close() {
        batches.ifPresent(Batches::close);
        desk.close();
    }

    /** A file is too large to be held whole. */
    @Override
    public long mostArriving(String method, String path) {
        if (batches.isEmpty() || !method.equals("POST")) {
            return 0;
        }
        return switch (path) {
            case BatchDesk.FILES -> mostFile + Form.FRAME;
            case MessageBatches.PATH -> mostFile;
            default -> 0;
        };
    }

    @Override
    public byte[] refusal(int status, String path, String message) {
        metrics.request("none", "unknown", Outcome.of(status).label());
        JsonWriter out = new JsonWriter();
        ApiStyle.of(path).write(out, ApiException.refusal(status, message), "");
        return out.toBytes();
    }

    @Override
    public Map<String, String> refusalHeaders(Function<String, Optional<String>> request) {
        return origins.headers(request.apply(CrossOrigin.ORIGIN));
    }

    @Override
    public void handle(Exchange exchange) throws InterruptedException {
        handle(exchange, Origin.CONNECTION);
    }

    /** Answers a request of a batch. */
    private BatchReply answer(BatchLine line, Batch batch) throws InterruptedException {
        InnerExchange exchange = InnerRequests.of(line, batch);
        handle(exchange, Origin.of(batch.owner()));
        return BatchReply.of(exchange.status(), exchange::answerHeader, exchange.answer());
    }

    /**
     * Where a request comes from.
     *
     * @param owner of the batch that it is of
     * @param endpoint that the server asks itself
     */
    private record Origin(Optional<BatchOwner> owner, Optional<Endpoint> endpoint) {

        static final Origin CONNECTION = new Origin(Optional.empty(), Optional.empty());

        static Origin of(BatchOwner owner) {
            return new Origin(Optional.of(owner), Optional.empty());
        }

        static Origin of(Endpoint endpoint) {
            return new Origin(Optional.empty(), Optional.of(endpoint));
        }
    }

    private void handle(Exchange exchange, Origin origin) throws InterruptedException {
        Call call = begin(exchange);
        Endpoint endpoint = NONE;
        Outcome outcome = Outcome.SERVER_ERROR;
        MDC.put("request", call.id());
        try {
            endpoint = origin.endpoint().or(() -> origins.preflight(exchange)).orElseGet(() -> route(exchange));
            outcome = guarded(endpoint, call, origin);
        } catch (ApiException e) {
            outcome = fail(call, e);
        } finally {
            // Whatever broke off between submitting and answering: an open request would hold the journal for ever.
            call.books().refuse();
            metrics.request(endpoint.name(), call.model(), outcome.label());
            CallTelemetry.end(metrics, call, endpoint, outcome);
            logAccess(call, outcome);
            MDC.remove("request");
        }
    }

    /** Probes and scrapes are not traced. */
    private Call begin(Exchange exchange) {
        long now = System.nanoTime();
        boolean traced = exchange.path().startsWith("/v1/");
        return new Call(
                exchange,
                RequestIds.of(exchange.header("x-request-id")),
                now,
                (traced ? tracing : UNTRACED).begin(exchange::header, now),
                origins.headers(exchange.header(CrossOrigin.ORIGIN)));
    }

    private Endpoint route(Exchange exchange) {
        String path = exchange.path();
        List<Endpoint> endpoints = routes.of(path);
        if (endpoints.isEmpty()) {
            throw new ApiException(
                    404,
                    ApiException.INVALID_REQUEST,
                    "",
                    "unknown_url",
                    "Unknown request URL: %s %s".formatted(exchange.method(), ApiException.shown(path)));
        }
        String method = exchange.method().equals("HEAD") ? "GET" : exchange.method();
        return endpoints.stream()
                .filter(endpoint -> endpoint.method().equals(method))
                .findFirst()
                .orElseThrow(() -> ApiException.wrongMethod(
                        path,
                        exchange.method(),
                        endpoints.stream().map(Endpoint::method).toList()));
    }

    private Outcome guarded(Endpoint endpoint, Call call, Origin origin) throws InterruptedException {
        if (!keys.asked() && origin.equals(Origin.CONNECTION)) {
            pages.refuse(call.exchange());
        }
        if (endpoint.guard() != Guard.OPEN) {
            call.calledBy(origin.owner()
                    .map(of -> keys.caller(new Payer(of.tenant(), of.project(), of.key())))
                    .orElseGet(() -> call.style().caller(keys, call.exchange())));
            requireScope(endpoint.guard(), call.caller());
        }
        boolean work = endpoint.guard() == Guard.WORK;
        if (work) {
            call.labelled(Labels.of(call.exchange().header(Labels.HEADER)));
        }
        if (work) {
            admission.enter(call.caller());
        }
        try {
            return endpoint.repeatable()
                            && call.exchange().header(Repeats.HEADER).isPresent()
                    ? repeats.answered(call, () -> answered(endpoint, call))
                    : answered(endpoint, call);
        } finally {
            if (work) {
                admission.leave(call.caller());
            }
        }
    }

    private static void requireScope(Guard guard, Caller caller) {
        boolean may = switch (guard) {
            case OPEN, KEYED -> true;
            case BOOKS -> caller.scope().books();
            case TASKS, WORK -> caller.scope().work();
        };
        if (!may) {
            throw new ApiException(
                    403,
                    "permission_error",
                    "",
                    "key_scope",
                    "The API key '%s' has the scope %s, which this is not part of"
                            .formatted(caller.payer().key(), caller.scope().text()));
        }
    }

    private Outcome answered(Endpoint endpoint, Call call) throws InterruptedException {
        try {
            endpoint.handle(call);
            return Outcome.OK;
        } catch (ApiException e) {
            return fail(call, e);
        } catch (JsonException e) {
            return fail(call, ApiException.of(e));
        } catch (RejectedException e) {
            return fail(call, ApiException.of(e));
        } catch (BudgetRefusal e) {
            return fail(call, BudgetAnswers.refusal(e, now()));
        } catch (TaskException e) {
            return fail(call, ApiException.of(e));
        } catch (BatchRefusal e) {
            return fail(call, BatchDesk.refused(e));
        } catch (UnfinishedBodyException e) {
            return e.status() == 0
                    ? Outcome.CANCELLED
                    : fail(call, ApiException.refusal(e.status(), String.valueOf(e.getMessage())));
        } catch (ClientGoneException e) {
            LOG.debug("request ended early: {}", e.getMessage());
            return e.outcome();
        } catch (RuntimeException | StackOverflowError | OutOfMemoryError e) {
            // One request's failure is told to its client and to the log, and stays one request's.
            LOG.error("request failed", e);
            return fail(call, ApiException.internal("The server failed on this request; its log says why"));
        }
    }

    private static Outcome fail(Call call, ApiException error) {
        if (!call.exchange().begun()) {
            call.answer(error);
        }
        return Outcome.of(error.status());
    }

    private static void logAccess(Call call, Outcome outcome) {
        if (!ACCESS.isInfoEnabled()) {
            return;
        }
        var line = ACCESS.atInfo()
                .addKeyValue("method", call.exchange().method())
                .addKeyValue("path", ApiException.shown(call.exchange().path()))
                .addKeyValue("status", call.status())
                .addKeyValue("outcome", outcome.label())
                .addKeyValue("model", call.model())
                .addKeyValue("ms", (System.nanoTime() - call.startNanos()) / 1_000_000);
        call.usage()
                .map(usage -> line.addKeyValue("prompt_tokens", usage.promptTokens())
                        .addKeyValue("cached_tokens", usage.cachedTokens())
                        .addKeyValue("completion_tokens", usage.completionTokens()))
                .orElse(line)
                .log("request");
    }
}
