package dev.jeton.server.api;

import dev.jeton.models.TemplateException;
import dev.jeton.server.json.JsonObject;
import java.util.Arrays;
import java.util.Optional;

/** From text to token ids, under the gate and within the context. */
final class PromptTokens {

    private final TokenizerGate gate;

    PromptTokens(TokenizerGate gate) {
        this.gate = gate;
    }

    /**
     * Tokens of a conversation.
     *
     * @param field the parameter that has it
     */
    int[] of(String field, Conversation conversation, ServedModel model, boolean addSpecialTokens)
            throws InterruptedException {
        return gate.run(() -> encode(field, rendered(field, conversation, model), model, addSpecialTokens));
    }

    /**
     * Tokens of a conversation up to the end of the answer that is begun in it.
     *
     * @param field the parameter that has it
     */
    int[] of(String field, BegunAnswer begun, ServedModel model, boolean addSpecialTokens) throws InterruptedException {
        return gate.run(() -> encode(
                field, begun.upToMark(field, rendered(field, begun.conversation(), model)), model, addSpecialTokens));
    }

    private static String rendered(String field, Conversation conversation, ServedModel model) {
        try {
            return conversation.render(model);
        } catch (TemplateException e) {
            throw refused(field, e);
        }
    }

    private static ApiException refused(String field, TemplateException e) {
        return ApiException.invalid(
                field, "The chat template refused the request: " + ApiException.shown(String.valueOf(e.getMessage())));
    }

    /** Tokens of a text. */
    int[] of(String field, String text, ServedModel model, boolean addSpecialTokens) throws InterruptedException {
        return gate.run(() -> encode(field, text, model, addSpecialTokens));
    }

    /** Tokens of what the client expects of the answer; none where it expects nothing. */
    int[] prediction(JsonObject body, ServedModel model) throws InterruptedException {
        Optional<String> text = Prediction.read(body);
        if (text.isEmpty()) {
            return new int[0];
        }
        String part = beginning(text.get(), model);
        int[] tokens = gate.run(() -> model.tokenizer().encode(part, false));
        // it is kept while the request waits, and no answer is longer
        return tokens.length <= model.contextLength() ? tokens : Arrays.copyOf(tokens, model.contextLength());
    }

    /** Tokens of a text with the tokenizer's special ones; where {@code truncate}, of what of it can matter. */
    int[] whole(String field, String text, ServedModel model, boolean truncate) throws InterruptedException {
        String part = truncate ? beginning(text, model) : text;
        return gate.run(() -> encode(field, part, model, true));
    }

    /** Tokens of a pair of texts; where {@code truncate}, of what of the second can matter. */
    int[] pair(String field, String first, String second, ServedModel model, boolean truncate)
            throws InterruptedException {
        String part = truncate ? beginning(second, model) : second;
        check(field, first.length() + (truncate ? 0L : part.length()), model);
        return gate.run(() -> model.tokenizer().encodePair(first, part));
    }

    /**
     * The same as a template shows them to a model that is asked in words; where {@code truncate}, and the context has
     * no room for all, without the end of the second text, but with all that the template has behind it.
     */
    int[] pair(
            String field,
            PairTemplate pairs,
            String instruction,
            String first,
            String second,
            ServedModel model,
            boolean truncate)
            throws InterruptedException {
        String part = truncate ? beginning(second, model) : second;
        check(field, (long) instruction.length() + first.length() + (truncate ? 0L : part.length()), model);
        return gate.run(() -> {
            String prompt;
            try {
                prompt = pairs.render(instruction, first, part);
            } catch (TemplateException e) {
                throw refused(field, e);
            }
            int[] tokens = model.tokenizer().encode(prompt, false);
            int end = prompt.lastIndexOf(part);
            if (!truncate || tokens.length <= model.contextLength() || end < 0) {
                return tokens;
            }
            return joined(
                    model.tokenizer().encode(prompt.substring(0, end + part.length()), false),
                    model.tokenizer().encode(prompt.substring(end + part.length()), false),
                    model.contextLength());
        });
    }

    /** The beginning of one and all of the other. */
    private static int[] joined(int[] front, int[] back, int room) {
        int kept = Math.max(0, room - back.length);
        int[] all = Arrays.copyOf(front, Math.min(kept, front.length) + back.length);
        System.arraycopy(back, 0, all, all.length - back.length, back.length);
        return all;
    }

    /** As much of a text as the context can have room for, however it is tokenized. */
    private static String beginning(String text, ServedModel model) {
        long most = (long) model.contextLength() * model.longestToken();
        return text.length() <= most ? text : text.substring(0, (int) most);
    }

    private static int[] encode(String field, String text, ServedModel model, boolean addSpecialTokens) {
        check(field, text.length(), model);
        int[] tokens = model.tokenizer().encode(text, addSpecialTokens);
        if (tokens.length == 0) {
            throw Prompts.empty(field);
        }
        return tokens;
    }

    /** Too long however it is tokenized: megabytes are not tokenized only to be refused. */
    private static void check(String field, long characters, ServedModel model) {
        if (characters > (long) model.contextLength() * model.longestToken()) {
            throw ApiException.contextExceeded(
                    field,
                    "This model's context has %d tokens, but the prompt of %d characters has more"
                            .formatted(model.contextLength(), characters));
        }
    }
}
