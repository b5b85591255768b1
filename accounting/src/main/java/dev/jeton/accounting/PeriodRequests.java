package dev.jeton.accounting;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What the process with the journal is asked to do with periods: files in the books' folder, that it deletes once the
 * fact is in the journal. Who may write there may close and cost again; the journal asks for no more.
 */
final class PeriodRequests {

    private static final Logger LOG = LoggerFactory.getLogger(PeriodRequests.class);
    /** Most requests of one look at a folder; the others wait for the next. */
    private static final int MOST = 1_000;

    private final Path books;
    private final PriceBookShelf shelf;
    /** What is in the journal and not on the disk yet; of the one thread that answers. */
    private final Map<PeriodRequest, Long> appended = new HashMap<>();
    /** What it last complained of. */
    private String complaint = "";

    /** Requests in a folder of books. */
    PeriodRequests(Path books) {
        this.books = books;
        shelf = new PriceBookShelf(books);
    }

    /** Asks; once more changes nothing. */
    void ask(PeriodRequest request) {
        try {
            Files.createDirectories(file(request).getParent());
            Files.createFile(file(request));
        } catch (FileAlreadyExistsException e) {
            return; // and is not answered yet
        } catch (IOException e) {
            throw failed("written", e);
        }
    }

    /** Whether a request is there that nobody has answered. */
    boolean waits(PeriodRequest request) {
        return Files.exists(file(request));
    }

    void withdraw(PeriodRequest request) {
        try {
            Files.deleteIfExists(file(request));
        } catch (IOException e) {
            throw failed("deleted", e);
        }
    }

    /**
     * Journals what is asked for, and deletes the requests whose fact is durable. A period that has not ended waits,
     * and all wait while there is no ledger: a close says how far that is. What cannot be answered is logged, once, and
     * tried again the next time.
     *
     * @param now microseconds since 1970
     */
    void answer(Journal journal, long now, Optional<Ledger> open) {
        if (open.isEmpty()) {
            return;
        }
        Ledger ledger = open.get();
        String trouble = "";
        try {
            List<PeriodRequest> asked = new ArrayList<>(
                    asked(PeriodRequest.Close.FOLDER, name -> Optional.of(new PeriodRequest.Close(name)), now));
            asked.addAll(asked(PeriodRequest.Recost.FOLDER, PeriodRequest.Recost::named, now));
            for (PeriodRequest request : asked) {
                trouble = answer(journal, request, now, ledger).orElse(trouble);
            }
        } catch (AccountingException e) {
            trouble = String.valueOf(e.getMessage());
        }
        if (!trouble.isEmpty() && !trouble.equals(complaint)) {
            LOG.warn("what was asked about a period waits; it is tried again every second: {}", trouble);
        }
        complaint = trouble;
    }

    /** Answers one; why it could not. */
    private Optional<String> answer(Journal journal, PeriodRequest request, long now, Ledger ledger) {
        try {
            Long sequence = appended.get(request);
            if (sequence == null) {
                appended.put(request, journal.append(request.fact(now, shelf, ledger.taken())));
            } else if (journal.durable() >= sequence) {
                withdraw(request);
                appended.remove(request);
            }
            return Optional.empty();
        } catch (AccountingException e) {
            return Optional.of(String.valueOf(e.getMessage()));
        }
    }

    private List<PeriodRequest> asked(String folder, Function<String, Optional<PeriodRequest>> named, long now) {
        Path place = books.resolve(folder);
        if (!Files.isDirectory(place)) {
            return List.of();
        }
        try (Stream<Path> files = Files.list(place)) {
            return files.flatMap(file -> named.apply(file.getFileName().toString()).stream())
                    .filter(request -> hasEnded(request.period(), now))
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

    private Path file(PeriodRequest request) {
        return books.resolve(request.folder()).resolve(request.name());
    }

    private AccountingException failed(String verb, Exception e) {
        return new AccountingException(
                "the requests about periods in %s cannot be %s (%s); see to the folder's rights and space"
                        .formatted(books, verb, e),
                e);
    }
}
