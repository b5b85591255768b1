package dev.jeton.server.metrics;

import dev.jeton.accounting.Bookkeeper;
import dev.jeton.accounting.DeviceTaking;
import dev.jeton.accounting.Journal;
import dev.jeton.accounting.Money;
import dev.jeton.accounting.Posting;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tags;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.ToDoubleFunction;

/** What the books do: journal, ledger and balance. Money in Prometheus is for alerts, not for invoices. */
final class BooksMetrics {

    private static final double NANOS = 1e9;
    private static final double MICROS = 1e6;

    private final MeterRegistry registry;
    private final Bookkeeper books;
    /** What is exported by device and account; micrometer keeps what it observes by weak reference only. */
    private final Map<Account, Taken> takings = new ConcurrentHashMap<>();

    private record Account(String device, Posting.Account account) {}

    /** The newest sums of an account. */
    private static final class Taken {
        private volatile DeviceTaking latest;

        Taken(DeviceTaking latest) {
            this.latest = latest;
        }
    }

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
                "Device time missing or booked twice in the window under way; always 0",
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

    /** Takes the sums of a scrape; devices appear once something of them is booked. */
    void refresh() {
        for (DeviceTaking taking : books.takings()) {
            takings.computeIfAbsent(new Account(taking.device(), taking.account()), key -> taken(taking)).latest =
                    taking;
        }
    }

    private Taken taken(DeviceTaking first) {
        Taken taken = new Taken(first);
        Tags tags = Tags.of(
                "device", first.device(), "account", first.account().name().toLowerCase(Locale.ROOT));
        FunctionCounter.builder("jeton.books.device.seconds", taken, of -> of.latest.nanos() / NANOS)
                .description("Device time in the ledger by the account that took it; rounding is 0 in sound books")
                .tags(tags)
                .register(registry);
        FunctionCounter.builder(
                        "jeton.books.device.cost",
                        taken,
                        of -> Money.decimal(of.latest.money()).doubleValue())
                .description("What devices cost, energy included, by the account that took it in the ledger")
                .tags(tags.and("currency", books.currency()))
                .register(registry);
        return taken;
    }

    private void gauge(String name, String meaning, ToDoubleFunction<Bookkeeper> value) {
        Gauge.builder(name, books, value).description(meaning).register(registry);
    }

    private void counter(String name, String meaning, ToDoubleFunction<Bookkeeper> value) {
        FunctionCounter.builder(name, books, value).description(meaning).register(registry);
    }
}
