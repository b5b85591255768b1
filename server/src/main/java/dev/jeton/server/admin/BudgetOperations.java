package dev.jeton.server.admin;

import dev.jeton.accounting.AccountingException;
import dev.jeton.accounting.Budget;
import dev.jeton.accounting.Budget.TopUp;
import dev.jeton.accounting.BudgetWindow;
import dev.jeton.accounting.Period;
import dev.jeton.server.api.ApiException;
import dev.jeton.server.config.BudgetFormat;
import dev.jeton.server.config.ConfigException;
import dev.jeton.server.config.Configuration.AdminSettings;
import dev.jeton.server.config.Units;
import dev.jeton.server.json.JsonObject;
import java.math.BigInteger;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What is done to a budget in operation, wherever it is defined: top-ups, grace and the kill switch, under
 * {@code /admin/v1/budgets/{budget}}.
 */
final class BudgetOperations {

    private static final BigInteger HUNDRED = BigInteger.valueOf(100);

    private final PolicyStore store;
    private final AdminSettings settings;

    /** @param settings bounds of grace */
    BudgetOperations(PolicyStore store, AdminSettings settings) {
        this.store = store;
        this.settings = settings;
    }

    void addTo(AdminRoutes routes) {
        routes.add("POST", "budgets/{budget}/topups", this::topUp)
                .add("POST", "budgets/{budget}/grace", this::grace)
                .add("DELETE", "budgets/{budget}/grace", this::endGrace)
                .add("POST", "budgets/{budget}/kill", call -> kill(call, true))
                .add("POST", "budgets/{budget}/unkill", call -> kill(call, false));
    }

    /** Pays in once, however often it is asked with one id. */
    private AdminReply topUp(AdminCall call) {
        JsonObject body = call.body(List.of("id", "amount", "expires"), "a top-up");
        String budget = call.at("budget");
        String id = Rules.id(body, "id");
        long expires = body.has("expires") ? time(body, "expires") : Long.MAX_VALUE;
        Policy after = store.change(call.author(body), before -> {
            Budget found = BudgetRoutes.find(before, budget);
            if (found.window().kind() != BudgetWindow.Kind.PREPAID) {
                throw Rules.conflict(
                        "not_prepaid",
                        "The budget '%s' begins anew by itself or has one total; only a prepaid one is topped up"
                                .formatted(budget));
            }
            long amount = BudgetFormat.amount(body, "amount", found.unit());
            Optional<TopUp> same = found.topUps().stream()
                    .filter(topUp -> topUp.id().equals(id))
                    .findFirst();
            if (same.isPresent()) {
                if (same.get().amount() != amount || same.get().expires() != expires) {
                    throw Rules.conflict(
                            "already_exists",
                            "The top-up '%s' was made with another amount or end; take another id".formatted(id));
                }
                return Optional.empty();
            }
            requireRoom(body, found, amount, expires);
            return Optional.of(Change.set(
                    "budget.topup",
                    budget,
                    AuditEntry.object(
                            "top_up", Map.of("id", id, "amount", amount, "at", store.now(), "expires", expires))));
        });
        return BudgetRoutes.one(store, 200, after, budget);
    }

    private void requireRoom(JsonObject body, Budget budget, long amount, long expires) {
        if (expires <= store.now()) {
            throw body.wrong("expires", "'expires' is past: nothing of the top-up could be spent");
        }
        if (amount == 0) {
            throw body.wrong("amount", "'amount' must be more than 0");
        }
        Rules.bound(budget.topUps().size(), Budget.MAX_TOP_UPS, "top-ups of the budget");
        if (whole(budget).add(BigInteger.valueOf(amount)).bitLength() >= Long.SIZE) {
            throw body.wrong("amount", "'amount' and what was paid in before are more than can be counted");
        }
    }

    /** The limit, and what was paid in. */
    private static BigInteger whole(Budget budget) {
        BigInteger whole = BigInteger.valueOf(budget.limit());
        for (TopUp topUp : budget.topUps()) {
            whole = whole.add(BigInteger.valueOf(topUp.amount()));
        }
        return whole;
    }

    private AdminReply grace(AdminCall call) {
        JsonObject body = call.body(List.of("amount", "for"), "a grace");
        String budget = call.at("budget");
        if (body.optionalText(AdminCall.REASON).filter(text -> !text.isBlank()).isEmpty()) {
            throw body.wrong(
                    AdminCall.REASON, "'reason' is missing: grace goes beyond a limit, and the audit log says why");
        }
        Duration length = length(body);
        Policy after = store.change(call.author(body), before -> {
            Budget found = BudgetRoutes.find(before, budget);
            long amount = BudgetFormat.amount(body, "amount", found.unit());
            BigInteger most = whole(found)
                    .multiply(BigInteger.valueOf(settings.gracePercent()))
                    .divide(HUNDRED);
            if (amount == 0 || BigInteger.valueOf(amount).compareTo(most) > 0) {
                String bound = BudgetFormat.text(
                        most.min(BigInteger.valueOf(Long.MAX_VALUE)).longValue(), found.unit());
                throw body.wrong(
                        "amount",
                        "'amount' must be more than 0 and at most %s, %d%% of the budget (admin.grace-percent)"
                                .formatted(bound, settings.gracePercent()));
            }
            long until = store.now() + length.toNanos() / 1_000;
            return Optional.of(Change.set(
                    "budget.grace", budget, AuditEntry.object("grace", Map.of("amount", amount, "until", until))));
        });
        return BudgetRoutes.one(store, 200, after, budget);
    }

    private Duration length(JsonObject body) {
        Duration most = settings.graceTime();
        try {
            Duration length = Units.duration(body.text("for"));
            if (!length.isZero() && length.compareTo(most) <= 0) {
                return length;
            }
        } catch (ConfigException e) {
            throw body.wrong("for", "'for': " + e.getMessage());
        }
        throw body.wrong(
                "for",
                "'for' must be more than 0 and at most %s (admin.grace-time)".formatted(Units.durationText(most)));
    }

    private AdminReply endGrace(AdminCall call) {
        call.parameters(List.of(AdminCall.REASON));
        String budget = call.at("budget");
        Policy after = store.change(call.author(), before -> {
            boolean none = BudgetRoutes.find(before, budget).grace().equals(Budget.Grace.NONE);
            return none
                    ? Optional.empty()
                    : Optional.of(Change.set(
                            "budget.grace", budget, AuditEntry.object("grace", Map.of("amount", 0L, "until", 0L))));
        });
        return BudgetRoutes.one(store, 200, after, budget);
    }

    private AdminReply kill(AdminCall call, boolean killed) {
        JsonObject body = call.body(List.of(), "the kill switch");
        String budget = call.at("budget");
        Policy after = store.change(call.author(body), before -> {
            boolean already = BudgetRoutes.find(before, budget).killed() == killed;
            return already
                    ? Optional.empty()
                    : Optional.of(Change.set(
                            killed ? "budget.kill" : "budget.unkill", budget, AuditEntry.object("killed", killed)));
        });
        return BudgetRoutes.one(store, 200, after, budget);
    }

    private static long time(JsonObject body, String field) {
        try {
            return Period.begin(ApiException.shown(body.text(field)));
        } catch (AccountingException e) {
            throw body.wrong(field, "'%s': %s".formatted(field, e.getMessage()));
        }
    }
}
