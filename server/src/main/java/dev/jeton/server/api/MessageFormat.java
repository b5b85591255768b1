package dev.jeton.server.api;

import dev.jeton.models.Tokenizer;
import dev.jeton.server.json.JsonWriter;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.function.Supplier;

/** {@code /v1/messages}: one choice as a message, whole or as typed events. */
final class MessageFormat implements AnswerFormat {

    private final Call call;
    private final Tokenizer tokenizer;
    private final String response;
    private final String model;
    private final ServiceTier tier;
    private final OptionalInt room;
    private final Supplier<UsageTotals> used;
    private final MessageEvents events;
    private ResponseOutput output;
    private String stopReason = "";
    private String stopSequence = "";

    /**
     * @param room tokens that the context has room for, where those are fewer than were asked for
     * @param used what was used so far
     */
    MessageFormat(Call call, ServedModel model, ServiceTier tier, OptionalInt room, Supplier<UsageTotals> used) {
        this.call = call;
        this.tokenizer = model.tokenizer();
        this.response = ResponseIds.of(call);
        this.model = model.name();
        this.tier = tier;
        this.room = room;
        this.used = used;
        events = new MessageEvents(call.writer());
        output = new ResponseOutput(response, tokenizer, events);
    }

    @Override
    public void chunk(JsonWriter out, Choice choice, Supplier<Usage> soFar) {
        if (!choice.opened()) {
            events.begin("message_start");
            head(out.name("message"));
            out.name("usage").beginObject();
            Usage.messageTokens(out, used.get(), tier);
            out.endObject().endObject();
            events.end();
        }
        take(choice);
    }

    private void take(Choice choice) {
        output.take(choice);
        if (choice.ended()) {
            stopReason = stopReason(choice);
            stopSequence = stopReason.equals("stop_sequence") ? choice.stopString() : "";
        }
    }

    /** Anthropic's word for why a choice ended; a budget's end is a limit's, and explained beside it. */
    private String stopReason(Choice choice) {
        return switch (choice.finishReason()) {
            case "tool_calls" -> "tool_use";
            case "length" ->
                room.isPresent() && choice.tokens() >= room.getAsInt() ? "model_context_window_exceeded" : "max_tokens";
            default -> choice.stopString().isEmpty() ? "end_turn" : "stop_sequence";
        };
    }

    @Override
    public void end(JsonWriter out, Usage usage) {
        events.begin("message_delta");
        stop(out.name("delta").beginObject());
        out.endObject();
        usage.writeOfMessage(out.name("usage"), tier);
        detail(out, usage);
        events.end();
        events.begin("message_stop");
        events.end();
    }

    @Override
    public void failed(JsonWriter out, ApiException error) {
        out.raw("event: error\ndata: ");
        call.style().write(out.restart(), error, call.id());
        out.raw("\n\n");
    }

    @Override
    public void whole(JsonWriter out, List<Choice> choices, Usage usage) {
        output = new ResponseOutput(response, tokenizer, OutputEvents.NONE);
        take(choices.getFirst());
        head(out);
        usage.writeOfMessage(out.name("usage"), tier);
        detail(out, usage);
        out.endObject();
    }

    /** Opens the message, up to its usage, with the content so far. */
    private void head(JsonWriter out) {
        out.beginObject();
        out.name("id").value(ResponseIds.message(response));
        out.name("type").value("message");
        out.name("role").value("assistant");
        out.name("model").value(model);
        out.name("content").beginArray();
        output.items().forEach(item -> MessageBlocks.write(out, item));
        out.endArray();
        stop(out);
    }

    private void stop(JsonWriter out) {
        out.name("stop_reason").tree(given(stopReason).orElse(null));
        out.name("stop_sequence").tree(given(stopSequence).orElse(null));
    }

    private static Optional<String> given(String text) {
        return Optional.of(text).filter(word -> !word.isEmpty());
    }

    private static void detail(JsonWriter out, Usage usage) {
        usage.detail().ifPresent(detail -> {
            detail.fields(out.name("jeton").beginObject());
            out.endObject();
        });
    }
}
