package dev.jeton.server.api;

import dev.jeton.accounting.Payer;
import dev.jeton.server.http.DetachedExchange;
import java.util.Optional;

/**
 * A response that is made whether or not its client waits for it, while it is made. The thread that makes it tells how
 * far it is; any thread asks.
 */
final class Background {

    private final Payer payer;
    private final DetachedExchange exchange;
    private volatile String id = "";
    private volatile Optional<ResponseStore.Stored> now = Optional.empty();

    Background(Payer payer, DetachedExchange exchange) {
        this.payer = payer;
        this.exchange = exchange;
    }

    /** How it is answered. */
    DetachedExchange exchange() {
        return exchange;
    }

    /** Its name; empty before it is queued. */
    String id() {
        return id;
    }

    /** Whether it is called so, that key may see it, and it has not ended: one that has is where it is stored. */
    boolean is(Payer asking, String name) {
        return id.equals(name)
                && !exchange.ended()
                && payer.tenant().equals(asking.tenant())
                && payer.project().equals(asking.project());
    }

    /** It is to be made: what is called so has a queue before it. */
    void queued(String name, ResponseStore.Stored snapshot, byte[] events) {
        now = Optional.of(snapshot);
        id = name;
        exchange.note(events);
    }

    /** It is being made. */
    void moved(ResponseStore.Stored snapshot) {
        now = Optional.of(snapshot);
    }

    /** The response as far as it is. */
    ResponseStore.Stored now() {
        return now.orElseThrow(() -> new IllegalStateException("a response that is not queued is at no point"));
    }
}
