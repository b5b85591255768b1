package dev.jeton.accounting;

import dev.jeton.accounting.TaskException.Reason;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;
import java.util.function.Supplier;

/**
 * The tasks of one process: which are open, with what limits, and what they take. Each change is a fact that is
 * appended under the one lock of this class, so the order of facts is the order of changes: feeding facts to
 * {@link #apply} brings back what they were written for. {@link #encode} has everything, for a restart after which the
 * journal's old facts are gone.
 *
 * <p>Tasks are a tenant's own: who asks for another tenant's is told that there is none. Thread-safe.
 */
public final class Tasks {

    /** What a report of a step wants. */
    public enum Wish {
        /** To be owed: it was done. */
        POST,
        /** Its cost to be kept for it. */
        RESERVE,
        /** What was kept to be given back: it is not done. */
        RELEASE
    }

    /** Appends a task's facts, and charges budgets for its steps. */
    @FunctionalInterface
    public interface TaskJournal {
        /**
         * Appends a fact; must not wait.
         *
         * @param late whether its task has ended before
         * @return its number
         */
        long append(Fact fact, boolean late);
    }

    /**
     * A task as it is.
     *
     * @param ended how; empty while it is open
     */
    public record View(Fact.TaskOpened opened, Optional<Fact.TaskEnded> ended) {}

    /**
     * A task after a call.
     *
     * @param sequence the fact's number: durable before anybody is told
     * @param fresh whether the call did something; if not it was a repetition
     */
    public record Opened(View task, long sequence, boolean fresh) {}

    /**
     * A step after a call.
     *
     * @param sequence as in {@link Opened}
     * @param fresh as in {@link Opened}
     * @param late whether its task has ended
     */
    public record Stepped(Fact.TaskStepped step, long sequence, boolean fresh, boolean late) {}

    /**
     * How full it is.
     *
     * @param open tasks
     * @param ended tasks that are remembered
     * @param steps of both
     * @param opened tasks so far
     * @param expired tasks so far
     */
    public record Stats(int open, int ended, int steps, long opened, long expired) {}

    private record Key(String tenant, String id) {}

    private record Held(Fact.TaskStepped fact, long sequence) {}

    private static final class Task {
        final Fact.TaskOpened opened;
        final Map<String, Held> steps = new LinkedHashMap<>();
        long sequence;
        long lastAt;
        Optional<Fact.TaskEnded> ended = Optional.empty();

        Task(Fact.TaskOpened opened) {
            this.opened = opened;
            lastAt = opened.at();
        }

        Key key() {
            return new Key(opened.payer().tenant(), opened.task());
        }

        View view() {
            return new View(opened, ended);
        }
    }

    private final TaskBounds bounds;
    private final LongSupplier micros;
    private final TaskJournal journal;
    private final ReentrantLock lock = new ReentrantLock();
    /** The one that was not used for longest comes first. */
    private final Map<Key, Task> open = new LinkedHashMap<>();
    /** The one that ended first comes first. */
    private final Map<Key, Task> ended = new LinkedHashMap<>();

    private final Map<String, Integer> openOf = new HashMap<>();
    private final Map<String, Integer> endedOf = new HashMap<>();
    private final Map<String, Integer> stepsOf = new HashMap<>();
    private int steps;
    private long openedCount;
    private long expiredCount;
    private long changes;

    /**
     * Without any.
     *
     * @param micros the books' time, microseconds since 1970
     * @param journal appends facts, or throws
     */
    public Tasks(TaskBounds bounds, LongSupplier micros, TaskJournal journal) {
        this.bounds = bounds;
        this.micros = micros;
        this.journal = journal;
    }

    /** How much is kept. */
    public TaskBounds bounds() {
        return bounds;
    }

    // ---- what callers do ----

    /**
     * Opens a task; to open it again with the same content changes nothing.
     *
     * @throws TaskException where it was opened with other content, has ended, or too many are open
     */
    public Opened open(Payer payer, String id, TaskSpec spec) {
        lock.lock();
        try {
            Key key = new Key(payer.tenant(), id);
            refuseEnded(key);
            Task task = open.get(key);
            if (task == null) {
                task = begin(new Fact.TaskOpened(micros.getAsLong(), payer, id, spec, false));
                return new Opened(task.view(), task.sequence, true);
            }
            if (task.opened.implicit() || !task.opened.spec().equals(spec)) {
                throw new TaskException(
                        Reason.CONFLICT,
                        task.opened.implicit()
                                ? "a request that named the task '%s' began it; open a task before its first request"
                                        .formatted(id)
                                : "the task '%s' is open with other content; take another id, or the same content"
                                        .formatted(id));
            }
            return new Opened(task.view(), task.sequence, false);
        } finally {
            lock.unlock();
        }
    }

