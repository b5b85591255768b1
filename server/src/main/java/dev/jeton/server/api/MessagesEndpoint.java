package dev.jeton.server.api;

import dev.jeton.server.config.Configuration.LimitSettings;
import dev.jeton.server.json.JsonObject;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/** {@code POST /v1/messages}, Anthropic's API. */
final class MessagesEndpoint implements WorkEndpoint {

    /** Its path. */
    static final String PATH = "/v1/messages";

    private final ServedModels models;
    private final PromptTokens promptTokens;
    private final Generator generator;
    private final Ladder ladder;
    private final LimitSettings limits;

    MessagesEndpoint(
            ServedModels models, PromptTokens promptTokens, Generator generator, Ladder ladder, LimitSettings limits) {
        this.models = models;
        this.promptTokens = promptTokens;
        this.generator = generator;
        this.ladder = ladder;
        this.limits = limits;
    }

    @Override
    public String name() {
        return "messages";
    }

    @Override
    public void handle(Call call) throws InterruptedException {
        JsonObject body = call.json();
        call.tagged(RequestTags.of(call, body));
        ServedModel asked = models.named(call, body);
        check(body);
        ladder.climb(call, asked, model -> answer(call, body, model));
    }

    private void answer(Call call, JsonObject body, ServedModel model) throws InterruptedException {
        model.requireText();
        JsonObject chat = MessageFields.asChat(body, model);
        GenerationOptions asked = options(chat, model);
        Prepared ask = prepare(chat, asked, model);
        try (Choices choices = generator.submit(call, model, ask, false)) {
            int most = ask.maxTokens()[0];
            OptionalInt room = asked.maxTokens().orElse(0) > most ? OptionalInt.of(most) : OptionalInt.empty();
            AnswerFormat format = new MessageFormat(call, model, ask.options().servedAs(), room, choices::usage);
            generator.answer(call, model, ask.options(), choices, format);
        }
    }

    /** Tokens of a request's prompt, which may be too long for the context. */
    int inputTokens(JsonObject body, ServedModel model) throws InterruptedException {
        model.requireText();
        check(body);
        JsonObject chat = MessageFields.asChat(body, model);
        Conversation conversation = conversation(chat, model);
        return prompt(chat, conversation, BegunAnswer.of(conversation, MessageTurns.FIELD), model).length;
    }

    private static void check(JsonObject body) {
        MessageFields.check(body);
        Unsupported.check(body);
        Prediction.refuse(body);
    }

    private Prepared prepare(JsonObject chat, GenerationOptions asked, ServedModel model) throws InterruptedException {
        ReasoningOptions reasoning = ReasoningOptions.read(chat, model);
        Conversation conversation = conversation(chat, model);
        Optional<BegunAnswer> begun = BegunAnswer.of(conversation, MessageTurns.FIELD);
        int[] prompt = prompt(chat, conversation, begun, model);
        GenerationOptions options = capped(asked, prompt.length, model);
        RequestedTools tools = conversation.tools();
        Optional<ToolUse> use = tools.use(model, limits.tools(), options);
        GenerationOptions guided = ToolGuidance.guided(options, tools, use, model);
        Prepared ask = Prepared.chat(guided, prompt, model, MessageTurns.FIELD, MaxTokens.FIELD, use);
        Optional<ReasoningUse> thinking = ReasoningUse.of(model, prompt, reasoning, options);
        if (begun.isEmpty()) {
            return ask.reasoning(thinking);
        }
        requireFree(guided);
        // what goes before an answer has gone before one that is begun; but other channels may follow it
        return ask.reasoning(thinking.filter(ReasoningUse::channels)).continuing();
    }

    private static void requireFree(GenerationOptions begun) {
        begun.guidance()
                .filter(guidance -> guidance.hold() == Guidance.Hold.ANSWER)
                .ifPresent(guidance -> {
                    throw ApiException.invalid(
                            guidance.field(),
                            "'%s' is about whole answers, but 'messages' has begun one".formatted(guidance.field()));
                });
    }

    /** None at all puts a prompt into the cache. */
    private GenerationOptions options(JsonObject chat, ServedModel model) {
        OptionalLong most = chat.optionalWhole(MaxTokens.FIELD, 0, Integer.MAX_VALUE);
        if (most.isEmpty()) {
            throw chat.wrong(MaxTokens.FIELD, "'max_tokens' is missing: an integer is required");
        }
        GenerationOptions options = GenerationOptions.read(chat, model, limits, most, -1, "stop_sequences");
        Optional<Guidance> format = Guidance.ofOutput(chat, limits);
        return options.guided(format);
    }

    /** Clients ask for as many tokens as their models may have; here that is as many as there is room for. */
    private static GenerationOptions capped(GenerationOptions asked, int prompt, ServedModel model) {
        int room = model.contextLength() - prompt;
        if (room < 0 || room == 0 && asked.maxTokens().orElse(1) > 0) {
            throw tooLong("%d tokens > %d maximum".formatted(prompt, Math.max(0, model.contextLength() - 1)));
        }
        return asked.capped(room);
    }

    /** In Anthropic's words, by which agents see that they must shorten the conversation. */
    private static ApiException tooLong(String why) {
        return ApiException.contextExceeded(MessageTurns.FIELD, "prompt is too long: " + why);
    }

    private Conversation conversation(JsonObject chat, ServedModel model) {
        List<JsonObject> given = chat.objects(MessageTurns.FIELD);
        if (given.isEmpty()) {
            throw ApiException.invalid(MessageTurns.FIELD, "'messages' is empty: at least one message is required");
        }
        Conversation.check(MessageTurns.FIELD, given.size(), limits);
        MessageTurns turns = new MessageTurns(model);
        turns.instruct(chat);
        given.forEach(turns::add);
        List<Map<String, @Nullable Object>> messages = turns.messages();
        Conversation.check(MessageTurns.FIELD, messages.size(), limits);
        if (messages.isEmpty() || "system".equals(messages.getLast().get("role"))) {
            throw ApiException.invalid(
                    MessageTurns.FIELD, "'messages' has nothing that could be answered: a user's message is required");
        }
        return Conversation.of(
                messages, RequestedTools.ofMessages(chat, limits.tools()), MessageFields.effort(chat), chat, model);
    }

    private int[] prompt(JsonObject chat, Conversation conversation, Optional<BegunAnswer> begun, ServedModel model)
            throws InterruptedException {
        boolean special = chat.flag("add_special_tokens", false);
        try {
            return begun.isPresent()
                    ? promptTokens.of(MessageTurns.FIELD, begun.get(), model, special)
                    : promptTokens.of(MessageTurns.FIELD, conversation, model, special);
        } catch (ApiException e) {
            throw e.exceedsContext() ? tooLong(e.getMessage()) : e;
        }
    }
}
