package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.server.json.Json;
import dev.jeton.server.json.JsonException;
import dev.jeton.server.testing.TestServer.Answer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A message's stream as a client puts it together. */
final class StreamedMessage {

    private StreamedMessage() {}

    /** Its content. */
    static List<Map<String, Object>> content(Answer streamed) {
        List<Map<String, Object>> blocks = new ArrayList<>();
        StringBuilder json = new StringBuilder();
        boolean open = false;
        for (Object event : streamed.events()) {
            Object index = Answer.at(event, "index");
            switch ((String) Answer.at(event, "type")) {
                case "content_block_start" -> {
                    assertThat(open).isFalse();
                    assertThat(index).isEqualTo((long) blocks.size());
                    blocks.add(block(Answer.at(event, "content_block")));
                    open = true;
                }
                case "content_block_delta" -> {
                    assertThat(open).isTrue();
                    assertThat(index).isEqualTo(blocks.size() - 1L);
                    add(blocks.getLast(), Answer.at(event, "delta"), json);
                }
                case "content_block_stop" -> {
                    assertThat(index).isEqualTo(blocks.size() - 1L);
                    open = false;
                    if (blocks.getLast().get("type").equals("tool_use")) {
                        blocks.getLast().put("input", input(json.toString()));
                        json.setLength(0);
                    }
                }
                default -> assertThat(open).isFalse();
            }
        }
        assertThat(open).isFalse();
        return blocks;
    }

    private static Map<String, Object> block(Object started) {
        Map<String, Object> block = new LinkedHashMap<>();
        ((Map<?, ?>) started).forEach((name, value) -> block.put((String) name, value));
        return block;
    }

    private static void add(Map<String, Object> block, Object delta, StringBuilder json) {
        switch ((String) Answer.at(delta, "type")) {
            case "text_delta" -> block.merge("text", more(delta, "text"), StreamedMessage::joined);
            case "thinking_delta" -> block.merge("thinking", more(delta, "thinking"), StreamedMessage::joined);
            case "signature_delta" -> block.put("signature", Answer.at(delta, "signature"));
            default -> json.append(more(delta, "partial_json"));
        }
    }

    private static Object joined(Object before, Object more) {
        return before.toString() + more;
    }

    private static Object more(Object delta, String field) {
        assertThat((String) Answer.at(delta, field)).isNotEmpty();
        return Answer.at(delta, field);
    }

    private static Object input(String json) {
        if (json.isBlank()) {
            return Map.of();
        }
        try {
            Object parsed = Json.parse(json);
            return parsed instanceof Map ? parsed : Map.of("INVALID_JSON", json);
        } catch (JsonException e) {
            return Map.of("INVALID_JSON", json);
        }
    }

    /** Without what is another's in each message. */
    private static String stable(Object content) {
        return content.toString().replaceAll("(?<=[{ ])id=[A-Za-z0-9_-]*", "");
    }

    /** The stream says the same as a whole answer. */
    static void assertSame(String of, Answer whole, Answer streamed) {
        List<Object> events = streamed.events();
        Object delta = events.get(events.size() - 2);
        assertThat(stable(content(streamed))).as(of).isEqualTo(stable(whole.at("content")));
        assertThat(Answer.at(delta, "type")).isEqualTo("message_delta");
        assertThat(Answer.at(delta, "delta.stop_reason")).as(of).isEqualTo(whole.at("stop_reason"));
        assertThat(Answer.at(delta, "delta.stop_sequence")).as(of).isEqualTo(whole.at("stop_sequence"));
        assertThat(Answer.at(delta, "usage.output_tokens")).as(of).isEqualTo(whole.at("usage.output_tokens"));
        assertThat(Answer.at(events.getLast(), "type")).isEqualTo("message_stop");
    }
}
