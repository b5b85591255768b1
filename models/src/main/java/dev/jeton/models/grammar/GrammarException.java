package dev.jeton.models.grammar;

/** What was asked for is no grammar that can be followed; the message says where and what to change. */
public final class GrammarException extends RuntimeException {

    /** With what is wrong and what to do. */
    public GrammarException(String message) {
        super(message);
    }
}
