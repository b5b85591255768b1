package dev.jeton.server.api;

import dev.jeton.accounting.TaskSpec;
import dev.jeton.accounting.Tasks;
import dev.jeton.server.json.JsonObject;
import dev.jeton.server.json.JsonWriter;
import java.util.Map;

/** {@code POST /v1/tasks}: opens a task. To open it again with the same content is answered with 200 instead of 201. */
final class OpenTaskEndpoint extends TaskPost {

    static final String PATH = "/v1/tasks";

    OpenTaskEndpoint(TaskDesk desk) {
        super("tasks_open", desk);
    }

    @Override
    public void handle(Call call) throws InterruptedException {
        desk().keeper();
        JsonObject body = call.json();
        TaskSpec spec = TaskBody.spec(body);
        Tasks.Opened opened = desk().open(call.caller().payer(), TaskBody.id(body, "task-"), spec);
        JsonWriter out = call.writer().beginObject();
        TaskJson.write(out, TaskJson.row(opened.task()), desk().keeper().clock().micros());
        out.endObject();
        call.answer(opened.fresh() ? 201 : 200, Map.of("content-type", BooksAnswer.JSON), out.toBytes());
    }
}
