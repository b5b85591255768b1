package dev.jeton.server.api;

import dev.jeton.accounting.Fact;
import dev.jeton.accounting.PriceBook;
import dev.jeton.accounting.Rate;
import dev.jeton.accounting.TaskStep;
import dev.jeton.accounting.Tasks;
import dev.jeton.server.json.JsonObject;
import dev.jeton.server.json.JsonWriter;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;

/**
 * {@code POST /v1/tasks/ID/steps}: records a step, reserves one, or settles or releases one that was reserved. The same
 * again is answered with 200 instead of 201.
 */
final class StepEndpoint extends TaskPost {

    /** What follows the task's id. */
    static final String END = "/steps";

    StepEndpoint(TaskDesk desk) {
        super("tasks_step", desk);
    }

    @Override
    public void handle(Call call) throws InterruptedException {
        PriceBook prices = desk().keeper().prices();
        String task = task(call, END);
        JsonObject body = call.json();
        boolean release = body.flag("release", false);
        boolean reserve = body.flag("reserve", false);
        String id = TaskBody.id(body, "step-");
        Function<PriceBook, TaskStep> step = book -> release ? released(body) : TaskBody.step(body, id, book);
        Tasks.Wish wish = release ? Tasks.Wish.RELEASE : reserve ? Tasks.Wish.RESERVE : Tasks.Wish.POST;
        Tasks.Stepped stepped = desk().step(call.caller().payer(), task, step, wish);
        call.answer(
                stepped.fresh() ? 201 : 200,
                Map.of("content-type", BooksAnswer.JSON),
                json(call.writer(), stepped, prices));
    }

    private static TaskStep released(JsonObject body) {
        TaskBody.known(body, Set.of("id", "release"));
        body.text("id");
        return new TaskStep(TaskBody.id(body, ""), TaskStep.Kind.OTHER, 0, Rate.ZERO, "", 0, TaskStep.Hit.UNKNOWN, "");
    }

    private static byte[] json(JsonWriter out, Tasks.Stepped stepped, PriceBook prices) {
        Fact.TaskStepped fact = stepped.step();
        out.beginObject();
        out.name("id").value(fact.step().id());
        out.name("object").value("task.step");
        out.name("task").value(fact.task());
        out.name("kind").value(fact.step().kind().text());
        out.name("state").value(fact.state().text());
        out.name("recorded_at").value(TaskJson.time(fact.at()));
        out.name("late").value(stepped.late());
        out.name("cost").beginObject();
        out.name("currency").value(prices.currency().getCurrencyCode());
        boolean posted = fact.state() == TaskStep.State.POSTED;
        TaskJson.money(out, "list", posted ? fact.step().list() : 0);
        TaskJson.money(
                out,
                "reserved",
                fact.state() == TaskStep.State.RESERVED ? fact.step().list() : 0);
        TaskJson.money(out, "overdraft", fact.overdraft());
        return out.endObject().endObject().toBytes();
    }
}
