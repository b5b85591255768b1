package dev.jeton.server.api;

/** From text to token ids, under the gate and within the context. */
final class PromptTokens {

    private final TokenizerGate gate;

    PromptTokens(TokenizerGate gate) {
        this.gate = gate;
    }

    /** Tokens of a conversation. */
    int[] of(Conversation conversation, ServedModel model, boolean addSpecialTokens) throws InterruptedException {
        return gate.run(() -> encode("messages", conversation.render(model), model, addSpecialTokens));
    }

    /** Tokens of a text. */
    int[] of(String field, String text, ServedModel model, boolean addSpecialTokens) throws InterruptedException {
        return gate.run(() -> encode(field, text, model, addSpecialTokens));
    }

    private static int[] encode(String field, String text, ServedModel model, boolean addSpecialTokens) {
        long most = (long) model.contextLength() * model.longestToken();
        if (text.length() > most) {
            // Too long however it is tokenized: megabytes are not tokenized only to be refused.
            throw ApiException.contextExceeded(
                    field,
                    "This model's context has %d tokens, but the prompt of %d characters has more"
                            .formatted(model.contextLength(), text.length()));
        }
        int[] tokens = model.tokenizer().encode(text, addSpecialTokens);
        if (tokens.length == 0) {
            throw Prompts.empty(field);
        }
        return tokens;
    }
}
