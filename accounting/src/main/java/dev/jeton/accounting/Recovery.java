package dev.jeton.accounting;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Finds the requests that were open when the process died. For each of them holds: what is confirmed, is at most what
 * its client received, which is at most what the journal says was granted, since tokens are granted durably before they
 * are computed. So a restart can end each request ({@link Fact.Outcome#ABORTED}) and bill it by a rule whose error has
 * a bound.
 *
 * <p>To be asked at start, after the journal was opened and before the ledger tells it what it has taken: until then
 * the journal keeps every segment from the opening of the oldest open request on.
 */
public final class Recovery {

    /**
     * A request without an end.
     *
     * @param opened its beginning
     * @param granted tokens granted to all its sequences together; 0 if it crashed before its first grant
     * @param confirmed tokens that its client got for certain, of all its sequences together
     */
    public record Abandoned(Fact.Opened opened, long granted, long confirmed) {}

    private static final class Open {
        final Fact.Opened opened;
        /** By sequence, since totals of one sequence replace each other and those of several add up. */
        final Map<Integer, Long> totals = new LinkedHashMap<>();

        long confirmed;

        Open(Fact.Opened opened) {
            this.opened = opened;
        }

        Abandoned abandoned() {
            long sum = totals.values().stream().reduce(0L, Math::addExact);
            return new Abandoned(opened, sum, confirmed);
        }
    }

    private final Map<String, Open> open = new LinkedHashMap<>();

    private Recovery() {}

    /**
     * Requests in the journal that were opened and not closed, in the order of their opening. Reads all of it, unless
     * the last run ended in good order.
     */
    public static List<Abandoned> abandoned(Journal journal) {
        if (stopped(journal)) {
            return List.of();
        }
        List<Segment> segments = journal.segments();
        long from = segments.isEmpty() ? 1 : segments.getFirst().first();
        Recovery recovery = new Recovery();
        try (JournalReader reader = journal.reader(from)) {
            for (Optional<FactSource.Entry> e = reader.poll(); e.isPresent(); e = reader.poll()) {
                recovery.see(e.get().fact());
            }
        }
        return recovery.left();
    }

    /** Whether the journal ends with {@link Fact.Stopped}: finding that out decodes one fact. */
    private static boolean stopped(Journal journal) {
        try (JournalReader reader = journal.reader(journal.durable())) {
            return reader.poll()
                    .filter(entry -> entry.fact() instanceof Fact.Stopped)
                    .isPresent();
        }
    }

    /** The same of any facts, in the order of their numbers. */
    public static List<Abandoned> abandoned(Iterable<? extends Fact> facts) {
        Recovery recovery = new Recovery();
        facts.forEach(recovery::see);
        return recovery.left();
    }

    private void see(Fact fact) {
        switch (fact) {
            case Fact.Opened f -> open.put(f.request(), new Open(f));
            case Fact.Granted f -> {
                Open request = open.get(f.request());
                if (request != null) { // or it has ended meanwhile
                    request.totals.merge(f.sequence(), f.total(), Math::max);
                    request.confirmed = Math.max(request.confirmed, f.confirmed());
                }
            }
            case Fact.Closed f -> open.remove(f.request());
            case Fact.Stopped f -> open.clear();
            case Fact.Started f -> {}
            case Fact.Adopted f -> {}
            case Fact.Window f -> {}
            case Fact.PeriodClosed f -> {}
            case Fact.Recosted f -> {}
            case Fact.TaskOpened f -> {}
            case Fact.TaskStepped f -> {}
            case Fact.TaskEnded f -> {}
        }
    }

    private List<Abandoned> left() {
        return open.values().stream().map(Open::abandoned).toList();
    }
}
