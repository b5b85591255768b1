package dev.jeton.accounting;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** What facts say of tasks, as bytes by the rules of {@link FactCodec}; and what {@link Tasks} keeps. */
final class TaskCodec {

    private static final int UNITS = BudgetUnit.values().length;
    private static final BudgetUnit[] BUDGET_UNITS = BudgetUnit.values();
    private static final TaskStep.Kind[] KINDS = TaskStep.Kind.values();
    private static final TaskStep.State[] STATES = TaskStep.State.values();
    private static final TaskStep.Hit[] HITS = TaskStep.Hit.values();
    private static final TaskOutcome[] OUTCOMES = TaskOutcome.values();

    /** Of what {@link Tasks} keeps. */
    static final int KEPT_VERSION = 1;
    /** Most bytes of that. */
    static final int MAX_KEPT_BYTES = 256 << 20;

    private static final int MAX_KEPT = 1 << 24;

    /** Takes a task that was kept. */
    @FunctionalInterface
    interface Kept {
        void take(Fact.TaskOpened opened, long lastAt, Optional<Fact.TaskEnded> ended, List<Fact.TaskStepped> steps);
    }

    private TaskCodec() {}

    /** Writes a task with all that is known of it. */
    static void keep(
            WireWriter out,
            Fact.TaskOpened opened,
            long lastAt,
            Optional<Fact.TaskEnded> ended,
            List<Fact.TaskStepped> steps) {
        out.number(opened.at());
        opened(out, opened);
        out.number(lastAt);
        out.octet(ended.isPresent() ? 1 : 0);
        ended.ifPresent(fact -> {
            out.number(fact.at());
            ended(out, fact);
        });
        out.count("steps", steps.size(), MAX_KEPT);
        for (Fact.TaskStepped step : steps) {
            out.number(step.at());
            stepped(out, step);
        }
    }

    /**
     * Reads tasks that were kept.
     *
     * @throws AccountingException where the bytes are anything else
     */
    static void restore(byte[] bytes, Kept kept) {
        WireReader in = new WireReader(ByteBuffer.wrap(bytes));
        int version = in.octet();
        if (version != KEPT_VERSION) {
            throw WireReader.damaged(
                    "tasks were kept by version %d, this program knows %d".formatted(version, KEPT_VERSION));
        }
        for (int left = in.count(MAX_KEPT); left > 0; left--) {
            Fact.TaskOpened opened = opened(in, in.number());
            long lastAt = in.number();
            Optional<Fact.TaskEnded> ended = in.flag() ? Optional.of(ended(in, in.number())) : Optional.empty();
            List<Fact.TaskStepped> steps = new ArrayList<>();
            for (int more = in.count(MAX_KEPT); more > 0; more--) {
                steps.add(stepped(in, in.number()));
            }
            kept.take(opened, lastAt, ended, steps);
        }
        in.end();
    }

    static void opened(WireWriter out, Fact.TaskOpened f) {
        payer(out, f.payer());
        name(out, "a task's id", f.task());
        name(out, "a task's name", f.spec().name());
        out.text("a task's criterion", f.spec().criterion(), Fact.MAX_TEXT);
        out.number(f.spec().sloNanos());
        out.count("limits of a task", f.spec().limits().size(), UNITS);
        for (TaskLimit limit : f.spec().limits()) {
            out.octet(limit.unit().ordinal());
            out.number(limit.amount());
        }
        out.octet(f.implicit() ? 1 : 0);
    }

    static Fact.TaskOpened opened(WireReader in, long at) {
        Payer payer = payer(in);
        String task = name(in);
        String name = name(in);
        String criterion = in.text(Fact.MAX_TEXT);
        long slo = in.number();
        int count = in.count(UNITS);
        List<TaskLimit> limits = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            limits.add(new TaskLimit(in.constant(BUDGET_UNITS), in.number()));
        }
        return new Fact.TaskOpened(at, payer, task, new TaskSpec(name, criterion, slo, limits), in.flag());
    }

    static void stepped(WireWriter out, Fact.TaskStepped f) {
        payer(out, f.payer());
        name(out, "a task's id", f.task());
        TaskStep step = f.step();
        name(out, "a step's id", step.id());
        out.octet(step.kind().ordinal());
        out.number(step.list());
        out.number(step.quantity().unscaled());
        out.number(step.quantity().scale());
        name(out, "a step's unit", step.unit());
        out.number(step.durationNanos());
        out.octet(step.hit().ordinal());
        name(out, "a step's id", step.retryOf());
        out.octet(f.state().ordinal());
        out.number(f.overdraft());
        name(out, "a price book's version", f.priceBook());
    }

    static Fact.TaskStepped stepped(WireReader in, long at) {
        Payer payer = payer(in);
        String task = name(in);
        TaskStep step = new TaskStep(
                name(in),
                in.constant(KINDS),
                notNegative(in.number()),
                rate(in),
                name(in),
                notNegative(in.number()),
                in.constant(HITS),
                name(in));
        return new Fact.TaskStepped(at, payer, task, step, in.constant(STATES), notNegative(in.number()), name(in));
    }

    static void ended(WireWriter out, Fact.TaskEnded f) {
        name(out, "a tenant's id", f.tenant());
        name(out, "a task's id", f.task());
        out.octet(f.outcome().ordinal());
        out.text("why a task ended", f.why(), Fact.MAX_TEXT);
    }

    static Fact.TaskEnded ended(WireReader in, long at) {
        return new Fact.TaskEnded(at, name(in), name(in), in.constant(OUTCOMES), in.text(Fact.MAX_TEXT));
    }

    private static void payer(WireWriter out, Payer payer) {
        name(out, "a tenant's id", payer.tenant());
        name(out, "a project's id", payer.project());
        name(out, "a key's id", payer.key());
    }

    private static Payer payer(WireReader in) {
        return new Payer(name(in), name(in), name(in));
    }

    private static Rate rate(WireReader in) {
        long unscaled = in.number();
        int scale = in.small();
        try {
            return new Rate(unscaled, scale);
        } catch (AccountingException e) {
            throw WireReader.damaged("a step's quantity is %d with %d decimals".formatted(unscaled, scale));
        }
    }

    private static long notNegative(long value) {
        if (value < 0) {
            throw WireReader.damaged("a step's money or time is below zero");
        }
        return value;
    }

    private static void name(WireWriter out, String what, String value) {
        out.text(what, value, Fact.MAX_NAME);
    }

    private static String name(WireReader in) {
        return in.text(Fact.MAX_NAME);
    }
}
