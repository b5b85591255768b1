package dev.jeton.accounting;

import dev.jeton.accounting.KeptTasks.Key;
import dev.jeton.accounting.KeptTasks.Task;
import dev.jeton.accounting.TaskException.Reason;
import java.time.Duration;
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

    /** Most bytes of all tasks, where they are kept: with the budgets' they must fit into what a restart reads. */
    private static final long MOST_BYTES = 3L * TaskCodec.MAX_KEPT_BYTES / 4;
    /** A tenant has at most this part of them. */
    private static final int SHARES = 4;

    private final TaskBounds bounds;
    private final LongSupplier micros;
    private final TaskJournal journal;
    private final ReentrantLock lock = new ReentrantLock();
    private final KeptTasks kept = new KeptTasks();

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
            Optional<Task> before = kept.open(key);
            if (before.isEmpty()) {
                Task begun = begin(new Fact.TaskOpened(micros.getAsLong(), payer, id, spec, false));
                return new Opened(begun.view(), begun.sequence, true);
            }
            Task task = before.get();
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
            kept.open(key)
                    .ifPresentOrElse(
                            task -> kept.touch(task, micros.getAsLong()),
                            () -> begin(new Fact.TaskOpened(micros.getAsLong(), payer, id, TaskSpec.NONE, true)));
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
            Optional<KeptTasks.Held> before = task.step(step.id());
            Optional<Fact.TaskStepped> next = before.isPresent()
                    ? StepRules.next(before.get().fact(), payer, step, wish, priceBook, now)
                    : Optional.of(StepRules.first(payer, id, step, wish, priceBook, now));
            boolean late = task.hasEnded();
            if (next.isEmpty()) {
                KeptTasks.Held held = before.orElseThrow();
                return new Stepped(held.fact(), held.sequence(), false, late);
            }
            if (late && wish == Wish.RESERVE) {
                throw ended(key);
            }
            if (before.isEmpty()) {
                refuseSteps(key, task);
                refuseBytes(key.tenant(), now, Reason.TOO_MANY_STEPS);
                find(key, now); // which may have been forgotten to make room
            }
            long sequence = journal.append(next.get(), late);
            kept.keep(task, next.get(), sequence);
            kept.touch(task, now);
            return new Stepped(next.get(), sequence, true, late);
        } finally {
            lock.unlock();
        }
    }

    /** What a report of a step would repeat; empty where it is the first, or the step is to become something else. */
    Optional<Fact.TaskStepped> reported(String tenant, String id, String step, Wish wish) {
        lock.lock();
        try {
            return kept.find(new Key(tenant, id))
                    .flatMap(task -> task.step(step))
                    .map(KeptTasks.Held::fact)
                    .filter(fact -> StepRules.repeats(fact.state(), wish));
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
            return kept.find(new Key(tenant, id)).map(Task::view);
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
            long idle = now - inMicros(bounds.idle());
            for (Task task : kept.unusedSince(idle)) {
                end(task, TaskOutcome.EXPIRED, "", now);
            }
            long late = now - inMicros(bounds.late());
            for (Task task : kept.endedBefore(late)) {
                forget(task, now);
            }
        } finally {
            lock.unlock();
        }
    }

    /** How full it is. */
    public Stats stats() {
        lock.lock();
        try {
            return kept.stats();
        } finally {
            lock.unlock();
        }
    }

    // ---- under the lock ----

    private Task begin(Fact.TaskOpened fact) {
        String tenant = fact.payer().tenant();
        refuseBytes(tenant, fact.at(), Reason.TOO_MANY_TASKS);
        int own = kept.openOf(tenant);
        int open = kept.stats().open();
        if (open >= bounds.maxOpen() || own >= bounds.tenantOpen()) {
            throw new TaskException(
                    Reason.TOO_MANY_TASKS,
                    ("%d tasks are open, %d of them this tenant's, and at most %d and %d may be; say the outcome of tasks"
                                    + " that are done, or wait until idle ones end")
                            .formatted(open, own, bounds.maxOpen(), bounds.tenantOpen()));
        }
        return kept.add(fact, journal.append(fact, false));
    }

    private long end(Task task, TaskOutcome outcome, String why, long now) {
        makeRoom(task.key().tenant(), now);
        Fact.TaskEnded fact = new Fact.TaskEnded(now, task.opened.payer().tenant(), task.opened.task(), outcome, why);
        long sequence = journal.append(fact, false);
        kept.end(task, fact);
        return sequence;
    }

    /** Of as many as are remembered the first to end is forgotten early, a tenant's own where it has its share. */
    private void makeRoom(String tenant, long now) {
        trim(tenant, now);
        if (kept.endedOf(tenant) >= bounds.tenantOpen()) {
            kept.firstEnded(tenant).ifPresent(task -> forget(task, now));
        } else if (kept.stats().ended() >= bounds.maxOpen()) {
            kept.firstEnded().ifPresent(task -> forget(task, now));
        }
    }

    /** Forgets tasks that ended early, where what is kept would not fit into what a restart reads. */
    private void trim(String tenant, long now) {
        while (kept.bytesOf(tenant) > MOST_BYTES / SHARES && kept.endedOf(tenant) > 0) {
            kept.firstEnded(tenant).ifPresent(task -> forget(task, now));
        }
        while (kept.bytes() > MOST_BYTES && kept.stats().ended() > 0) {
            kept.firstEnded().ifPresent(task -> forget(task, now));
        }
    }

    private void refuseBytes(String tenant, long now, Reason reason) {
        trim(tenant, now);
        if (kept.bytesOf(tenant) > MOST_BYTES / SHARES || kept.bytes() > MOST_BYTES) {
            throw new TaskException(
                    reason,
                    ("what is kept of open tasks takes %d bytes, %d of them this tenant's, and at most %d and %d may; say"
                                    + " the outcome of tasks that are done, or say less of each")
                            .formatted(kept.bytes(), kept.bytesOf(tenant), MOST_BYTES, MOST_BYTES / SHARES));
        }
    }

    /** Lets go of what it had reserved: nobody can settle it any more. */
    private void forget(Task task, long now) {
        for (Fact.TaskStepped step : task.steps()) {
            if (step.state() == TaskStep.State.RESERVED) {
                Fact.TaskStepped released = StepRules.released(step, now);
                kept.keep(task, released, journal.append(released, true));
            }
        }
        kept.drop(task.key());
    }

    /** How often something that a restart must know has changed. */
    long changes() {
        lock.lock();
        try {
            return kept.changes();
        } finally {
            lock.unlock();
        }
    }

    private Task find(Key key, long now) {
        return kept.find(key)
                .filter(task -> !task.hasEnded() || now - task.endedAt() <= inMicros(bounds.late()))
                .orElseThrow(() -> new TaskException(
                        Reason.NOT_FOUND,
                        "there is no task '%s', or it ended long ago; open it with POST /v1/tasks"
                                .formatted(key.id())));
    }

    private static long inMicros(Duration time) {
        return TimeUnit.NANOSECONDS.toMicros(time.toNanos());
    }

    private void refuseEnded(Key key) {
        if (kept.ended(key).isPresent()) {
            throw ended(key);
        }
    }

    private TaskException ended(Key key) {
        String how = kept.ended(key)
                .flatMap(task -> task.view().ended())
                .map(fact -> fact.outcome().text())
                .orElse("an outcome");
        return new TaskException(
                Reason.ENDED,
                "the task '%s' has ended (%s): it takes no requests, reservations or outcomes; take another id"
                        .formatted(key.id(), how));
    }

    private void refuseSteps(Key key, Task task) {
        int here = task.stepCount();
        int own = kept.stepsOf(key.tenant());
        int all = kept.stats().steps();
        if (here >= bounds.maxSteps() || all >= bounds.allSteps() || own >= bounds.tenantSteps()) {
            throw new TaskException(
                    Reason.TOO_MANY_STEPS,
                    ("the task has %d steps, its tenant's tasks %d and all tasks %d; at most %d, %d and %d are kept: say"
                                    + " the outcome of tasks that are done, or report several steps as one")
                            .formatted(here, own, all, bounds.maxSteps(), bounds.tenantSteps(), bounds.allSteps()));
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
            kept.apply(fact);
        } finally {
            lock.unlock();
        }
    }

    /** Whether a step's task has ended. */
    boolean ended(Fact.TaskStepped step) {
        lock.lock();
        try {
            return kept.ended(new Key(step.payer().tenant(), step.task())).isPresent();
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
            return kept.encode();
        } finally {
            lock.unlock();
        }
    }

    /**
     * Adds what {@link #encode} wrote.
     *
     * @throws AccountingException where that is not what the bytes are
     */
    public void restore(byte[] bytes) {
        lock.lock();
        try {
            kept.restore(bytes);
        } finally {
            lock.unlock();
        }
    }
}