    /**
     * Admits a request to a task, which it begins where there is none of that id.
     *
     * @throws TaskException where it has ended, or too many are open
     */
    public void use(Payer payer, String id) {
        lock.lock();
        try {
            Key key = new Key(payer.tenant(), id);
            refuseEnded(key);
            Task task = open.get(key);
            if (task == null) {
                begin(new Fact.TaskOpened(micros.getAsLong(), payer, id, TaskSpec.NONE, true));
            } else {
                touch(key, task, micros.getAsLong());
            }
        } finally {
            lock.unlock();
        }
    }

    /**
     * Records a step. The same step again, with the same content, changes nothing.
     *
     * @param step of one that is released only the id counts
     * @throws TaskException where there is no such task, the step cannot become that, or too many are kept
     */
    public Stepped step(Payer payer, String id, TaskStep step, Wish wish, String priceBook) {
        lock.lock();
        try {
            long now = micros.getAsLong();
            Key key = new Key(payer.tenant(), id);
            Task task = find(key, now);
            Optional<Held> before = Optional.ofNullable(task.steps.get(step.id()));
            Optional<Fact.TaskStepped> next = before.isPresent()
                    ? StepRules.next(before.get().fact(), payer, step, wish, priceBook, now)
                    : Optional.of(StepRules.first(payer, id, step, wish, priceBook, now));
            boolean late = task.ended.isPresent();
            if (next.isEmpty()) {
                Held held = before.orElseThrow();
                return new Stepped(held.fact(), held.sequence(), false, late);
            }
            if (late && wish == Wish.RESERVE) {
                throw ended(key);
            }
            if (before.isEmpty()) {
                refuseSteps(key, task);
            }
            long sequence = journal.append(next.get(), late);
            keep(task, next.get(), sequence);
            touch(key, task, now);
            return new Stepped(next.get(), sequence, true, late);
        } finally {
            lock.unlock();
        }
    }

    /**
     * Ends a task, once.
     *
     * @throws TaskException where there is no such task, or it has ended
     */
    public Opened end(String tenant, String id, TaskOutcome outcome, String why) {
        lock.lock();
        try {
            long now = micros.getAsLong();
            Key key = new Key(tenant, id);
            Task task = find(key, now);
            refuseEnded(key);
            long sequence = end(task, outcome, why, now);
            return new Opened(task.view(), sequence, true);
        } finally {
            lock.unlock();
        }
    }

    /** A task that is open or remembered. */
    public Optional<View> find(String tenant, String id) {
        lock.lock();
        try {
            Key key = new Key(tenant, id);
            return Optional.ofNullable(open.get(key))
                    .or(() -> Optional.ofNullable(ended.get(key)))
                    .map(Task::view);
        } finally {
            lock.unlock();
        }
    }

    /**
     * Ends tasks that nobody used for too long, and forgets those that ended long ago: what they had reserved is
     * released.
     *
     * @throws AccountingException where the journal takes no facts just now; the next call goes on
     */
    public void tidy() {
        lock.lock();
        try {
            long now = micros.getAsLong();
            long idle = now - TimeUnit.NANOSECONDS.toMicros(bounds.idle().toNanos());
            for (Task task : first(open, task -> task.lastAt < idle)) {
                end(task, TaskOutcome.EXPIRED, "", now);
            }
            long late = now - TimeUnit.NANOSECONDS.toMicros(bounds.late().toNanos());
            for (Task task : first(ended, task -> endedAt(task) < late)) {
                forget(task, now);
            }
        } finally {
            lock.unlock();
        }
    }

    private static List<Task> first(Map<Key, Task> tasks, java.util.function.Predicate<Task> which) {
        List<Task> found = new ArrayList<>();
        for (Task task : tasks.values()) {
            if (!which.test(task)) {
                break;
            }
            found.add(task);
        }
        return found;
    }

    /** How full it is. */
    public Stats stats() {
        lock.lock();
        try {
            return new Stats(open.size(), ended.size(), steps, openedCount, expiredCount);
        } finally {
            lock.unlock();
        }
    }

    // ---- under the lock ----

