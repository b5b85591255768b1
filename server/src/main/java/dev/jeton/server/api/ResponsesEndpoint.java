package dev.jeton.server.api;

import dev.jeton.models.engine.Capability;
import dev.jeton.server.config.Configuration.LimitSettings;
import dev.jeton.server.json.JsonObject;
import java.util.Optional;
import java.util.OptionalLong;

/** {@code POST /v1/responses}. */
final class ResponsesEndpoint implements WorkEndpoint {

    /** Path of all responses. */
    static final String PATH = "/v1/responses";

    private static final String LENGTH = "max_output_tokens";

    private final ServedModels models;
    private final PromptTokens promptTokens;
    private final Generator generator;
    private final Ladder ladder;
    private final LimitSettings limits;
    private final ResponseStore store;
    private final Backgrounds backgrounds;

    ResponsesEndpoint(
            ServedModels models,
            PromptTokens promptTokens,
            Generator generator,
            Ladder ladder,
            LimitSettings limits,
            ResponseStore store,
            Backgrounds backgrounds) {
        this.models = models;
        this.promptTokens = promptTokens;
        this.generator = generator;
        this.ladder = ladder;
        this.limits = limits;
        this.store = store;
        this.backgrounds = backgrounds;
    }

    @Override
    public String name() {
        return "responses";
    }

    @Override
    public void handle(Call call) throws InterruptedException {
        JsonObject body = call.json();
        if (body.flag(ResponseFields.BACKGROUND, false)) {
            backgrounds.begin(call, body, background -> new BackgroundEndpoint(this, background));
        } else {
            answer(call, body, Optional.empty());
        }
    }

    /** Answers a request that nobody waits for. */
    void make(Call call, Background background) throws InterruptedException {
        answer(call, call.json(), Optional.of(background));
    }

    private void answer(Call call, JsonObject body, Optional<Background> background) throws InterruptedException {
        call.tagged(RequestTags.of(call, body));
        ServedModel asked = models.named(call, body);
        ResponseRequest request = ResponseRequest.read(call, body, store);
        ladder.climb(call, asked, model -> answer(call, request, model, background));
    }

    private void answer(Call call, ResponseRequest request, ServedModel model, Optional<Background> background)
            throws InterruptedException {
        Prepared ask = prepare(request, model);
        try (Choices choices = generator.submit(call, model, ask, false)) {
            ResponseFormat format = new ResponseFormat(
                    call,
                    model,
                    request,
                    ask.options(),
                    response -> store.put(call.caller().payer(), request.id(), response));
            background.ifPresent(format::queue);
            try {
                generator.answer(call, model, ask.options(), choices, format);
            } catch (ClientGoneException e) {
                format.cancelled();
                throw e;
            }
        }
    }

    /** Reads the body of a request, and makes its prompt; nothing is stored. */
    Prepared prepare(Call call, JsonObject body, ServedModel model) throws InterruptedException {
        return prepare(ResponseRequest.read(call, body, store), model);
    }

    /** Tokens of a request's prompt, which may be too long for the context. */
    int inputTokens(Call call, JsonObject body, ServedModel model) throws InterruptedException {
        model.requireText();
        Unsupported.check(body);
        Prediction.refuse(body);
        ResponseRequest request = ResponseRequest.read(call, body, store);
        return prompt(request, conversation(request, model), options(body, model), model).length;
    }

    private Prepared prepare(ResponseRequest request, ServedModel model) throws InterruptedException {
        model.requireText();
        JsonObject body = request.body();
        Unsupported.check(body);
        Prediction.refuse(body);
        GenerationOptions options = options(body, model);
        ReasoningOptions reasoning = ReasoningOptions.read(body, model);
        Conversation conversation = conversation(request, model);
        int[] prompt = prompt(request, conversation, options, model);
        RequestedTools tools = conversation.tools();
        Optional<ToolUse> use = tools.use(model, limits.tools(), options);
        GenerationOptions guided = ToolGuidance.guided(options, tools, use, model);
        return Prepared.chat(guided, prompt, model, ResponseItems.FIELD, LENGTH, use)
                .reasoning(ReasoningUse.of(model, prompt, reasoning, options));
    }

    private GenerationOptions options(JsonObject body, ServedModel model) {
        OptionalLong most = MaxTokens.read(body, LENGTH, 1, model);
        int scores = ResponseFields.logProbabilities(body);
        if (scores >= 0 && !model.dispatcher().engine().supports(Capability.LOG_PROBABILITIES)) {
            throw ApiException.unsupported(
                    "include",
                    "the engine '%s' gives no log-probabilities"
                            .formatted(model.dispatcher().engine().name()));
        }
        GenerationOptions options = GenerationOptions.read(body, model, limits, most, scores);
        Optional<Guidance> format = Guidance.ofText(body, limits);
        return options.guided(format);
    }

    private Conversation conversation(ResponseRequest request, ServedModel model) {
        ResponseItems items = new ResponseItems(model);
        request.body().optionalText("instructions").ifPresent(items::instruct);
        request.history().forEach(items::add);
        request.input().forEach(items::add);
        Conversation.check(ResponseItems.FIELD, items.messages().size(), limits);
        if (items.messages().isEmpty()) {
            throw ApiException.invalid(ResponseItems.FIELD, "'input' has nothing that could be answered");
        }
        JsonObject body = request.body();
        return Conversation.of(
                items.messages(),
                RequestedTools.flat(body, limits.tools()),
                body.object("reasoning").flatMap(reasoning -> ReasoningOptions.effort(reasoning, "effort")),
                body,
                model);
    }

    private int[] prompt(
            ResponseRequest request, Conversation conversation, GenerationOptions options, ServedModel model)
            throws InterruptedException {
        boolean special = request.body().flag("add_special_tokens", false);
        if (!request.truncated()) {
            return promptTokens.of(ResponseItems.FIELD, conversation, model, special);
        }
        long room = model.contextLength() - options.maxTokens().orElse(1);
        return new Truncation(room)
                .fit(conversation, shorter -> promptTokens.of(ResponseItems.FIELD, shorter, model, special));
    }
}
