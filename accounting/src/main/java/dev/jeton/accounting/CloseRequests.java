package dev.jeton.accounting;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * Periods that the process with the journal is asked to close: files in the books' folder, named by the period, that it
 * deletes once the close is in the journal. Who may write there may close; the journal asks for no more.
 */
final class CloseRequests {

    private static final String FOLDER = "close";
    /** Most requests of one look; the others wait for the next. */
    private static final int MOST = 1_000;

    private final Path folder;
    /** What is in the journal and not on the disk yet, by period; of the one thread that answers. */
    private final Map<String, Long> appended = new HashMap<>();

    /** Requests in a folder of books. */
    CloseRequests(Path books) {
        folder = books.resolve(FOLDER);
    }

    /** Asks; once more changes nothing. */
    void ask(String period) {
        try {
            Files.createDirectories(folder);
            Files.createFile(file(period));
        } catch (FileAlreadyExistsException e) {
            return; // and is not answered yet
        } catch (IOException e) {
            throw failed("written", e);
        }
    }

    /** Whether a request is there that nobody has answered. */
    boolean waits(String period) {
        return Files.exists(file(period));
    }

    void withdraw(String period) {
        try {
            Files.deleteIfExists(file(period));
        } catch (IOException e) {
            throw failed("deleted", e);
        }
    }

    /**
     * Journals what is asked for, and deletes the requests whose close is durable. A period that has not ended waits.
     *
     * @param now microseconds since 1970
     */
    void answer(Journal journal, long now) {
        if (!Files.isDirectory(folder)) {
            return;
        }
        for (String period : asked(now)) {
            Long sequence = appended.get(period);
            if (sequence == null) {
                appended.put(period, journal.append(new Fact.PeriodClosed(now, period)));
            } else if (journal.durable() >= sequence) {
                withdraw(period);
                appended.remove(period);
            }
        }
    }

    private List<String> asked(long now) {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString())
                    .filter(name -> hasEnded(name, now))
                    .limit(MOST)
                    .toList();
        } catch (IOException | UncheckedIOException e) { // the latter from reading on
            throw failed("read", e);
        }
    }

    /** A file that names no period is not ours, and stays. */
    private static boolean hasEnded(String name, long now) {
        try {
            return Period.named(name).until() <= now;
        } catch (AccountingException e) {
            return false;
        }
    }

    private Path file(String period) {
        return folder.resolve(period);
    }

    private AccountingException failed(String verb, Exception e) {
        return new AccountingException(
                "the requests to close periods in %s cannot be %s (%s); see to the folder's rights and space"
                        .formatted(folder, verb, e),
                e);
    }
}
