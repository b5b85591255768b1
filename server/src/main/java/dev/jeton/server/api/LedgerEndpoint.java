package dev.jeton.server.api;

/** What answers a question about the books: anyone with a key that may, also while the server drains. */
abstract class LedgerEndpoint implements Endpoint {

    private final String name;
    private final LedgerDesk desk;

    /**
     * @param name in metrics and logs
     * @param desk where it asks
     */
    LedgerEndpoint(String name, LedgerDesk desk) {
        this.name = name;
        this.desk = desk;
    }

    @Override
    public final String name() {
        return name;
    }

    @Override
    public final String method() {
        return "GET";
    }

    @Override
    public final Guard guard() {
        return Guard.BOOKS;
    }

    /** Where it asks. */
    final LedgerDesk desk() {
        return desk;
    }
}
