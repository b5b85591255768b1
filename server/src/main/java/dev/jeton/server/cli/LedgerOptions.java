package dev.jeton.server.cli;

import dev.jeton.accounting.AccountingException;
import dev.jeton.accounting.Ledger;
import dev.jeton.server.config.Configuration.BooksSettings;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Options that find the ledger: as {@code serve} would, or named. A server may be running on it. */
final class LedgerOptions {

    @Mixin
    private ConfigOptions config = new ConfigOptions();

    @Option(names = "--books", paramLabel = "FOLDER", description = "Folder of the books, as in books.folder.")
    private Optional<Path> folder = Optional.empty();

    @Option(names = "--ledger", paramLabel = "URL", description = "JDBC URL of the ledger, as in books.ledger.")
    private Optional<String> url = Optional.empty();

    private BooksSettings settings() {
        return config.settings(System.getenv()).configuration().books();
    }

    /** The ledger's URL. */
    String url() {
        if (url.isPresent()) {
            return url.get();
        }
        BooksSettings books = settings();
        if (folder.isEmpty() && !books.ledger().isEmpty()) {
            return books.ledger();
        }
        Path place = folder().orElseThrow(() ->
                new AccountingException("no books are named: give --books FOLDER, --ledger URL, or --config FILE"));
        return "jdbc:sqlite:" + place.resolve("ledger.db");
    }

    /** The books' folder; empty where none is named. */
    Optional<Path> folder() {
        return folder.or(() ->
                Optional.of(settings().folder()).filter(name -> !name.isEmpty()).map(Path::of));
    }

    String user() {
        return settings().user();
    }

    String password() {
        return settings().password();
    }

    /** Opens the ledger, which must be there. */
    Ledger open() {
        String place = url();
        String prefix = "jdbc:sqlite:";
        if (place.startsWith(prefix) && !Files.exists(Path.of(place.substring(prefix.length())))) {
            throw new AccountingException("there is no ledger at %s; name the folder that 'serve' keeps its books in"
                    .formatted(place.substring(prefix.length())));
        }
        return Ledger.open(place, user(), password());
    }
}
