package dev.jeton.server.api;

import dev.jeton.accounting.Bookkeeper;
import dev.jeton.accounting.BudgetView;
import dev.jeton.server.json.JsonWriter;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/**
 * {@code GET /v1/budgets}: the budgets above the caller's key, and what is left of them; an operator's are all there
 * are.
 */
final class BudgetsEndpoint implements Endpoint {

    private static final int MAX_LISTED = 1_000;

    private final Optional<Bookkeeper> keeper;

    BudgetsEndpoint(Optional<Bookkeeper> keeper) {
        this.keeper = keeper;
    }

    @Override
    public String name() {
        return "budgets";
    }

    @Override
    public String method() {
        return "GET";
    }

    @Override
    public Guard guard() {
        return Guard.KEYED;
    }

    @Override
    public void handle(Call call) {
        List<BudgetView> views = keeper.map(books -> call.caller().operator()
                        ? books.budgets().views()
                        : books.budgets().above(call.caller().payer(), ""))
                .orElse(List.of());
        JsonWriter out = call.writer();
        out.beginObject().name("object").value("list");
        out.name("data").beginArray();
        views.stream()
                .filter(view -> BudgetAnswers.readable(view, call.caller()))
                .sorted(Comparator.comparing((BudgetView view) -> view.budget().id())
                        .thenComparing(BudgetView::subject))
                .limit(MAX_LISTED)
                .forEach(view -> {
                    out.beginObject();
                    BudgetAnswers.fields(out, view);
                    out.name("subject").value(view.subject());
                    out.endObject();
                });
        out.endArray();
        out.name("has_more").value(views.size() > MAX_LISTED).endObject();
        call.answer(out);
    }
}
