package dev.jeton.accounting;

import dev.jeton.accounting.TaskException.Reason;
import java.util.Optional;

/** What a step may become: reserved, then done or released; or done at once. What is done or released stays so. */
final class StepRules {

    private StepRules() {}

    /** The first fact of a step. */
    static Fact.TaskStepped first(
            Payer payer, String task, TaskStep step, Tasks.Wish wish, String priceBook, long now) {
        return switch (wish) {
            case RELEASE ->
                throw new TaskException(
                        Reason.STEP_NOT_FOUND, "the task has no step '%s' to release".formatted(step.id()));
            case RESERVE -> new Fact.TaskStepped(now, payer, task, step, TaskStep.State.RESERVED, 0, priceBook);
            // nothing was kept for it, so all of it passes what was
            case POST -> new Fact.TaskStepped(now, payer, task, step, TaskStep.State.POSTED, step.list(), priceBook);
        };
    }

    /** Whether a step is already what is wanted of it. */
    static boolean repeats(TaskStep.State state, Tasks.Wish wish) {
        return switch (wish) {
            case POST -> state == TaskStep.State.POSTED;
            case RESERVE -> state == TaskStep.State.RESERVED;
            case RELEASE -> state == TaskStep.State.RELEASED;
        };
    }

    /**
     * The next fact of a step; empty where it is what was asked for.
     *
     * @throws TaskException where it cannot become that
     */
    static Optional<Fact.TaskStepped> next(
            Fact.TaskStepped before, Payer payer, TaskStep step, Tasks.Wish wish, String priceBook, long now) {
        TaskStep given = step.retryOf().isEmpty() && wish == Tasks.Wish.POST ? repeating(step, before) : step;
        boolean same = before.step().equals(given);
        return switch (before.state()) {
            case RESERVED ->
                switch (wish) {
                    case RELEASE -> Optional.of(released(before, now));
                    case RESERVE -> unlessOther(before, same);
                    case POST -> Optional.of(settled(before, payer, given, priceBook, now));
                };
            case POSTED ->
                switch (wish) {
                    case POST -> unlessOther(before, same);
                    case RESERVE, RELEASE -> throw conflict(before);
                };
            case RELEASED ->
                switch (wish) {
                    case RELEASE -> Optional.empty();
                    case RESERVE, POST -> throw conflict(before);
                };
        };
    }

    /** What a step was a repetition of when it was reserved, it still is. */
    private static TaskStep repeating(TaskStep step, Fact.TaskStepped before) {
        return new TaskStep(
                step.id(),
                step.kind(),
                step.list(),
                step.quantity(),
                step.unit(),
                step.durationNanos(),
                step.hit(),
                before.step().retryOf());
    }

    private static Optional<Fact.TaskStepped> unlessOther(Fact.TaskStepped before, boolean same) {
        if (!same) {
            throw conflict(before);
        }
        return Optional.empty();
    }

    private static Fact.TaskStepped settled(
            Fact.TaskStepped before, Payer payer, TaskStep step, String priceBook, long now) {
        if (step.kind() != before.step().kind()) {
            throw new TaskException(
                    Reason.STEP_CONFLICT,
                    "the step '%s' was reserved as %s and cannot be settled as %s; name its own kind"
                            .formatted(
                                    step.id(),
                                    before.step().kind().text(),
                                    step.kind().text()));
        }
        long beyond = Math.max(0, step.list() - before.step().list());
        return new Fact.TaskStepped(now, payer, before.task(), step, TaskStep.State.POSTED, beyond, priceBook);
    }

    /** That a reserved step is not done. */
    static Fact.TaskStepped released(Fact.TaskStepped before, long now) {
        return new Fact.TaskStepped(
                now, before.payer(), before.task(), before.step(), TaskStep.State.RELEASED, 0, before.priceBook());
    }

    private static TaskException conflict(Fact.TaskStepped before) {
        return new TaskException(
                Reason.STEP_CONFLICT,
                "the step '%s' is %s with other content, or cannot become what is asked for; give other work another id"
                        .formatted(before.step().id(), before.state().text()));
    }
}
