package dev.jeton.server.batch;

import dev.jeton.server.batch.BatchRefusal.Reason;
import dev.jeton.server.config.Configuration.BatchSettings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Files that clients have sent for batches, and what came of these, in a folder: of each a description, and its content
 * beside it, which comes last and at once, so that a file is there whole or not at all, whenever the process dies.
 * Until then the content is where it was: nothing that came of a batch is between two places.
 *
 * <p>Bounded in files and bytes; a tenant has at most a quarter of the room. What a running batch writes counts, too
 * ({@link #reserve}), so that there is room for it at the end. Thread-safe.
 */
public final class FileStore {

    private static final Logger LOG = LoggerFactory.getLogger(FileStore.class);
    private static final int SHARES = 4;
    private static final String CONTENT = ".data";
    private static final String DESCRIPTION = ".json";
    private static final int ID_BYTES = 16;
    private static final int MOST_NAME = 255;

    /** What one tenant, or all of them, have. */
    private static final class Share {
        int files;
        long bytes;
    }

    private final Path folder;
    private final Path incoming;
    private final BatchSettings settings;
    private final LongSupplier seconds;
    private final SecureRandom random = new SecureRandom();
    private final ReentrantLock lock = new ReentrantLock();
    private final Map<String, StoredFile> files = new HashMap<>();
    private final Map<String, Integer> used = new HashMap<>();
    private final Map<String, Share> shares = new HashMap<>();
    private final Share all = new Share();

    /**
     * Reads what is there, and removes what an earlier process has left half done.
     *
     * @param folder below which files are; there already
     * @param seconds the time, seconds since 1970
     * @throws BatchException where it cannot be read or written
     */
    FileStore(Path folder, BatchSettings settings, LongSupplier seconds) {
        this.folder = folder.resolve("files");
        this.incoming = folder.resolve("incoming");
        this.settings = settings;
        this.seconds = seconds;
        try {
            Files.createDirectories(this.folder);
            Files.createDirectories(incoming);
            for (Path left : Folders.list(incoming)) {
                Files.delete(left);
            }
            for (Path file : Folders.list(this.folder)) {
                load(file);
            }
        } catch (IOException e) {
            throw Folders.failed(folder, e);
        }
    }

    private void load(Path file) throws IOException {
        String name = file.getFileName().toString();
        String id = name.substring(0, Math.max(0, name.lastIndexOf('.')));
        Path description = folder.resolve(id + DESCRIPTION);
        Path content = folder.resolve(id + CONTENT);
        if (name.endsWith(DESCRIPTION) && Files.exists(content)) {
            put(StoredFileFormat.read(id, Files.readAllBytes(description)));
        } else if (!name.endsWith(CONTENT) || !Files.exists(description)) {
            Files.delete(file);
        }
    }

    /**
     * Where a file may be written that is to be {@link #add added}; a process that starts removes what it finds there.
     */
    public Path incoming() {
        return incoming;
    }

    /** Room for a file while it arrives, which counts as what is kept does; closed before the file is added. */
    public final class Arrival implements AutoCloseable {
        private final BatchOwner owner;
        private long taken;

        private Arrival(BatchOwner owner) {
            this.owner = owner;
        }

        /**
         * So many bytes more.
         *
         * @throws BatchRefusal where there is no room for them
         */
        public void take(int bytes) {
            reserve(owner, 0, bytes);
            taken += bytes;
        }

        @Override
        public void close() {
            reserved(owner, 0, -taken);
            taken = 0;
        }
    }

    /** Nothing has arrived of a file yet. Used by one thread. */
    public Arrival arrival(BatchOwner owner) {
        return new Arrival(owner);
    }

    /** A name that no file has. */
    String newId() {
        byte[] bytes = new byte[ID_BYTES];
        random.nextBytes(bytes);
        return "file-" + HexFormat.of().formatHex(bytes);
    }

    /**
     * Keeps a file that a client has sent.
     *
     * @param content where it was written; taken from there
     * @param mostBytes most that it may have
     * @param lifetime seconds for which it is kept; 0 for ever
     * @throws BatchRefusal where it is too large or there is no room
     */
    public StoredFile add(BatchOwner owner, String name, String purpose, Path content, long mostBytes, long lifetime) {
        onDisk(content);
        lock.lock();
        try {
            if (Files.size(content) > mostBytes) {
                throw new BatchRefusal(
                        Reason.INVALID,
                        "file",
                        "The file has %d bytes, at most %d are kept".formatted(Files.size(content), mostBytes));
            }
            requireRoom(owner, 1, Files.size(content));
            return put(newId(), owner, name, purpose, content, lifetime);
        } catch (IOException e) {
            throw Folders.failed(folder, e);
        } finally {
            lock.unlock();
        }
    }

    /**
     * Keeps what came of a batch, for which there is room: under a name that {@link #newId} gave. One of that name is
     * left as it is.
     */
    void publish(String id, BatchOwner owner, String name, Path content, long lifetime) {
        onDisk(content);
        lock.lock();
        try {
            if (!files.containsKey(id)) {
                put(id, owner, name, StoredFile.OUTPUT, content, lifetime);
            }
        } catch (IOException e) {
            throw Folders.failed(folder, e);
        } finally {
            lock.unlock();
        }
    }

    /** Before the lock is taken, which everybody waits for: of a large file it takes its time. */
    private void onDisk(Path content) {
        try {
            Folders.force(content);
        } catch (IOException e) {
            throw Folders.failed(folder, e);
        }
    }

    private StoredFile put(String id, BatchOwner owner, String name, String purpose, Path content, long lifetime)
            throws IOException {
        long now = seconds.getAsLong();
        long bytes = Files.size(content);
        StoredFile file =
                new StoredFile(id, owner, cleaned(name), purpose, bytes, now, lifetime == 0 ? 0 : now + lifetime);
        Path description = folder.resolve(id + DESCRIPTION);
        try {
            Folders.write(description, StoredFileFormat.write(file));
            Files.move(content, content(file), StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            Files.deleteIfExists(description);
            throw e;
        }
        put(file);
        Folders.forceFolder(folder);
        return file;
    }

    private static String cleaned(String name) {
        String last = name.substring(Math.max(name.lastIndexOf('/'), name.lastIndexOf('\\')) + 1)
                .replaceAll("\\p{Cntrl}", "");
        return last.isEmpty() ? "file" : last.substring(0, Math.min(last.length(), MOST_NAME));
    }

    /** Where the content of a file is. */
    public Path content(StoredFile file) {
        return folder.resolve(file.id() + CONTENT);
    }

    /**
     * The file of that name.
     *
     * @throws BatchRefusal where there is none, or it is another project's
     */
    public StoredFile find(BatchOwner owner, String id) {
        lock.lock();
        try {
            return mine(owner, id)
                    .orElseThrow(() -> new BatchRefusal(
                            Reason.UNKNOWN, "file_id", "There is no file '%s', or not any more".formatted(id)));
        } finally {
            lock.unlock();
        }
    }

    private Optional<StoredFile> mine(BatchOwner owner, String id) {
        return Optional.ofNullable(files.get(id))
                .filter(file -> file.owner().shares(owner) && !file.expired(seconds.getAsLong()));
    }

    /** All files of a project, the newest first. */
    public List<StoredFile> list(BatchOwner owner) {
        lock.lock();
        try {
            long now = seconds.getAsLong();
            List<StoredFile> found = new ArrayList<>(files.values().stream()
                    .filter(file -> file.owner().shares(owner) && !file.expired(now))
                    .toList());
            found.sort(Comparator.comparingLong(StoredFile::created).reversed().thenComparing(StoredFile::id));
            return found;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Removes a file.
     *
     * @throws BatchRefusal where there is none, or a batch reads it
     */
    public void remove(BatchOwner owner, String id) {
        lock.lock();
        try {
            StoredFile file = find(owner, id);
            if (used.containsKey(id)) {
                throw new BatchRefusal(
                        Reason.CONFLICT,
                        "file_id",
                        "The file '%s' is read by a batch; cancel that, or wait until it has ended".formatted(id));
            }
            drop(file);
        } finally {
            lock.unlock();
        }
    }

    /** Removes a project's file, if it is there and no batch reads it. */
    public void removeUnread(BatchOwner owner, String id) {
        lock.lock();
        try {
            mine(owner, id).filter(file -> !used.containsKey(id)).ifPresent(this::drop);
        } finally {
            lock.unlock();
        }
    }

    /** Removes a file of results, if it is there. */
    void removeIfThere(String id) {
        lock.lock();
        try {
            Optional.ofNullable(files.get(id)).ifPresent(this::drop);
        } finally {
            lock.unlock();
        }
    }

    /** Removes what is expired and not read. */
    void removeExpired() {
        lock.lock();
        try {
            long now = seconds.getAsLong();
            List.copyOf(files.values()).stream()
                    .filter(file -> file.expired(now) && !used.containsKey(file.id()))
                    .forEach(this::expire);
        } finally {
            lock.unlock();
        }
    }

    /** One that the disk does not let go is tried again: the others have their time. */
    private void expire(StoredFile file) {
        try {
            drop(file);
        } catch (BatchException e) {
            LOG.error("file {} cannot be removed: {}", file.id(), e.getMessage());
        }
    }

    private void drop(StoredFile file) {
        try {
            Files.deleteIfExists(folder.resolve(file.id() + DESCRIPTION));
            Files.deleteIfExists(content(file));
        } catch (IOException e) {
            throw Folders.failed(folder, e);
        }
        files.remove(file.id());
        count(file.owner(), -1, -file.bytes());
    }

    /**
     * The content of a file that stays until {@link #release}; empty where it is gone.
     *
     * <p>One that has expired meanwhile is given to who has it in a batch.
     */
    Optional<Path> hold(String id) {
        lock.lock();
        try {
            StoredFile file = files.get(id);
            if (file == null) {
                return Optional.empty();
            }
            used.merge(id, 1, Integer::sum);
            return Optional.of(content(file));
        } finally {
            lock.unlock();
        }
    }

    void release(String id) {
        lock.lock();
        try {
            used.computeIfPresent(id, (key, count) -> count == 1 ? null : count - 1);
        } finally {
            lock.unlock();
        }
    }

    /**
     * Takes room for files that are still to be written.
     *
     * @throws BatchRefusal where there is none
     */
    void reserve(BatchOwner owner, int more, long bytes) {
        lock.lock();
        try {
            requireRoom(owner, more, bytes);
            count(owner, more, bytes);
        } finally {
            lock.unlock();
        }
    }

    /** Takes room again that an earlier process had, or, of negative numbers, gives it back. */
    void reserved(BatchOwner owner, int more, long bytes) {
        lock.lock();
        try {
            count(owner, more, bytes);
        } finally {
            lock.unlock();
        }
    }

    /** Whether what a tenant has is within the bounds. */
    boolean hasRoom(BatchOwner owner) {
        lock.lock();
        try {
            return fits(owner, 0, 0);
        } finally {
            lock.unlock();
        }
    }

    private boolean fits(BatchOwner owner, int more, long bytes) {
        Share own = shares.getOrDefault(owner.tenant(), new Share());
        return all.files + more <= settings.maxFiles()
                && own.files + more <= Math.max(1, settings.maxFiles() / SHARES)
                && all.bytes + bytes <= settings.maxBytes()
                && own.bytes + bytes <= settings.maxBytes() / SHARES;
    }

    private void requireRoom(BatchOwner owner, int more, long bytes) {
        Share own = shares.getOrDefault(owner.tenant(), new Share());
        if (!fits(owner, more, bytes)) {
            throw new BatchRefusal(
                    Reason.FULL,
                    "",
                    ("There is no room for %d bytes: %d files of %d bytes are kept, %d of them of %d bytes this tenant's,"
                                    + " who has a quarter of %d files and %d bytes; delete files")
                            .formatted(
                                    bytes,
                                    all.files,
                                    all.bytes,
                                    own.files,
                                    own.bytes,
                                    settings.maxFiles(),
                                    settings.maxBytes()));
        }
    }

    private void put(StoredFile file) {
        files.put(file.id(), file);
        count(file.owner(), 1, file.bytes());
    }

    private void count(BatchOwner owner, int more, long bytes) {
        Share own = shares.computeIfAbsent(owner.tenant(), added -> new Share());
        own.files += more;
        own.bytes += bytes;
        all.files += more;
        all.bytes += bytes;
        if (own.files == 0 && own.bytes == 0) {
            shares.remove(owner.tenant());
        }
    }

    /** How many files there are. */
    int count() {
        lock.lock();
        try {
            return all.files;
        } finally {
            lock.unlock();
        }
    }

    /** Bytes of them, and of what batches are writing. */
    long bytes() {
        lock.lock();
        try {
            return all.bytes;
        } finally {
            lock.unlock();
        }
    }
}
