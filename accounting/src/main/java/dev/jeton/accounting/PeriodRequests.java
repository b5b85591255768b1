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

/**
 * What the process with the journal is asked to do with periods: files in the books' folder, that it deletes once the fact
 * is in the journal. Who may write there may close and cost again; the journal asks for no more.
 */
final class PeriodRequests {

    /** Most requests of one look at a folder; the others wait for the next. */
    private static final int MOST = 1_000;

    private final Path books;
    private final PriceBookShelf shelf;
    /** What is in the journal and not on the disk yet; of the one thread that answers. */
    private final Map<PeriodRequest, Long> appended = new HashMap<>();

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
     * Journals what is asked for, and deletes the requests whose fact is durable. A period that has not ended waits.
     *
     * @param now microseconds since 1970
     * @throws AccountingException where a request cannot be answered; the others are
     */
    void answer(Journal journal, long now) {
        List<PeriodRequest> asked = new ArrayList<>(
                asked(PeriodRequest.Close.FOLDER, name -> Optional.of(new PeriodRequest.Close(name)), now));
        asked.addAll(asked(PeriodRequest.Recost.FOLDER, PeriodRequest.Recost::named, now));
        Optional<AccountingException> trouble = Optional.empty();
        for (PeriodRequest request : asked) {
            try {
                answer(journal, request, now);
            } catch (AccountingException e) {
                trouble = Optional.of(e);
            }
        }
        if (trouble.isPresent()) {
            throw trouble.get();
        }
    }

    private void answer(Journal journal, PeriodRequest request, long now) {
        Long sequence = appended.get(request);
        if (sequence == null) {
            appended.put(request, journal.append(request.fact(now, shelf)));
        } else if (journal.durable() >= sequence) {
            withdraw(request);
            appended.remove(request);
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
