package dev.jeton.server.api;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;

/**
 * An answer that a request has begun, for the model to go on with ("prefill"). Templates know nothing of that: they are
 * given it with a mark behind it, and what they write up to the mark is the prompt.
 *
 * @param conversation with the mark, and without another turn of the assistant's
 * @param mark what no text has: random
 */
record BegunAnswer(Conversation conversation, String mark) {

    /**
     * That of a conversation which ends with a message of the assistant's; empty for others.
     *
     * @param field the parameter that has the messages
     * @throws ApiException 400 where there is no text in it to go on with, or a call behind that
     */
    static Optional<BegunAnswer> of(Conversation conversation, String field) {
        Map<String, @Nullable Object> last = conversation.messages().getLast();
        if (!"assistant".equals(last.get("role"))) {
            return Optional.empty();
        }
        String text = last.get("content") instanceof String content ? content.stripTrailing() : "";
        if (text.isEmpty() || last.containsKey("tool_calls")) {
            throw ApiException.invalid(
                    field,
                    "'%s' ends with a message that cannot be gone on with: it must be text, and without calls"
                            .formatted(field));
        }
        ThreadLocalRandom random = ThreadLocalRandom.current();
        String mark = "end%016x%016x".formatted(random.nextLong(), random.nextLong());
        Map<String, @Nullable Object> marked = new LinkedHashMap<>(last);
        marked.put("content", text + mark);
        List<Map<String, @Nullable Object>> messages = new ArrayList<>(conversation.messages());
        messages.set(messages.size() - 1, marked);
        return Optional.of(new BegunAnswer(
                new Conversation(messages, conversation.tools(), false, conversation.variables()), mark));
    }

    /**
     * The prompt's text.
     *
     * @param field the parameter that has the messages
     * @throws ApiException 400 where the template does not show it
     */
    String upToMark(String field, String rendered) {
        int end = rendered.lastIndexOf(mark);
        if (end < 0) {
            throw ApiException.unsupported(
                    field,
                    "The chat template shows no message of the assistant's at the end that could be gone on with");
        }
        return rendered.substring(0, end);
    }
}
