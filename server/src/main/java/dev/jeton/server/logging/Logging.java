package dev.jeton.server.logging;

import ch.qos.logback.classic.AsyncAppender;
import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.ConsoleAppender;
import ch.qos.logback.core.encoder.Encoder;
import dev.jeton.server.config.Configuration.LogSettings;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.bridge.SLF4JBridgeHandler;

/** Sets up the one appender: to standard error, through a bounded queue that blocks and never drops. */
public final class Logging {

    private static final int QUEUE = 4_096;

    private Logging() {}

    /** Logs as configured from now on. */
    public static void configure(LogSettings settings) {
        if (!(LoggerFactory.getILoggerFactory() instanceof LoggerContext context)) {
            throw new IllegalStateException("another logging library than Logback is on the class path");
        }
        SLF4JBridgeHandler.removeHandlersForRootLogger();
        SLF4JBridgeHandler.install();
        boolean terminal = System.console() != null && System.console().isTerminal();
        boolean json = settings.format().equals("json") || settings.format().equals("auto") && !terminal;
        context.reset();
        List.of("org.flywaydb", "com.zaxxer.hikari")
                .forEach(name -> context.getLogger(name).setLevel(Level.WARN));
        Encoder<ILoggingEvent> encoder = json ? new JsonEncoder() : new ConsoleEncoder();
        encoder.setContext(context);
        encoder.start();
        ConsoleAppender<ILoggingEvent> console = new ConsoleAppender<>();
        console.setContext(context);
        console.setTarget("System.err");
        console.setEncoder(encoder);
        console.start();
        AsyncAppender queue = new AsyncAppender();
        queue.setContext(context);
        queue.setQueueSize(QUEUE);
        queue.setDiscardingThreshold(0);
        queue.addAppender(console);
        queue.start();
        var root = context.getLogger(Logger.ROOT_LOGGER_NAME);
        root.setLevel(Level.toLevel(settings.level()));
        root.addAppender(queue);
        // Netty's debug lines are of use to Netty's developers only.
        context.getLogger("io.netty").setLevel(Level.WARN);
        // It looks for GPUs whether they are wanted or not, and warns where there are none.
        context.getLogger("ai.djl").setLevel(Level.ERROR);
    }

    /** Writes what is queued; nothing is logged afterwards. */
    public static void flush() {
        if (LoggerFactory.getILoggerFactory() instanceof LoggerContext context) {
            context.stop();
        }
    }
}
