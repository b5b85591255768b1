package dev.jeton.server.api;

import dev.jeton.accounting.Scope;
import dev.jeton.server.json.JsonWriter;
import java.util.Optional;
import java.util.Set;

/**
 * {@code GET /v1/tasks/ID}: a task with all that it cost. The ledger is made to catch up first, for a while, so that
 * what has just ended is in it. Another tenant's task is answered as one that never was.
 */
final class TaskEndpoint extends LedgerEndpoint {

    /** Where ids follow. */
    static final String BELOW = "/v1/tasks/";

    /** Most requests, and most steps, of an answer. */
    static final int MOST = 1_000;

    private final TaskDesk tasks;

    TaskEndpoint(LedgerDesk desk, TaskDesk tasks) {
        super("tasks_task", desk);
        this.tasks = tasks;
    }

    static ApiException notFound() {
        return new ApiException(
                404,
                ApiException.INVALID_REQUEST,
                "task",
                "task_not_found",
                "There is no such task; open it with POST /v1/tasks");
    }

    @Override
    public void handle(Call call) throws InterruptedException {
        BooksQuery query = new BooksQuery(call, desk().now(), Set.of("tenant"));
        // A task is one tenant's, so an operator who names none asks for its own.
        String tenant = query.scope() instanceof Scope.Tenant named
                ? named.id()
                : call.caller().payer().tenant();
        String id = TaskPost.task(call, "");
        try (LedgerDesk.Visit visit = desk().visit(call)) {
            visit.catchUp();
            Optional<GraphJson> graph = visit.ask((ledger, reports) ->
                    reports.task(new Scope.Tenant(tenant), id, MOST + 1).map(found -> GraphJson.of(ledger, found)));
            if (graph.isEmpty()) {
                if (tasks.keeper().tasks().find(tenant, id).isPresent()) {
                    throw ApiException.unavailable(
                            "ledger_behind", "The task is not in the ledger yet, which is behind; try again later");
                }
                throw notFound();
            }
            JsonWriter out = call.writer().beginObject();
            graph.get().write(out, desk().now(), call.caller().operator());
            out.name("as_of").value(visit.asOf());
            out.name("ledger_behind_ms").value(visit.behindMillis());
            call.answer(
                    200,
                    BooksAnswer.headers(BooksAnswer.JSON, visit.asOf()),
                    out.endObject().toBytes());
        }
    }
}
