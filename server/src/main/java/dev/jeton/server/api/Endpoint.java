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
        /** Who has a key that may ask for work, while the server takes work and has room. */
        WORK
    }

    /** The name in metrics and logs. */
    String name();

    /** The only method it answers. */
    String method();

    /** Who may call it. */
    Guard guard();

    /** Answers the call. */
    void handle(Call call) throws InterruptedException;
}
