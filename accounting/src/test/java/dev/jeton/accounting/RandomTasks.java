package dev.jeton.accounting;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/** Tasks among random facts, by the rules that {@link Tasks} keeps: opened, then used, then ended once. */
final class RandomTasks {

    private record Open(String tenant, String id) {}

    private final SplittableRandom random;
    private final TestFacts facts;
    private final String node;
    private final List<Open> open = new ArrayList<>();
    private final Map<String, Long> reserved = new HashMap<>();
    private int count;

    RandomTasks(SplittableRandom random, TestFacts facts, String node) {
        this.random = random;
        this.facts = facts;
        this.node = node;
    }

    /** The next request of a tenant is part of one of its open tasks, or of none. */
    void tag(String tenant) {
        List<Open> own =
                open.stream().filter(task -> task.tenant().equals(tenant)).toList();
        String id = own.isEmpty() || random.nextInt(3) == 0
                ? ""
                : own.get(random.nextInt(own.size())).id();
        facts.tags(
                id,
                "v" + random.nextInt(3),
                "route" + random.nextInt(2),
                random.nextInt(5) == 0,
                random.nextInt(90_000));
    }

    /** Something happens to a task. */
    void happen() {
        int what = random.nextInt(10);
        if (what < 2 || open.isEmpty()) {
            Open task = new Open("tenant" + random.nextInt(3), node + "-task" + count++);
            open.add(task);
            facts.taskOpened(task.tenant(), task.id());
            return;
        }
        Open task = open.get(random.nextInt(open.size()));
        if (what == 2) {
            open.remove(task);
            facts.taskEnded(task.tenant(), task.id(), TaskOutcome.values()[random.nextInt(3)]);
        } else {
            step(task);
        }
    }

    private void step(Open task) {
        TaskStep.Kind[] kinds = TaskStep.Kind.values();
        long list = random.nextLong(1_000_000);
        String waiting = reserved.keySet().stream()
                .filter(key -> key.startsWith(task.id() + "/"))
                .findFirst()
                .orElse("");
        if (!waiting.isEmpty()) {
            long kept = reserved.getOrDefault(waiting, 0L);
            reserved.remove(waiting);
            String id = waiting.substring(waiting.indexOf('/') + 1);
            boolean done = random.nextBoolean();
            facts.stepped(
                    task.tenant(),
                    task.id(),
                    TestFacts.step(id, TaskStep.Kind.TOOL, done ? list : kept),
                    done ? TaskStep.State.POSTED : TaskStep.State.RELEASED,
                    done ? Math.max(0, list - kept) : 0);
            return;
        }
        String id = "s" + count++;
        if (random.nextInt(3) == 0) {
            reserved.put(task.id() + "/" + id, list);
            facts.stepped(
                    task.tenant(), task.id(), TestFacts.step(id, TaskStep.Kind.TOOL, list), TaskStep.State.RESERVED, 0);
        } else {
            facts.stepped(
                    task.tenant(),
                    task.id(),
                    TestFacts.step(id, kinds[random.nextInt(kinds.length)], list),
                    TaskStep.State.POSTED,
                    list);
        }
    }
}
