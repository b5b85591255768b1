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

    /**
     * A text of a grammar's root.
     *
     * @param grammar rules in EBNF, as llama.cpp and XGrammar write them (GBNF), or as Lark does
     */
    record Ebnf(String grammar) implements GrammarSpec {}

    /** A text as it stands, and every special token within it also as that token. */
    record Text(String text) implements GrammarSpec {}

    /** One after the other. */
    record Sequence(List<GrammarSpec> parts) implements GrammarSpec {

        /** Keeps a copy. */
        public Sequence {
            parts = List.copyOf(parts);
        }
    }

    /** One of them. */
    record Either(List<GrammarSpec> parts) implements GrammarSpec {

        /** Keeps a copy. */
        public Either {
            parts = List.copyOf(parts);
        }
    }

    /**
     * What must follow where a text that is free comes to a trigger.
     *
     * @param trigger what it comes to: texts, between which there may be white space
     * @param rest what follows; it may be empty
     */
    record Tag(List<String> trigger, GrammarSpec rest) {

        /** Keeps a copy. */
        public Tag {
            trigger = List.copyOf(trigger);
            if (trigger.isEmpty() || trigger.stream().anyMatch(String::isEmpty)) {
                throw new GrammarException("a trigger is empty");
            }
        }
    }

    /**
     * Any text, in which triggers are followed by what their tags say; then it is free again. It may end where it is
     * free. This is about a whole text, never a part of one.
     *
     * @param tags of which several may have one trigger
     * @param first whether the text begins with a tag
     * @param one whether it ends with its first tag
     */
    record Tags(List<Tag> tags, boolean first, boolean one) implements GrammarSpec {

        /** Keeps a copy. */
        public Tags {
            tags = List.copyOf(tags);
        }
    }

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
     * @param frame what stands around a call
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
        }
    }

    /**
     * What of calls is left once the beginning of their frames has been written.
     *
     * @param calls of which
     * @param written the characters of the first one's frame that are there: at most those before its name, or with
     *     {@code function} those before its arguments
     * @param function the one that is called, where its name has been written
     */
    record RestOfCalls(Calls calls, String written, Optional<Function> function) implements GrammarSpec {}

    /**
     * A message in OpenAI's harmony format, from behind the role on: of the channel of thinking, whose text is not of
     * this any more; the answer; or the call of a function. Its marks are special tokens.
     *
     * @param answer what the text of the channel {@code final} must be; empty where there is to be none. {@link Tags}
     *     are about a whole text and so not of this, either, but behind it
     * @param functions that may be called
     */
    record Channels(Optional<GrammarSpec> answer, List<Function> functions) implements GrammarSpec {

        /** Keeps a copy. */
        public Channels {
            functions = List.copyOf(functions);
        }

        /** What of the answer is not of this. */
        public Optional<GrammarSpec> behind() {
            return answer.filter(Tags.class::isInstance);
        }
    }

    /**
     * What is left of a call in that format once its header has come to the function's name.
     *
     * @param functions that may be called
     */
    record RestOfChannelCall(List<Function> functions) implements GrammarSpec {

        /** Keeps a copy. */
        public RestOfChannelCall {
            functions = List.copyOf(functions);
        }
    }
}
