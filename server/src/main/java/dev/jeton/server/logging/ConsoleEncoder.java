package dev.jeton.server.logging;

import ch.qos.logback.classic.pattern.ThrowableProxyConverter;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.encoder.EncoderBase;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import org.slf4j.event.KeyValuePair;

/** A line for a person's eyes: time of day, level where it is not the usual one, message, fields. */
final class ConsoleEncoder extends EncoderBase<ILoggingEvent> {

    private static final byte[] NOTHING = new byte[0];
    private static final DateTimeFormatter TIME =
            DateTimeFormatter.ofPattern("HH:mm:ss.SSS").withZone(ZoneId.systemDefault());

    private final ThrowableProxyConverter traces = new ThrowableProxyConverter();

    @Override
    public void start() {
        traces.start();
        super.start();
    }

    @Override
    public byte[] headerBytes() {
        return NOTHING;
    }

    @Override
    public byte[] encode(ILoggingEvent event) {
        StringBuilder line = new StringBuilder(TIME.format(Instant.ofEpochMilli(event.getTimeStamp())));
        String level = event.getLevel().toString();
        if (!level.equals("INFO")) {
            line.append(' ').append(level);
        }
        append(line.append(' '), event.getFormattedMessage());
        if (event.getKeyValuePairs() != null) {
            for (KeyValuePair pair : event.getKeyValuePairs()) {
                append(line.append(' ').append(pair.key).append('='), String.valueOf(pair.value));
            }
        }
        event.getMDCPropertyMap()
                .forEach((name, value) -> append(line.append(' ').append(name).append('='), value));
        line.append('\n');
        if (event.getThrowableProxy() != null) {
            line.append(traces.convert(event));
        }
        return line.toString().getBytes(StandardCharsets.UTF_8);
    }

    /** Control characters as escapes: what a client sent must not write lines, nor move a terminal's cursor. */
    private static void append(StringBuilder line, String text) {
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (Character.isISOControl(c)) {
                line.append("\\u%04x".formatted((int) c));
            } else {
                line.append(c);
            }
        }
    }

    @Override
    public byte[] footerBytes() {
        return NOTHING;
    }
}
