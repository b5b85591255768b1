package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.server.testing.TestServer.Answer;
import java.util.ArrayList;
import java.util.List;

/** A response's stream as a client puts it together. */
final class StreamedResponse {

    private StreamedResponse() {}

    /** An item as its events tell it: of what was added, of the deltas, and as it was done. */
    private static final class Told {
        private final StringBuilder deltas = new StringBuilder();
        private final List<Object> scores = new ArrayList<>();
        private Object done = "";
    }

    private static List<Told> told(Answer streamed) {
        List<Told> items = new ArrayList<>();
        for (Object event : streamed.events()) {
            String type = (String) Answer.at(event, "type");
            Object index = Answer.at(event, "output_index");
            if (index == null) {
                continue;
            }
            if (type.equals("response.output_item.added")) {
                assertThat(index).isEqualTo((long) items.size());
                items.add(new Told());
            }
            Told item = items.get(((Long) index).intValue());
            switch (type) {
                case "response.output_text.delta",
                        "response.reasoning_text.delta",
                        "response.function_call_arguments.delta" -> {
                    assertThat((String) Answer.at(event, "delta")).isNotEmpty();
                    item.deltas.append(Answer.at(event, "delta"));
                    if (Answer.at(event, "logprobs") instanceof List<?> scores) {
                        item.scores.addAll(scores);
                    }
                }
                case "response.output_text.done", "response.reasoning_text.done" ->
                    assertThat(Answer.at(event, "text")).isEqualTo(item.deltas.toString());
                case "response.function_call_arguments.done" ->
                    assertThat(Answer.at(event, "arguments")).isEqualTo(item.deltas.toString());
                case "response.output_item.done" -> item.done = Answer.at(event, "item");
                default -> {}
            }
        }
        return items;
    }

    /** Without what is another's in each response. */
    private static Object stable(Object output) {
        return output.toString().replaceAll("(?<=[{ ])(id|call_id)=[A-Za-z0-9_]*", "");
    }

    /** The stream's events say the same as its end, and that the same as a whole answer. */
    static void assertSame(String of, Answer whole, Answer streamed) {
        Object response = Answer.at(streamed.events().getLast(), "response");
        List<Told> items = told(streamed);
        assertThat(items.stream().map(item -> item.done)).as(of).containsExactlyElementsOf((List<?>)
                Answer.at(response, "output"));
        for (Told item : items) {
            Object text = Answer.at(item.done, "content.0.text");
            assertThat(item.deltas.toString()).isEqualTo(text == null ? Answer.at(item.done, "arguments") : text);
            if (Answer.at(item.done, "content.0.logprobs") instanceof List<?> scores) {
                assertThat(item.scores).as(of).isEqualTo(scores);
            }
        }
        assertThat(stable(Answer.at(response, "output"))).as(of).isEqualTo(stable(whole.at("output")));
        assertThat(Answer.at(response, "status")).isEqualTo(whole.at("status"));
    }
}
