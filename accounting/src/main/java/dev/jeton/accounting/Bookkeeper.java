package dev.jeton.accounting;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps the books of one process: meters its devices, journals what happens, and projects the journal into the ledger.
 * Everything in the accounting package that has a thread or a file is owned here.
 *
 * <p>At start it closes what a crash left open, as {@link Fact.Outcome#ABORTED}. Every five seconds it ends the windows
 * in which something was used, so that reports are seconds behind; quiet windows end each minute, and at the hour.
 */
public final class Bookkeeper implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(Bookkeeper.class);
    private static final long ADOPT_NANOS = 10_000_000_000L;
    /** Requests that were cancelled by the process's end are on their way to theirs; longer than this nobody waits. */
    private static final long ENDS_NANOS = 1_000_000_000L;

    private static final long ENDS_PAUSE_NANOS = 1_000_000L;

    private final BookSettings settings;
    private final BookClock clock;
    private final Journal journal;
    private final Budgets budgets;
    private final StateKeeper keptState;
    private final Grants grants;
    private final Tasks tasks;
    private final LedgerKeeper ledger;
    private final ShareKeeper shares;
    private volatile PolicyDocument policy;
    private final BookInForce prices;
    private final MeterWindows windows;
    private final BookTicker ticker;

    /**
     * Opens the books, and closes what the last run left open.
     *
     * @param counters of the energy of a device group
     * @param monotonic the clock of steps, nanoseconds
     * @param wallMicros microseconds since 1970, asked once
     * @throws AccountingException where the journal cannot be opened
     */
    public static Bookkeeper open(
            BookSettings settings,
            Function<String, EnergyCounter> counters,
            LongSupplier monotonic,
            LongSupplier wallMicros) {
        return open(settings, BookPace.USUAL, counters, monotonic, wallMicros);
    }

    /** The same, at another pace. */
    public static Bookkeeper open(
            BookSettings settings,
            BookPace pace,
            Function<String, EnergyCounter> counters,
            LongSupplier monotonic,
            LongSupplier wallMicros) {
        return new Bookkeeper(settings, pace, counters, new BookClock(monotonic, wallMicros));
    }

    private Bookkeeper(
            BookSettings settings, BookPace pace, Function<String, EnergyCounter> counters, BookClock clock) {
        this.settings = settings;
        this.clock = clock;
        this.policy = PolicyDocument.of(settings.aborted(), settings.budgets());
        journal = Journal.open(PeriodCommands.journal(settings.folder()), config(settings));
        PriceBookShelf shelf = new PriceBookShelf(settings.folder());
        prices = new BookInForce(settings.prices(), shelf);
        windows = new MeterWindows(journal, clock, settings.prices(), counters);
        budgets = new Budgets(Budgets.Limits.USUAL.leased(settings.leaseNanos()), clock::micros);
        tasks = new Tasks(settings.tasks(), clock::micros, this::appendTask);
        keptState = restore(shelf);
        begin();
        startKeeping();
        grants = new Grants(journal, budgets, clock::micros);
        ledger = LedgerKeeper.start(settings, pace, journal, clock);
        shares = new ShareKeeper(budgets.sharing(), ledger::shares, ledger::opening);
        shares.start();
        ticker = new BookTicker(settings.folder(), pace, clock, journal, prices, windows, tasks, ledger);
        ticker.start();
    }

    private static JournalConfig config(BookSettings settings) {
        JournalConfig usual = JournalConfig.of(settings.node());
        long bytes = settings.journalBytes();
        return new JournalConfig(
                settings.node(),
                Math.min(usual.segmentBytes(), bytes / 8),
                bytes,
                Math.min(usual.houseBytes(), bytes / 8),
                usual.maxPendingBytes(),
                usual.firstRetryNanos(),
                usual.maxRetryNanos(),
                usual.gatherNanos());
    }

    /** Budgets and tasks, as they were when the last run ended. */
    private StateKeeper restore(PriceBookShelf shelf) {
        budgets.define(settings.budgets());
        return StateKeeper.restore(
                budgets,
                tasks,
                journal,
                PeriodCommands.disk(settings.folder()),
                StateKeeper.books(shelf, settings.prices()),
                clock::micros);
    }

    private void startKeeping() {
        try {
            keptState.start();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AccountingException("the books were interrupted while they were opened; open them again", e);
        }
    }

    private void begin() {
        long now = clock.micros();
        LastRun.end(journal, budgets, settings.aborted(), prices, now);
        journal.append(new Fact.Started(now, settings.version(), List.of()));
        prices.begin(journal, now);
        journal.append(new Fact.Adopted(now, Fact.DocumentKind.POLICY, policy.version(), policy.content()));
    }

    /** The meter of a device group; the same for all its engines. */
    public Meter meter(String device) {
        return windows.meter(device);
    }

    /**
     * Admits a request to the books, and to its task. Where others have reserved what it needs of a budget it waits,
     * for a bounded time.
     *
     * @throws BudgetRefusal where a budget does not pay for it
     * @throws AccountingException where the journal is full or failing: the request must be refused
     * @throws TaskException where its task has ended, or as many are open as may be
     */
    public RequestBooks open(Opening opening) throws InterruptedException {
        PriceBook book = prices.current();
        Fact.Opened opened = opened(opening, book);
        BudgetHold hold = hold(opening, opened, book);
        long most = budgets.shorten(hold, opening.most());
        Grant grant = grants.open(hold, most, opening.wake());
        return new RequestBooks(this, book, opened, meter(opening.device()), opening.device(), grant);
    }

    /** The budgets above a request, and its place in its task. */
    private BudgetHold hold(Opening opening, Fact.Opened opened, PriceBook book) {
        String task = opening.tags().task();
        if (task.isEmpty()) {
            return budgets.hold(opened, book, opening.budgets());
        }
        // both at once, or the task could end in between and its limits would not bind the request
        return tasks.locked(() -> {
            tasks.use(opening.payer(), task);
            return budgets.hold(opened, book, opening.budgets());
        });
    }

    private Fact.Opened opened(Opening opening, PriceBook book) {
        return new Fact.Opened(
                clock.micros(),
                opening.request(),
                opening.payer(),
                opening.model(),
                opening.tags(),
                book.version(),
                policy.version(),
                opening.sequences(),
                new Zones(settings.zone(), opening.zone()),
                opening.work(),
                opening.prompts(),
                opening.prompt());
    }

    /**
     * What a request would cost, and what its budgets would say of it now; nothing is booked.
     *
     * @param cached tokens of its prompts that would be found in the cache
     * @param expected tokens that it will probably generate
     * @param expectedNanos device time of that
     * @param mostNanos device time of all that it may generate, with nobody to share a step
     */
    public Estimate estimate(Opening opening, long cached, long expected, double expectedNanos, double mostNanos) {
        PriceBook book = prices.current();
        Fact.Opened opened = opened(opening, book);
        ListPricing pricing = new ListPricing(book);
        String tenant = opening.payer().tenant();
        long list = pricing.price(
                        opening.model(),
                        tenant,
                        new Tokens(opening.prompt() - cached, cached, expected),
                        opened.at(),
                        opening.work())
                .total();
        long dearest =
                pricing.dearest(opening.model(), tenant, opening.prompt(), opening.most(), opened.at(), opening.work());
        return new Estimate(
                Bill.estimate(book, opening.device(), opened.at(), Math.round(expectedNanos), list),
                Bill.estimate(book, opening.device(), opened.at(), Math.round(mostNanos), dearest),
                budgets.verdicts(budgets.hold(opened, book, opening.budgets()), expected, opening.most()));
    }

    /**
     * Records a step of a task; {@link Tasks#step} says what may become of it. What was reported before the prices
     * changed is the same step when it is reported again.
     *
     * @param payer who reports it
     * @param reported the step at the prices of a book
     * @throws AccountingException where the journal is full or failing
     * @throws BudgetRefusal where it is to be reserved and a budget does not pay for it
     * @throws TaskException where the task cannot take it
     */
    public Tasks.Stepped recordStep(Payer payer, String task, Function<PriceBook, TaskStep> reported, Tasks.Wish wish) {
        PriceBook book = prices.current();
        TaskStep step = reported.apply(book);
        Optional<Fact.TaskStepped> before = tasks.reported(payer.tenant(), task, step.id(), wish);
        boolean repeated = before.flatMap(fact -> prices.shelf().find(fact.priceBook()))
                .map(then -> reported.apply(then).equals(before.orElseThrow().step()))
                .orElse(false);
        return tasks.step(
                payer,
                task,
                repeated ? before.orElseThrow().step() : step,
                wish,
                repeated ? before.orElseThrow().priceBook() : book.version());
    }

    /** The tasks of this process. */
    public Tasks tasks() {
        return tasks;
    }

    /**
     * Unlike what the books themselves say, a task's fact is refused while the disk fails: its caller would wait for
     * it.
     */
    private long appendTask(Fact fact, boolean late) {
        if (journal.state() == Journal.State.FAILING) {
            throw new AccountingException("the journal's disk fails, so nothing is recorded of a task: see the log");
        }
        return switch (fact) {
            case Fact.TaskOpened opened ->
                budgets.openTask(opened, prices.current().currency().getCurrencyCode(), () -> journal.append(opened));
            case Fact.TaskStepped step -> budgets.step(step, late, () -> journal.append(step));
            case Fact.TaskEnded ended -> budgets.endTask(ended, () -> journal.append(ended));
            default -> journal.append(fact);
        };
    }

    /** The prices in force: of requests that are opened now. */
    public PriceBook prices() {
        return prices.current();
    }

    /**
     * Puts another price book in force. Requests that are open stay priced by the book they were opened under; windows
     * of device time end, so that those before are costed by the old book.
     *
     * @return whether it is in force; false where the journal takes nothing just now, and it then comes into force as
     *     soon as it does
     * @throws AccountingException where {@link PriceBook#obstacle} has a reason, or the book cannot be kept
     */
    public boolean adopt(PriceBook book) throws InterruptedException {
        BookInForce.Next asked = prices.ask(book);
        ticker.hasten();
        return BookInForce.await(asked, ADOPT_NANOS);
    }

    /** What may be spent. */
    public Budgets budgets() {
        return budgets;
    }

    /**
     * Replaces the budgets' definitions, as {@link Budgets#define}: a new version of the policy, which requests opened
     * from then on name. Returns when a restart would know what they have counted.
     *
     * @throws AccountingException where the journal takes nothing just now: they hold all the same
     */
    public void define(List<Budget> definitions) throws InterruptedException {
        keptState.define(definitions);
        PolicyDocument next = PolicyDocument.of(settings.aborted(), definitions);
        if (!next.equals(policy)) {
            append(new Fact.Adopted(clock.micros(), Fact.DocumentKind.POLICY, next.version(), next.content()));
            policy = next;
        }
    }

    /** Is told what people should hear of budgets; by the budgets' thread, so it must not block. */
    public void onBudgetEvent(Consumer<BudgetEvent> listener) {
        keptState.onEvent(listener);
    }

    /** How budgets are shared with other servers. */
    public ShareStats sharing() {
        return shares.stats();
    }

    /** Where the books are kept. */
    public Path folder() {
        return settings.folder();
    }

    /** The books' time. */
    public BookClock clock() {
        return clock;
    }

    /** Gauges of the journal. */
    public JournalStats journal() {
        return journal.stats();
    }

    /** The ledger, to be asked and not to be closed; empty until it has been opened, some seconds after the start. */
    public Optional<Ledger> ledger() {
        return ledger.ledger();
    }

    /**
     * A moment, in microseconds since 1970, up to which the ledger has all of this process's requests whose answers
     * were complete. Ask before asking the ledger.
     */
    public long projectedUntil() {
        long now = clock.micros();
        return now - projection().behindMicros();
    }

    /**
     * Lets the ledger take what is durable now, at once, and waits for it.
     *
     * @param most how long to wait
     * @return whether the ledger has it
     */
    public boolean awaitProjected(Duration most) throws InterruptedException {
        return ledger.awaitProjected(most);
    }

    /** How far the ledger is behind the journal. */
    public Projection.Status projection() {
        return ledger.status();
    }

    /** What accounts have taken of each device, as booked in the ledger since the process began. */
    public List<DeviceTaking> takings() {
        return ledger.takings();
    }

    /** ISO 4217 code of the price book's currency. */
    public String currency() {
        return settings.prices().currency().getCurrencyCode();
    }

    /** Nanoseconds missing (positive) or booked twice in any device's open window: always 0. */
    public long imbalance() {
        return windows.imbalance();
    }

    long append(Fact fact) {
        try {
            return journal.append(fact);
        } catch (AccountingException e) {
            LOG.error("a fact could not be journaled: {}", fact, e);
            throw e;
        }
    }

    /** Waits until a fact is durable: before that nobody may be told of it. */
    public void awaitDurable(long sequence) throws InterruptedException {
        journal.awaitDurable(sequence);
    }

    /**
     * Ends the last windows, records that the process ended in good order, and waits a few seconds for the ledger to
     * take it; what it has not taken it takes at the next start. A request that is still open then was cut off as by a
     * crash: the next start ends it.
     */
    @Override
    public void close() {
        ledger.hasten();
        awaitEnds();
        ticker.close();
        grants.close();
        shares.close();
        keptState.close();
        long last = stopped();
        keepState();
        ledger.drain(last);
        journal.close();
        ledger.close();
    }

    private void awaitEnds() {
        long end = System.nanoTime() + ENDS_NANOS;
        while (journal.stats().openRequests() > 0 && System.nanoTime() - end < 0) {
            LockSupport.parkNanos(this, ENDS_PAUSE_NANOS);
        }
    }

    /** Records the end in good order, where it is one; the number of the last fact. */
    private long stopped() {
        int open = journal.stats().openRequests();
        if (open > 0) {
            LOG.warn("{} requests are open though the process ends; the next start ends them as cut off", open);
            return journal.last();
        }
        try {
            return journal.append(new Fact.Stopped(clock.micros()));
        } catch (AccountingException e) {
            LOG.warn("the journal does not say that the process ended in good order: {}", e.getMessage());
            return journal.last();
        }
    }

    private void keepState() {
        try {
            keptState.copy();
        } catch (AccountingException e) {
            LOG.warn(
                    "the state of budgets and tasks could not be kept; the next start reads it from the journal: {}",
                    e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    static void join(Thread thread) {
        try {
            thread.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
