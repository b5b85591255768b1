package dev.jeton.models;

/** Text to token ids and back; thread-safe. */
public interface Tokenizer extends AutoCloseable {

    /**
     * Token ids of {@code text}.
     *
     * @param addSpecialTokens whether the tokenizer's own beginning-of-text and the like are added
     */
    int[] encode(String text, boolean addSpecialTokens);

    /** Token ids of a pair of texts, with the special tokens that the tokenizer puts around and between them. */
    int[] encodePair(String first, String second);

    /** Text of {@code ids}, special tokens left out where {@code skipSpecialTokens}. */
    String decode(int[] ids, boolean skipSpecialTokens);

    /** Raw vocabulary entry of an id, as in tokenizer.json; empty for an id without one. */
    String token(int id);

    /** Id of a vocabulary entry, or -1. */
    int id(String token);

    /** Whether the id is a special token. */
    boolean special(int id);

    /** Number of ids, added tokens included. */
    int vocabularySize();

    /** A detokenizer for one sequence's stream. */
    Detokenizer detokenizer(boolean skipSpecialTokens);

    @Override
    void close();
}
