package dev.jeton.models.tools;

import java.util.Set;
import java.util.function.Predicate;

/**
 * Reads one call that is a JSON object with a name and arguments: {@code {"name": "f", "arguments": {...}}}, its fields
 * in any order, others ignored. Begins the call as soon as the name is known and the arguments have begun, and lets
 * them through as they come. Arguments that are missing, null or an empty text are none, {@code {}}; those that are the
 * text of an object are that object. Not thread-safe.
 */
final class JsonCall {

    private static final String NAME = "name";
    private static final Set<String> ARGUMENTS = Set.of("arguments", "parameters");
    private static final Set<String> FIELDS = Set.of(NAME, "arguments", "parameters", "type", "id");

    /** What came of a character. */
    enum Step {
        /** The object goes on. */
        MORE,
        /** It was the object's last; the call has ended. */
        LAST,
        /** It is none of the object's, which is no call. */
        NO_CALL,
        /** It is none of the object's; the call's arguments were whole, and it has ended. */
        ENDED,
        /** It is none of the object's; the call is open, its arguments are no JSON. */
        MALFORMED
    }

    private enum Part {
        BEFORE,
        EARLY_ARGUMENTS,
        ARGUMENTS,
        BEHIND
    }

    private final CallReader.Output out;
    private final Predicate<String> callable;
    private final boolean bare;
    private final JsonScanner scanner = new JsonScanner();
    private final StringBuilder string = new StringBuilder();
    private final StringBuilder early = new StringBuilder();
    private String field = "";
    private String name = "";
    private Part part = Part.BEFORE;

    /**
     * @param callable which functions it may call; the object is none otherwise
     * @param bare whether nothing else says that the object is a call: then it must have arguments, and no fields that
     *     no call has, so that other JSON is not held back to its end
     */
    JsonCall(CallReader.Output out, Predicate<String> callable, boolean bare) {
        this.out = out;
        this.callable = callable;
        this.bare = bare;
    }

    /** Takes the next character; the first must be the object's brace. */
    Step take(int unit) {
        char c = (char) unit;
        int before = scanner.depth();
        boolean wasInString = scanner.inString();
        boolean begins = before == 1 && scanner.atValue() && !JsonScanner.space(unit);
        if (unit < 0 || before == 0 && c != '{' || !scanner.take(c)) {
            return broken();
        }
        if (part == Part.ARGUMENTS) {
            return argument(c);
        }
        if (part == Part.EARLY_ARGUMENTS) {
            early.append(c);
            part = scanner.depth() == 1 ? Part.BEFORE : part;
            return Step.MORE;
        }
        if (scanner.depth() == 0) {
            return last();
        }
        boolean goesOn = before == 1 && strings(c, wasInString) && (!begins || value(c));
        return before != 1 || goesOn ? Step.MORE : broken();
    }

    /** The text has ended. */
    void finish() {
        if (part == Part.ARGUMENTS) {
            out.end(CallSink.End.CUT);
        } else if (part == Part.BEHIND) {
            out.end(CallSink.End.WHOLE);
        }
    }

    private Step broken() {
        return switch (part) {
            case BEFORE, EARLY_ARGUMENTS -> Step.NO_CALL;
            case ARGUMENTS -> Step.MALFORMED;
            case BEHIND -> {
                out.frameBefore();
                out.end(CallSink.End.WHOLE);
                yield Step.ENDED;
            }
        };
    }

    private Step argument(char c) {
        out.arguments(c);
        part = scanner.depth() == 1 ? Part.BEHIND : part;
        return Step.MORE;
    }

    /** Keeps the text of the object's own keys and strings; false where one says that this is no call. */
    private boolean strings(char c, boolean wasInString) {
        if (scanner.inString()) {
            if (wasInString) {
                string.append(c);
            } else {
                string.setLength(0);
            }
            return true;
        }
        if (!wasInString || part == Part.BEHIND) {
            return true;
        }
        String text = JsonText.unescaped(string);
        if (scanner.key()) {
            field = text;
            return !bare || FIELDS.contains(text);
        }
        return field.equals(NAME) ? named(text) : !ARGUMENTS.contains(field) || quoted(text);
    }

    private boolean named(String text) {
        if (!name.isEmpty()) {
            return true;
        }
        if (!CallReader.name(text) || !callable.test(text)) {
            return false;
        }
        name = text;
        if (!early.isEmpty()) {
            begin(early);
        }
        return true;
    }

    /** A call's arguments as the text of an object. */
    private boolean quoted(String text) {
        String object = text.isBlank() ? "{}" : text.strip();
        if (!early.isEmpty() || !object.startsWith("{") || !JsonScanner.valid(object)) {
            return false;
        }
        early.append(object);
        if (!name.isEmpty()) {
            begin(early);
        }
        return true;
    }

    private void begin(CharSequence arguments) {
        out.begin(name);
        out.arguments(arguments);
        part = Part.BEHIND;
    }

    /** A field's value begins; false where it cannot be what the field must be. */
    private boolean value(char c) {
        if (part == Part.BEHIND) {
            return true;
        }
        if (field.equals(NAME)) {
            return c == '"';
        }
        if (!ARGUMENTS.contains(field)) {
            return true;
        }
        if (c == '{' && early.isEmpty()) {
            if (name.isEmpty()) {
                early.append(c);
                part = Part.EARLY_ARGUMENTS;
            } else {
                begin("{");
                part = Part.ARGUMENTS;
            }
            return true;
        }
        return c == '"' || c == 'n';
    }

    private Step last() {
        if (part != Part.BEHIND) {
            if (name.isEmpty() || bare) {
                return Step.NO_CALL;
            }
            begin("{}");
        }
        out.end(CallSink.End.WHOLE);
        out.frame();
        return Step.LAST;
    }
}
