package dev.jeton.benchmarks.demo;

/** Tokens that no text can spell; their ids follow the byte-pair vocabulary in this order. */
public enum SpecialToken {
    /** Before every conversation. */
    BOS("<|bos|>"),
    /** After every turn; the end-of-sequence token. */
    END("<|end|>"),
    /** Fills a batch; never generated. */
    PAD("<|pad|>"),
    /** Opens a system turn. */
    SYSTEM("<|system|>"),
    /** Opens a user turn. */
    USER("<|user|>"),
    /** Opens an assistant turn. */
    ASSISTANT("<|assistant|>");

    private final String text;

    SpecialToken(String text) {
        this.text = text;
    }

    /** How the token is written in tokenizer.json and in the chat template. */
    public String text() {
        return text;
    }
}
