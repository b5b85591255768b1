package dev.jeton.server.api;

import dev.jeton.accounting.Bill;
import dev.jeton.accounting.BudgetView;
import dev.jeton.accounting.Money;
import dev.jeton.accounting.Tags;
import dev.jeton.server.http.Exchange;
import dev.jeton.server.json.Json;
import dev.jeton.server.json.JsonObject;
import dev.jeton.server.json.JsonWriter;
import dev.jeton.server.tracing.Trace;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** One request under way: its exchange, its id, and what the access line and the metrics will say of it. */
final class Call {

    private static final Map<String, String> JSON = Map.of("content-type", "application/json");

    private final Exchange exchange;
    private final String id;
    private final long startNanos;
    private final JsonWriter writer = new JsonWriter();
    private String model = "unknown";
    private int status;
    private Caller caller = Caller.ANYONE;
    private Optional<UsageTotals> usage = Optional.empty();

    private Tags tags = Tags.NONE;
    private CallBooks books = CallBooks.NONE;
    private Optional<Bill> bill = Optional.empty();
    private Optional<GenerationOptions> asked = Optional.empty();
    private long submittedNanos;
    private String fallbackFrom = "";
    private List<BudgetView> budgets = List.of();
    private List<String> finishReasons = List.of();
    private final Trace trace;
    private final ApiStyle style;
    private final Map<String, String> always;

    /** @param always header fields of every answer */
    Call(Exchange exchange, String id, long startNanos, Trace trace, Map<String, String> always) {
        this.trace = trace;
        this.always = always;
        this.exchange = exchange;
        this.style = ApiStyle.of(exchange);
        this.id = id;
        this.startNanos = startNanos;
    }

    Exchange exchange() {
        return exchange;
    }

    String id() {
        return id;
    }

    /** Whose API is called. */
    ApiStyle style() {
        return style;
    }

    /** When the request was whole, on {@link System#nanoTime}'s clock. */
    long startNanos() {
        return startNanos;
    }

    /**
     * The body as a JSON object.
     *
     * @throws ApiException 415 if it is compressed
     */
    JsonObject json() {
        refuseCompressed();
        return Json.object(exchange.body());
    }

    /** Refuses a body that is compressed, with 415. */
    void refuseCompressed() {
        exchange.header("content-encoding")
                .filter(encoding -> !encoding.strip().equalsIgnoreCase("identity"))
                .ifPresent(encoding -> {
                    throw ApiException.compressed(encoding);
                });
    }

    /**
     * The query's parameters, decoded, in their order.
     *
     * @throws ApiException 400 where percent escapes are broken
     */
    Map<String, List<String>> query() {
        try {
            return exchange.query();
        } catch (IllegalArgumentException e) {
            throw ApiException.invalid("", "The URL's query has broken percent escapes");
        }
    }

    /** The call's own writer, empty. */
    JsonWriter writer() {
        return writer.clear();
    }

    void servedBy(ServedModel served) {
        model = served.name();
    }

    /** The served model's name; {@code unknown} before it is known, so that clients cannot make up labels. */
    String model() {
        return model;
    }

    /** The answer's status; 0 before it has one. */
    int status() {
        return status;
    }

    void calledBy(Caller given) {
        caller = given;
    }

    /** Who calls; anyone until the key is known. */
    Caller caller() {
        return caller;
    }

    /** Its name in the books. */
    String bookId() {
        return RequestIds.forBooks(id, exchange.header("x-request-id"));
    }

    /** What the caller says that it is for, once that is read. */
    Tags tags() {
        return tags;
    }

    void labelled(Map<String, String> given) {
        tags = Tags.labels(given);
    }

    void tagged(Tags given) {
        tags = given;
    }

    /** Answers with what another call was answered. */
    void replay(int answerStatus, Map<String, String> headers, byte[] content) {
        status = answerStatus;
        Map<String, String> all = CrossOrigin.without(headers);
        all.putAll(always);
        exchange.respond(answerStatus, all, content);
    }

    /** The call in the books. */
    CallBooks books() {
        return books;
    }

    void keep(CallBooks opened) {
        books = opened;
    }

    Optional<Bill> bill() {
        return bill;
    }

