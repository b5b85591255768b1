package dev.jeton.server.admin;

import dev.jeton.server.json.JsonException;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Reads an audit log from its beginning and holds every line against the one before. The file beside it, the head,
 * names the last line that was acknowledged: up to there everything must be as it was written. What follows was never
 * acknowledged, so a whole line counts and anything else is what a crash left.
 */
final class AuditReader {

    /** Most bytes of a line: a price book of its greatest size, every character escaped. */
    static final int MAX_LINE = 8 << 20;

    private static final Pattern HEAD = Pattern.compile("([0-9]{1,18}) ([0-9a-f]{64})\\s*");

    /**
     * Where a log ends.
     *
     * @param sequence of the last line, 0 where there is none
     * @param digest of that line
     * @param bytes of all whole lines
     * @param rest bytes after them, which a crash left
     */
    record End(long sequence, String digest, long bytes, long rest) {}

    /** A line that was acknowledged. */
    private record Head(long sequence, String digest) {}

    private final Path log;
    private final Path headFile;

    AuditReader(Path log, Path headFile) {
        this.log = log;
        this.headFile = headFile;
    }

    /**
     * Reads all of it.
     *
     * @param lines takes each entry; the position of its line is told by {@code positions}
     * @throws PolicyException where a line was changed or is missing
     */
    End read(Consumer<AuditEntry> lines, AuditIndex index) {
        Head head = head();
        long sequence = 0;
        long bytes = 0;
        String digest = AuditEntry.NOTHING_BEFORE;
        try (InputStream in = new BufferedInputStream(Files.newInputStream(log), 1 << 16)) {
            while (true) {
                Optional<byte[]> line = line(in);
                if (line.isEmpty()) {
                    break;
                }
                AuditEntry entry;
                try {
                    entry = AuditEntry.read(line.get());
                } catch (JsonException e) {
                    break;
                }
                if (entry.sequence() != sequence + 1 || !entry.previous().equals(digest)) {
                    break;
                }
                index.add(entry.sequence(), bytes, digest);
                sequence++;
                digest = AuditEntry.digest(line.get());
                bytes += line.get().length + 1;
                if (sequence == head.sequence() && !digest.equals(head.digest())) {
                    throw damaged(sequence, "is not the line that was written");
                }
                lines.accept(entry);
            }
            long size = Files.size(log);
            if (sequence < head.sequence()) {
                throw damaged(
                        sequence + 1, size == bytes ? "and those after it are missing" : "is not what was written");
            }
            if (sequence > head.sequence() + 1) {
                throw new PolicyException(
                        ("the audit log %s has %d lines, and %s says that there are %d. Put back both files"
                                        + " from the same copy")
                                .formatted(log, sequence, headFile, head.sequence()));
            }
            return new End(sequence, digest, bytes, size - bytes);
        } catch (NoSuchFileException e) {
            if (head.sequence() > 0) {
                throw damaged(1, "and those after it are missing");
            }
            return new End(0, AuditEntry.NOTHING_BEFORE, 0, 0);
        } catch (IOException e) {
            throw new PolicyException("the audit log %s cannot be read (%s); see to its rights".formatted(log, e), e);
        }
    }

    /** A whole line; empty at the end, and where it has no end or is longer than any. */
    private static Optional<byte[]> line(InputStream in) throws IOException {
        ByteArrayOutputStream line = new ByteArrayOutputStream(512);
        for (int next = in.read(); next >= 0; next = in.read()) {
            if (next == '\n') {
                return Optional.of(line.toByteArray());
            }
            line.write(next);
            if (line.size() > MAX_LINE) {
                return Optional.empty();
            }
        }
        return Optional.empty();
    }

    private Head head() {
        try {
            Matcher matcher = HEAD.matcher(Files.readString(headFile, StandardCharsets.US_ASCII));
            if (!matcher.matches()) {
                throw new PolicyException(
                        "%s is not what was written; put it back with %s from the same copy".formatted(headFile, log));
            }
            return new Head(Long.parseLong(matcher.group(1)), matcher.group(2));
        } catch (NoSuchFileException e) {
            return new Head(0, AuditEntry.NOTHING_BEFORE);
        } catch (IOException e) {
            throw new PolicyException("%s cannot be read (%s); see to its rights".formatted(headFile, e), e);
        }
    }

    private PolicyException damaged(long sequence, String how) {
        return new PolicyException(
                ("line %d of the audit log %s %s. The log says who may do what, so the server does not"
                                + " start with one that was changed: put back %s and %s from the same copy")
                        .formatted(sequence, log, how, log.getFileName(), headFile.getFileName()));
    }
}
