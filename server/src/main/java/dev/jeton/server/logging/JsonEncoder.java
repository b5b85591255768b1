package dev.jeton.server.logging;

import ch.qos.logback.classic.pattern.ThrowableProxyConverter;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.encoder.EncoderBase;
import dev.jeton.server.json.JsonWriter;
import java.time.Instant;
import org.slf4j.event.KeyValuePair;

/** One JSON object a line: time, level, logger, message, the request's id, the line's own fields, a stack trace. */
final class JsonEncoder extends EncoderBase<ILoggingEvent> {

    private static final byte[] NOTHING = new byte[0];

    private final JsonWriter out = new JsonWriter();
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
        out.clear().beginObject();
        out.name("time").value(Instant.ofEpochMilli(event.getTimeStamp()).toString());
        out.name("level").value(event.getLevel().toString());
        out.name("logger").value(event.getLoggerName());
        out.name("message").value(event.getFormattedMessage());
        event.getMDCPropertyMap().forEach((name, value) -> out.name(name).value(value));
        if (event.getKeyValuePairs() != null) {
            for (KeyValuePair pair : event.getKeyValuePairs()) {
                out.name(pair.key).tree(pair.value);
            }
        }
        if (event.getThrowableProxy() != null) {
            out.name("trace").value(traces.convert(event));
        }
        out.endObject().raw("\n");
        return out.toBytes();
    }

    @Override
    public byte[] footerBytes() {
        return NOTHING;
    }
}