    void costs(Optional<Bill> cost) {
        bill = cost;
    }

    /** Another model answers than was asked for. */
    void fallsBackFrom(String asked) {
        fallbackFrom = asked;
        tags = tags.asFallback();
    }

    /** Which model was asked for where another one answers; empty otherwise. */
    String fallbackFrom() {
        return fallbackFrom;
    }

    /** What is left of budgets, those that the caller may see. */
    void leaves(List<BudgetView> left) {
        budgets = List.copyOf(left);
    }

    /** The call's span. */
    Trace trace() {
        return trace;
    }

    /** What is generated is submitted now. */
    void asks(GenerationOptions options) {
        asked = Optional.of(options);
        submittedNanos = System.nanoTime();
    }

    Optional<GenerationOptions> asked() {
        return asked;
    }

    long submittedNanos() {
        return submittedNanos;
    }

    void finished(List<String> reasons) {
        finishReasons = List.copyOf(reasons);
    }

    /** Why each choice ended, as the API says it. */
    List<String> finishReasons() {
        return finishReasons;
    }

    Optional<UsageTotals> usage() {
        return usage;
    }

    void used(UsageTotals totals) {
        usage = Optional.of(totals);
    }

    /** Answers with JSON. */
    void answer(JsonWriter json) {
        answer(200, JSON, json.toBytes());
    }

    /** Answers whole. */
    void answer(int answerStatus, Map<String, String> headers, byte[] content) {
        status = answerStatus;
        exchange.respond(answerStatus, withId(headers), content);
    }

    /** Answers with an error. */
    void answer(ApiException error) {
        JsonWriter json = writer();
        style.write(json, error, id);
        Map<String, String> headers = new LinkedHashMap<>(JSON);
        switch (error.status()) {
            case 401 -> headers.put("www-authenticate", "Bearer");
            case 429, 503 -> {
                if (!error.headers().containsKey("x-should-retry")) {
                    headers.put("retry-after", "1");
                }
            }
            // OpenAI's clients repeat what was a conflict; nothing will have changed
            case 409 -> headers.put("x-should-retry", error.passing() ? "true" : "false");
            default -> {}
        }
        headers.putAll(error.headers());
        answer(error.status(), headers, json.toBytes());
    }

    /** Begins a stream of server-sent events. */
    void beginEvents() {
        begin(Map.of("content-type", "text/event-stream; charset=utf-8", "cache-control", "no-cache"));
    }

    /**
     * Waits until more of an answer in parts may be written.
     *
     * @param stallTimeout how long a client may leave it unread
     * @throws ClientGoneException where nobody reads it
     */
    void awaitReader(Duration stallTimeout) throws InterruptedException {
        if (!exchange.awaitWritable(stallTimeout.toNanos())) {
            throw gone(stallTimeout);
        }
    }

    /** Nobody reads the answer any more: why. */
    ClientGoneException gone(Duration stallTimeout) {
        return exchange.hungUp()
                ? new ClientGoneException(Outcome.CANCELLED, "the client hung up")
                : new ClientGoneException(Outcome.STALLED, "the client did not read its answer for " + stallTimeout);
    }

    /** Begins an answer that goes out in parts. */
    void begin(Map<String, String> headers) {
        status = 200;
        exchange.begin(200, withId(headers));
    }

    private Map<String, String> withId(Map<String, String> headers) {
        Map<String, String> all = new LinkedHashMap<>(headers);
        all.put("x-jeton-request-id", id);
        // OpenAI's name for it, which its client libraries read
        all.put("x-request-id", id);
        if (style == ApiStyle.ANTHROPIC) {
            all.put("request-id", id);
        }
        bill.ifPresent(cost -> all.put("x-jeton-cost", Money.text(cost.list()) + " " + cost.currency()));
        if (!budgets.isEmpty()) {
            all.put(BudgetAnswers.REMAINING, BudgetAnswers.remaining(budgets));
        }
        if (!fallbackFrom.isEmpty()) {
            all.put(Ladder.FALLBACK, fallbackFrom);
        }
        trace.context().ifPresent(context -> all.put("traceresponse", context));
        all.putAll(always);
        return all;
    }
}
