package dev.jeton.models.grammar;

import dev.jeton.models.tools.CallFrame;
import java.util.List;
import java.util.Optional;
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

    /**
     * A function that may be called.
     *
     * @param parameters the schema of its arguments, as in {@link JsonSchema}
     * @param strict as there
     */
    record Function(String name, Object parameters, boolean strict) {}

    /**
     * Calls of functions, at least one, as a model writes them.
     *
     * @param frame what stands around a call; its body is {@link CallFrame.Body#JSON}
     * @param marks literals of the frame that are one token where the vocabulary has special tokens of them
     * @param functions that may be called
     * @param one whether there is one call at most
     * @param otherwise what the text may be in place of calls
     */
    record Calls(
            CallFrame frame, List<String> marks, List<Function> functions, boolean one, Optional<GrammarSpec> otherwise)
            implements GrammarSpec {

        /** Keeps copies. */
        public Calls {
            marks = List.copyOf(marks);
            functions = List.copyOf(functions);
            if (frame.body() != CallFrame.Body.JSON) {
                throw new GrammarException("arguments that are not written as JSON cannot be followed");
            }
        }
    }
}
