package dev.jeton.server.api;

import dev.jeton.server.batch.StoredFile;
import dev.jeton.server.json.JsonWriter;
import java.util.List;
import java.util.Optional;

/** {@code GET /v1/files}: the files of a project, a part at a time. */
final class FilesEndpoint implements Endpoint {

    private static final int MOST = 10_000;

    private final BatchDesk desk;

    FilesEndpoint(BatchDesk desk) {
        this.desk = desk;
    }

    @Override
    public String name() {
        return "files";
    }

    @Override
    public String method() {
        return "GET";
    }

    @Override
    public Guard guard() {
        return Guard.TASKS;
    }

    @Override
    public void handle(Call call) {
        Optional<String> purpose = BatchDesk.query(call).text("purpose");
        List<StoredFile> files = desk.files().list(BatchDesk.owner(call)).stream()
                .filter(file -> purpose.map(file.purpose()::equals).orElse(true))
                .toList();
        JsonWriter out = call.writer();
        BatchDesk.answer(call, files, StoredFile::id, MOST, MOST, file -> FileJson.write(out, file), out);
    }
}
