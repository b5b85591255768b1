package dev.jeton.server.metrics;

import dev.jeton.accounting.Bookkeeper;
import dev.jeton.accounting.Journal;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import java.util.function.ToDoubleFunction;

/** What the books do: journal, ledger and balance. Money in Prometheus is for alerts, not for invoices. */
final class BooksMetrics {

    private static final double NANOS = 1e9;
    private static final double MICROS = 1e6;

    private final MeterRegistry registry;
    private final Bookkeeper books;

    BooksMetrics(MeterRegistry registry, Bookkeeper books) {
        this.registry = registry;
        this.books = books;
        gauge(
                "jeton.journal.fill",
                "Stored, waiting and promised bytes of the journal, of its bound",
                b -> b.journal().fill());
        gauge("jeton.journal.bytes", "Bytes of the journal", b -> b.journal().bytes());
        gauge("jeton.journal.bytes.bound", "Most of them", b -> b.journal().capacity());
        gauge(
                "jeton.journal.pending.bytes",
                "Bytes that are not durable yet",
                b -> b.journal().pendingBytes());
        gauge(
                "jeton.journal.failing",
                "1 while the journal's disk fails and requests are refused",
                b -> b.journal().state() == Journal.State.FAILING ? 1 : 0);
        gauge(
                "jeton.ledger.lag.facts",
                "Facts that are not in the ledger yet",
                b -> b.projection().behind());
        gauge(
                "jeton.ledger.lag.seconds",
                "How old the oldest of them may be",
                b -> b.projection().behindMicros() / MICROS);
        gauge(
                "jeton.ledger.stopped",
                "1 once the ledger takes no more facts; see the log",
                b -> b.projection().stopped() ? 1 : 0);
        gauge(
                "jeton.books.imbalance.seconds",
                "Device time missing or booked twice; always 0",
                b -> b.imbalance() / NANOS);
        gauge("jeton.tasks.open", "Open tasks", b -> b.tasks().stats().open());
        gauge("jeton.tasks.open.bound", "Most of them", b -> b.tasks().bounds().maxOpen());
        gauge(
                "jeton.tasks.ended",
                "Ended tasks that still take steps",
                b -> b.tasks().stats().ended());
        gauge(
                "jeton.tasks.steps",
                "Steps of both that are kept",
                b -> b.tasks().stats().steps());
        gauge("jeton.tasks.steps.bound", "Most of them", b -> b.tasks().bounds().allSteps());
        counter("jeton.tasks.opened", "Tasks opened", b -> b.tasks().stats().opened());
        counter(
                "jeton.tasks.expired",
                "Tasks that ended because nobody used them",
                b -> b.tasks().stats().expired());
        counter("jeton.journal.commits", "Group commits", b -> b.journal().commits());
        counter(
                "jeton.journal.commit.seconds",
                "Time spent in them",
                b -> b.journal().commitNanos() / NANOS);
        counter(
                "jeton.journal.failures",
                "Commits that failed",
                b -> b.journal().failures());
    }

    private void gauge(String name, String meaning, ToDoubleFunction<Bookkeeper> value) {
        Gauge.builder(name, books, value).description(meaning).register(registry);
    }

    private void counter(String name, String meaning, ToDoubleFunction<Bookkeeper> value) {
        FunctionCounter.builder(name, books, value).description(meaning).register(registry);
    }
}
