package dev.jeton.accounting;

import java.time.DateTimeException;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What operations decide of a budget, and what must be the same on all servers that share it: of each of these whoever
 * decides last, on any of them; what is paid in anywhere adds up.
 *
 * @param limit most that may be spent in a window
 * @param mode what happens at the limit
 * @param killed whether nothing at all may be spent
 * @param grace what may be spent beyond the limit for a while
 * @param topUps what was paid in, of a prepaid budget
 */
record BudgetTerms(long limit, Budget.Mode mode, boolean killed, Budget.Grace grace, List<Budget.TopUp> topUps) {

    BudgetTerms {
        topUps = List.copyOf(topUps);
    }

    static BudgetTerms of(Budget budget) {
        return new BudgetTerms(budget.limit(), budget.mode(), budget.killed(), budget.grace(), budget.topUps());
    }

    /** Where nothing was done to a budget but to define it so. */
    private static BudgetTerms defined(BudgetTerms as) {
        return new BudgetTerms(as.limit, as.mode, false, Budget.Grace.NONE, List.of());
    }

    /**
     * These with what somebody else has changed of the terms that he knew: only that was decided.
     *
     * @param before as he had them; empty where the budget is new to him, and so he decides of limit and mode, and of
     *     what he did to it
     */
    BudgetTerms changed(Optional<BudgetTerms> before, BudgetTerms after) {
        BudgetTerms knew = before.orElseGet(() -> defined(after));
        boolean isNew = before.isEmpty();
        List<Budget.TopUp> paid = new ArrayList<>(topUps);
        paid.removeIf(topUp -> knew.topUps.contains(topUp) && !after.topUps.contains(topUp));
        after.topUps.stream()
                .filter(topUp -> !knew.topUps.contains(topUp) && !paid.contains(topUp))
                .forEach(paid::add);
        return new BudgetTerms(
                isNew || after.limit != knew.limit ? after.limit : limit,
                isNew || after.mode != knew.mode ? after.mode : mode,
                after.killed != knew.killed ? after.killed : killed,
                after.grace.equals(knew.grace) ? grace : after.grace,
                paid);
    }

    /** As text, one line each; equal terms have equal texts. */
    String text() {
        StringBuilder text = new StringBuilder();
        text.append("limit ").append(limit).append('\n');
        text.append("mode ").append(mode).append('\n');
        if (killed) {
            text.append("killed\n");
        }
        if (!grace.equals(Budget.Grace.NONE)) {
            text.append("grace %d %d\n".formatted(grace.amount(), grace.until()));
        }
        for (Budget.TopUp topUp : topUps) {
            text.append("top-up %d %d %d %s\n".formatted(topUp.amount(), topUp.at(), topUp.expires(), topUp.id()));
        }
        return text.toString();
    }

    /** @throws AccountingException if it is not what {@link #text} of this version writes */
    static BudgetTerms parse(String text) {
        long limit = 0;
        Budget.Mode mode = Budget.Mode.HARD;
        boolean killed = false;
        Budget.Grace grace = Budget.Grace.NONE;
        List<Budget.TopUp> topUps = new ArrayList<>();
        try {
            for (String line : text.lines().toList()) {
                String[] words = line.split(" ", 5);
                switch (words[0]) {
                    case "limit" -> limit = Long.parseLong(words[1]);
                    case "mode" -> mode = Budget.Mode.valueOf(words[1]);
                    case "killed" -> killed = true;
                    case "grace" -> grace = new Budget.Grace(Long.parseLong(words[1]), Long.parseLong(words[2]));
                    case "top-up" ->
                        topUps.add(new Budget.TopUp(
                                words[4],
                                Long.parseLong(words[1]),
                                Long.parseLong(words[2]),
                                Long.parseLong(words[3])));
                    default -> throw new IllegalArgumentException(line);
                }
            }
        } catch (IllegalArgumentException | ArrayIndexOutOfBoundsException e) {
            throw unknown(text, e);
        }
        return new BudgetTerms(limit, mode, killed, grace, topUps);
    }

    private static AccountingException unknown(String text, Exception cause) {
        return new AccountingException(
                "the ledger's database says of a shared budget what this version does not understand ('%s'): run the same version on all servers"
                        .formatted(text.strip()),
                cause);
    }

    /**
     * The budget of which so much is known: enough to say what is left of a window. Its unit is one that counts what it
     * is charged with, whatever the servers count.
     *
     * @param kind as {@link BudgetState#kind} has it
     */
    Budget budget(String id, String kind) {
        String[] words = kind.split(" ", -1);
        try {
            return new Budget(
                    id,
                    Budget.Level.valueOf(words[3]),
                    Budget.ANY,
                    Budget.ANY,
                    Budget.ANY,
                    BudgetUnit.OUTPUT_TOKENS,
                    new BudgetWindow(BudgetWindow.Kind.valueOf(words[1]), ZoneId.of(words[2])),
                    limit,
                    mode,
                    killed,
                    grace,
                    topUps,
                    List.of(),
                    List.of(),
                    words[4]);
        } catch (IllegalArgumentException | ArrayIndexOutOfBoundsException | DateTimeException e) {
            throw unknown(kind, e);
        }
    }
}
