package dev.jeton.server.api;

import dev.jeton.accounting.Bill;
import dev.jeton.accounting.Bookkeeper;
import dev.jeton.accounting.BudgetRefusal;
import dev.jeton.accounting.BudgetView;
import dev.jeton.accounting.Fact;
import dev.jeton.models.engine.Capability;
import dev.jeton.models.engine.EngineInfo;
import dev.jeton.models.reasoning.ReasoningFormat.Opening;
import dev.jeton.scheduler.Generation;
import dev.jeton.scheduler.GenerationRequest;
import dev.jeton.scheduler.RejectedException;
import dev.jeton.server.json.JsonWriter;
import dev.jeton.server.metrics.ModelMetrics;
import dev.jeton.server.metrics.ServerMetrics;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/** From token ids to the answer: submits to the dispatcher, then streams or gathers. What both APIs share. */
final class Generator {

    /** The first status that says that it is the server's fault. */
    private static final int SERVER_ERRORS = 500;

    private final ServedModels models;
    private final ServerMetrics metrics;
    private final Grammars grammars;
    private final Optional<Bookkeeper> keeper;
    private final OutputLengths lengths;
    private final Duration stallTimeout;
    private final Duration requestTimeout;

    /**
     * @param models where an adapter is found that has come in another's place
     * @param grammars compiles what answers must be
     * @param keeper where requests are booked; empty keeps no books
     * @param lengths takes note of how long answers are
     * @param stallTimeout how long a client may leave its stream unread
     * @param requestTimeout how long a request may take from its arrival to its end; zero for no bound
     */
    Generator(
            ServedModels models,
            ServerMetrics metrics,
            Grammars grammars,
            Optional<Bookkeeper> keeper,
            OutputLengths lengths,
            Duration stallTimeout,
            Duration requestTimeout) {
        this.models = models;
        this.lengths = lengths;
        this.metrics = metrics;
        this.grammars = grammars;
        this.keeper = keeper;
        this.stallTimeout = stallTimeout;
        this.requestTimeout = requestTimeout;
    }

    /**
     * Submits every prompt.
     *
     * @param promptScores whether log-probabilities of the prompts' tokens are wanted
     * @throws BudgetRefusal where a budget does not pay for it; nothing was submitted then
     */
    Choices submit(Call call, ServedModel model, Prepared ask, boolean promptScores) throws InterruptedException {
        checkCapabilities(model, ask.options(), promptScores);
        Optional<Grammars.Use> grammar = grammar(model, ask);
        boolean submitted = false;
        try {
            open(call, model, ask);
            Choices choices = new Choices(
                    submit(call, model, ask, promptScores, grammar),
                    model,
                    ask,
                    call.books(),
                    metrics.model(model.name()),
                    call.startNanos(),
                    grammar);
            submitted = true;
            call.exchange().onHangUp(choices::cancel);
            return choices;
        } finally {
            if (!submitted) {
                grammar.ifPresent(Grammars.Use::close);
            }
        }
    }

    private List<Generation> submit(
            Call call, ServedModel model, Prepared ask, boolean promptScores, Optional<Grammars.Use> grammar) {
        ServedModel through = model;
        while (true) {
            List<Generation> generations = new ArrayList<>();
            try {
                for (int i = 0; i < ask.prompts().size(); i++) {
                    GenerationRequest request = request(call, ask, i, promptScores)
                            .through(through.adapterNumber())
                            .predicting(ask.prediction());
                    generations.add(through.dispatcher()
                            .submit(grammar.map(use -> request.guided(use.grammar()))
                                    .orElse(request)));
                }
                return generations;
            } catch (RuntimeException e) {
                generations.forEach(Generation::cancel);
                Optional<ServedModel> next = replacement(through, e);
                if (next.isEmpty()) {
                    call.books().refuse();
                    throw e;
                }
                through = next.get();
            }
        }
    }

    /**
     * What is served by now in place of an adapter that left while its request was prepared: on the same engine, where
     * the prompt is the same.
     */
    private Optional<ServedModel> replacement(ServedModel left, RuntimeException e) {
        return e instanceof RejectedException refused && refused.reason() == RejectedException.Reason.ADAPTER_GONE
                ? models.find(left.name())
                        .filter(now ->
                                now.dispatcher() == left.dispatcher() && now.adapterNumber() != left.adapterNumber())
                : Optional.empty();
    }

    private Optional<Grammars.Use> grammar(ServedModel model, Prepared ask) throws InterruptedException {
        Optional<ReasoningUse> thinking = ask.reasoning().filter(ReasoningUse::mayThink);
        boolean continues = ask.continues() || thinking.isPresent();
        Optional<Guidance> guidance = ask.options().guidance();
        if (thinking.isEmpty()) {
            return answer(model, guidance, continues);
        }
        if (!thinking.get().channels()) {
            return grammars.afterThinking(answer(model, guidance, continues), thinking.get(), model, stops(ask));
        }
        Optional<Guidance> within = guidance.filter(by -> thinking.get().place().opening() == Opening.ANSWERING)
                .flatMap(Guidance::withinAnswer);
        if (within.isPresent()) {
            return answer(model, within, continues);
        }
        Optional<Guidance> message = guidance.map(Guidance::inChannels);
        Optional<Grammars.Use> header = answer(model, message, continues);
        Optional<Grammars.Use> behind;
        try {
            behind = answer(model, message.flatMap(Guidance::behind), continues);
        } catch (InterruptedException | RuntimeException e) {
            header.ifPresent(Grammars.Use::close);
            throw e;
        }
        return grammars.inChannels(header, behind, thinking.get(), model, stops(ask));
    }