    private Task begin(Fact.TaskOpened fact) {
        String tenant = fact.payer().tenant();
        int own = openOf.getOrDefault(tenant, 0);
        if (open.size() >= bounds.maxOpen() || own >= bounds.tenantOpen()) {
            throw new TaskException(
                    Reason.TOO_MANY_TASKS,
                    ("%d tasks are open, %d of them this tenant's, and at most %d and %d may be; say the outcome of tasks"
                                    + " that are done, or wait until idle ones end")
                            .formatted(open.size(), own, bounds.maxOpen(), bounds.tenantOpen()));
        }
        long sequence = journal.append(fact, false);
        return add(fact, sequence);
    }

    private Task add(Fact.TaskOpened fact, long sequence) {
        Task task = new Task(fact);
        task.sequence = sequence;
        drop(task.key());
        open.put(task.key(), task);
        openOf.merge(fact.payer().tenant(), 1, Integer::sum);
        openedCount++;
        changes++;
        return task;
    }

    private long end(Task task, TaskOutcome outcome, String why, long now) {
        makeRoom(task.key().tenant(), now);
        Fact.TaskEnded fact = new Fact.TaskEnded(now, task.opened.payer().tenant(), task.opened.task(), outcome, why);
        long sequence = journal.append(fact, false);
        end(task, fact);
        return sequence;
    }

    /** Of as many as are remembered the first to end is forgotten early, a tenant's own where it has its share. */
    private void makeRoom(String tenant, long now) {
        if (endedOf.getOrDefault(tenant, 0) >= bounds.tenantOpen()) {
            ended.values().stream()
                    .filter(task -> task.key().tenant().equals(tenant))
                    .findFirst()
                    .ifPresent(task -> forget(task, now));
        } else if (ended.size() >= bounds.maxOpen()) {
            forget(ended.values().iterator().next(), now);
        }
    }

    private void end(Task task, Fact.TaskEnded fact) {
        Key key = task.key();
        if (open.remove(key) != null) {
            less(openOf, key.tenant(), 1);
        }
        task.ended = Optional.of(fact);
        ended.put(key, task);
        endedOf.merge(key.tenant(), 1, Integer::sum);
        expiredCount += fact.outcome() == TaskOutcome.EXPIRED ? 1 : 0;
        changes++;
    }

    /** Lets go of what it had reserved: nobody can settle it any more. */
    private void forget(Task task, long now) {
        for (Held held : List.copyOf(task.steps.values())) {
            if (held.fact().state() == TaskStep.State.RESERVED) {
                Fact.TaskStepped released = StepRules.released(held.fact(), now);
                keep(task, released, journal.append(released, true));
            }
        }
        drop(task.key());
    }

    private void drop(Key key) {
        changes++;
        Task task = open.remove(key);
        if (task != null) {
            less(openOf, key.tenant(), 1);
        } else {
            task = ended.remove(key);
            if (task != null) {
                less(endedOf, key.tenant(), 1);
            }
        }
        if (task != null) {
            steps -= task.steps.size();
            less(stepsOf, key.tenant(), task.steps.size());
        }
    }

    private static void less(Map<String, Integer> counts, String tenant, int count) {
        counts.computeIfPresent(tenant, (name, now) -> now <= count ? null : now - count);
    }

    private void keep(Task task, Fact.TaskStepped fact, long sequence) {
        if (task.steps.put(fact.step().id(), new Held(fact, sequence)) == null) {
            steps++;
            stepsOf.merge(task.key().tenant(), 1, Integer::sum);
        }
    }

    /** How often something that a restart must know has changed. */
    long changes() {
        lock.lock();
        try {
            return changes;
        } finally {
            lock.unlock();
        }
    }

    private void touch(Key key, Task task, long at) {
        changes++;
        task.lastAt = Math.max(task.lastAt, at);
        if (task.ended.isEmpty()) {
            open.remove(key);
            open.put(key, task);
        }
    }

    private Task find(Key key, long now) {
        Task task = open.get(key);
        if (task != null) {
            return task;
        }
        task = ended.get(key);
        if (task == null
                || now - endedAt(task)
                        > TimeUnit.NANOSECONDS.toMicros(bounds.late().toNanos())) {
            throw new TaskException(
                    Reason.NOT_FOUND,
                    "there is no task '%s', or it ended long ago; open it with POST /v1/tasks".formatted(key.id()));
        }
        return task;
    }

    private static long endedAt(Task task) {
        return task.ended.map(Fact.TaskEnded::at).orElse(Long.MAX_VALUE);
    }

    private void refuseEnded(Key key) {
        if (ended.containsKey(key)) {
            throw ended(key);
        }
    }

