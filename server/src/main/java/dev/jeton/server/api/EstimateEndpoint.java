package dev.jeton.server.api;

import dev.jeton.accounting.Bill;
import dev.jeton.accounting.Bookkeeper;
import dev.jeton.accounting.BudgetVerdict;
import dev.jeton.accounting.Estimate;
import dev.jeton.accounting.Money;
import dev.jeton.accounting.Opening;
import dev.jeton.scheduler.Quote;
import dev.jeton.server.json.JsonObject;
import dev.jeton.server.json.JsonWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * {@code POST /v1/estimate}: the body of a completion, a chat completion or a response, answered with what it would
 * cost and what its budgets would say. Nothing is generated, charged or booked; the next moment may bring another
 * answer.
 */
final class EstimateEndpoint implements Endpoint {

    private final ServedModels models;
    private final ChatEndpoint chat;
    private final ResponsesEndpoint responses;
    private final CompletionEndpoint completions;
    private final Optional<Bookkeeper> keeper;
    private final OutputLengths lengths;

    EstimateEndpoint(
            ServedModels models,
            ChatEndpoint chat,
            ResponsesEndpoint responses,
            CompletionEndpoint completions,
            Optional<Bookkeeper> keeper,
            OutputLengths lengths) {
        this.models = models;
        this.chat = chat;
        this.responses = responses;
        this.completions = completions;
        this.keeper = keeper;
        this.lengths = lengths;
    }

    @Override
    public String name() {
        return "estimate";
    }

    @Override
    public String method() {
        return "POST";
    }

    @Override
    public Guard guard() {
        return Guard.WORK;
    }

    /** What a prompt and its continuations come to. */
    private record Part(long cached, long expected, double expectedNanos, double mostNanos) {
        Part plus(Part other) {
            return new Part(
                    cached + other.cached,
                    expected + other.expected,
                    expectedNanos + other.expectedNanos,
                    mostNanos + other.mostNanos);
        }
    }

    @Override
    public void handle(Call call) throws InterruptedException {
        Bookkeeper books = keeper.orElseThrow(() -> new ApiException(
                404,
                ApiException.INVALID_REQUEST,
                "",
                "no_books",
                "This server keeps no books (books.enabled), so it cannot say what anything costs"));
        JsonObject body = call.json();
        call.tagged(RequestTags.of(call, body));
        ServedModel model = models.named(call, body);
        Prepared ask = prepare(call, body, model);
        List<Part> parts = new ArrayList<>();
        for (int i = 0; i < ask.prompts().size(); i++) {
            parts.add(part(call, model, ask, i));
        }
        Part all = parts.stream().reduce(new Part(0, 0, 0, 0), Part::plus);
        Opening opening = CallBooks.opening(books, call, model, ask);
        Estimate estimate = books.estimate(opening, all.cached(), all.expected(), all.expectedNanos(), all.mostNanos());
        answer(call, model, ask, all, estimate);
    }

    private Prepared prepare(Call call, JsonObject body, ServedModel model) throws InterruptedException {
        if (body.has("messages")) {
            return chat.prepare(body, model);
        }
        return body.has(ResponseItems.FIELD) ? responses.prepare(call, body, model) : completions.prepare(body, model);
    }

    private Part part(Call call, ServedModel model, Prepared ask, int i) throws InterruptedException {
        int[] prompt = ask.prompts().get(i);
        int n = ask.options().n();
        int most = ask.maxTokens()[i];
        Quote quote = model.dispatcher().quote(prompt, call.caller().salt(), model.adapterNumber());
        long expected = lengths.expected(call.caller().payer().tenant(), model.name(), most);
        return new Part(
                Math.min(quote.cachedTokens(), prompt.length),
                n * expected,
                quote.nanos(prompt.length, expected, n, quote.running()),
                quote.nanos(prompt.length, most, n, 0));
    }

    private void answer(Call call, ServedModel model, Prepared ask, Part all, Estimate estimate) {
        boolean operator = call.caller().operator();
        JsonWriter out = call.writer();
        out.beginObject();
        out.name("object").value("estimate");
        out.name("model").value(model.name());
        out.name("tokens").beginObject();
        out.name("prompt").value(ask.promptTokens());
        out.name("cached").value(all.cached());
        out.name("cached_share").value(ask.promptTokens() == 0 ? 0 : (double) all.cached() / ask.promptTokens());
        out.name("expected_completion").value(all.expected());
        out.name("max_completion").value(ask.most());
        out.name("expected_from")
                .value(lengths.known(call.caller().payer().tenant(), model.name()) ? "answers of late" : "max_tokens")
                .endObject();
        out.name("cost").beginObject();
        out.name("currency").value(estimate.expected().currency());
        out.name("price_book").value(estimate.expected().priceBook());
        bill(out.name("expected"), estimate.expected(), operator);
        bill(out.name("worst"), estimate.worst(), operator);
        out.endObject();
        List<BudgetVerdict> budgets = estimate.budgets().stream()
                .filter(verdict -> BudgetAnswers.readable(verdict.view(), call.caller()))
                .toList();
        out.name("admitted").value(estimate.budgets().stream().noneMatch(EstimateEndpoint::refuses));
        out.name("budgets").beginArray();
        for (BudgetVerdict verdict : budgets) {
            out.beginObject();
            BudgetAnswers.fields(out, verdict.view());
            out.name("verdict").value(verdict.word().text()).endObject();
        }
        out.endArray().endObject();
        call.answer(out);
    }

    private static boolean refuses(BudgetVerdict verdict) {
        return switch (verdict.word()) {
            case SPENT, RESERVED_BY_OTHERS, KILLED, UNREACHABLE -> true;
            case OK, MAY_END_EARLY, ENDS_EARLY -> false;
        };
    }

    private static void bill(JsonWriter out, Bill bill, boolean operator) {
        out.beginObject();
        out.name("list").value(Money.text(bill.list()));
        if (operator) {
            out.name("metered_estimate").value(Money.text(bill.metered()));
            out.name("device_ms").value(bill.deviceNanos() / 1e6);
        }
        out.endObject();
    }
}
