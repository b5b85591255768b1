package dev.jeton.server.api;

import dev.jeton.models.Detokenizer;
import dev.jeton.models.Tokenizer;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.scheduler.FinishReason;
import dev.jeton.scheduler.Generation;
import dev.jeton.scheduler.GenerationEvent;
import dev.jeton.server.metrics.ModelMetrics;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * A call's generations (one per prompt) read as its choices: takes tokens, detokenizes, finds stop strings. Used by the
 * call's thread alone, except for {@link #cancel}.
 */
final class Choices implements AutoCloseable {

    private static final int MAX_TAKEN = 128;
    /** So many tokens back a prompt is asked for its last whole one: it may be long, and continued often. */
    private static final int LOOK_BACK = 64;

    private final List<Generation> generations;
    private final List<Choice> choices;
    private final int perPrompt;
    private final int[] maxTokens;
    private final CallBooks books;
    private final EventSource events;
    private final GenerationEvent event = new GenerationEvent();
    private final ModelMetrics metrics;
    private final TokenTimes times;
    private final boolean predicted;
    private Optional<Grammars.Use> grammar;

    /**
     * @param generations one per prompt, already submitted
     * @param ask what was asked for
     * @param books of the call
     * @param startNanos when the request was whole
     * @param grammar what they follow; let go of at the end
     */
    Choices(
            List<Generation> generations,
            ServedModel model,
            Prepared ask,
            CallBooks books,
            ModelMetrics metrics,
            long startNanos,
            Optional<Grammars.Use> grammar) {
        GenerationOptions options = ask.options();
        this.grammar = grammar;
        predicted = ask.prediction().length > 0;
        this.maxTokens = ask.maxTokens().clone();
        this.books = books;
        this.generations = List.copyOf(generations);
        this.metrics = metrics;
        this.perPrompt = options.n();
        this.events = EventSource.of(generations);
        this.choices = new ArrayList<>();
        SamplingParameters sampling = options.sampling();
        List<StopStrings.Stop> stops =
                options.stopStrings().stream().map(StopStrings.Stop::new).toList();
        int count = generations.size() * options.n();
        for (int i = 0; i < count; i++) {
            choices.add(new Choice(
                    i,
                    detokenizer(model.tokenizer(), ask, i / options.n()),
                    new StopStrings(stops),
                    sampling.minTokens(),
                    sampling.logProbabilities() >= 0,
                    ask.reasoning(),
                    ask.tools()));
        }
        this.times = new TokenTimes(metrics, startNanos, count);
    }

    /** Whether the client predicted the answers. */
    boolean predicted() {
        return predicted;
    }

    /**
     * What makes text of a continuation. Where that goes on in the prompt's text, it has seen the prompt's last whole
     * token: the space in front of a word is taken from the beginning of a text only.
     */
    private static Detokenizer detokenizer(Tokenizer tokenizer, Prepared ask, int prompt) {
        Detokenizer detokenizer = tokenizer.detokenizer(ask.options().skipSpecialTokens());
        int[] tokens = ask.prompts().get(prompt);
        int first = ask.continues() ? Math.max(0, tokens.length - LOOK_BACK) : tokens.length;
        for (int i = tokens.length - 1; i >= first; i--) {
            if (!tokenizer.special(tokens[i])
                    && !tokenizer.decode(new int[] {tokens[i]}, true).contains(TokenText.BROKEN)) {
                detokenizer.add(tokens[i]);
                break;
            }
        }
        return detokenizer;
    }

    /** All choices, by index. */
    List<Choice> all() {
        return choices;
    }

    /** The generations, one per prompt. */
    List<Generation> generations() {
        return generations;
    }

    /**
     * Waits for at least one event and takes those that are there, up to a bound: an engine that is faster than this
     * reader must not keep it from writing.
     *
     * @return false once every sequence has ended and nothing was taken
     * @throws ApiException if a sequence failed; the others are cancelled then
     */
    boolean take() throws InterruptedException {
        if (!events.next(event)) {
            letGoOfGrammar();
            return false;
        }
        long now = System.nanoTime();
        int taken = 0;
        do {
            accept(now);
        } while (++taken < MAX_TAKEN && events.poll(event));
        times.taken(now);
        return true;
    }

