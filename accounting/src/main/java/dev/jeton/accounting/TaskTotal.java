package dev.jeton.accounting;

/**
 * What the tasks of a group were. Steps have neither model, work, labels, prompt version, route nor context: in groups
 * by those they are together under the empty value.
 *
 * @param tasks tasks that requests of the group are part of
 * @param succeeded of those, such as ended in success
 * @param calls to models that are part of a task: prompts of requests
 * @param money list money of those requests, tokens and bytes, and of steps, nano-units
 * @param retried requests that repeat another, as SDKs count; of all of the group
 * @param fallbacks requests that stand in for another; of all of the group
 * @param retrievals steps that say whether they found something
 * @param hits of those, that did
 */
public record TaskTotal(
        long tasks, long succeeded, long calls, long money, long retried, long fallbacks, long retrievals, long hits) {

    /** Nothing. */
    public static final TaskTotal NONE = new TaskTotal(0, 0, 0, 0, 0, 0, 0, 0);

    /** With what steps add. */
    TaskTotal plus(long stepMoney, long moreRetrievals, long moreHits) {
        return new TaskTotal(
                tasks,
                succeeded,
                calls,
                Money.add(money, stepMoney),
                retried,
                fallbacks,
                retrievals + moreRetrievals,
                hits + moreHits);
    }
}
