package dev.jeton.server.http;

/** Parts of an answer that is made without a client were given up for want of room. */
public final class AnswerNotKeptException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    AnswerNotKeptException() {
        super("the answer is longer than what is kept of it");
    }
}