    private TaskException ended(Key key) {
        String how = Optional.ofNullable(ended.get(key)).flatMap(task -> task.ended).stream()
                .map(fact -> fact.outcome().text())
                .findFirst()
                .orElse("an outcome");
        return new TaskException(
                Reason.ENDED,
                "the task '%s' has ended (%s): it takes no requests, reservations or outcomes; take another id"
                        .formatted(key.id(), how));
    }

    private void refuseSteps(Key key, Task task) {
        int own = stepsOf.getOrDefault(key.tenant(), 0);
        if (task.steps.size() >= bounds.maxSteps() || steps >= bounds.allSteps() || own >= bounds.tenantSteps()) {
            throw new TaskException(
                    Reason.TOO_MANY_STEPS,
                    ("the task has %d steps, its tenant's tasks %d and all tasks %d; at most %d, %d and %d are kept: say"
                                    + " the outcome of tasks that are done, or report several steps as one")
                            .formatted(
                                    task.steps.size(),
                                    own,
                                    steps,
                                    bounds.maxSteps(),
                                    bounds.tenantSteps(),
                                    bounds.allSteps()));
        }
    }

    // ---- after a restart ----

    /**
     * Brings back what a fact did, whatever the bounds are now. Facts come in the order of their numbers; one that was
     * applied before, followed by all that came after it, changes nothing.
     */
    public void apply(Fact fact) {
        lock.lock();
        try {
            switch (fact) {
                case Fact.TaskOpened f -> add(f, 0);
                case Fact.TaskStepped f ->
                    known(new Key(f.payer().tenant(), f.task())).ifPresent(task -> {
                        keep(task, f, 0);
                        touch(task.key(), task, f.at());
                    });
                case Fact.TaskEnded f ->
                    Optional.ofNullable(open.get(new Key(f.tenant(), f.task()))).ifPresent(task -> end(task, f));
                case Fact.Opened f -> used(f);
                case Fact.Started f -> {}
                case Fact.Stopped f -> {}
                case Fact.Adopted f -> {}
                case Fact.Granted f -> {}
                case Fact.Closed f -> {}
                case Fact.Window f -> {}
                case Fact.PeriodClosed f -> {}
                case Fact.Recosted f -> {}
            }
        } finally {
            lock.unlock();
        }
    }

    private Optional<Task> known(Key key) {
        return Optional.ofNullable(open.get(key)).or(() -> Optional.ofNullable(ended.get(key)));
    }

    /** A request names its task; its beginning may be in facts that are gone. */
    private void used(Fact.Opened fact) {
        String id = fact.tags().task();
        Key key = new Key(fact.payer().tenant(), id);
        if (id.isEmpty() || ended.containsKey(key)) {
            return;
        }
        Task task = open.get(key);
        if (task == null) {
            add(new Fact.TaskOpened(fact.at(), fact.payer(), id, TaskSpec.NONE, true), 0);
        } else {
            touch(key, task, fact.at());
        }
    }

    /** Whether a step's task has ended. */
    boolean ended(Fact.TaskStepped step) {
        lock.lock();
        try {
            return ended.containsKey(new Key(step.payer().tenant(), step.task()));
        } finally {
            lock.unlock();
        }
    }

    /** Runs while no task changes. */
    <T> T locked(Supplier<T> work) {
        lock.lock();
        try {
            return work.get();
        } finally {
            lock.unlock();
        }
    }

    /** All of it as bytes, for {@link #restore}. */
    public byte[] encode() {
        lock.lock();
        try {
            WireWriter out = new WireWriter(TaskCodec.MAX_KEPT_BYTES);
            out.octet(TaskCodec.KEPT_VERSION);
            out.number(open.size() + ended.size());
            for (Map<Key, Task> tasks : List.of(ended, open)) {
                tasks.values().forEach(task -> TaskCodec.keep(out, task.opened, task.lastAt, task.ended, held(task)));
            }
            return out.toBytes();
        } finally {
            lock.unlock();
        }
    }

    private static List<Fact.TaskStepped> held(Task task) {
        return task.steps.values().stream().map(Held::fact).toList();
    }

    /**
     * Adds what {@link #encode} wrote.
     *
     * @throws AccountingException where that is not what the bytes are
     */
    public void restore(byte[] bytes) {
        lock.lock();
        try {
            TaskCodec.restore(bytes, (opened, lastAt, end, facts) -> {
                Task task = add(opened, 0);
                facts.forEach(step -> keep(task, step, 0));
                task.lastAt = lastAt;
                end.ifPresent(fact -> end(task, fact));
            });
        } finally {
            lock.unlock();
        }
    }
}
