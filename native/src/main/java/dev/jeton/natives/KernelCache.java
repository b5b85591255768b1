package dev.jeton.natives;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * Cubins on disk, by the SHA-256 of all that they depend on: source, headers, options, architecture, NVRTC's version. A
 * file is the SHA-256 of the cubin and the cubin; one that does not fit its sum is compiled again. Files are renamed
 * into place, so processes can share a folder. Where the folder cannot be written, kernels are compiled each time.
 *
 * <p>Bounded: past {@code mostBytes} those used longest ago go. Any thread may use it.
 */
public final class KernelCache {

    private static final String SUFFIX = ".cubin";
    private static final int SUM = 32;

    private final Path folder;
    private final long mostBytes;

    /** Keeps at most so many bytes in a folder, which is made when it is needed. */
    public KernelCache(Path folder, long mostBytes) {
        if (mostBytes < 0) {
            throw new IllegalArgumentException("a cache of %d bytes".formatted(mostBytes));
        }
        this.folder = folder;
        this.mostBytes = mostBytes;
    }

    /**
     * The cubin of a source: kept, or compiled now and kept.
     *
     * @throws NvrtcException where the source has errors
     */
    public byte[] cubin(Nvrtc nvrtc, KernelSource source, String architecture) {
        Path file = folder.resolve(key(source, architecture, nvrtc.version()) + SUFFIX);
        byte[] kept = read(file);
        if (kept.length > 0) {
            return kept;
        }
        byte[] cubin = nvrtc.compile(source, architecture);
        write(file, cubin);
        return cubin;
    }

    static String key(KernelSource source, String architecture, String version) {
        MessageDigest digest = sha256();
        add(digest, "1", version, architecture, source.name(), source.text());
        new TreeMap<>(source.headers()).forEach((name, text) -> add(digest, "header", name, text));
        source.options().forEach(option -> add(digest, "option", option));
        return HexFormat.of().formatHex(digest.digest());
    }

    /** With its length before it, so that no two lists of texts look alike. */
    private static void add(MessageDigest digest, String... texts) {
        for (String text : texts) {
            byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
            digest.update(ByteBuffer.allocate(Integer.BYTES).putInt(0, bytes.length));
            digest.update(bytes);
        }
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every Java has SHA-256", e);
        }
    }

    /** Empty where there is none that can be used. */
    private byte[] read(Path file) {
        try {
            byte[] bytes = Files.readAllBytes(file);
            if (bytes.length <= SUM) {
                return new byte[0];
            }
            byte[] cubin = Arrays.copyOfRange(bytes, SUM, bytes.length);
            if (!Arrays.equals(sha256().digest(cubin), Arrays.copyOf(bytes, SUM))) {
                return new byte[0];
            }
            Files.setLastModifiedTime(file, FileTime.fromMillis(System.currentTimeMillis()));
            return cubin;
        } catch (IOException e) {
            return new byte[0];
        }
    }

    private void write(Path file, byte[] cubin) {
        if (cubin.length + SUM > mostBytes) {
            return;
        }
        try {
            Files.createDirectories(folder);
            Path draft = Files.createTempFile(folder, "draft", ".tmp");
            try {
                Files.write(draft, sum(cubin));
                Files.move(draft, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            } finally {
                Files.deleteIfExists(draft);
            }
            trim();
        } catch (IOException e) {
            // The cubin is there all the same; it is compiled again the next time.
            return;
        }
    }

    private static byte[] sum(byte[] cubin) {
        byte[] sum = sha256().digest(cubin);
        byte[] all = Arrays.copyOf(sum, SUM + cubin.length);
        System.arraycopy(cubin, 0, all, SUM, cubin.length);
        return all;
    }

    private record Kept(Path file, long bytes, FileTime used) {}

    private void trim() throws IOException {
        List<Kept> kept;
        try (Stream<Path> files = Files.list(folder)) {
            kept = files.filter(file -> file.toString().endsWith(SUFFIX))
                    .map(KernelCache::kept)
                    .sorted(Comparator.comparing(Kept::used))
                    .toList();
        }
        long bytes = kept.stream().mapToLong(Kept::bytes).sum();
        for (Kept oldest : kept) {
            if (bytes <= mostBytes) {
                return;
            }
            Files.deleteIfExists(oldest.file());
            bytes -= oldest.bytes();
        }
    }

    /** Of nothing where another process has just deleted it. */
    private static Kept kept(Path file) {
        try {
            return new Kept(file, Files.size(file), Files.getLastModifiedTime(file));
        } catch (IOException e) {
            return new Kept(file, 0, FileTime.fromMillis(0));
        }
    }
}
