package dev.jeton.server.batch;

import dev.jeton.server.json.Json;
import dev.jeton.server.json.JsonObject;
import dev.jeton.server.json.JsonWriter;

/** Descriptions of files, as they are on disk. */
final class StoredFileFormat {

    private StoredFileFormat() {}

    static byte[] write(StoredFile file) {
        JsonWriter out = new JsonWriter().beginObject();
        owner(out, file.owner());
        out.name("name").value(file.name());
        out.name("purpose").value(file.purpose());
        out.name("bytes").value(file.bytes());
        out.name("created").value(file.created());
        out.name("expires").value(file.expires());
        return out.endObject().toBytes();
    }

    static StoredFile read(String id, byte[] text) {
        JsonObject file = Json.object(text);
        return new StoredFile(
                id,
                owner(file),
                file.text("name"),
                file.text("purpose"),
                number(file, "bytes"),
                number(file, "created"),
                number(file, "expires"));
    }

    static void owner(JsonWriter out, BatchOwner owner) {
        out.name("tenant").value(owner.tenant());
        out.name("project").value(owner.project());
        out.name("key").value(owner.key());
    }

    static BatchOwner owner(JsonObject object) {
        return new BatchOwner(object.text("tenant"), object.text("project"), object.text("key"));
    }

    static long number(JsonObject object, String name) {
        return object.optionalWhole(name, 0, Long.MAX_VALUE).orElse(0);
    }
}
