package dev.jeton.server.api;

/** A POST for which an engine works, and which is answered once under an {@code Idempotency-Key}. */
interface WorkEndpoint extends Endpoint {

    @Override
    default String method() {
        return "POST";
    }

    @Override
    default Guard guard() {
        return Guard.WORK;
    }

    @Override
    default boolean repeatable() {
        return true;
    }
}
