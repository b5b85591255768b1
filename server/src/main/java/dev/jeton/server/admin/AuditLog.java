package dev.jeton.server.admin;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The append-only record of every change of the policy: a line of JSON each, which holds the digest of the line before.
 * One process has it at a time, and one thread at a time uses it. A line is on disk before {@link #append} returns, and
 * only then does the head file name it, so that a line that was acknowledged and is missing is told from one that a
 * crash cut off.
 *
 * <p>It says who changed what; it is no protection against who may write to its folder, who can write a new one.
 */
final class AuditLog implements AutoCloseable {

    /** Its name in the books' folder. */
    static final String NAME = "admin.log";
    /** The name of the file that names the last line. */
    static final String HEAD = "admin.head";

    private static final Logger LOG = LoggerFactory.getLogger(AuditLog.class);

    private final Path folder;
    private final long maxBytes;
    private final FileChannel channel;
    private final AuditIndex index = new AuditIndex();
    private AuditReader.End end;
    private boolean failed;

    /**
     * Opens it, and reads it from its beginning.
     *
     * @param maxBytes that it may have
     * @param entries takes each entry
     * @throws PolicyException where it was changed, where another process has it, or where it cannot be read
     */
    AuditLog(Path folder, long maxBytes, Consumer<AuditEntry> entries) {
        this.folder = folder;
        this.maxBytes = maxBytes;
        Path log = folder.resolve(NAME);
        try {
            Files.createDirectories(folder);
            channel = open(log);
        } catch (IOException e) {
            throw new PolicyException("the audit log %s cannot be opened (%s); see to its rights".formatted(log, e), e);
        }
        try {
            if (!locked(channel)) {
                throw new PolicyException(
                        "the audit log %s is used by another process: one server has a folder of books".formatted(log));
            }
            end = reader(folder).read(entries, index);
            if (end.rest() > 0) {
                LOG.warn(
                        "the last {} bytes of {} are no whole line: a crash cut off a change that nobody was told of; they"
                                + " are dropped",
                        end.rest(),
                        log);
                channel.truncate(end.bytes());
                channel.force(true);
            }
            writeHead(end);
        } catch (IOException e) {
            close();
            throw new PolicyException("the audit log %s cannot be written (%s); see to its disk".formatted(log, e), e);
        } catch (PolicyException e) {
            close();
            throw e;
        }
    }

    /** Reads a log without having it: what another process appends meanwhile may be missing. */
    static void read(Path folder, Consumer<AuditEntry> entries) {
        reader(folder).read(entries, new AuditIndex());
    }

    private static AuditReader reader(Path folder) {
        return new AuditReader(folder.resolve(NAME), folder.resolve(HEAD));
    }

    /** For the owner's eyes only, where the file system can: it has digests of keys. */
    private static FileChannel open(Path log) throws IOException {
        Set<StandardOpenOption> options =
                Set.of(StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
        if (log.getFileSystem().supportedFileAttributeViews().contains("posix")) {
            return FileChannel.open(
                    log, options, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        }
        return FileChannel.open(log, options);
    }

    private static boolean locked(FileChannel channel) throws IOException {
        try {
            return channel.tryLock() != null;
        } catch (OverlappingFileLockException e) {
            return false;
        }
    }

    /** The number of the last line; 0 before the first. */
    long sequence() {
        return end.sequence();
    }

    /** Bytes of all lines. */
    long bytes() {
        return end.bytes();
    }

    /** Most of them. */
    long maxBytes() {
        return maxBytes;
    }

    /** Whether writing has failed, so that nothing is written any more. */
    boolean failed() {
        return failed;
    }

    /** Whether another line of so many bytes fits. */
    boolean fits(int bytes) {
        return bytes <= AuditReader.MAX_LINE && end.bytes() + bytes + 1 <= maxBytes;
    }

    /** The entry that would be next. */
    AuditEntry next(long at, Author author, Change change) {
        return new AuditEntry(
                end.sequence() + 1,
                at,
                author.who(),
                author.from(),
                change.action(),
                change.target(),
                change.content(),
                author.reason(),
                end.digest());
    }

    /**
     * Writes {@link #next}, which must fit. When this returns it is on disk.
     *
     * @throws PolicyException where the disk fails: whether the entry is there is known at the next start, and nothing
     *     more is written until then
     */
    void append(AuditEntry entry) {
        byte[] line = entry.line();
        byte[] whole = java.util.Arrays.copyOf(line, line.length + 1);
        whole[line.length] = '\n';
        try {
            ByteBuffer buffer = ByteBuffer.wrap(whole);
            for (long at = end.bytes(); buffer.hasRemaining(); at = end.bytes() + buffer.position()) {
                channel.write(buffer, at);
            }
            channel.force(true);
            AuditReader.End next =
                    new AuditReader.End(entry.sequence(), AuditEntry.digest(line), end.bytes() + whole.length, 0);
            writeHead(next);
            index.add(entry.sequence(), end.bytes(), end.digest());
            end = next;
        } catch (IOException e) {
            failed = true;
            throw new PolicyException(
                    ("the audit log %s could not be written (%s). Whether the last change is in it is known after a restart;"
                                    + " see to the disk, then restart")
                            .formatted(folder.resolve(NAME), e),
                    e);
        }
    }

    private void writeHead(AuditReader.End last) throws IOException {
        Path half = folder.resolve(HEAD + ".half");
        String text = last.sequence() + " " + last.digest() + "\n";
        try (FileChannel file = FileChannel.open(
                half, StandardOpenOption.CREATE, StandardOpenOption.WRITE, StandardOpenOption.TRUNCATE_EXISTING)) {
            file.write(ByteBuffer.wrap(text.getBytes(StandardCharsets.US_ASCII)));
            file.force(true);
        }
        Files.move(half, folder.resolve(HEAD), StandardCopyOption.ATOMIC_MOVE);
        try (FileChannel entries = FileChannel.open(folder, StandardOpenOption.READ)) {
            entries.force(true);
        }
    }

    /**
     * Lines that follow one another, as they stand in the file, each held against the one before.
     *
     * @param after number of the line before the first
     * @param limit most lines, 1 or more
     * @param maxPage bytes after which no further line is begun
     * @throws PolicyException where a line was changed since the start
     */
    List<byte[]> page(long after, int limit, long maxPage) {
        List<byte[]> page = new ArrayList<>();
        if (after >= end.sequence()) {
            return page;
        }
        AuditIndex.Mark mark = index.before(after + 1);
        long sequence = mark.sequence();
        String digest = mark.previous();
        long size = 0;
        try {
            channel.position(mark.position());
            // Not closed: the channel is the log's.
            InputStream in = new BufferedInputStream(Channels.newInputStream(channel), 1 << 16);
            while (sequence <= end.sequence() && page.size() < limit && size < maxPage) {
                byte[] line = line(in);
                AuditEntry entry = AuditEntry.read(line);
                if (entry.sequence() != sequence || !entry.previous().equals(digest)) {
                    throw changed(sequence);
                }
                digest = AuditEntry.digest(line);
                if (sequence > after) {
                    page.add(line);
                    size += line.length;
                }
                sequence++;
            }
            if (sequence > end.sequence() && !digest.equals(end.digest())) {
                throw changed(end.sequence());
            }
            return page;
        } catch (dev.jeton.server.json.JsonException e) {
            throw changed(sequence);
        } catch (IOException e) {
            throw new PolicyException(
                    "the audit log %s cannot be read (%s); see to the disk".formatted(folder.resolve(NAME), e), e);
        }
    }

    private static byte[] line(InputStream in) throws IOException {
        ByteArrayOutputStream line = new ByteArrayOutputStream(512);
        for (int next = in.read(); next >= 0 && next != '\n' && line.size() <= AuditReader.MAX_LINE; next = in.read()) {
            line.write(next);
        }
        return line.toByteArray();
    }

    private PolicyException changed(long sequence) {
        return new PolicyException("line %d of the audit log %s was changed since the server started"
                .formatted(sequence, folder.resolve(NAME)));
    }

    @Override
    public void close() {
        try {
            channel.close();
        } catch (IOException e) {
            LOG.warn("the audit log was not closed well", e);
        }
    }
}
