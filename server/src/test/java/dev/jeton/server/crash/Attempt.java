package dev.jeton.server.crash;

/** One request as its client saw it. Written by the client's thread, read once that has ended. */
final class Attempt {

    /**
     * What is asked for.
     *
     * @param id in {@code X-Request-Id}: the books append something random to it
     * @param stream whether the answer is streamed
     * @param sequences {@code n}
     * @param letters of each answer
     * @param most {@code max_tokens}
     * @param hangUpAfter tokens after which the client goes away; {@link Integer#MAX_VALUE} for never
     */
    record Ask(String id, boolean stream, int sequences, int letters, int most, int hangUpAfter) {

        String json() {
            return """
                    {"model": "test-model", "prompt": "%s give:%d", "n": %d, "max_tokens": %d, "stream": %b%s}""".formatted(
                            id,
                            letters,
                            sequences,
                            most,
                            stream,
                            stream ? ", \"stream_options\": {\"include_usage\": true}" : "");
        }
    }

    private final Ask ask;
    private int received;
    private boolean hungUp;
    private boolean answered;
    private long prompt;
    private long completion;

    Attempt(Ask ask) {
        this.ask = ask;
    }

    Ask ask() {
        return ask;
    }

    /** Tokens in the client's hands. */
    int received() {
        return received;
    }

    void receive(int tokens) {
        received += tokens;
    }

    /** Whether the client went away by itself. */
    boolean hungUp() {
        return hungUp;
    }

    void hangUp() {
        hungUp = true;
    }

    /** Whether its usage arrived: in the last chunk, or with the whole answer. */
    boolean answered() {
        return answered;
    }

    void answer(long promptTokens, long completionTokens) {
        answered = true;
        prompt = promptTokens;
        completion = completionTokens;
    }

    long prompt() {
        return prompt;
    }

    long completion() {
        return completion;
    }

    @Override
    public String toString() {
        return "%s: received %d, answered %b, hung up %b".formatted(ask, received, answered, hungUp);
    }
}
