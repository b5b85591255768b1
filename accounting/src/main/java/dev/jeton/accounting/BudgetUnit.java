package dev.jeton.accounting;

import java.util.Locale;
import java.util.Optional;

/** What a budget counts. Counters are whole numbers of the unit's smallest part. */
public enum BudgetUnit {
    /** Calls of the API that were admitted. */
    REQUESTS(1),
    /** Prompts given to a model: a completion with five prompts is five. */
    MODEL_CALLS(1),
    /** Tokens of prompts, cached or not, each prompt once however many continuations it gets. */
    INPUT_TOKENS(1),
    /** Tokens computed as continuations, delivered or thrown away for the caller's sake. */
    OUTPUT_TOKENS(1),
    /** Steps of kind {@code tool} that tasks report. */
    TOOL_CALLS(1),
    /** List money of tokens and of tasks' steps, in nano-units of the price book's currency. */
    LIST_MONEY(Money.NANOS_PER_UNIT),
    /** Attributed device time, in nanoseconds. */
    DEVICE_SECONDS(1_000_000_000L),
    /** Time from a request's admission to its end, those of requests at a time added up, in nanoseconds. */
    WALL_SECONDS(1_000_000_000L);

    private final long scale;

    BudgetUnit(long scale) {
        this.scale = scale;
    }

    /** Smallest parts in one, as people say it. */
    public long scale() {
        return scale;
    }

    /** As configuration, API and metrics say it: {@code output-tokens}. */
    public String text() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    /** The unit that is said so. */
    public static Optional<BudgetUnit> of(String text) {
        for (BudgetUnit unit : values()) {
            if (unit.text().equals(text)) {
                return Optional.of(unit);
            }
        }
        return Optional.empty();
    }
}
