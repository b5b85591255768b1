package dev.jeton.server.logging;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.classic.spi.LoggingEvent;
import ch.qos.logback.core.encoder.Encoder;
import dev.jeton.server.json.Json;
import dev.jeton.server.json.JsonObject;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.slf4j.event.KeyValuePair;

class JsonEncoderTest {

    private static String line(Encoder<ILoggingEvent> encoder) {
        return line(encoder, new KeyValuePair("status", 200), new IllegalStateException("broken"));
    }

    private static String line(Encoder<ILoggingEvent> encoder, KeyValuePair pair, @Nullable Throwable thrown) {
        LoggerContext context = new LoggerContext();
        LoggingEvent event = new LoggingEvent(
                "caller",
                context.getLogger("dev.jeton.access"),
                Level.INFO,
                "a \"quoted\"\nmessage",
                thrown,
                new Object[0]);
        event.setMDCPropertyMap(Map.of("request", "id-1"));
        event.setKeyValuePairs(List.of(pair));
        encoder.setContext(context);
        encoder.start();
        return new String(encoder.encode(event), StandardCharsets.UTF_8);
    }

    @Test
    void shouldWriteOneJsonObjectALine() {
        String line = line(new JsonEncoder());
        assertThat(line).endsWith("\n");
        assertThat(line.strip().lines()).hasSize(1);
        JsonObject json = Json.object(line.strip().getBytes(StandardCharsets.UTF_8));
        assertThat(json.text("level")).isEqualTo("INFO");
        assertThat(json.text("request")).isEqualTo("id-1");
        assertThat(json.text("message")).isEqualTo("a \"quoted\"\nmessage");
        assertThat(json.whole("status", 0, 0, 999)).isEqualTo(200);
        assertThat(json.text("trace")).contains("IllegalStateException: broken");
    }

    @Test
    void shouldWriteAReadableLineForATerminal() {
        assertThat(line(new ConsoleEncoder())).contains("status=200").contains("request=id-1");
    }

    @Test
    void shouldKeepWhatAClientSentFromWritingLinesAndColoursOfItsOwn() {
        String line =
                line(new ConsoleEncoder(), new KeyValuePair("path", "/a\n12:00 all is well\u001b[31m\u0085"), null);
        assertThat(line.lines()).hasSize(1);
        assertThat(line)
                .contains("path=/a\\u000a12:00 all is well\\u001b[31m\\u0085")
                .contains("a \"quoted\"\\u000amessage");
    }
}
