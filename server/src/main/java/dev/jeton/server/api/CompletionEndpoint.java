package dev.jeton.server.api;

import dev.jeton.models.Detokenizer;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.scheduler.Generation;
import dev.jeton.scheduler.PromptLogProbabilities;
import dev.jeton.server.api.Prompts.Prompt;
import dev.jeton.server.api.Prompts.TextPrompt;
import dev.jeton.server.api.Prompts.TokenPrompt;
import dev.jeton.server.config.Configuration.LimitSettings;
import dev.jeton.server.json.JsonObject;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;

/** {@code POST /v1/completions}. */
final class CompletionEndpoint implements WorkEndpoint {

    private final ServedModels models;
    private final PromptTokens promptTokens;
    private final Generator generator;
    private final Ladder ladder;
    private final LimitSettings limits;

    CompletionEndpoint(
            ServedModels models, PromptTokens promptTokens, Generator generator, Ladder ladder, LimitSettings limits) {
        this.models = models;
        this.ladder = ladder;
        this.promptTokens = promptTokens;
        this.generator = generator;
        this.limits = limits;
    }

    @Override
    public String name() {
        return "completions";
    }

    @Override
    public void handle(Call call) throws InterruptedException {
        JsonObject body = call.json();
        call.tagged(RequestTags.of(call, body));
        ladder.climb(call, models.named(call, body), model -> answer(call, body, model));
    }

    private void answer(Call call, JsonObject body, ServedModel model) throws InterruptedException {
        Prepared ask = prepare(body, model);
        GenerationOptions options = ask.options();
        boolean echo = body.flag("echo", false);
        boolean scored = options.sampling().logProbabilities() >= 0;
        try (Choices choices = generator.submit(call, model, ask, echo && scored)) {
            if (echo) {
                List<Prompt> prompts = Prompts.read(body, "prompt", model, limits.maxPrompts());
                echo(prompts, ask.prompts(), model, options, choices, scored);
            }
            AnswerFormat format = new CompletionFormat(call, model, options, scored);
            generator.answer(call, model, options, choices, format);
        }
    }

    /** Reads a request and makes its prompts. */
    Prepared prepare(JsonObject body, ServedModel model) throws InterruptedException {
        model.requireText();
        Unsupported.check(body);
        ReasoningOptions.refuse(body);
        int logProbabilities = body.whole("logprobs", -1, 0, SamplingParameters.MAX_LOG_PROBABILITIES);
        // Nothing is generated only where the prompt is what is asked for.
        OptionalLong maxTokens = MaxTokens.read(body, MaxTokens.FIELD, body.flag("echo", false) ? 0 : 1, model);
        GenerationOptions options = GenerationOptions.read(body, model, limits, maxTokens, logProbabilities);
        checkSupported(body, options);
        List<Prompt> prompts = Prompts.read(body, "prompt", model, limits.maxPrompts());
        List<int[]> tokens = tokens(prompts, model, body.flag("add_special_tokens", true));
        return Prepared.completions(options, tokens, model).predicting(promptTokens.prediction(body, model));
    }

    private static void checkSupported(JsonObject body, GenerationOptions options) {
        if (body.optionalText("suffix").filter(suffix -> !suffix.isEmpty()).isPresent()) {
            throw ApiException.unsupported("suffix", "'suffix' is not supported yet");
        }
        if (body.whole("best_of", options.n(), 1, Integer.MAX_VALUE) != options.n()) {
            throw ApiException.unsupported("best_of", "'best_of' other than 'n' is not supported yet");
        }
    }

    private List<int[]> tokens(List<Prompt> prompts, ServedModel model, boolean addSpecialTokens)
            throws InterruptedException {
        List<int[]> tokens = new ArrayList<>();
        for (Prompt prompt : prompts) {
            tokens.add(
                    switch (prompt) {
                        case TextPrompt text -> promptTokens.of("prompt", text.text(), model, addSpecialTokens);
                        case TokenPrompt given -> given.tokens();
                    });
        }
        return tokens;
    }

    /** Puts each prompt in front of its choices, with its log-probabilities where those are asked for. */
    private static void echo(
            List<Prompt> prompts,
            List<int[]> tokens,
            ServedModel model,
            GenerationOptions options,
            Choices choices,
            boolean promptScores) {
        for (int i = 0; i < prompts.size(); i++) {
            String text = switch (prompts.get(i)) {
                case TextPrompt given -> given.text();
                case TokenPrompt given -> model.tokenizer().decode(given.tokens(), options.skipSpecialTokens());
            };
            int[] ids = tokens.get(i);
            Generation generation = choices.generations().get(i);
            for (Choice choice : choices.all().subList(i * options.n(), (i + 1) * options.n())) {
                choice.echo(
                        text,
                        () -> promptScores
                                ? scores(
                                        generation.promptLogProbabilities(),
                                        ids,
                                        model.tokenizer().detokenizer(options.skipSpecialTokens()))
                                : List.of());
            }
        }
    }

    /** Scores with places in the prompt's text, which grows by what the detokenizer makes of each token. */
    private static List<TokenScore> scores(PromptLogProbabilities given, int[] tokens, Detokenizer text) {
        List<TokenScore> scores = new ArrayList<>();
        int offset = 0;
        for (int i = 0; i < tokens.length && i < given.chosen().length; i++) {
            scores.add(TokenScore.ofPrompt(given, i, tokens[i], offset));
            offset += text.add(tokens[i]).length();
        }
        return scores;
    }
}
