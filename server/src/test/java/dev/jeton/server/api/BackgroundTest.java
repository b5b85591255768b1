package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.accounting.Payer;
import dev.jeton.server.http.DetachedExchange;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class BackgroundTest {

    private static final Payer RED = new Payer("red", "", "app");

    private final DetachedExchange exchange =
            new DetachedExchange("/v1/responses", Map.of(), new byte[0], new DetachedExchange.Room() {
                @Override
                public boolean take(long bytes) {
                    return true;
                }

                @Override
                public void give(long bytes) {}
            });
    private final Background background = new Background(RED, exchange);

    private void queue() {
        background.queued(
                "resp_1",
                new ResponseStore.Stored(new byte[0], new Turn(Optional.empty(), new byte[0], new byte[0])),
                new byte[] {1});
    }

    @Test
    void isMadeFromWhenItIsQueued() {
        assertThat(background.is(RED, "resp_1")).isFalse();
        queue();
        assertThat(background.is(RED, "resp_1")).isTrue();
        assertThat(background.is(new Payer("red", "other", "app"), "resp_1")).isFalse();
        assertThat(background.is(new Payer("blue", "", "app"), "resp_1")).isFalse();
    }

    /** Who has read its last event, or has cancelled it, is to find what is stored, not how it stood before. */
    @Test
    void isMadeNoMoreOnceItsStreamHasEnded() {
        queue();
        exchange.begin(200, Map.of());
        exchange.end(new byte[] {2});
        assertThat(background.is(RED, "resp_1")).isFalse();
    }

    @Test
    void isMadeNoMoreOnceItIsCutOff() {
        queue();
        exchange.abort();
        assertThat(background.is(RED, "resp_1")).isFalse();
    }
}
