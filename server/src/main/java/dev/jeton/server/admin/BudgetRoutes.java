package dev.jeton.server.admin;

import dev.jeton.accounting.Budget;
import dev.jeton.accounting.Budget.Grace;
import dev.jeton.accounting.Budget.Rung;
import dev.jeton.accounting.BudgetUnit;
import dev.jeton.accounting.BudgetView;
import dev.jeton.accounting.BudgetWindow;
import dev.jeton.accounting.Period;
import dev.jeton.server.api.ApiException;
import dev.jeton.server.config.BudgetFormat;
import dev.jeton.server.config.BudgetSubjects;
import dev.jeton.server.config.Names;
import dev.jeton.server.json.Json;
import dev.jeton.server.json.JsonObject;
import dev.jeton.server.json.JsonWriter;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** {@code /admin/v1/budgets}: budgets, and what is done to them in operation. */
final class BudgetRoutes {

    private static final String OBJECT = "budget";
    /** Most counters of an answer; a budget of each key may have more. */
    private static final int MAX_COUNTERS = 1_000;

    private final PolicyStore store;
    private final Set<String> models;
    private final Supplier<List<BudgetView>> counters;

    /**
     * @param models names of the configuration's models
     * @param counters of all budgets, as they are now
     */
    BudgetRoutes(PolicyStore store, Set<String> models, Supplier<List<BudgetView>> counters) {
        this.store = store;
        this.models = Set.copyOf(models);
        this.counters = counters;
    }

    void addTo(AdminRoutes routes) {
        routes.add("GET", "budgets", this::list)
                .add("POST", "budgets", this::create)
                .add("GET", "budgets/{budget}", this::get)
                .add("PUT", "budgets/{budget}", this::update)
                .add("DELETE", "budgets/{budget}", this::delete);
    }

    private AdminReply list(AdminCall call) {
        call.parameters(List.of("tenant"));
        Optional<String> tenant = call.parameter("tenant");
        Policy policy = store.policy();
        JsonWriter out = new JsonWriter()
                .beginObject()
                .name("object")
                .value("list")
                .name("data")
                .beginArray();
        policy.budgets().stream()
                .filter(budget -> tenant.isEmpty() || budget.tenant().equals(tenant.get()))
                .forEach(budget -> write(store, out, budget));
        return AdminReply.json(200, policy.version(), out.endArray().endObject());
    }

    private AdminReply get(AdminCall call) {
        call.parameters(List.of());
        Policy policy = store.policy();
        Budget budget = find(policy, call.at("budget"));
        JsonWriter out = new JsonWriter().beginObject();
        fields(store, out, budget);
        out.name("counters").beginArray();
        counters.get().stream()
                .filter(view -> view.budget().id().equals(budget.id()))
                .limit(MAX_COUNTERS)
                .forEach(view -> write(out, view));
        return AdminReply.json(200, policy.version(), out.endArray().endObject());
    }

    private static void write(JsonWriter out, BudgetView view) {
        BudgetUnit unit = view.budget().unit();
        out.beginObject();
        out.name("subject").value(view.subject());
        out.name("from")
                .tree(
                        view.window().from() == Long.MIN_VALUE
                                ? null
                                : Period.text(view.window().from()));
        out.name("to")
                .tree(
                        view.window().to() == Long.MAX_VALUE
                                ? null
                                : Period.text(view.window().to()));
        out.name("limit").value(BudgetFormat.text(view.limit(), unit));
        out.name("spent").value(BudgetFormat.text(view.used() - view.reserved(), unit));
        out.name("reserved").value(BudgetFormat.text(view.reserved(), unit));
        out.name("available").value(BudgetFormat.text(view.available(), unit));
        out.name("projected").value(BudgetFormat.text(view.projected(), unit));
        view.shared().ifPresent(share -> write(out, share, unit));
        out.endObject();
    }

    private static void write(JsonWriter out, BudgetView.Share share, BudgetUnit unit) {
        out.name("shared").beginObject();
        out.name("allotted").value(BudgetFormat.text(share.allotted(), unit));
        out.name("charged").value(BudgetFormat.text(share.charged(), unit));
        out.name("used_elsewhere").value(BudgetFormat.text(share.usedElsewhere(), unit));
        out.name("allotted_elsewhere").value(BudgetFormat.text(share.elsewhere(), unit));
        out.name("as_of").tree(share.asOf() == Long.MIN_VALUE ? null : Period.text(share.asOf()));
        out.name("leased").value(share.leased());
        out.endObject();
    }

    static AdminReply one(PolicyStore store, int status, Policy policy, String id) {
        JsonWriter out = new JsonWriter();
        write(store, out, find(policy, id));
        return AdminReply.json(status, policy.version(), out);
    }

    static Budget find(Policy policy, String id) {
        return policy.budget(id)
                .orElseThrow(() -> Rules.notFound(
                        OBJECT, id, policy.budgets().stream().map(Budget::id).toList()));
    }

    /** A budget and what was done to it. */
    static void write(PolicyStore store, JsonWriter out, Budget budget) {
        fields(store, out.beginObject(), budget);
        out.endObject();
    }

