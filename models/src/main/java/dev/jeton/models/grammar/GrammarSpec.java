package dev.jeton.models.grammar;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** What a text must be. */
public sealed interface GrammarSpec {

    /** Any JSON object. */
    record JsonObject() implements GrammarSpec {}

    /**
     * JSON that a schema allows.
     *
     * @param schema as parsed: maps in the order of the text, lists, strings, Longs, Doubles, Booleans, nulls
     * @param strict whether what cannot be enforced is refused; otherwise it is left out
     */
    record JsonSchema(@Nullable Object schema, boolean strict) implements GrammarSpec {}

    /** A text that a regular expression matches as a whole. */
    record Regex(String pattern) implements GrammarSpec {}

    /** One of some texts. */
    record Choice(List<String> choices) implements GrammarSpec {

        /** Keeps a copy. */
        public Choice {
            choices = List.copyOf(choices);
        }
    }
}
