package dev.jeton.server.api;

import dev.jeton.accounting.AccountingException;
import dev.jeton.accounting.Budget;
import dev.jeton.accounting.BudgetUnit;
import dev.jeton.accounting.Rate;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The limits that a request sets itself: {@code X-Jeton-Budget: output-tokens=200, list-money=0.05}. */
final class RequestBudgets {

    /** The header. */
    static final String HEADER = "x-jeton-budget";

    private static final int MAX_HEADER = 1_024;
    private static final BigDecimal MOST = BigDecimal.valueOf(Long.MAX_VALUE / 4);
    private static final Set<BudgetUnit> UNITS =
            EnumSet.complementOf(EnumSet.of(BudgetUnit.REQUESTS, BudgetUnit.TOOL_CALLS));

    private RequestBudgets() {}

    /**
     * Reads the header.
     *
     * @param currency that money is in
     * @throws ApiException 400, naming what does not fit
     */
    static List<Budget> of(Optional<String> header, String tenant, String currency) {
        List<Budget> budgets = new ArrayList<>();
        if (header.isEmpty() || header.get().isBlank()) {
            return budgets;
        }
        if (header.get().length() > MAX_HEADER) {
            throw wrong("has %d characters; at most %d are taken"
                    .formatted(header.get().length(), MAX_HEADER));
        }
        Set<BudgetUnit> seen = EnumSet.noneOf(BudgetUnit.class);
        for (String part : header.get().split(",", -1)) {
            int equals = part.indexOf('=');
            String name = equals < 0 ? part.strip() : part.substring(0, equals).strip();
            BudgetUnit unit = BudgetUnit.of(name)
                    .filter(UNITS::contains)
                    .orElseThrow(() -> wrong("is unit=amount, separated by commas, with the units %s; this is not: '%s'"
                            .formatted(names(), ApiException.shown(part.strip()))));
            if (!seen.add(unit)) {
                throw wrong("names '%s' twice".formatted(name));
            }
            long amount =
                    amount(unit, equals < 0 ? "" : part.substring(equals + 1).strip());
            budgets.add(Budget.ofRequest(tenant, unit, amount, unit == BudgetUnit.LIST_MONEY ? currency : ""));
        }
        return budgets;
    }

    /**
     * An amount as people say it, in the unit's smallest part.
     *
     * @throws ApiException 400, where it is none
     */
    static long amount(BudgetUnit unit, String text) {
        try {
            BigDecimal value = Rate.of(text).decimal().multiply(BigDecimal.valueOf(unit.scale()));
            if (value.compareTo(MOST) <= 0) {
                return value.longValueExact();
            }
        } catch (AccountingException | ArithmeticException e) {
            throw wrong("gives '%s' for %s: %s is expected, not negative"
                    .formatted(
                            ApiException.shown(text),
                            unit.text(),
                            unit.scale() == 1 ? "a whole number" : "a decimal with at most 9 places"));
        }
        throw wrong("gives '%s' for %s, which is more than can be counted".formatted(text, unit.text()));
    }

    private static String names() {
        return Stream.of(BudgetUnit.values())
                .filter(UNITS::contains)
                .map(BudgetUnit::text)
                .collect(Collectors.joining(", "));
    }

    private static ApiException wrong(String what) {
        return ApiException.invalid("X-Jeton-Budget", "The header X-Jeton-Budget " + what);
    }
}
