package dev.jeton.benchmarks.demo;

import java.util.Arrays;
import java.util.List;

/** How a conversation becomes tokens; {@link #TEMPLATE} says the same to whoever serves the model. */
public final class ChatFormat {
    /** The chat template of tokenizer_config.json, in the Jinja2 subset that Hugging Face uses. */
    public static final String TEMPLATE = "{{ bos_token }}{% for message in messages %}"
            + "{% if message['role'] == 'system' %}{{ '<|system|>' }}"
            + "{% elif message['role'] == 'assistant' %}{{ '<|assistant|>' }}"
            + "{% else %}{{ '<|user|>' }}{% endif %}"
            + "{{ (message['content'] | trim) + '<|end|>' }}{% endfor %}"
            + "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}";

    /** Loss weight of what the model is to say. */
    static final float SAID_WEIGHT = 1f;

    /**
     * Loss weight of what others say: enough to learn the shape of questions from, too little to compete with the
     * answers.
     */
    static final float HEARD_WEIGHT = 0.1f;

    private final BytePairTokenizer tokenizer;

    public ChatFormat(BytePairTokenizer tokenizer) {
        this.tokenizer = tokenizer;
    }

    /**
     * A sequence of tokens with the loss weight of each (as a target).
     *
     * @param ids tokens
     * @param weights one weight a token
     */
    public record Sequence(int[] ids, float[] weights) {
        /** The first tokens of this sequence, all of it if it is not longer. */
        Sequence truncated(int length) {
            return ids.length <= length
                    ? this
                    : new Sequence(Arrays.copyOf(ids, length), Arrays.copyOf(weights, length));
        }
    }

    /** A whole conversation. */
    public Sequence sequence(List<Turn> turns) {
        var builder = new Builder();
        builder.add(tokenizer.id(SpecialToken.BOS), 0f);
        for (Turn turn : turns) {
            boolean said = turn.role() == SpecialToken.ASSISTANT;
            float weight = said ? SAID_WEIGHT : HEARD_WEIGHT;
            builder.add(tokenizer.id(turn.role()), 0f);
            for (int id : tokenizer.encode(turn.text())) {
                builder.add(id, weight);
            }
            builder.add(tokenizer.id(SpecialToken.END), said ? weight : 0f);
        }
        return builder.sequence();
    }

    /** The prompt that asks the model for the next assistant turn. */
    public int[] prompt(List<Turn> turns) {
        int[] ids = Arrays.copyOf(sequence(turns).ids(), sequence(turns).ids().length + 1);
        ids[ids.length - 1] = tokenizer.id(SpecialToken.ASSISTANT);
        return ids;
    }

    /** Plain text without speakers, as a raw completion request sends it. */
    public Sequence plain(String text, boolean begin) {
        var builder = new Builder();
        if (begin) {
            builder.add(tokenizer.id(SpecialToken.BOS), 0f);
        }
        for (int id : tokenizer.encode(text)) {
            builder.add(id, SAID_WEIGHT);
        }
        builder.add(tokenizer.id(SpecialToken.END), SAID_WEIGHT);
        return builder.sequence();
    }

    private static final class Builder {
        private int[] ids = new int[64];
        private float[] weights = new float[64];
        private int length;

        void add(int id, float weight) {
            if (length == ids.length) {
                ids = Arrays.copyOf(ids, 2 * length);
                weights = Arrays.copyOf(weights, 2 * length);
            }
            ids[length] = id;
            weights[length++] = weight;
        }

        Sequence sequence() {
            return new Sequence(Arrays.copyOf(ids, length), Arrays.copyOf(weights, length));
        }
    }
}
