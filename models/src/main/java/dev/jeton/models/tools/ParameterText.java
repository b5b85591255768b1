package dev.jeton.models.tools;

import dev.jeton.models.tools.ToolSignatures.Kind;

/**
 * One parameter's value that is written as text, as it becomes JSON. A text goes out as it comes; of anything else it
 * takes the whole to know what it is. Not thread-safe.
 */
final class ParameterText {

    private final Kind kind;
    private final boolean framed;
    private final CallReader.Output out;
    private final StringBuilder whole = new StringBuilder();
    private boolean begun;
    private boolean lineEnd;

    /** @param framed whether a line's end right at its beginning, and one at its end, are not the value's */
    ParameterText(Kind kind, boolean framed, CallReader.Output out) {
        this.kind = kind;
        this.framed = framed;
        this.out = out;
        if (kind == Kind.TEXT) {
            out.arguments("\"");
        }
    }

    void add(CharSequence text) {
        for (int i = 0; i < text.length(); i++) {
            add(text.charAt(i));
        }
    }

    void add(char c) {
        if (!begun) {
            begun = true;
            if (c == '\n' && framed) {
                return;
            }
        }
        if (lineEnd) {
            let('\n');
        }
        lineEnd = c == '\n' && framed;
        if (!lineEnd) {
            let(c);
        }
    }

    private void let(char c) {
        if (kind == Kind.TEXT) {
            StringBuilder escaped = new StringBuilder();
            JsonText.escape(c, escaped);
            out.arguments(escaped);
        } else {
            whole.append(c);
        }
    }

    /** The value is whole. */
    void end() {
        switch (kind) {
            case TEXT -> out.arguments("\"");
            case TEXT_OR_NULL -> out.arguments(whole.toString().equals("null") ? "null" : JsonText.quoted(whole));
            case VALUE -> out.arguments(json());
        }
    }

    /** The text ended within the value. */
    void cut() {
        if (kind != Kind.TEXT) {
            out.arguments(whole);
        }
    }

    /** As JSON where it is that, in Python's spelling, too; a string otherwise. */
    private String json() {
        String text = whole.toString().strip();
        return switch (text) {
            case "True" -> "true";
            case "False" -> "false";
            case "None" -> "null";
            default -> JsonScanner.valid(text) ? text : JsonText.quoted(whole);
        };
    }
}
