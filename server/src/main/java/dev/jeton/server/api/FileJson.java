package dev.jeton.server.api;

import dev.jeton.server.batch.StoredFile;
import dev.jeton.server.json.JsonWriter;

/** Files in OpenAI's shape. */
final class FileJson {

    private FileJson() {}

    static JsonWriter write(JsonWriter out, StoredFile file) {
        out.beginObject();
        out.name("id").value(file.id());
        out.name("object").value("file");
        out.name("bytes").value(file.bytes());
        out.name("created_at").value(file.created());
        out.name("expires_at").tree(file.expires() == 0 ? null : file.expires());
        out.name("filename").value(file.name());
        out.name("purpose").value(file.purpose());
        out.name("status").value("processed");
        return out.endObject();
    }
}
