package dev.jeton.server.api;

import dev.jeton.accounting.BudgetStop;
import dev.jeton.server.json.JsonWriter;

/**
 * Why a choice ended with {@code length} before the tokens that it might have had.
 *
 * @param word what programs look for: {@code budget_exhausted}
 * @param stop which budget
 */
record FinishDetail(String word, BudgetStop stop) {

    /** A budget had no more while it ran. */
    static FinishDetail stopped(BudgetStop stop) {
        String word = switch (stop.reason()) {
            case KILLED -> "budget_killed";
            case UNREACHABLE -> "budget_unreachable";
            case SPENT, RESERVED_BY_OTHERS -> "budget_exhausted";
        };
        return new FinishDetail(word, stop);
    }

    /** A budget paid for a shorter answer from the beginning. */
    static FinishDetail shortened(BudgetStop stop) {
        return new FinishDetail("budget_shortened", stop);
    }

    /** As fields of an object. */
    void fields(JsonWriter out) {
        out.name("finish_detail").value(word);
        out.name("budget").value(stop.budget());
        out.name("budget_subject").value(stop.subject());
    }
}
