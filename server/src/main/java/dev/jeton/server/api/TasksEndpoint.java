package dev.jeton.server.api;

import dev.jeton.accounting.Reports;
import dev.jeton.accounting.Scope;
import dev.jeton.accounting.TaskRow;
import dev.jeton.server.json.JsonWriter;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** {@code GET /v1/tasks}: tasks, the one opened last first, a part at a time. */
final class TasksEndpoint extends LedgerEndpoint {

    private static final int MAX_LIMIT = 1_000;
    private static final int USUAL_LIMIT = 100;

    TasksEndpoint(LedgerDesk desk) {
        super("tasks_list", desk);
    }

    @Override
    public void handle(Call call) throws InterruptedException {
        BooksQuery query = new BooksQuery(call, desk().now(), Set.of("tenant", "limit", "after"));
        Scope scope = query.scope();
        int limit = query.limit(USUAL_LIMIT, MAX_LIMIT);
        Optional<Reports.Cursor> after = query.after();
        try (LedgerDesk.Visit visit = desk().visit(call)) {
            visit.catchUp();
            // One more than is wanted tells whether there are more.
            List<TaskRow> tasks = visit.ask((ledger, reports) -> reports.tasks(scope, after, limit + 1));
            call.answer(
                    200,
                    BooksAnswer.headers(BooksAnswer.JSON, visit.asOf()),
                    json(call.writer(), tasks, limit, visit.asOf()));
        }
    }

    private byte[] json(JsonWriter out, List<TaskRow> tasks, int limit, String asOf) {
        boolean more = tasks.size() > limit;
        List<TaskRow> rows = tasks.subList(0, Math.min(limit, tasks.size()));
        long now = desk().now();
        out.beginObject();
        out.name("object").value("list");
        out.name("as_of").value(asOf);
        out.name("data").beginArray();
        for (TaskRow row : rows) {
            out.beginObject();
            TaskJson.write(out, row, now);
            out.endObject();
        }
        out.endArray();
        out.name("has_more").value(more);
        out.name("next");
        if (more) {
            out.value(
                    BooksQuery.cursor(rows.getLast().openedAt(), rows.getLast().id()));
        } else {
            out.nullValue();
        }
        return out.endObject().toBytes();
    }
}
