package dev.jeton.server.api;

import dev.jeton.accounting.AccountingException;
import dev.jeton.accounting.Bookkeeper;
import dev.jeton.accounting.Payer;
import dev.jeton.accounting.PriceBook;
import dev.jeton.accounting.TaskOutcome;
import dev.jeton.accounting.TaskSpec;
import dev.jeton.accounting.TaskStep;
import dev.jeton.accounting.Tasks;
import java.util.Optional;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Where callers open tasks, report steps and say outcomes. What it did is durable before it returns. Thread-safe. */
final class TaskDesk {

    private static final Logger LOG = LoggerFactory.getLogger(TaskDesk.class);

    private final Optional<Bookkeeper> books;

    /** @param books where tasks are booked; empty where none are kept */
    TaskDesk(Optional<Bookkeeper> books) {
        this.books = books;
    }

    /**
     * The books.
     *
     * @throws ApiException 404, where none are kept
     */
    Bookkeeper keeper() {
        return books.orElseThrow(ApiException::withoutBooks);
    }

    Tasks.Opened open(Payer payer, String id, TaskSpec spec) throws InterruptedException {
        Bookkeeper keeper = keeper();
        Tasks.Opened opened = booked(tasks -> tasks.open(payer, id, spec));
        keeper.awaitDurable(opened.sequence());
        return opened;
    }

    Tasks.Stepped step(Payer payer, String task, Function<PriceBook, TaskStep> step, Tasks.Wish wish)
            throws InterruptedException {
        Bookkeeper keeper = keeper();
        Tasks.Stepped stepped = booked(tasks -> keeper.recordStep(payer, task, step, wish));
        keeper.awaitDurable(stepped.sequence());
        return stepped;
    }

    Tasks.View end(Payer payer, String task, TaskOutcome outcome, String why) throws InterruptedException {
        Bookkeeper keeper = keeper();
        Tasks.Opened ended = booked(tasks -> tasks.end(payer.tenant(), task, outcome, why));
        keeper.awaitDurable(ended.sequence());
        return ended.task();
    }

    private <T> T booked(Function<Tasks, T> change) {
        try {
            return change.apply(keeper().tasks());
        } catch (AccountingException e) {
            LOG.warn("nothing is recorded of a task: {}", e.getMessage());
            throw ApiException.unavailable(
                    "books_unavailable",
                    "The server cannot keep its books just now and records nothing of tasks; try again later");
        }
    }
}
