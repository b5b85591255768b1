package dev.jeton.server.api;

import dev.jeton.accounting.Budget;
import dev.jeton.accounting.BudgetRefusal;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What is tried before a budget refuses a request: the rungs of the budget that refuses, in order. A shorter answer is
 * tried when the request is booked; here it is another model.
 */
final class Ladder {

    /** Says which model was asked for where another one answers. */
    static final String FALLBACK = "x-jeton-fallback-from";

    private static final Logger LOG = LoggerFactory.getLogger(Ladder.class);
    private static final int MOST_RUNGS = 4;

    private final ServedModels models;
    private final LongSupplier micros;

    /** @param micros microseconds since 1970 */
    Ladder(ServedModels models, LongSupplier micros) {
        this.models = models;
        this.micros = micros;
    }

    /** Answers with a model; throws {@link BudgetRefusal} before anything is sent where a budget does not pay. */
    @FunctionalInterface
    interface Attempt {
        void with(ServedModel model) throws InterruptedException;
    }

    /**
     * Tries the model that was asked for, and then those that the refusing budgets name.
     *
     * @throws ApiException 429 where none of them is paid for
     */
    void climb(Call call, ServedModel asked, Attempt attempt) throws InterruptedException {
        Set<String> tried = new HashSet<>(Set.of(asked.name()));
        Deque<String> rungs = new ArrayDeque<>();
        ServedModel model = asked;
        while (true) {
            try {
                attempt.with(model);
                return;
            } catch (BudgetRefusal refusal) {
                Optional<ServedModel> next = tried.size() > MOST_RUNGS ? Optional.empty() : next(refusal, rungs, tried);
                if (next.isEmpty()) {
                    throw BudgetAnswers.refusal(refusal, micros.getAsLong());
                }
                model = next.get();
                LOG.debug("budget {} refuses {}, {} is tried", refusal.budget().id(), asked.name(), model.name());
                call.servedBy(model);
                call.fallsBackFrom(asked.name());
            }
        }
    }

    private Optional<ServedModel> next(BudgetRefusal refusal, Deque<String> rungs, Set<String> tried) {
        if (refusal.reason() != BudgetRefusal.Reason.SPENT) {
            return Optional.empty(); // another model would be refused as this one
        }
        for (Budget.Rung rung : refusal.budget().ladder()) {
            if (rung instanceof Budget.Rung.Cheaper cheaper && tried.add(cheaper.model())) {
                rungs.add(cheaper.model());
            }
        }
        while (!rungs.isEmpty()) {
            Optional<ServedModel> found = models.find(rungs.remove());
            if (found.isPresent()) {
                return found;
            }
        }
        return Optional.empty();
    }
}
