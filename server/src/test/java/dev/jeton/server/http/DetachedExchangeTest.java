package dev.jeton.server.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Map;
import org.junit.jupiter.api.Test;

class DetachedExchangeTest {

    private static final DetachedExchange.Room NONE = new DetachedExchange.Room() {
        @Override
        public boolean take(long bytes) {
            return false;
        }

        @Override
        public void give(long bytes) {}
    };

    private final DetachedExchange exchange = new DetachedExchange("/v1/responses", Map.of(), new byte[0], NONE);

    /** A refusal is short, and whoever asked is to read it. */
    @Test
    void givesAnAnswerThatIsWholeWhereThereIsNoRoomForStreams() throws InterruptedException {
        exchange.respond(400, Map.of(), new byte[] {1, 2});
        assertThat(exchange.awaitBegun()).isFalse();
        assertThat(exchange.part(0)).containsExactly(1, 2);
        assertThat(exchange.part(1)).isEmpty();
    }

    @Test
    void givesNothingOfAStreamForWhichThereIsNoRoom() {
        exchange.begin(200, Map.of());
        exchange.write(new byte[] {1});
        exchange.end(new byte[] {2});
        assertThatThrownBy(() -> exchange.part(0)).isInstanceOf(AnswerNotKeptException.class);
    }
}
