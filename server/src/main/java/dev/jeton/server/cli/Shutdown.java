package dev.jeton.server.cli;

import dev.jeton.server.Server;
import dev.jeton.server.logging.Logging;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Ends a serving process in good order. */
final class Shutdown {

    private static final Logger LOG = LoggerFactory.getLogger(Shutdown.class);

    private Shutdown() {}

    /**
     * At SIGTERM or SIGINT drains the server, closes it, and ends the process with 0: it was asked to end, and did so
     * in good order.
     */
    static void drainOnSignal(Server server) {
        Runtime.getRuntime().addShutdownHook(new Thread(() -> run(server), "shutdown"));
    }

    private static void run(Server server) {
        try {
            LOG.info("draining");
            boolean drained = server.drain();
            LOG.info(drained ? "drained" : "the drain timeout passed: what still runs is cancelled");
            server.close();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            Logging.flush();
            // Without this the exit code of a process that a signal ends is 128 plus the signal.
            Runtime.getRuntime().halt(0);
        }
    }
}
