package dev.jeton.server.tls;

import dev.jeton.server.config.Configuration.TlsSettings;
import io.netty.handler.ssl.SslContext;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Optional;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The certificate that new connections are given. Its files are looked at every so often: a renewed one is taken
 * without a restart, and where what lies there now cannot be used, the one in use stays. Connections keep what they
 * began with.
 *
 * <p>Thread-safe. What a handshake computes, a millisecond or two, runs on threads of its own and not on event loops,
 * which have everybody's answers to send; at most one task waits for each connection, of which there is a bound.
 */
public final class Tls implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(Tls.class);
    private static final Duration SOON = Duration.ofDays(7);

    private final TlsFiles files;
    private final InstantSource clock;
    private final ExecutorService handshakes;
    private final ScheduledExecutorService watch;
    private final AtomicLong renewals = new AtomicLong();
    private final AtomicLong failedRenewals = new AtomicLong();
    private final AtomicLong failedHandshakes = new AtomicLong();
    private volatile TlsFiles.Loaded current;
    private String seen;
    /** Which files failed, and why; empty where none did. */
    private String failure = "";

    /**
     * Reads the files.
     *
     * @throws dev.jeton.server.config.ConfigException naming the one that is wrong
     */
    public Tls(TlsSettings settings, InstantSource clock) {
        this.clock = clock;
        files = new TlsFiles(settings);
        seen = files.fingerprint();
        current = files.read();
        tell("taken", current);
        int threads = Math.max(1, Runtime.getRuntime().availableProcessors() / 2);
        handshakes = Executors.newFixedThreadPool(threads, new DefaultThreadFactory("tls", true));
        watch = Executors.newSingleThreadScheduledExecutor(new DefaultThreadFactory("tls-files", true));
        long every = settings.reloadInterval().toMillis();
        watch.scheduleWithFixedDelay(this::look, every, every, TimeUnit.MILLISECONDS);
    }

    /**
     * Reads the files once, to find out early what is wrong with them.
     *
     * @throws dev.jeton.server.config.ConfigException naming the one that is wrong
     */
    public static void check(TlsSettings settings) {
        if (!settings.certificate().isEmpty()) {
            new TlsFiles(settings).read();
        }
    }

    /** Where the configuration names a certificate. */
    public static Optional<Tls> of(TlsSettings settings) {
        return settings.certificate().isEmpty()
                ? Optional.empty()
                : Optional.of(new Tls(settings, InstantSource.system()));
    }

    private void tell(String what, TlsFiles.Loaded loaded) {
        Instant now = clock.instant();
        if (loaded.expires().isBefore(now)) {
            LOG.error("the certificate of {} was {} and has expired at {}", loaded.subject(), what, loaded.expires());
        } else if (loaded.expires().isBefore(now.plus(SOON))) {
            LOG.warn("the certificate of {} was {} and expires at {}", loaded.subject(), what, loaded.expires());
        } else {
            LOG.info("the certificate of {} was {}; it expires at {}", loaded.subject(), what, loaded.expires());
        }
    }

    /**
     * Takes files that have changed. What cannot be used is tried again each time, for a file's owner or mode may be
     * set after it was written, which its times do not tell; it is counted, and told, once.
     */
    synchronized void look() {
        String now = files.fingerprint();
        if (now.equals(seen)) {
            return;
        }
        try {
            current = files.read();
            seen = now;
            failure = "";
            renewals.incrementAndGet();
            tell("renewed", current);
        } catch (RuntimeException e) {
            String why = now + e.getMessage();
            if (why.equals(failure)) {
                return;
            }
            failure = why;
            failedRenewals.incrementAndGet();
            LOG.error(
                    "the certificate was not renewed, the one that expires at {} stays in use: {}",
                    current.expires(),
                    e.getMessage());
        }
    }

    /** What a new connection is encrypted by. */
    public SslContext context() {
        return current.context();
    }

    /** Where handshakes compute. */
    public Executor handshakes() {
        return handshakes;
    }

    /** Counts a connection that ended before it was encrypted. */
    public void handshakeFailed() {
        failedHandshakes.incrementAndGet();
    }

    /** For metrics. */
    public TlsStats stats() {
        return new TlsStats(
                current.expires().getEpochSecond(), renewals.get(), failedRenewals.get(), failedHandshakes.get());
    }

    /** Stops looking at the files; after the listeners are closed. */
    @Override
    public void close() {
        watch.shutdownNow();
        handshakes.shutdownNow();
    }
}
