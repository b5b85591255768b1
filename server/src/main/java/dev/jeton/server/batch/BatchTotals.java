package dev.jeton.server.batch;

import java.math.BigDecimal;
import java.util.Map;

/**
 * How far a batch is.
 *
 * @param requests of the file
 * @param before that had results of an earlier run
 * @param answered in this run
 * @param failed in this run: refused, or given up
 * @param repeated requests that were sent once more
 * @param tokens of prompts and answers, as answers tell them
 * @param costs list prices by currency, as answers tell them
 * @param trouble why the server was asked again, where nothing was answered since; empty where it answers
 */
public record BatchTotals(
        int requests,
        int before,
        int answered,
        int failed,
        int repeated,
        long tokens,
        Map<String, BigDecimal> costs,
        String trouble) {

    /** Copies. */
    public BatchTotals {
        costs = Map.copyOf(costs);
    }

    /** Those that have a result. */
    public int done() {
        return before + answered + failed;
    }
}
