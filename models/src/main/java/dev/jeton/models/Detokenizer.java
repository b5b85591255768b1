package dev.jeton.models;

/**
 * Turns one sequence's tokens into text as they come: what {@link #add} returned, joined, and {@link #finish} at the
 * end, equals decoding all ids at once wherever the ids' bytes are UTF-8 (where they are not, both have U+FFFD, but
 * SentencePiece's byte fallback may have more of them at once). A piece never ends inside a UTF-8 character or a
 * surrogate pair; bytes of a character not complete yet are held back. Not thread-safe.
 */
public interface Detokenizer {

    /** The text that became certain with this token; often empty or several characters. */
    String add(int token);

    /** The text still held back, with U+FFFD in place of characters that stayed broken. */
    String finish();
}
