package dev.jeton.server.api;

import dev.jeton.accounting.Fact;
import dev.jeton.accounting.TaskOutcome;
import dev.jeton.accounting.Tasks;
import dev.jeton.server.json.JsonObject;
import dev.jeton.server.json.JsonWriter;
import java.util.Map;
import java.util.Set;

/** {@code POST /v1/tasks/ID/outcome}: says how a task ended, once. */
final class OutcomeEndpoint extends TaskPost {

    /** What follows the task's id. */
    static final String END = "/outcome";

    OutcomeEndpoint(TaskDesk desk) {
        super("tasks_outcome", desk);
    }

    @Override
    public void handle(Call call) throws InterruptedException {
        desk().keeper();
        String task = task(call, END);
        JsonObject body = call.json();
        TaskBody.known(body, Set.of("success", "reason"));
        if (!body.has("success")) {
            throw ApiException.invalid("success", "'success' is missing: true or false is required");
        }
        TaskOutcome outcome = body.flag("success", false) ? TaskOutcome.SUCCESS : TaskOutcome.FAILURE;
        Tasks.View ended =
                desk().end(call.caller().payer(), task, outcome, TaskBody.text(body, "reason", Fact.MAX_TEXT));
        JsonWriter out = call.writer().beginObject();
        TaskJson.write(out, TaskJson.row(ended), desk().keeper().clock().micros());
        call.answer(
                200, Map.of("content-type", BooksAnswer.JSON), out.endObject().toBytes());
    }
}
