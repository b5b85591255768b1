package dev.jeton.accounting;

import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;

/**
 * Which tasks there are, as their facts say: those that are open, those that have ended and are remembered, and how
 * many of them are whose. What may become of them, and when one is forgotten, {@link Tasks} decides.
 *
 * <p>Guarded by the lock of {@link Tasks}.
 */
final class KeptTasks {

    /** A task's name among all. */
    record Key(String tenant, String id) {}

    /**
     * A step's last fact.
     *
     * @param sequence the fact's number; 0 where it is of an earlier run
     */
    record Held(Fact.TaskStepped fact, long sequence) {}

    /** A task and its steps; only {@link KeptTasks} changes it. */
    static final class Task {
        final Fact.TaskOpened opened;
        /** The number of that fact; 0 where it is of an earlier run. */
        final long sequence;

        private final Map<String, Held> steps = new LinkedHashMap<>();
        private long lastAt;
        private long bytes;
        private Optional<Fact.TaskEnded> ended = Optional.empty();

        private Task(Fact.TaskOpened opened, long sequence) {
            this.opened = opened;
            this.sequence = sequence;
            lastAt = opened.at();
        }

        Key key() {
            return new Key(opened.payer().tenant(), opened.task());
        }

        Tasks.View view() {
            return new Tasks.View(opened, ended);
        }

        boolean hasEnded() {
            return ended.isPresent();
        }

        /** When it ended; the end of all time where it has not. */
        long endedAt() {
            return ended.map(Fact.TaskEnded::at).orElse(Long.MAX_VALUE);
        }

        Optional<Held> step(String id) {
            return Optional.ofNullable(steps.get(id));
        }

        int stepCount() {
            return steps.size();
        }

        /** The last fact of each step. */
        List<Fact.TaskStepped> steps() {
            return steps.values().stream().map(Held::fact).toList();
        }
    }

    /** The one that was not used for longest comes first. */
    private final Map<Key, Task> open = new LinkedHashMap<>();
    /** The one that ended first comes first. */
    private final Map<Key, Task> ended = new LinkedHashMap<>();

    private final Map<String, Integer> openOf = new HashMap<>();
    private final Map<String, Integer> endedOf = new HashMap<>();
    private final Map<String, Integer> stepsOf = new HashMap<>();
    private final Map<String, Long> bytesOf = new HashMap<>();
    private int steps;
    private long bytes;
    private long openedCount;
    private long expiredCount;
    private long changes;

    // ---- what there is ----

    Optional<Task> open(Key key) {
        return Optional.ofNullable(open.get(key));
    }

    Optional<Task> ended(Key key) {
        return Optional.ofNullable(ended.get(key));
    }

    /** One that is open or remembered. */
    Optional<Task> find(Key key) {
        return open(key).or(() -> ended(key));
    }

    int openOf(String tenant) {
        return openOf.getOrDefault(tenant, 0);
    }

    int endedOf(String tenant) {
        return endedOf.getOrDefault(tenant, 0);
    }

    int stepsOf(String tenant) {
        return stepsOf.getOrDefault(tenant, 0);
    }

    /** About how many bytes all of it takes where it is kept. */
    long bytes() {
        return bytes;
    }

    /** The same of one tenant's. */
    long bytesOf(String tenant) {
        return bytesOf.getOrDefault(tenant, 0L);
    }

    private void grow(Task task, long more) {
        task.bytes += more;
        bytes += more;
        bytesOf.merge(task.key().tenant(), more, (now, added) -> now + added == 0 ? null : now + added);
    }

    /** Open tasks that nobody used since. */
    List<Task> unusedSince(long at) {
        return first(open, task -> task.lastAt < at);
    }

    /** Tasks that ended before. */
    List<Task> endedBefore(long at) {
        return first(ended, task -> task.endedAt() < at);
    }

    private static List<Task> first(Map<Key, Task> tasks, Predicate<Task> which) {
        return tasks.values().stream().takeWhile(which).toList();
    }

    /** Of those that are remembered the first to end. */
    Optional<Task> firstEnded() {
        return ended.values().stream().findFirst();
    }

