package dev.jeton.server.webhooks;

import dev.jeton.accounting.Period;
import dev.jeton.server.json.JsonWriter;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.random.RandomGenerator;

/**
 * An event that is to be delivered.
 *
 * @param id by which receivers know one that comes twice
 * @param type of the event
 * @param body what is sent, JSON
 */
record Outgoing(String id, String type, String body) {

    private static final int ID_BYTES = 16;

    static Outgoing of(WebhookEvent event, RandomGenerator random) {
        byte[] id = new byte[ID_BYTES];
        random.nextBytes(id);
        JsonWriter out = new JsonWriter().beginObject();
        out.name("type").value(event.type());
        out.name("timestamp").value(Period.text(event.at()));
        out.name("data").beginObject();
        event.write(out);
        out.endObject().endObject();
        return new Outgoing(
                "msg_" + HexFormat.of().formatHex(id), event.type(), new String(out.toBytes(), StandardCharsets.UTF_8));
    }
}
