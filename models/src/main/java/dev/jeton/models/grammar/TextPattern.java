package dev.jeton.models.grammar;

import java.util.List;

/**
 * A regular expression that whole texts are held against, in time that grows with their length alone, whoever wrote it:
 * made an automaton within a bound of work, where a search that goes back could take years. It has no references back
 * and no word boundaries. Immutable.
 */
public final class TextPattern {

    private final TextAutomaton texts;

    private TextPattern(TextAutomaton texts) {
        this.texts = texts;
    }

    /**
     * Makes several, which have one bound of work between them.
     *
     * @throws GrammarException saying which is no regular expression, uses what is not known, or takes too long
     */
    public static List<TextPattern> of(List<String> expressions) {
        return CompileWork.within(() -> expressions.stream()
                .map(expression -> new TextPattern(Regex.texts(expression, true)))
                .toList());
    }

    /** Whether it is a text as a whole. */
    public boolean matches(String text) {
        return texts.accepts(text);
    }
}