    private void accept(long now) {
        int generation = events.generation();
        int index = generation * perPrompt + event.sequence;
        Choice choice = choices.get(index);
        if (event.finished) {
            finish(choice);
        } else {
            times.token(index, now);
            if (choice.take(event)) {
                generations.get(generation).stop(event.sequence);
            }
        }
    }

    private void finish(Choice choice) {
        FinishReason reason = event.reason;
        switch (reason) {
            case STOP -> choice.end("stop");
            case LENGTH -> {
                choice.end("length");
                explain(choice);
            }
            case CANCELLED, STALLED, DEADLINE, SHUTDOWN, ERROR -> fail(failure(reason, event.message));
        }
    }

    /** What a call comes to whose sequence ended before its time. */
    static RuntimeException failure(FinishReason reason, String message) {
        return switch (reason) {
            case CANCELLED -> new ClientGoneException(Outcome.CANCELLED, "the request was cancelled");
            case STALLED -> new ClientGoneException(Outcome.STALLED, "the stream was not read");
            case DEADLINE ->
                new ApiException(
                        504,
                        "server_error",
                        "",
                        "deadline_exceeded",
                        "The request took longer than this server lets one (limits.request-timeout); ask for fewer"
                                + " tokens, or try again when there is less to do");
            case SHUTDOWN -> ApiException.unavailable("shutdown", "The server is shutting down");
            case STOP, LENGTH, ERROR -> ApiException.internal("The engine failed: " + message);
        };
    }

    /** Where it is not its own length that it has reached, it is a budget's. */
    private void explain(Choice choice) {
        if (choice.tokens() < maxTokens[choice.index() / perPrompt]
                && choice.finishReason().equals("length")) {
            books.stoppedBy()
                    .map(FinishDetail::stopped)
                    .or(() -> books.shortenedBy().map(FinishDetail::shortened))
                    .ifPresent(choice::explain);
        }
    }

    /** Why a choice ended before the tokens that it might have had; of the first that did. */
    Optional<FinishDetail> detail() {
        return choices.stream().flatMap(choice -> choice.detail().stream()).findFirst();
    }

    private void fail(RuntimeException cause) {
        cancel();
        throw cause;
    }

    /** Tokens of all choices of which all text was written, at least. */
    long written() {
        long sum = 0;
        for (Choice choice : choices) {
            sum += choice.written();
        }
        return sum;
    }

    /** Tokens of all choices that were thinking; empty where it is not known what is. */
    OptionalInt reasoningTokens() {
        OptionalInt sum = OptionalInt.empty();
        for (Choice choice : choices) {
            if (choice.reasoningTokens().isPresent()) {
                sum = OptionalInt.of(sum.orElse(0) + choice.reasoningTokens().getAsInt());
            }
        }
        return sum;
    }

    /** Ends all sequences within a step; any thread. */
    void cancel() {
        generations.forEach(Generation::cancel);
    }

    /** What was used so far. */
    UsageTotals usage() {
        return UsageTotals.of(generations.stream().map(Generation::usage).toList());
    }

    /** Lets go of the generations; what still runs is cancelled. */
    @Override
    public void close() {
        for (Generation generation : generations) {
            if (!generation.done()) {
                generation.cancel();
            }
        }
        for (Choice choice : choices) {
            metrics.finished(choice.finishReason());
            choice.reasoningTokens().ifPresent(metrics::reasoning);
            choice.calls().ifPresent(calls -> metrics.toolCalls(calls.ended()));
        }
        events.close();
        times.flush();
        letGoOfGrammar();
    }

    /** Before the answer's end is sent where it is all there: whoever has that may ask for another grammar at once. */
    private void letGoOfGrammar() {
        grammar.ifPresent(Grammars.Use::close);
        grammar = Optional.empty();
    }
}