    private static void fields(PolicyStore store, JsonWriter out, Budget budget) {
        out.name("object").value(OBJECT);
        BudgetFormat.write(out, budget);
        out.name("killed").value(budget.killed());
        out.name("grace");
        if (budget.grace().equals(Grace.NONE)) {
            out.nullValue();
        } else {
            out.beginObject();
            out.name("amount").value(BudgetFormat.text(budget.grace().amount(), budget.unit()));
            out.name("until").value(Period.text(budget.grace().until()));
            out.endObject();
        }
        if (budget.window().kind() == BudgetWindow.Kind.PREPAID) {
            out.name("top_ups").beginArray();
            budget.topUps().forEach(topUp -> write(out, budget, topUp));
            out.endArray();
        }
        out.name("source").value(store.files().hasBudget(budget.id()) ? "file" : "admin");
    }

    private static void write(JsonWriter out, Budget budget, Budget.TopUp topUp) {
        out.beginObject();
        out.name("id").value(topUp.id());
        out.name("amount").value(BudgetFormat.text(topUp.amount(), budget.unit()));
        out.name("at").value(Period.text(topUp.at()));
        out.name("expires");
        if (topUp.expires() == Long.MAX_VALUE) {
            out.nullValue();
        } else {
            out.value(Period.text(topUp.expires()));
        }
        out.endObject();
    }

    private AdminReply create(AdminCall call) {
        JsonObject body = call.body(BudgetFormat.FIELDS, "a budget");
        Budget budget =
                BudgetFormat.read(definition(body, body.optionalText("id").orElse("")));
        Policy after = store.change(call.author(body), before -> {
            if (before.budget(budget.id()).isPresent()) {
                throw Rules.exists(OBJECT, budget.id());
            }
            Rules.bound(before.budgets().size(), Rules.MAX_TENANTS, "budgets");
            require(before, budget);
            return Optional.of(Change.set("budget.create", budget.id(), content(budget)));
        });
        return one(store, 201, after, budget.id());
    }

    /** The fields of a budget alone. */
    private static JsonObject definition(JsonObject body, String id) {
        Map<String, @Nullable Object> fields = new LinkedHashMap<>(body.fields());
        fields.remove(AdminCall.REASON);
        if (!id.isEmpty()) {
            fields.put("id", id);
        }
        return JsonObject.of("", fields);
    }

    private static JsonObject content(Budget budget) {
        JsonWriter out = new JsonWriter().beginObject().name("definition").beginObject();
        BudgetFormat.write(out, budget);
        return Json.object(out.endObject().endObject().toBytes());
    }

    /** What a budget needs of the rest of the policy. */
    private void require(Policy policy, Budget budget) {
        BudgetSubjects.missing(budget, policy.tenants()).ifPresent(missing -> {
            throw ApiException.invalid(missing.field(), "'%s': %s".formatted(missing.field(), missing.message()));
        });
        String currency = policy.prices().currency().getCurrencyCode();
        if (!budget.currency().isEmpty() && !budget.currency().equals(currency)) {
            throw ApiException.invalid(
                    "currency",
                    "The price book is in %s, so a budget in %s could not be held against what is spent"
                            .formatted(currency, budget.currency()));
        }
        for (int i = 0; i < budget.ladder().size(); i++) {
            if (budget.ladder().get(i) instanceof Rung.Cheaper cheaper && !models.contains(cheaper.model())) {
                throw ApiException.invalid("ladder[%d].cheaper.model".formatted(i), whyNot(policy, cheaper.model()));
            }
        }
    }

    private String whyNot(Policy policy, String model) {
        String shown = ApiException.shown(model);
        return policy.adapter(model).isPresent()
                ? "'%s' is an adapter of the admin API, which may be unloaded at any time: name a model of jeton.yaml"
                        .formatted(shown)
                : "No model is served as '%s'%s".formatted(shown, Names.suggestion(shown, List.copyOf(models)));
    }

    private AdminReply update(AdminCall call) {
        String id = call.at("budget");
        JsonObject body = call.body(BudgetFormat.FIELDS, "a budget");
        if (body.has("id") && !body.text("id").equals(id)) {
            throw body.wrong("id", "'id' must be that of the path: a budget keeps its name");
        }
        Budget budget = BudgetFormat.read(definition(body, id));
        Policy after = store.change(call.author(body), before -> {
            Budget old = find(before, id);
            if (store.files().hasBudget(id)) {
                throw Rules.ofFile(OBJECT, id);
            }
            requireSameCounters(old, budget);
            require(before, budget);
            return Optional.of(Change.set("budget.update", id, content(budget)));
        });
        return one(store, 200, after, id);
    }

    /** What is counted, and whose it is, stays, so that what was spent goes on counting. */
    private static void requireSameCounters(Budget old, Budget budget) {
        Map<String, Boolean> same = new LinkedHashMap<>();
        same.put("level", old.level() == budget.level());
        same.put("tenant", old.tenant().equals(budget.tenant()));
        same.put("project", old.project().equals(budget.project()));
        same.put("key", old.key().equals(budget.key()));
        same.put("unit", old.unit() == budget.unit());
        same.put("window", old.window().kind() == budget.window().kind());
        same.put("timezone", old.window().equals(budget.window()));
        same.forEach((field, is) -> {
            if (!is) {
                throw ApiException.invalid(
                        field,
                        "'%s' of a budget cannot change, since what was spent would not be comparable: make another budget"
                                .formatted(field));
            }
        });
    }

    private AdminReply delete(AdminCall call) {
        call.parameters(List.of(AdminCall.REASON));
        String id = call.at("budget");
        Policy after = store.change(call.author(), before -> {
            find(before, id);
            if (store.files().hasBudget(id)) {
                throw Rules.ofFile(OBJECT, id);
            }
            return Optional.of(Change.gone("budget.delete", id));
        });
        return TenantRoutes.deleted(after, OBJECT, id);
    }
}
