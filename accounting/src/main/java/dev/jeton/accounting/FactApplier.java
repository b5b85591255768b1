package dev.jeton.accounting;

import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/**
 * Turns facts of one node into rows, a batch in one transaction together with how far the node then is. A fact that is
 * not newer than that is skipped, so a batch may be applied any number of times. Confined to one thread, but for
 * {@link #takings}.
 */
final class FactApplier {

    /** Requests that are remembered, so that a window's lines need not be looked up. */
    private static final int REMEMBERED = 1 << 16;
    /** Costings that are remembered: documents come and go over the years. */
    private static final int COSTINGS = 8;

    private static final String BALANCE = "the postings of fact %d of node %s do not balance: %s %s are left over; the "
            + "books are not written. This is a defect of the costing: report it with that fact, and update";

    private final String node;
    private final Costings costings;
    private final DeviceTakings takings = new DeviceTakings();
    private final Map<String, Books.Known> requests = new LinkedHashMap<>(16, 0.75f, true) {
        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Books.Known> eldest) {
            return size() > REMEMBERED;
        }
    };
    private final Map<List<String>, WindowCosting> costing = new LinkedHashMap<>(16, 0.75f, true) {
        @Override
        protected boolean removeEldestEntry(Map.Entry<List<String>, WindowCosting> eldest) {
            return size() > COSTINGS;
        }
    };
    private long erasures;
    /** Whether hours may wait to be costed again; true at first, since the last run may have left some. */
    private boolean recosting = true;

    /** Applies facts of one node. */
    FactApplier(String node, Costings costings) {
        this.node = node;
        this.costings = costings;
    }

    /** What was taken of the devices, of all that is committed; any thread may ask. */
    List<DeviceTaking> takings() {
        return takings.all();
    }

    /** Forgets what it remembers of a transaction that was rolled back. */
    void forget() {
        requests.clear();
        recosting = true;
    }

    /**
     * Applies facts that follow one another, at least one; how far the node then is. What follows a
     * {@link Fact.Recosted} waits until its hours are costed again, so that facts are booked at the same place whenever
     * they are projected.
     */
    Books.Progress apply(Database database, List<FactSource.Entry> facts) {
        recost(database);
        for (int i = 0; i < facts.size() - 1; i++) {
            if (facts.get(i).fact() instanceof Fact.Recosted) {
                List<FactSource.Entry> before = facts.subList(0, i + 1);
                database.write(connection -> apply(connection, database, before));
                takings.commit();
                return apply(database, facts.subList(i + 1, facts.size()));
            }
        }
        Books.Progress progress = database.write(connection -> apply(connection, database, facts));
        takings.commit();
        recost(database);
        return progress;
    }

    /** Does what this node's facts decided on prices and a transaction of its own has not done yet. */
    private void recost(Database database) {
        while (recosting) {
            recosting = database.write(connection -> {
                database.lockBooks(connection);
                return Recosting.next(connection, node, version -> costing(connection, version, ""));
            });
        }
    }

    /** Applies facts in one transaction; of those that are {@link Fact.Recosted} only the decision. */
    Books.Progress apply(Connection connection, Database database, List<FactSource.Entry> facts) throws SQLException {
        takings.begin();
        boolean deciding = facts.stream()
                .anyMatch(entry -> entry.fact() instanceof Fact.PeriodClosed || entry.fact() instanceof Fact.Recosted);
        if (deciding) {
            database.lockBooks(connection);
        }
        Periods periods = Books.periods(connection);
        long erasuresNow = Books.erasures(connection);
        if (erasuresNow != erasures) {
            requests.clear();
            erasures = erasuresNow;
        }
        try (BookWriter writer = new BookWriter(connection, node);
                TaskWriter tasks = new TaskWriter(connection, node, writer)) {
            writer.lock();
            Books.Progress found = Books.progress(connection, node).orElse(Books.Progress.none(node));
            Turn turn = new Turn(connection, writer, tasks, periods, found);
            for (FactSource.Entry entry : facts) {
                turn.take(entry);
            }
            writer.flush();
            if (!turn.corrected.isEmpty()) {
                Recosting.correct(connection, node, turn.corrected, version -> costing(connection, version, ""));
            }
            writer.progress(turn.progress);
            return turn.progress;
        }
    }

    private WindowCosting costing(Connection connection, String priceBook, String policy) throws SQLException {
        List<String> versions = List.of(priceBook, policy);
        WindowCosting found = costing.get(versions);
        if (found == null) {
            found = costings.inForce(
                    Books.document(connection, Fact.DocumentKind.PRICE_BOOK, priceBook),
                    Books.document(connection, Fact.DocumentKind.POLICY, policy));
            costing.put(versions, found);
        }
        return found;
    }

    /** One transaction. */
    private final class Turn {

        private final Connection connection;
        private final BookWriter writer;
        private final TaskWriter tasks;
        private final List<Long> corrected = new ArrayList<>();
        private Periods periods;
        private Books.Progress progress;

        Turn(Connection connection, BookWriter writer, TaskWriter tasks, Periods periods, Books.Progress progress) {
            this.connection = connection;
            this.writer = writer;
            this.tasks = tasks;
            this.periods = periods;
            this.progress = progress;
        }

        void take(FactSource.Entry entry) throws SQLException {
            long sequence = entry.sequence();
            if (sequence <= progress.last()) {
                return;
            }
            progress = progress.at(sequence, entry.fact().at());
            switch (entry.fact()) {
                case Fact.Started started -> progress = progress.started(sequence);
                case Fact.Stopped stopped -> {}
                case Fact.Adopted adopted -> adopt(adopted);
                case Fact.Opened opened -> open(sequence, opened);
                case Fact.Granted granted ->
                    writer.grant(
                            knownOrNew(sequence, granted.request(), granted.at())
                                    .sequence(),
                            granted);
                case Fact.Closed closed -> close(sequence, closed);
                case Fact.Window window -> book(sequence, window);
                case Fact.PeriodClosed closed -> {
                    writer.flush();
                    periods = Closing.close(connection, periods, closed, node);
                }
                case Fact.Recosted recosted -> recost(sequence, recosted);
                case Fact.TaskOpened opened -> tasks.open(sequence, opened, 1);
                case Fact.TaskStepped stepped -> step(sequence, stepped);
                case Fact.TaskEnded ended ->
                    tasks.end(task(sequence, new Payer(ended.tenant(), "", ""), ended.task(), ended.at()), ended);
            }
        }

        private void step(long sequence, Fact.TaskStepped stepped) throws SQLException {
            Periods.Booking booking = periods.book(stepped.at(), node, sequence);
            long task = task(sequence, stepped.payer(), stepped.task(), stepped.at());
            if (tasks.step(sequence, task, stepped, booking)) {
                complete(booking, new Closing.Totals(0, 0, 0, stepped.step().list(), 0));
            }
        }

        /** The fact that opened a task, or this one for a task that was never opened: verification reports it. */
        private long task(long sequence, Payer payer, String id, long at) throws SQLException {
            Optional<Long> found = tasks.find(payer.tenant(), id);
            if (found.isEmpty()) {
                tasks.open(sequence, new Fact.TaskOpened(at, payer, id, TaskSpec.NONE, true), 0);
            }
            return found.orElse(sequence);
        }

        private void adopt(Fact.Adopted adopted) throws SQLException {
            writer.document(adopted);
            progress = switch (adopted.kind()) {
                case PRICE_BOOK -> progress.adopted(adopted.version(), progress.policy());
                case POLICY -> progress.adopted(progress.priceBook(), adopted.version());
                case COEFFICIENTS -> progress;
            };
        }

        private void recost(long sequence, Fact.Recosted recosted) throws SQLException {
            writer.document(new Fact.Adopted(
                    recosted.at(), Fact.DocumentKind.PRICE_BOOK, recosted.priceBook(), recosted.content()));
            Recosting.decide(connection, node, sequence, progress.lastAt(), recosted);
            periods = Books.periods(connection);
            recosting = true;
        }

        private void open(long sequence, Fact.Opened opened) throws SQLException {
            Books.Known known = new Books.Known(
                    sequence,
                    new Payer(
                            SqlText.clean(opened.payer().tenant()),
                            SqlText.clean(opened.payer().project()),
                            SqlText.clean(opened.payer().key())),
                    SqlText.clean(opened.model()),
                    Labels.text(opened.labels()),
                    SqlText.clean(opened.priceBook()),
                    SqlText.clean(opened.policy()),
                    new Zones(
                            SqlText.clean(opened.zones().from()),
                            SqlText.clean(opened.zones().to())),
                    opened.work());
            // An id that was opened before stays what it was then; verification reports it.
            if (writer.open(sequence, opened, known.labels(), 1) == sequence) {
                requests.put(opened.request(), known);
            }
        }

        private Books.Known known(String id) throws SQLException {
            Books.Known known = requests.get(id);
            if (known == null) {
                known = Books.request(connection, node, id);
                if (known.sequence() != Books.NO_REQUEST) {
                    requests.put(id, known);
                }
            }
            return known;
        }

        /** The request, or a row of nobody's for one that was never opened: verification reports it. */
        private Books.Known knownOrNew(long sequence, String id, long at) throws SQLException {
            Books.Known known = known(id);
            if (known.sequence() != Books.NO_REQUEST) {
                return known;
            }
            Fact.Opened missing =
                    new Fact.Opened(at, id, Payer.UNKNOWN, "", Map.of(), "", "", 0, Zones.UNKNOWN, Work.UNKNOWN);
            writer.open(sequence, missing, Labels.NONE, 0);
            return known(id);
        }

        private void close(long sequence, Fact.Closed closed) throws SQLException {
            Books.Known request = knownOrNew(sequence, closed.request(), closed.at());
            Periods.Booking booking = periods.book(closed.at(), node, sequence);
            if (writer.close(request.sequence(), closed, booking)) {
                writer.usage(request.usage(booking, request.priceBook())).add(closed);
                complete(booking, new Closing.Totals(1, closed.list(), closed.egress(), 0, 0));
            }
        }

        private void book(long sequence, Fact.Window window) throws SQLException {
            if (window.states().size() > DeviceSum.STATES) {
                throw new AccountingException(("fact %d of node %s has %d device states, this version knows %d; "
                                + "update the program that projects")
                        .formatted(sequence, node, window.states().size(), DeviceSum.STATES));
            }
            Periods.Booking booking = periods.book(window.from(), node, sequence);
            Map<String, Books.Known> users = new HashMap<>();
            writer.window(sequence, progress.run(), window, booking);
            int number = 0;
            for (Line line : window.lines()) {
                Books.Known user = known(line.request());
                users.put(line.request(), user);
                writer.line(sequence, number++, user, line, booking);
            }
            // A closed period keeps the prices that it had when it was closed.
            Optional<Periods.Recost> then = periods.recost(window.from(), periods.frozenAt(booking.hour()));
            if (!then.equals(periods.recost(window.from()))) {
                corrected.add(sequence);
            }
            Optional<String> decided = then.map(Periods.Recost::priceBook);
            WindowCosting costing = decided.isPresent()
                    ? costing(connection, decided.get(), "")
                    : costing(connection, progress.priceBook(), progress.policy());
            List<Posting> postings = costing.postings(
                    window,
                    id -> Objects.requireNonNullElse(users.get(id), Books.Known.NONE)
                            .payer());
            requireBalance(sequence, postings);
            takings.add(window.device(), postings);
            complete(booking, new Closing.Totals(0, 0, 0, 0, metered(postings)));
            number = 0;
            for (Posting posting : postings) {
                Books.Known user = posting.request().isEmpty() ? Books.Known.NONE : known(posting.request());
                boolean known = user.sequence() != Books.NO_REQUEST;
                writer.post(
                        sequence,
                        number++,
                        -1,
                        posting,
                        user,
                        decided.orElse(known ? user.priceBook() : progress.priceBook()),
                        known ? user.policy() : progress.policy(),
                        booking,
                        window.device());
            }
        }

        private static long metered(List<Posting> postings) {
            long sum = 0;
            for (Posting posting : postings) {
                if (posting.account() == Posting.Account.TENANT && posting.unit() == Posting.Unit.MONEY) {
                    sum = Math.addExact(sum, posting.amount());
                }
            }
            return sum;
        }

        /** What is booked in a closed period, since that had it when it was closed, is in its totals. */
        private void complete(Periods.Booking booking, Closing.Totals totals) throws SQLException {
            for (String period : periods.closedAt(booking.hour())) {
                Closing.complete(connection, period, totals);
            }
        }

        private void requireBalance(long sequence, List<Posting> postings) {
            for (Posting.Unit unit : Posting.Unit.values()) {
                long sum = 0;
                for (Posting posting : postings) {
                    sum = posting.unit() == unit ? Math.addExact(sum, posting.amount()) : sum;
                }
                if (sum != 0) {
                    throw new AccountingException(BALANCE.formatted(sequence, node, sum, unit));
                }
            }
        }
    }
}
