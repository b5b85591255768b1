package dev.jeton.server.batch;

import dev.jeton.server.batch.BatchJob.Workshop;
import dev.jeton.server.batch.BatchRefusal.Reason;
import dev.jeton.server.config.Configuration.BatchSettings;
import dev.jeton.server.metrics.BatchStats;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Batches that a server keeps and works through: {@link FileStore files} with requests, of which each is answered as if
 * it had come over HTTP, and files of what came of them. All are in one folder, which one process has at a time; what
 * one has not finished the next one goes on with. Thread-safe.
 */
public final class Batches implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(Batches.class);
    private static final int SHARES = 4;
    private static final int ID_BYTES = 16;
    private static final Duration TICK = Duration.ofSeconds(1);
    private static final Duration GOODBYE = Duration.ofSeconds(5);

    /** Answers a request of a batch. */
    @FunctionalInterface
    public interface Answering {
        /** As it would be answered over HTTP. */
        BatchReply answer(BatchLine line, Batch batch) throws InterruptedException;
    }

    private final BatchSettings settings;
    private final LongSupplier seconds;
    private final FileChannel lockFile;
    private final FileStore files;
    private final Workshop shop;
    private final SecureRandom random = new SecureRandom();
    private final ReentrantLock lock = new ReentrantLock();
    private final Map<String, Batch> ended = new HashMap<>();
    private final Map<String, BatchJob> jobs = new HashMap<>();
    private final List<Thread> threads = new ArrayList<>();
    private final CountDownLatch closing = new CountDownLatch(1);
    private final AtomicLong answered = new AtomicLong();
    private final AtomicLong failed = new AtomicLong();
    private boolean started;
    private boolean stopped;

    /**
     * Reads what is there; nothing is worked on before {@link #start}.
     *
     * @param mostBody most bytes of a request
     * @param seconds the time, seconds since 1970
     * @param time by which pauses pass
     */
    Batches(BatchSettings settings, int mostBody, Answering answering, LongSupplier seconds, BatchRun.Time time) {
        this.settings = settings;
        this.seconds = seconds;
        Path folder = Path.of(settings.folder());
        lockFile = own(folder);
        files = new FileStore(folder, settings, seconds);
        shop = new Workshop(
                settings,
                mostBody,
                files,
                new BatchRecords(folder),
                new BatchPlaces(settings.parallel()),
                (line, batch) -> counted(answering.answer(line, batch)),
                seconds,
                time);
        for (Batch batch : shop.records().read()) {
            if (batch.status().ended()) {
                ended.put(batch.id(), batch);
            } else {
                files.reserved(batch.owner(), 2, shop.records().resultBytes(batch));
                jobs.put(batch.id(), new BatchJob(batch, shop));
            }
        }
    }

    /** Those of a configuration, if it has a folder for them. */
    public static Optional<Batches> of(BatchSettings settings, int mostBody, Answering answering) {
        return settings.folder().isEmpty()
                ? Optional.empty()
                : Optional.of(new Batches(
                        settings,
                        mostBody,
                        answering,
                        () -> TimeUnit.MILLISECONDS.toSeconds(System.currentTimeMillis()),
                        BatchRun.Time.REAL));
    }

    private static FileChannel own(Path folder) {
        try {
            boolean posix =
                    FileSystems.getDefault().supportedFileAttributeViews().contains("posix");
            if (posix && !Files.exists(folder)) {
                Files.createDirectories(
                        folder, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
            }
            Files.createDirectories(folder);
            FileChannel channel =
                    FileChannel.open(folder.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
            if (channel.tryLock() == null) {
                channel.close();
                throw taken(folder);
            }
            return channel;
        } catch (OverlappingFileLockException e) {
            throw taken(folder);
        } catch (IOException e) {
            throw Folders.failed(folder, e);
        }
    }

    private static BatchException taken(Path folder) {
        return new BatchException(
                "another process has the batches in %s; end it, or set batches.folder to a folder of this one's"
                        .formatted(folder));
    }

    private BatchReply counted(BatchReply reply) {
        if (reply.ok()) {
            answered.incrementAndGet();
        } else if (reply.again().isEmpty()) {
            failed.incrementAndGet();
        }
        return reply;
    }

    /** The files. */
    public FileStore files() {
        return files;
    }

    /** Works from now on, beginning with what an earlier process has not finished. */
    public void start() {
        lock.lock();
        try {
            started = true;
            jobs.values().forEach(this::begin);
            threads.add(Thread.ofVirtual().name("batches").start(this::keepHouse));
        } finally {
            lock.unlock();
        }
    }

    private void begin(BatchJob job) {
        threads.removeIf(thread -> !thread.isAlive());
        threads.add(Thread.ofVirtual().name("batch").start(() -> work(job)));
    }

    private void work(BatchJob job) {
        try {
            job.work();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            Batch batch = job.batch();
            lock.lock();
            try {
                // One that was removed meanwhile does not come back.
                if (batch.status().ended() && jobs.remove(batch.id(), job)) {
                    ended.put(batch.id(), batch);
                }
            } finally {
                lock.unlock();
            }
        }
    }

    private void keepHouse() {
        try {
            while (!closing.await(TICK.toMillis(), TimeUnit.MILLISECONDS)) {
                tick();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Ends what has had its time, and forgets what has. */
    void tick() {
        List<BatchJob> open;
        lock.lock();
        try {
            open = List.copyOf(jobs.values());
            long now = seconds.getAsLong();
            List.copyOf(ended.values()).stream()
                    .filter(batch -> now - batch.since().getOrDefault(batch.status(), now)
                            >= settings.timeToLive().toSeconds())
                    .forEach(this::forget);
        } finally {
            lock.unlock();
        }
        open.forEach(BatchJob::expire);
        files.removeExpired();
    }

    /** One that the disk does not let go is tried again: the others have their time. */
    private void forget(Batch batch) {
        try {
            shop.records().remove(batch);
            ended.remove(batch.id());
        } catch (BatchException e) {
            LOG.error("batch {} cannot be forgotten: {}", batch.id(), e.getMessage());
        }
    }

    /**
     * Takes a batch, which is worked on from now on.
     *
     * @param kind what its name begins with
     * @param requests how many it has; 0 where that is not known yet
     * @throws BatchRefusal where its file is not there, or there are as many as there may be
     */
    public Batch create(String kind, BatchOwner owner, Batch.Asked asked, int requests) {
        StoredFile file = files.find(owner, asked.inputFile());
        if (!file.purpose().equals(StoredFile.INPUT)) {
            throw new BatchRefusal(
                    Reason.INVALID,
                    "input_file_id",
                    "The file '%s' has the purpose '%s'; a batch reads one of '%s'"
                            .formatted(file.id(), file.purpose(), StoredFile.INPUT));
        }
        byte[] bytes = new byte[ID_BYTES];
        random.nextBytes(bytes);
        Map<BatchStatus, Long> since = new EnumMap<>(BatchStatus.class);
        since.put(BatchStatus.VALIDATING, seconds.getAsLong());
        Batch batch = new Batch(
                kind + "_" + HexFormat.of().formatHex(bytes),
                owner,
                asked,
                BatchStatus.VALIDATING,
                since,
                new Batch.Outputs(files.newId(), files.newId(), false, false),
                new Batch.Counts(requests, 0, 0, 0),
                Batch.Used.NOTHING,
                List.of());
        lock.lock();
        try {
            requireRoom(owner);
            files.reserve(owner, 2, 0);
            try {
                shop.records().write(batch);
            } catch (BatchException e) {
                files.reserved(owner, -2, 0);
                throw e;
            }
            BatchJob job = new BatchJob(batch, shop);
            jobs.put(batch.id(), job);
            if (stopped) {
                job.stop();
            } else if (started) {
                begin(job);
            }
            return batch;
        } finally {
            lock.unlock();
        }
    }

    private void requireRoom(BatchOwner owner) {
        long open = jobs.values().stream()
                .filter(job -> job.batch().owner().tenant().equals(owner.tenant()))
                .count();
        long all = ended.values().stream()
                .filter(batch -> batch.owner().tenant().equals(owner.tenant()))
                .count();
        if (jobs.size() >= settings.maxOpen() || open >= Math.max(1, settings.maxOpen() / SHARES)) {
            throw new BatchRefusal(
                    Reason.FULL,
                    "",
                    "%d batches are open, %d of them of this tenant, who has a quarter of %d; wait until one has ended"
                            .formatted(jobs.size(), open, settings.maxOpen()));
        }
        if (ended.size() + jobs.size() >= settings.maxFiles()
                || all + open >= Math.max(1, settings.maxFiles() / SHARES)) {
            throw new BatchRefusal(
                    Reason.FULL,
                    "",
                    "As many batches are remembered as may be; the oldest are forgotten after %d hours"
                            .formatted(settings.timeToLive().toHours()));
        }
    }

    /**
     * A batch as far as it is.
     *
     * @throws BatchRefusal where there is none, or it is another project's
     */
    public Batch find(BatchOwner owner, String id) {
        lock.lock();
        try {
            return Optional.ofNullable(jobs.get(id))
                    .map(BatchJob::batch)
                    .or(() -> Optional.ofNullable(ended.get(id)))
                    .filter(batch -> batch.owner().shares(owner))
                    .orElseThrow(() -> new BatchRefusal(
                            Reason.UNKNOWN, "batch_id", "There is no batch '%s', or not any more".formatted(id)));
        } finally {
            lock.unlock();
        }
    }

    /**
     * All batches of a project, the newest first.
     *
     * @param kind what their names begin with
     */
    public List<Batch> list(String kind, BatchOwner owner) {
        List<Batch> all = new ArrayList<>();
        lock.lock();
        try {
            jobs.values().forEach(job -> all.add(job.batch()));
            all.addAll(ended.values());
        } finally {
            lock.unlock();
        }
        all.removeIf(batch -> !batch.owner().shares(owner) || !batch.id().startsWith(kind + "_"));
        all.sort(Comparator.comparingLong(Batch::created).reversed().thenComparing(Batch::id));
        return all;
    }

    /**
     * Ends a batch; what is being answered is waited for.
     *
     * @throws BatchRefusal where there is none, or it is at its end
     */
    public Batch cancel(BatchOwner owner, String id) {
        Batch batch = find(owner, id);
        Optional<BatchJob> job;
        lock.lock();
        try {
            job = Optional.ofNullable(jobs.get(id));
        } finally {
            lock.unlock();
        }
        return job.orElseThrow(() -> new BatchRefusal(
                        Reason.CONFLICT,
                        "batch_id",
                        "The batch '%s' is %s and cannot be cancelled"
                                .formatted(id, batch.shown().text())))
                .cancel();
    }

    /**
     * Forgets a batch, and removes what came of it.
     *
     * @throws BatchRefusal where there is none, or it is not at its end
     */
    public void remove(BatchOwner owner, String id) {
        Batch batch = find(owner, id);
        if (!batch.status().ended()) {
            throw new BatchRefusal(
                    Reason.CONFLICT,
                    "batch_id",
                    "The batch '%s' is %s; cancel it first, or wait until it has ended"
                            .formatted(id, batch.shown().text()));
        }
        lock.lock();
        try {
            shop.records().remove(batch);
            jobs.remove(id);
            ended.remove(id);
        } finally {
            lock.unlock();
        }
        files.removeIfThere(batch.outputs().answers());
        files.removeIfThere(batch.outputs().errors());
    }

    /** How much there is. */
    public BatchStats stats() {
        int open;
        lock.lock();
        try {
            open = jobs.size();
        } finally {
            lock.unlock();
        }
        return new BatchStats(
                files.count(),
                settings.maxFiles(),
                files.bytes(),
                settings.maxBytes(),
                open,
                settings.maxOpen(),
                shop.places().taken(),
                settings.parallel(),
                answered.get(),
                failed.get());
    }

    /** Asks for nothing more; what is being answered goes on. */
    public void stop() {
        lock.lock();
        try {
            stopped = true;
            jobs.values().forEach(BatchJob::stop);
        } finally {
            lock.unlock();
        }
    }

    /** Ends the work, at the latest a moment later, and lets go of the folder. */
    @Override
    public void close() {
        stop();
        closing.countDown();
        List<Thread> working;
        lock.lock();
        try {
            working = List.copyOf(threads);
        } finally {
            lock.unlock();
        }
        try {
            long end = System.nanoTime() + GOODBYE.toNanos();
            for (Thread thread : working) {
                Duration left = Duration.ofNanos(Math.max(1, end - System.nanoTime()));
                if (!thread.join(left)) {
                    thread.interrupt();
                }
            }
            lockFile.close();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (IOException e) {
            throw Folders.failed(Path.of(settings.folder()), e);
        }
    }
}