    /** A tenant's first. */
    Optional<Task> firstEnded(String tenant) {
        return ended.values().stream()
                .filter(task -> task.key().tenant().equals(tenant))
                .findFirst();
    }

    Tasks.Stats stats() {
        return new Tasks.Stats(open.size(), ended.size(), steps, openedCount, expiredCount);
    }

    /** How often something that a restart must know has changed. */
    long changes() {
        return changes;
    }

    // ---- what becomes of it ----

    /** Opens a task, also where one of its name has ended. */
    Task add(Fact.TaskOpened fact, long sequence) {
        Task task = new Task(fact, sequence);
        drop(task.key());
        open.put(task.key(), task);
        openOf.merge(fact.payer().tenant(), 1, Integer::sum);
        openedCount++;
        changes++;
        grow(task, KeptBytes.of(fact));
        return task;
    }

    /** Keeps the next fact of a step. */
    void keep(Task task, Fact.TaskStepped fact, long sequence) {
        Held before = task.steps.put(fact.step().id(), new Held(fact, sequence));
        if (before == null) {
            steps++;
            stepsOf.merge(task.key().tenant(), 1, Integer::sum);
        } else {
            grow(task, -KeptBytes.of(before.fact()));
        }
        grow(task, KeptBytes.of(fact));
    }

    /** A task was used. */
    void touch(Task task, long at) {
        changes++;
        task.lastAt = Math.max(task.lastAt, at);
        if (!task.hasEnded()) {
            Key key = task.key();
            open.remove(key);
            open.put(key, task);
        }
    }

    /** A task has ended, and is remembered. */
    void end(Task task, Fact.TaskEnded fact) {
        Key key = task.key();
        if (open.remove(key) != null) {
            less(openOf, key.tenant(), 1);
        }
        task.ended = Optional.of(fact);
        grow(task, KeptBytes.of(fact));
        ended.put(key, task);
        endedOf.merge(key.tenant(), 1, Integer::sum);
        expiredCount += fact.outcome() == TaskOutcome.EXPIRED ? 1 : 0;
        changes++;
    }

    /** Forgets a task, where there is one of that name. */
    void drop(Key key) {
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
            grow(task, -task.bytes);
        }
    }

    private static void less(Map<String, Integer> counts, String tenant, int count) {
        counts.computeIfPresent(tenant, (name, now) -> now <= count ? null : now - count);
    }

    // ---- after a restart ----

    /** As {@link Tasks#apply}. */
    void apply(Fact fact) {
        switch (fact) {
            case Fact.TaskOpened f -> add(f, 0);
            case Fact.TaskStepped f ->
                find(new Key(f.payer().tenant(), f.task())).ifPresent(task -> {
                    keep(task, f, 0);
                    touch(task, f.at());
                });
            case Fact.TaskEnded f -> open(new Key(f.tenant(), f.task())).ifPresent(task -> end(task, f));
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
    }

    /** A request names its task; its beginning may be in facts that are gone. */
    private void used(Fact.Opened fact) {
        String id = fact.tags().task();
        Key key = new Key(fact.payer().tenant(), id);
        if (id.isEmpty() || ended.containsKey(key)) {
            return;
        }
        open(key)
                .ifPresentOrElse(
                        task -> touch(task, fact.at()),
                        () -> add(new Fact.TaskOpened(fact.at(), fact.payer(), id, TaskSpec.NONE, true), 0));
    }

    /** As {@link Tasks#encode}. */
    byte[] encode() {
        WireWriter out = new WireWriter(TaskCodec.MAX_KEPT_BYTES);
        out.octet(TaskCodec.KEPT_VERSION);
        out.number(open.size() + ended.size());
        for (Map<Key, Task> tasks : List.of(ended, open)) {
            tasks.values().forEach(task -> TaskCodec.keep(out, task.opened, task.lastAt, task.ended, task.steps()));
        }
        return out.toBytes();
    }

    /** As {@link Tasks#restore}. */
    void restore(byte[] bytes) {
        TaskCodec.restore(bytes, (opened, lastAt, end, facts) -> {
            Task task = add(opened, 0);
            facts.forEach(step -> keep(task, step, 0));
            task.lastAt = lastAt;
            end.ifPresent(fact -> end(task, fact));
        });
    }
}
