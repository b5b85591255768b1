package dev.jeton.natives;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.function.Consumer;
import java.util.stream.Stream;

/**
 * Algorithms that a search found best, on disk, by device, cuBLASLt's version and shape: a search of some seconds is
 * made once for a machine. A file is the algorithm's 64 bytes and their SHA-256; one that does not fit is told of and
 * searched again. Where the folder cannot be written nothing is kept. Any thread may use it.
 */
public final class AlgorithmCache {

    private static final String SUFFIX = ".algorithm";
    private static final int ALGORITHM = (int) CublasLtCalls.ALGORITHM_BYTES;
    private static final int SUM = 32;
    /** Shapes times batch sizes of a good many models; past it nothing more is kept. */
    private static final int MOST_FILES = 16_384;

    private final Path folder;
    private final Consumer<String> warnings;

    /**
     * Keeps in a folder, which is made when it is needed.
     *
     * @param warnings is told, a sentence each, of files that cannot be used
     */
    public AlgorithmCache(Path folder, Consumer<String> warnings) {
        this.folder = folder;
        this.warnings = warnings;
    }

    private Path file(String device, long version, String shape) {
        String key = "1\n%s\n%d\n%s".formatted(device, version, shape);
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
    byte[] read(String device, long version, String shape) {
        Path file = file(device, version, shape);
        try (InputStream in = Files.newInputStream(file)) {
            byte[] all = in.readNBytes(ALGORITHM + SUM + 1);
            byte[] algorithm = Arrays.copyOf(all, ALGORITHM);
            if (all.length == ALGORITHM + SUM
                    && Arrays.equals(sha256(algorithm), Arrays.copyOfRange(all, ALGORITHM, all.length))) {
                return algorithm;
            }
            warnings.accept("%s is damaged, so an algorithm for %s is chosen anew; deleting the file does no harm"
                    .formatted(file, shape));
            return new byte[0];
        } catch (NoSuchFileException e) {
            return new byte[0];
        } catch (IOException e) {
            warnings.accept("%s cannot be read (%s), so an algorithm for %s is chosen anew".formatted(file, e, shape));
            return new byte[0];
        }
    }

    void write(String device, long version, String shape, byte[] algorithm) {
        try {
            Files.createDirectories(folder);
            try (Stream<Path> files = Files.list(folder)) {
                if (files.limit(MOST_FILES).count() == MOST_FILES) {
                    return;
                }
            }
            byte[] all = Arrays.copyOf(algorithm, ALGORITHM + SUM);
            System.arraycopy(sha256(algorithm), 0, all, ALGORITHM, SUM);
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
