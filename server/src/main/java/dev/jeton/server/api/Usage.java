package dev.jeton.server.api;

import dev.jeton.accounting.Bill;
import dev.jeton.accounting.BudgetView;
import dev.jeton.accounting.Money;
import dev.jeton.server.json.JsonWriter;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * What an answer says of its use and cost.
 *
 * @param totals what the call used
 * @param predicted whether the client predicted the answer
 * @param reasoningTokens tokens generated that were thinking; empty where it is not known what is
 * @param bill what that cost; empty where no books are kept
 * @param detail why a choice ended before the tokens that it might have had
 * @param budgets what is left of the budgets that the caller may see
 * @param operator whether the caller may see what depends on other callers: device time, metered cost, margin, energy
 * @param task the task that the call is part of; empty for none
 */
record Usage(
        UsageTotals totals,
        boolean predicted,
        OptionalInt reasoningTokens,
        Optional<Bill> bill,
        Optional<FinishDetail> detail,
        List<BudgetView> budgets,
        boolean operator,
        String task) {

    private static final double MICROS = 1e6;

    /** OpenAI's usage object with a {@code jeton} object in it. */
    void write(JsonWriter out) {
        out.beginObject();
        out.name("prompt_tokens").value(totals.promptTokens());
        out.name("completion_tokens").value(totals.completionTokens());
        out.name("total_tokens").value(totals.promptTokens() + totals.completionTokens());
        out.name("prompt_tokens_details").beginObject();
        out.name("cached_tokens").value(totals.cachedTokens()).endObject();
        if (predicted || reasoningTokens.isPresent()) {
            out.name("completion_tokens_details").beginObject();
            reasoningTokens.ifPresent(thought -> out.name("reasoning_tokens").value(thought));
            if (predicted) {
                int right = totals.drafts().acceptedPredicted();
                out.name("accepted_prediction_tokens").value(right);
                out.name("rejected_prediction_tokens").value(totals.drafts().predicted() - right);
            }
            out.endObject();
        }
        jeton(out);
        out.endObject();
    }

    /** The same under the names of {@code /v1/responses}. */
    void writeOfResponse(JsonWriter out) {
        out.beginObject();
        out.name("input_tokens").value(totals.promptTokens());
        out.name("input_tokens_details").beginObject();
        out.name("cached_tokens").value(totals.cachedTokens());
        // Writing to the cache costs nothing beside computing; newer clients ask for it.
        out.name("cache_write_tokens").value(0).endObject();
        out.name("output_tokens").value(totals.completionTokens());
        out.name("output_tokens_details").beginObject();
        out.name("reasoning_tokens").value(reasoningTokens.orElse(0)).endObject();
        out.name("total_tokens").value(totals.promptTokens() + totals.completionTokens());
        jeton(out);
        out.endObject();
    }

    /** The same under Anthropic's names, by which the prompt is what was not cached and what was. */
    void writeOfMessage(JsonWriter out, ServiceTier tier) {
        out.beginObject();
        messageTokens(out, totals, tier);
        reasoningTokens.ifPresent(thought -> out.name("output_tokens_details")
                .beginObject()
                .name("thinking_tokens")
                .value(thought)
                .endObject());
        jeton(out);
        out.endObject();
    }

    /** Tokens as a message tells them, as fields of an object. */
    static void messageTokens(JsonWriter out, UsageTotals totals, ServiceTier tier) {
        out.name("input_tokens").value(totals.promptTokens() - totals.cachedTokens());
        // Writing to the cache costs nothing beside computing.
        out.name("cache_creation_input_tokens").value(0);
        out.name("cache_read_input_tokens").value(totals.cachedTokens());
        out.name("output_tokens").value(totals.completionTokens());
        out.name("service_tier").value(tier == ServiceTier.FLEX ? "batch" : "standard");
    }

    private void jeton(JsonWriter out) {
        out.name("jeton").beginObject();
        if (!task.isEmpty()) {
            out.name("task").value(task);
        }
        totals.writeTimes(out, operator);
        bill.ifPresent(cost -> write(out, cost));
        detail.ifPresent(given -> given.fields(out));
        if (!budgets.isEmpty()) {
            BudgetAnswers.write(out.name("budgets"), budgets);
        }
        out.endObject();
    }

    private void write(JsonWriter out, Bill cost) {
        out.name("cost").beginObject();
        out.name("currency").value(cost.currency());
        out.name("list").value(Money.text(cost.list()));
        out.name("price_book").value(cost.priceBook());
        if (operator) {
            out.name("metered_estimate").value(Money.text(cost.metered()));
            out.name("margin_estimate").value(Money.text(cost.margin()));
            out.name("joules_modelled").value(cost.microjoules() / MICROS);
        }
        out.endObject();
    }
}
