package dev.jeton.models.template;

/**
 * One token of a template.
 *
 * @param kind what it is
 * @param text raw text, a name, an operator, the value of a string, or the digits of a number
 * @param line where it stands, from 1
 */
record Token(Kind kind, String text, int line) {

    enum Kind {
        TEXT,
        BLOCK_BEGIN,
        BLOCK_END,
        PRINT_BEGIN,
        PRINT_END,
        NAME,
        STRING,
        INTEGER,
        FLOAT,
        OPERATOR,
        END
    }

    boolean is(Kind wanted, String wantedText) {
        return kind == wanted && text.equals(wantedText);
    }
}
