package dev.jeton.accounting;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Copies of the price books that were in force or that a period was costed by, a file for each version: at start,
 * requests that a crash cut off are priced by the book that was in force when they were opened, before the ledger,
 * which has it too, is open. Files come whole and are never changed, so any process may read and add.
 */
final class PriceBookShelf {

    private static final Logger LOG = LoggerFactory.getLogger(PriceBookShelf.class);

    private static final String YAML = ".yaml";
    /** Names of files come from elsewhere, and must not lead out of the folder. */
    private static final Pattern VERSION = Pattern.compile("[0-9a-f]{16}");

    private final Path folder;

    /** In a folder of books. */
    PriceBookShelf(Path books) {
        folder = books.resolve("prices");
    }

    /**
     * Keeps a book.
     *
     * @throws AccountingException where the folder cannot be written to
     */
    void keep(PriceBook book) {
        Path file = file(book.version());
        try {
            if (!Files.exists(file)) {
                Files.createDirectories(folder);
                Path half = folder.resolve(
                        book.version() + "." + ProcessHandle.current().pid() + ".half");
                Files.writeString(half, book.content());
                Files.move(half, file, StandardCopyOption.ATOMIC_MOVE);
            }
        } catch (IOException e) {
            throw new AccountingException(
                    "the price book cannot be kept as %s (%s); see to the disk and its permissions".formatted(file, e),
                    e);
        }
    }

    /** A book that was kept; empty where it is not there, or is not what it was. */
    Optional<PriceBook> find(String version) {
        if (!VERSION.matcher(version).matches()) {
            return Optional.empty();
        }
        Path file = file(version);
        try {
            String content = Files.readString(file);
            if (PriceBook.version(content).equals(version)) {
                return Optional.of(PriceBook.parse(file.toString(), content));
            }
            LOG.warn("{} was changed, so it is not price book {} any more", file, version);
        } catch (NoSuchFileException e) {
            LOG.debug("price book {} was not kept", version);
        } catch (IOException | AccountingException e) {
            LOG.warn("price book {} cannot be read", version, e);
        }
        return Optional.empty();
    }

    /** Versions of the books that are kept, sorted. */
    List<String> versions() {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString())
                    .filter(name -> name.endsWith(YAML))
                    .map(name -> name.substring(0, name.length() - YAML.length()))
                    .sorted()
                    .toList();
        } catch (NoSuchFileException e) {
            return List.of();
        } catch (IOException | UncheckedIOException e) {
            throw new AccountingException(
                    "the price books kept in %s cannot be read (%s); see to the folder's rights".formatted(folder, e),
                    e);
        }
    }

    private Path file(String version) {
        return folder.resolve(version + YAML);
    }
}
