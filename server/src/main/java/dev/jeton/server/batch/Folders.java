package dev.jeton.server.batch;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.stream.Stream;

/** Files that are there whole or not at all. */
final class Folders {

    private static final String HALF = ".half";

    private Folders() {}

    /** Writes a file whole, in place of one that may be there, and sees that the disk has it. */
    static void write(Path file, byte[] content) throws IOException {
        Path half = file.resolveSibling(file.getFileName() + HALF);
        Files.write(half, content);
        force(half);
        Files.move(half, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        forceFolder(file.toAbsolutePath().resolveSibling(""));
    }

    /** Sees that the disk has the names in a folder. */
    static void forceFolder(Path folder) throws IOException {
        try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
            channel.force(true);
        }
    }

    /** Sees that the disk has a file. */
    static void force(Path file) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
            channel.force(true);
        }
    }

    static List<Path> list(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.sorted().toList();
        }
    }

    static BatchException failed(Path folder, IOException cause) {
        return new BatchException(
                "files of batches cannot be kept in %s: %s; see that there is room and that it may be written"
                        .formatted(folder, cause),
                cause);
    }
}