    private static int[] stops(Prepared ask) {
        return ask.options().stopTokens();
    }

    /** Calls in a free answer are not held to schemas by a model that cannot be, nor unasked to one that nobody can. */
    private Optional<Grammars.Use> answer(ServedModel model, Optional<Guidance> guidance, boolean continues)
            throws InterruptedException {
        if (guidance.isEmpty()) {
            return Optional.empty();
        }
        try {
            return Optional.of(grammars.of(guidance.get(), model, continues));
        } catch (ApiException e) {
            boolean passed = switch (guidance.get().hold()) {
                case ANSWER -> false;
                case CALLS -> e.unsupported();
                case CALLS_UNASKED -> e.status() < SERVER_ERRORS;
            };
            if (passed) {
                return Optional.empty();
            }
            throw e;
        }
    }

    private void open(Call call, ServedModel model, Prepared ask) throws InterruptedException {
        if (keeper.isPresent()) {
            call.keep(CallBooks.open(keeper.get(), call, model, ask));
        }
        if (!ask.pooled()) {
            call.asks(ask.options());
        }
    }

    private static String id(Call call, Prepared ask, int prompt) {
        return ask.prompts().size() == 1 ? call.id() : call.id() + "-" + prompt;
    }

    /** By when it must have ended, on the scheduler's clock. */
    private long deadline(Call call) {
        return requestTimeout.isZero() ? Long.MAX_VALUE : call.startNanos() + requestTimeout.toNanos();
    }

    private GenerationRequest request(Call call, Prepared ask, int prompt, boolean promptScores) {
        GenerationOptions options = ask.options();
        return new GenerationRequest(
                id(call, ask, prompt),
                ask.prompts().get(prompt),
                options.n(),
                ask.maxTokens()[prompt],
                options.sampling(),
                options.stopTokens(),
                promptScores,
                options.servedAs().priority(),
                deadline(call),
                call.caller().salt(),
                call.books().allowance());
    }

    private static void checkCapabilities(ServedModel model, GenerationOptions options, boolean promptScores) {
        EngineInfo engine = model.dispatcher().engine();
        if (options.sampling().logProbabilities() >= 0 && !engine.supports(Capability.LOG_PROBABILITIES)) {
            throw ApiException.unsupported(
                    "logprobs", "the engine '%s' gives no log-probabilities".formatted(engine.name()));
        }
        if (promptScores && !engine.supports(Capability.PROMPT_LOG_PROBABILITIES)) {
            throw ApiException.unsupported(
                    "echo", "the engine '%s' gives no log-probabilities of the prompt".formatted(engine.name()));
        }
    }

    /** Answers as the request asked: streamed or whole. */
    void answer(Call call, ServedModel model, GenerationOptions options, Choices choices, AnswerFormat format)
            throws InterruptedException {
        Fact.Outcome outcome = Fact.Outcome.FAILED;
        boolean ours = true;
        try {
            if (options.stream()) {
                stream(call, choices, format);
            } else {
                gather(call, choices, format);
            }
            outcome = Fact.Outcome.COMPLETED;
            ours = false;
        } catch (ApiException e) {
            outcome = outcome(e);
            ours = e.status() >= SERVER_ERRORS;
            throw e;
        } catch (ClientGoneException e) {
            outcome = Fact.Outcome.CANCELLED;
            ours = false;
            throw e;
        } finally {
            UsageTotals usage = choices.usage();
            call.finished(choices.all().stream().map(Choice::finishReason).toList());
            lengths.ended(
                    call.caller().payer().tenant(),
                    model.name(),
                    usage.completionTokens(),
                    choices.all().size());
            ended(call, model, usage, outcome, ours);
        }
    }

    /**
     * Books and counts what a call has used, however it ended. Tokens that the server kept for itself, because it
     * failed or stopped before any of the answer was sent, are owed by nobody.
     *
     * @param ours whether it is the server's doing that it ended
     */
    private void ended(Call call, ServedModel model, UsageTotals usage, Fact.Outcome outcome, boolean ours) {
        UsageTotals owed = ours && call.exchange().bytesWritten() == 0 ? usage.withoutTokens() : usage;
        call.used(usage);
        call.books().close(call, owed, outcome, call.exchange().bytesWritten());
        record(metrics.model(model.name()), usage);
        // What was given up costs, too, and was never told what.
        call.bill().or(() -> call.books().bill(owed)).ifPresent(bill -> {
            call.costs(Optional.of(bill));
            metrics.cost(call.caller().payer().tenant(), model.name(), bill);
        });
    }

