package dev.jeton.server.api;

import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.server.config.Configuration.LimitSettings;
import dev.jeton.server.json.JsonObject;
import java.util.Optional;
import java.util.OptionalLong;

/** {@code POST /v1/chat/completions}. */
final class ChatEndpoint implements WorkEndpoint {

    private final ServedModels models;
    private final PromptTokens promptTokens;
    private final Generator generator;
    private final Ladder ladder;
    private final LimitSettings limits;

    ChatEndpoint(
            ServedModels models, PromptTokens promptTokens, Generator generator, Ladder ladder, LimitSettings limits) {
        this.models = models;
        this.ladder = ladder;
        this.promptTokens = promptTokens;
        this.generator = generator;
        this.limits = limits;
    }

    @Override
    public String name() {
        return "chat_completions";
    }

    @Override
    public void handle(Call call) throws InterruptedException {
        JsonObject body = call.json();
        call.tagged(RequestTags.of(call, body));
        ladder.climb(call, models.named(call, body), model -> answer(call, body, model));
    }

    private void answer(Call call, JsonObject body, ServedModel model) throws InterruptedException {
        Prepared ask = prepare(body, model);
        try (Choices choices = generator.submit(call, model, ask, false)) {
            boolean scored = ask.options().sampling().logProbabilities() >= 0;
            AnswerFormat format = new ChatFormat(call, model, ask.options(), scored);
            generator.answer(call, model, ask.options(), choices, format);
        }
    }

    /** Reads a request and makes its prompt. */
    Prepared prepare(JsonObject body, ServedModel model) throws InterruptedException {
        model.requireText();
        Unsupported.check(body);
        GenerationOptions options =
                GenerationOptions.read(body, model, limits, maxTokens(body, model), logProbabilities(body));
        ReasoningOptions reasoning = ReasoningOptions.read(body, model);
        Conversation conversation = Conversation.read(body, model, limits);
        int[] prompt = promptTokens.of("messages", conversation, model, body.flag("add_special_tokens", false));
        RequestedTools tools = conversation.tools();
        Optional<ToolUse> use = tools.use(model, limits.tools(), options);
        GenerationOptions guided = ToolGuidance.guided(options, tools, use, model);
        return Prepared.chat(guided, prompt, model, "messages", lengthField(body), use)
                .reasoning(ReasoningUse.of(model, prompt, reasoning, options))
                .predicting(promptTokens.prediction(body, model));
    }

    /** Both names are checked. */
    private static OptionalLong maxTokens(JsonObject body, ServedModel model) {
        OptionalLong old = MaxTokens.read(body, MaxTokens.FIELD, 1, model);
        OptionalLong current = MaxTokens.read(body, MaxTokens.NEW_FIELD, 1, model);
        return current.isPresent() ? current : old;
    }

    private static String lengthField(JsonObject body) {
        return body.has(MaxTokens.NEW_FIELD) ? MaxTokens.NEW_FIELD : MaxTokens.FIELD;
    }

    private static int logProbabilities(JsonObject body) {
        boolean wanted = body.flag("logprobs", false);
        if (!wanted && body.has("top_logprobs")) {
            throw ApiException.invalid("top_logprobs", "'top_logprobs' is only allowed when 'logprobs' is true");
        }
        int top = body.whole("top_logprobs", 0, 0, SamplingParameters.MAX_LOG_PROBABILITIES);
        return wanted ? top : -1;
    }
}
