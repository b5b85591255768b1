package dev.jeton.server.api;

/** Nobody reads the answer any more: the client hung up, or did not read for too long. */
final class ClientGoneException extends RuntimeException {

    private final Outcome outcome;

    ClientGoneException(Outcome outcome, String message) {
        super(message);
        this.outcome = outcome;
    }

    Outcome outcome() {
        return outcome;
    }

    @Override
    public synchronized Throwable fillInStackTrace() {
        return this;
    }
}