    /**
     * Answers with the prompts' vectors.
     *
     * @throws BudgetRefusal where a budget does not pay for it; nothing was submitted then
     */
    void vectors(Call call, ServedModel model, Prepared ask, VectorFormat format) throws InterruptedException {
        open(call, model, ask);
        VectorRun run = new VectorRun(
                ask.prompts(),
                model.dispatcher(),
                (prompt, i) -> GenerationRequest.pooled(
                        id(call, ask, i),
                        prompt,
                        ask.options().servedAs().priority(),
                        deadline(call),
                        call.caller().salt(),
                        call.books().allowance()),
                () -> call.books()
                        .stoppedBy()
                        .map(BudgetAnswers::stopped)
                        .orElseGet(() -> ApiException.internal("The engine gave no vector")));
        call.exchange().onHangUp(run::cancel);
        Fact.Outcome outcome = Fact.Outcome.FAILED;
        boolean ours = true;
        try {
            List<float[]> vectors = run.vectors();
            UsageTotals usage = run.usage();
            JsonWriter out = call.writer();
            format.write(out, vectors, priced(call, usage, false, OptionalInt.empty(), Optional.empty()));
            call.books().closeDurably(call, usage, out.size());
            call.answer(out);
            outcome = Fact.Outcome.COMPLETED;
            ours = false;
        } catch (ApiException e) {
            outcome = outcome(e);
            ours = e.status() >= SERVER_ERRORS;
            throw e;
        } catch (ClientGoneException e) {
            outcome = Fact.Outcome.CANCELLED;
            ours = false;
            throw e;
        } finally {
            run.cancel();
            if (run.submitted()) {
                ended(call, model, run.usage(), outcome, ours);
            } else {
                call.books().refuse();
            }
        }
    }

    private static Fact.Outcome outcome(ApiException e) {
        return switch (e.status()) {
            case 408, 429, 503, 504 -> Fact.Outcome.STOPPED;
            default -> Fact.Outcome.FAILED;
        };
    }

    private static void record(ModelMetrics model, UsageTotals usage) {
        model.tokens(usage.promptTokens(), usage.cachedTokens(), usage.completionTokens(), usage.overrunTokens());
        model.times(usage.queueNanos(), usage.prefillNanos(), usage.decodeNanos(), usage.totalNanos());
    }

    private static void gather(Call call, Choices choices, AnswerFormat format) throws InterruptedException {
        while (choices.take()) {
            // Everything is kept in the choices until the last of them has ended.
        }
        UsageTotals usage = choices.usage();
        JsonWriter out = call.writer();
        format.whole(out, choices.all(), priced(call, usage, choices));
        call.books().closeDurably(call, usage, out.size());
        format.booked();
        call.answer(out);
    }

    private void stream(Call call, Choices choices, AnswerFormat format) throws InterruptedException {
        JsonWriter out = call.writer();
        try {
            while (choices.take()) {
                if (call.exchange().sent()) {
                    call.books().confirm(choices.written());
                }
                for (Choice choice : choices.all()) {
                    if (choice.hasNews()) {
                        format.chunk(out, choice, () -> priced(call, choices.usage(), choices));
                        choice.markWritten();
                    }
                }
                send(call, out, choices);
            }
        } catch (ApiException e) {
            if (!call.exchange().begun()) {
                throw e;
            }
            // The status is out already: the error is the stream's last event.
            call.exchange().fail();
            format.failed(out.clear(), e);
            call.exchange().end(out.toBytes());
            throw e;
        }
        // Or the books would say of a stream that is cut off now that it was delivered whole.
        if (!call.exchange().awaitSent(stallTimeout.toNanos())) {
            throw call.gone(stallTimeout);
        }
        UsageTotals usage = choices.usage();
        format.end(out, priced(call, usage, choices));
        call.books().closeDurably(call, usage, call.exchange().bytesWritten() + out.size());
        format.booked();
        begin(call);
        call.exchange().end(out.toBytes());
    }

    private static Usage priced(Call call, UsageTotals usage, Choices choices) {
        return priced(call, usage, choices.predicted(), choices.reasoningTokens(), choices.detail());
    }

    private static Usage priced(
            Call call, UsageTotals usage, boolean predicted, OptionalInt reasoning, Optional<FinishDetail> detail) {
        Optional<Bill> bill = call.books().bill(usage);
        call.costs(bill);
        List<BudgetView> budgets = BudgetAnswers.readable(call.books().budgetsAfter(usage), call.caller());
        call.leaves(budgets);
        return new Usage(
                usage,
                predicted,
                reasoning,
                bill,
                detail,
                budgets,
                call.caller().operator(),
                call.tags().task());
    }

    /** Sends what was written in one go, once the client has read enough of what went before. */
    private void send(Call call, JsonWriter out, Choices choices) throws InterruptedException {
        if (out.size() == 0) {
            return;
        }
        if (!call.exchange().awaitWritable(stallTimeout.toNanos())) {
            choices.cancel();
            throw call.gone(stallTimeout);
        }
        begin(call);
        call.exchange().write(out.toBytes());
        out.clear();
    }

    private static void begin(Call call) {
        if (!call.exchange().begun()) {
            call.beginEvents();
        }
    }
}
