package dev.jeton.models;

import dev.jeton.models.grammar.GrammarVocabulary;
import java.util.Optional;

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

    /**
     * What tokens spell, for guided decoding; takes some tenths of a second to make. Special tokens spell nothing
     * there.
     *
     * @param size of the engine's vocabulary, which may have ids that the tokenizer has not, or fewer
     * @return empty where what ids become depends on the ids around them in a way that is not known
     */
    Optional<GrammarVocabulary> grammarVocabulary(int size);

    /** A detokenizer for one sequence's stream. */
    Detokenizer detokenizer(boolean skipSpecialTokens);

    @Override
    void close();
}
