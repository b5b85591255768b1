package dev.jeton.server.cli;

/** The admin API could not be asked, or refused; the message is the server's, or says what to do. */
final class AdminCallException extends RuntimeException {

    AdminCallException(String message) {
        super(message);
    }
}
