package dev.jeton.server.api;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Leaves the oldest turns out of a conversation that is too long for the context, as {@code truncation: auto} asks for:
 * a turn is what a user said with all that followed. What systems and developers said stays, and so does the last turn.
 *
 * @param room tokens that a prompt may have
 */
record Truncation(long room) {

    /** Makes a prompt of a conversation. */
    @FunctionalInterface
    interface Prompts {
        /** @throws ApiException that {@linkplain ApiException#exceedsContext says so} where it has no room at all */
        int[] of(Conversation conversation) throws InterruptedException;
    }

    /**
     * The prompt of as much of the conversation as there is room for; of the last turn where there is room for nothing.
     *
     * @throws ApiException where that cannot be
     */
    int[] fit(Conversation conversation, Prompts prompts) throws InterruptedException {
        int[] turns = turns(conversation.messages());
        if (turns.length < 2) {
            return prompts.of(conversation);
        }
        // The fewest that must be left out are between these; so many at least, and the last turn never.
        int least = 0;
        int most = turns.length - 1;
        while (least < most) {
            int middle = (least + most) / 2;
            int[] prompt = tried(without(conversation, turns[middle], middle == 0), prompts);
            if (prompt.length > 0 && prompt.length <= room) {
                most = middle;
            } else {
                least = middle + 1;
            }
        }
        return prompts.of(without(conversation, turns[least], least == 0));
    }

    /** Empty where it is too long however it is tokenized. */
    private static int[] tried(Conversation conversation, Prompts prompts) throws InterruptedException {
        try {
            return prompts.of(conversation);
        } catch (ApiException e) {
            if (e.exceedsContext()) {
                return new int[0];
            }
            throw e;
        }
    }

    /** Where users begin to speak. */
    private static int[] turns(List<Map<String, @Nullable Object>> messages) {
        return IntStream.range(0, messages.size())
                .filter(i -> "user".equals(messages.get(i).get("role")))
                .toArray();
    }

    /** What is before the first turn belongs to it. */
    private static Conversation without(Conversation conversation, int begin, boolean nothing) {
        if (nothing) {
            return conversation;
        }
        List<Map<String, @Nullable Object>> kept = new ArrayList<>();
        for (int i = 0; i < conversation.messages().size(); i++) {
            Map<String, @Nullable Object> message = conversation.messages().get(i);
            Object role = message.get("role");
            if (i >= begin || "system".equals(role) || "developer".equals(role)) {
                kept.add(message);
            }
        }
        return new Conversation(
                kept, conversation.tools(), conversation.addGenerationPrompt(), conversation.variables());
    }
}
