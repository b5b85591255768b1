package dev.jeton.accounting;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Copies of the price books that were in force, a file for each version: at start, requests that a crash cut off are priced
 * by the book that was in force when they were opened, before the ledger, which has it too, is open. Owned by one thread.
 */
final class PriceBookShelf {

    private static final Logger LOG = LoggerFactory.getLogger(PriceBookShelf.class);

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
                Path half = folder.resolve(book.version() + ".half");
                Files.createDirectories(folder);
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

    private Path file(String version) {
        return folder.resolve(version + ".yaml");
    }
}
