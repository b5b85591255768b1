package dev.jeton.server.api;

import dev.jeton.models.Tokenizer;
import dev.jeton.server.json.JsonWriter;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Supplier;

/** {@code /v1/responses}: one choice as a response, whole or as typed events. */
final class ResponseFormat implements AnswerFormat {

    private static final int TOO_MANY = 429;

    /** Where a response stands, and what is to be said of that. */
    private enum Status {
        QUEUED("queued"),
        IN_PROGRESS("in_progress"),
        COMPLETED("completed"),
        INCOMPLETE("incomplete"),
        FAILED("failed"),
        CANCELLED("cancelled");

        private final String text;

        Status(String text) {
            this.text = text;
        }

        String event() {
            return "response." + text;
        }
    }

    private final Call call;
    private final Tokenizer tokenizer;
    private final String id;
    private final String model;
    private final long created = Instant.now().getEpochSecond();
    private final byte[] echo;
    private final Consumer<ResponseStore.Stored> store;
    private final ResponseRequest request;
    private final ResponseEvents events;
    private ResponseOutput output;
    private Optional<Background> background = Optional.empty();
    private Status status = Status.IN_PROGRESS;
    private byte[] whole = {};

    /** @param store takes the response once it is whole, before its last byte is sent */
    ResponseFormat(
            Call call,
            ServedModel model,
            ResponseRequest request,
            GenerationOptions options,
            Consumer<ResponseStore.Stored> store) {
        this.call = call;
        this.tokenizer = model.tokenizer();
        this.id = request.id();
        this.model = model.name();
        this.request = request;
        this.store = store;
        JsonWriter fields = new JsonWriter();
        ResponseEcho.write(fields, request, options);
        echo = fields.toBytes();
        events = new ResponseEvents(call.writer(), tokenizer);
        output = new ResponseOutput(id, tokenizer, events);
    }

    /** It is made in the background: begins the stream before there is anything of the answer. */
    void queue(Background of) {
        background = Optional.of(of);
        status = Status.QUEUED;
        byte[] queued = response(Optional.empty(), Optional.empty());
        JsonWriter out = call.writer();
        events.response("response.created", queued);
        events.response(status.event(), queued);
        of.queued(id, stored(queued), out.toBytes());
        out.clear();
        call.beginEvents();
        status = Status.IN_PROGRESS;
    }

    @Override
    public void chunk(JsonWriter out, Choice choice, Supplier<Usage> soFar) {
        if (!choice.opened()) {
            byte[] begun = response(Optional.empty(), Optional.empty());
            background.ifPresentOrElse(of -> of.moved(stored(begun)), () -> events.response("response.created", begun));
            events.response(status.event(), begun);
        }
        take(choice);
    }

    private void take(Choice choice) {
        output.take(choice);
        if (choice.ended()) {
            status = choice.finishReason().equals("length") ? Status.INCOMPLETE : Status.COMPLETED;
        }
    }

    @Override
    public void end(JsonWriter out, Usage usage) {
        whole = response(Optional.of(usage), Optional.empty());
        events.response(status.event(), whole);
    }

    @Override
    public void failed(JsonWriter out, ApiException error) {
        status = Status.FAILED;
        byte[] failed = response(Optional.empty(), Optional.of(error));
        events.response(status.event(), failed);
        if (background.isPresent()) {
            store.accept(stored(failed));
        }
    }

    /** Nobody wants it any more: of one in the background that is what is stored. */
    void cancelled() {
        if (background.isPresent()) {
            status = Status.CANCELLED;
            store.accept(stored(response(Optional.empty(), Optional.empty())));
        }
    }

    @Override
    public void whole(JsonWriter out, List<Choice> choices, Usage usage) {
        output = new ResponseOutput(id, tokenizer, OutputEvents.NONE);
        take(choices.getFirst());
        whole = response(Optional.of(usage), Optional.empty());
        out.raw(whole);
    }

    @Override
    public void booked() {
        if (request.stored()) {
            store.accept(stored(whole));
        }
    }

    private ResponseStore.Stored stored(byte[] response) {
        JsonWriter items = new JsonWriter();
        output.writeTurn(items);
        return new ResponseStore.Stored(response, new Turn(request.before(), request.inputAsStored(), items.toBytes()));
    }

    private byte[] response(Optional<Usage> usage, Optional<ApiException> error) {
        JsonWriter out = new JsonWriter().beginObject();
        out.name("id").value(id);
        out.name("object").value("response");
        out.name("created_at").value(created);
        out.name("status").value(status.text);
        out.name("completed_at").tree(status == Status.COMPLETED ? Instant.now().getEpochSecond() : null);
        error(out, error);
        incomplete(out);
        out.name("model").value(model);
        output.write(out.name("output"));
        out.name("usage");
        usage.ifPresentOrElse(told -> told.writeOfResponse(out), out::nullValue);
        usage.flatMap(Usage::detail).ifPresent(detail -> {
            detail.fields(out.name("jeton").beginObject());
            out.endObject();
        });
        out.raw(",").raw(echo).raw("}");
        return out.toBytes();
    }

    private static void error(JsonWriter out, Optional<ApiException> error) {
        out.name("error");
        if (error.isEmpty()) {
            out.nullValue();
            return;
        }
        out.beginObject();
        // OpenAI's words, of which there are few; the message says more
        out.name("code").value(error.get().status() == TOO_MANY ? "rate_limit_exceeded" : ApiException.SERVER_ERROR);
        out.name("message").value(error.get().getMessage());
        out.endObject();
    }

    private void incomplete(JsonWriter out) {
        out.name("incomplete_details");
        if (status == Status.INCOMPLETE) {
            out.beginObject().name("reason").value("max_output_tokens").endObject();
        } else {
            out.nullValue();
        }
    }
}
