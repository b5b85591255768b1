package dev.jeton.server.batch;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** A file of requests, a line each, read from its beginning to its end. Lines without anything are passed over. */
final class BatchFile implements AutoCloseable {

    /** Bytes of a line. */
    static final int MOST_BYTES = 64 << 20;
    /** Requests of a file. */
    static final int MOST_LINES = 2_000_000;
    /** Wrong lines that are told at once. */
    private static final int TOLD = 10;

    private final Path file;
    private final String tier;
    private final InputStream in;
    private long number;

    /** @param tier as {@link BatchLine#of} takes it */
    BatchFile(Path file, String tier) {
        this.file = file;
        this.tier = tier;
        try {
            in = new BufferedInputStream(Files.newInputStream(file), 1 << 16);
        } catch (IOException e) {
            throw new BatchException("%s cannot be read: %s".formatted(file, e.getMessage()), e);
        }
    }

    /**
     * Looks through a file before anything of it is sent.
     *
     * @return its requests' names
     * @throws BatchException naming the first lines that are wrong
     */
    static Set<String> check(Path file, String tier) {
        List<String> wrong = new ArrayList<>();
        Set<String> ids = new HashSet<>();
        try (BatchFile lines = new BatchFile(file, tier)) {
            boolean more = true;
            while (more && wrong.size() < TOLD) {
                try {
                    Optional<BatchLine> line = lines.next();
                    more = line.isPresent();
                    if (more && !ids.add(line.get().customId())) {
                        throw new BatchException("custom_id '%s' was there before"
                                .formatted(line.get().customId()));
                    }
                    if (ids.size() > MOST_LINES) {
                        throw new BatchException("%s has more than %d requests; divide it".formatted(file, MOST_LINES));
                    }
                } catch (BatchException e) {
                    wrong.add("line %d: %s".formatted(lines.number, e.getMessage()));
                }
            }
        }
        if (!wrong.isEmpty()) {
            throw new BatchException("%s: nothing was sent, since%n  %s"
                    .formatted(file, String.join(System.lineSeparator() + "  ", wrong)));
        }
        if (ids.isEmpty()) {
            throw new BatchException("%s has no requests".formatted(file));
        }
        return ids;
    }

    /**
     * The next request; empty at the end.
     *
     * @throws BatchException where the line is none; the one after it comes next
     */
    Optional<BatchLine> next() {
        try {
            Optional<byte[]> text = Optional.of(new byte[0]);
            while (text.isPresent() && blank(text.get())) {
                text = line();
            }
            return text.map(line -> BatchLine.of(number, line, tier));
        } catch (IOException e) {
            throw new BatchException("%s cannot be read to its end: %s".formatted(file, e.getMessage()), e);
        }
    }

    private Optional<byte[]> line() throws IOException {
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        int octet = in.read();
        if (octet < 0) {
            return Optional.empty();
        }
        number++;
        boolean fits = true;
        while (octet >= 0 && octet != '\n') {
            if (fits) {
                line.write(octet);
            }
            fits = line.size() < MOST_BYTES;
            octet = in.read();
        }
        if (!fits) {
            throw new BatchException("it has more than %d bytes".formatted(MOST_BYTES));
        }
        return Optional.of(line.toByteArray());
    }

    /** Of the line read last, from 1. */
    long number() {
        return number;
    }

    private static boolean blank(byte[] line) {
        for (byte octet : line) {
            if (octet != ' ' && octet != '\r' && octet != '\t') {
                return false;
            }
        }
        return true;
    }

    @Override
    public void close() {
        try {
            in.close();
        } catch (IOException e) {
            throw new BatchException("%s cannot be closed: %s".formatted(file, e.getMessage()), e);
        }
    }
}
