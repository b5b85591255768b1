package dev.jeton.server.api;

import dev.jeton.server.json.Json;
import dev.jeton.server.json.JsonException;
import dev.jeton.server.json.JsonWriter;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/** Writes a message's content blocks. */
final class MessageBlocks {

    private MessageBlocks() {}

    /** Writes one that has just begun, which has nothing in it. */
    static void begin(JsonWriter out, OutputItem item) {
        out.beginObject();
        switch (item) {
            case OutputItem.Message message -> text(out, "");
            case OutputItem.Reasoning reasoning -> thinking(out, "");
            case OutputItem.Call call -> {
                call(out, call);
                out.name("input").beginObject().endObject();
            }
        }
        out.endObject();
    }

    /** Writes one that is whole, or was cut. */
    static void write(JsonWriter out, OutputItem item) {
        out.beginObject();
        switch (item) {
            case OutputItem.Message message -> text(out, message.text());
            case OutputItem.Reasoning reasoning -> thinking(out, reasoning.text());
            case OutputItem.Call call -> {
                call(out, call);
                input(out.name("input"), call.text().toString());
            }
        }
        out.endObject();
    }

    private static void text(JsonWriter out, CharSequence text) {
        out.name("type").value("text");
        out.name("text").value(text);
    }

    /** Nothing is signed here: what comes in again is taken as it is. */
    private static void thinking(JsonWriter out, CharSequence text) {
        out.name("type").value("thinking");
        out.name("thinking").value(text);
        out.name("signature").value("");
    }

    private static void call(JsonWriter out, OutputItem.Call call) {
        out.name("type").value("tool_use");
        out.name("id").value(call.callId());
        out.name("name").value(call.name());
    }

    /** The arguments to the letter where they are an object, which an input must be; otherwise wrapped. */
    private static void input(JsonWriter out, String arguments) {
        if (arguments.isBlank()) {
            out.beginObject().endObject();
        } else if (isObject(arguments)) {
            out.raw(arguments.getBytes(StandardCharsets.UTF_8));
        } else {
            out.beginObject().name(MessageTurns.NO_JSON).value(arguments).endObject();
        }
    }

    private static boolean isObject(String text) {
        try {
            return Json.parse(text) instanceof Map;
        } catch (JsonException e) {
            return false;
        }
    }
}
