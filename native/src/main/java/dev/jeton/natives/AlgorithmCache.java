package dev.jeton.natives;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.stream.Stream;

/**
 * Algorithms that a search found best, on disk, by device, cuBLASLt's version and shape: a search of some seconds is
 * made once for a machine. A file is the algorithm's 64 bytes and their SHA-256; one that does not fit is searched
 * again. Where the folder cannot be written nothing is kept. Any thread may use it.
 */
public final class AlgorithmCache {

    private static final String SUFFIX = ".algorithm";
    private static final int ALGORITHM = (int) CublasLtCalls.ALGORITHM_BYTES;
    /** Shapes times batch sizes of a good many models; past it nothing more is kept. */
    private static final int MOST_FILES = 16_384;

    private final Path folder;

    /** Keeps in a folder, which is made when it is needed. */
    public AlgorithmCache(Path folder) {
        this.folder = folder;
    }

    private Path file(String device, long version, MatmulShape shape) {
        String key = "1\n%s\n%d\n%s".formatted(device, version, shape.key());
        return folder.resolve(HexFormat.of().formatHex(sha256(key.getBytes(StandardCharsets.UTF_8))) + SUFFIX);
    }

    private static byte[] sha256(byte[] bytes) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(bytes);
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every Java has SHA-256", e);
        }
    }

    /** Empty where there is none that can be used. */
    byte[] read(String device, long version, MatmulShape shape) {
        try {
            byte[] all = Files.readAllBytes(file(device, version, shape));
            byte[] algorithm = Arrays.copyOf(all, ALGORITHM);
            boolean whole = all.length > ALGORITHM
                    && Arrays.equals(sha256(algorithm), Arrays.copyOfRange(all, ALGORITHM, all.length));
            return whole ? algorithm : new byte[0];
        } catch (IOException e) {
            return new byte[0];
        }
    }

    void write(String device, long version, MatmulShape shape, byte[] algorithm) {
        try {
            Files.createDirectories(folder);
            try (Stream<Path> files = Files.list(folder)) {
                if (files.limit(MOST_FILES).count() == MOST_FILES) {
                    return;
                }
            }
            byte[] sum = sha256(algorithm);
            byte[] all = Arrays.copyOf(algorithm, ALGORITHM + sum.length);
            System.arraycopy(sum, 0, all, ALGORITHM, sum.length);
            Path draft = Files.createTempFile(folder, "draft", ".tmp");
            try {
                Files.write(draft, all);
                Files.move(
                        draft,
                        file(device, version, shape),
                        StandardCopyOption.ATOMIC_MOVE,
                        StandardCopyOption.REPLACE_EXISTING);
            } finally {
                Files.deleteIfExists(draft);
            }
        } catch (IOException e) {
            // What was found is used all the same; it is searched again the next time.
            return;
        }
    }
}
