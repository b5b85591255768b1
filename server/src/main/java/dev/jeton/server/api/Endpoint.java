package dev.jeton.server.api;

/** What answers one path. */
interface Endpoint {

    /** Who may call it, and when. */
    enum Guard {
        /** Anyone, always. */
        OPEN,
        /** Who has a key, always. */
        KEYED,
        /** Who has a key that may ask about the books, always. */
        BOOKS,
        /**
         * Who has a key that may ask for work, always: work that was done elsewhere is reported, and what was answered
         * is asked for again.
         */
        TASKS,
        /** Who has a key that may ask for work, while the server takes work and has room. */
        WORK
    }

    /** The name in metrics and logs. */
    String name();

    /** The only method it answers. */
    String method();

    /** Who may call it. */
    Guard guard();

    /** Whether a request that says so by its {@code Idempotency-Key} is answered once and then given the same again. */
    default boolean repeatable() {
        return false;
    }

    /** Answers the call. */
    void handle(Call call) throws InterruptedException;
}
