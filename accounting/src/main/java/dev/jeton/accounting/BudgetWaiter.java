package dev.jeton.accounting;

import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/** Who waits until others give back what they have reserved. Guarded by the lock of {@link Budgets}. */
final class BudgetWaiter {

    /** Writes down what is granted; throws {@link AccountingException} where the journal has no room. */
    @FunctionalInterface
    interface Appending {
        void append(long total);
    }

    final BudgetHold hold;
    /** Tokens wanted in all. */
    final long wanted;
    /** Whether it is to be admitted; otherwise it runs and wants more. */
    final boolean admission;

    final Appending appending;
    /** Which counter stands in the way; null where somebody who goes before does. */
    @Nullable
    BudgetAccount at;
    /** Since when nothing has moved at the account that it waits for, microseconds since 1970. */
    long since;
    /** What its account's requests had taken then. */
    long progress;
    /** Ends when it is admitted, or with the refusal; not for those that run. */
    final CompletableFuture<@Nullable Void> admitted = new CompletableFuture<>();

    BudgetWaiter(BudgetHold hold, long wanted, boolean admission, Appending appending, long now) {
        this.hold = hold;
        this.wanted = wanted;
        this.admission = admission;
        this.appending = appending;
        since = now;
    }
}
