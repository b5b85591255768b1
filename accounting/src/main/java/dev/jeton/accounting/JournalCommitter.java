package dev.jeton.accounting;

import java.io.Closeable;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The journal's writer thread: takes what waits from {@link JournalAppender}, writes it and forces it to the disk in
 * one go, tries again while the disk fails, and clears away what the ledger has. What is on the disk is written by this
 * thread alone.
 */
final class JournalCommitter {

    private static final Logger LOG = LoggerFactory.getLogger(JournalCommitter.class);

    private final JournalAppender appender;
    private final JournalWriter writer;
    private final JournalConfig config;
    private final LongSupplier nanos;
    private final Closeable folderLock;
    private final Thread thread;

    /**
     * Begins to commit.
     *
     * @param nanos a monotonic clock, for metrics
     * @param folderLock released at the end
     */
    JournalCommitter(
            JournalAppender appender,
            JournalWriter writer,
            JournalConfig config,
            LongSupplier nanos,
            Closeable folderLock) {
        this.appender = appender;
        this.writer = writer;
        this.config = config;
        this.nanos = nanos;
        this.folderLock = folderLock;
        thread = Thread.ofPlatform().name("journal-writer").daemon(true).unstarted(this::write);
        thread.start();
    }

    private void write() {
        List<JournalWriter.Pending> batch = new ArrayList<>();
        try {
            commitAll(batch);
        } catch (RuntimeException | Error e) {
            LOG.error("the journal's writer has ended: no request is admitted any more; restart the server", e);
        } finally {
            end(batch);
        }
    }

    private void commitAll(List<JournalWriter.Pending> batch) {
        long pause = config.firstRetryNanos();
        while (appender.take(batch)) {
            clearAway();
            if (batch.isEmpty()) {
                continue;
            }
            if (commit(batch)) {
                batch.clear();
                pause = config.firstRetryNanos();
            } else if (appender.pause(pause)) {
                pause = Math.min(2 * pause, config.maxRetryNanos());
            } else {
                return;
            }
        }
    }

    private boolean commit(List<JournalWriter.Pending> batch) {
        long start = nanos.getAsLong();
        try {
            writer.commit(batch, appender.durable());
        } catch (IOException e) {
            writer.giveUp();
            appender.failed(e);
            return false;
        }
        appender.committed(batch, nanos.getAsLong() - start);
        return true;
    }

    private void clearAway() {
        long bound = appender.deletable();
        if (!writer.deletable(bound)) {
            return;
        }
        boolean failed = false;
        try {
            writer.deleteUpTo(bound);
        } catch (IOException e) {
            failed = true;
            LOG.warn("a segment of the journal cannot be deleted; it is tried again when the ledger has more", e);
        }
        appender.deleted(failed);
    }

    private void end(List<JournalWriter.Pending> batch) {
        appender.end(batch.size());
        writer.close();
        release(folderLock);
    }

    /** Gives the folder back. */
    static void release(Closeable folderLock) {
        try {
            folderLock.close();
        } catch (IOException e) {
            LOG.debug("cannot release the lock of the journal's folder; the process's end does", e);
        }
    }

    /** Waits until the thread has ended; {@link JournalAppender#close} lets it. */
    void join() {
        boolean interrupted = false;
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
