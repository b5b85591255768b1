package dev.jeton.server;

import dev.jeton.accounting.AbortedPolicy;
import dev.jeton.accounting.AccountingException;
import dev.jeton.accounting.BookPace;
import dev.jeton.accounting.BookSettings;
import dev.jeton.accounting.Bookkeeper;
import dev.jeton.accounting.Budget;
import dev.jeton.accounting.EnergyCounter;
import dev.jeton.accounting.PowercapCounter;
import dev.jeton.accounting.PriceBook;
import dev.jeton.accounting.TaskBounds;
import dev.jeton.server.admin.Policy;
import dev.jeton.server.admin.PolicyFiles;
import dev.jeton.server.admin.PolicyStore;
import dev.jeton.server.config.Configuration;
import dev.jeton.server.config.Configuration.BooksSettings;
import dev.jeton.server.config.Configuration.MetricsSettings;
import dev.jeton.server.config.Configuration.TaskSettings;
import dev.jeton.server.metrics.HostName;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Opens the books that the configuration asks for, and warns where they will not last or say nothing. */
public final class OpenBooks {

    private static final Logger LOG = LoggerFactory.getLogger(OpenBooks.class);

    /** Marks a folder that goes with the process. */
    private static final String TEMPORARY = ".temporary";

    private OpenBooks() {}

    /**
     * Opens them; empty where none are wanted.
     *
     * @throws AccountingException naming what cannot be opened and what to do
     */
    public static Optional<Bookkeeper> of(Configuration configuration) {
        return of(configuration, BookPace.USUAL);
    }

    /** The same, at another pace. */
    public static Optional<Bookkeeper> of(Configuration configuration, BookPace pace) {
        BooksSettings settings = configuration.books();
        MetricsSettings metrics = configuration.metrics();
        TaskSettings tasks = configuration.tasks();
        if (!settings.enabled()) {
            LOG.warn("no books are kept (books.enabled is false): nothing will say what requests cost");
            return Optional.empty();
        }
        Path folder = settings.folder().isEmpty() ? temporary() : Path.of(settings.folder());
        Policy policy = PolicyStore.read(
                folder, new PolicyFiles(configuration.tenants(), configuration.budgets(), prices(settings)));
        policy.prices().warning().ifPresent(LOG::warn);
        if (settings.ledger().isEmpty() && policy.budgets().stream().anyMatch(Budget::shared)) {
            LOG.warn(
                    "budgets are shared with nobody: the ledger is SQLite in this server's folder; set books.ledger to a"
                            + " database that the other servers use, too");
        }
        return Optional.of(Bookkeeper.open(
                new BookSettings(
                        folder,
                        settings.node().isEmpty() ? HostName.text() : settings.node(),
                        settings.ledger(),
                        settings.user(),
                        settings.password(),
                        policy.prices(),
                        settings.zone(),
                        AbortedPolicy.valueOf(settings.aborted().toUpperCase(Locale.ROOT)),
                        settings.journalBytes(),
                        new TaskBounds(
                                tasks.maxOpen(),
                                tasks.maxOpenPerTenant(),
                                tasks.maxSteps(),
                                tasks.maxKeptSteps(),
                                tasks.maxIdle(),
                                tasks.late()),
                        Version.text(),
                        settings.lease().toNanos(),
                        policy.budgets()),
                pace,
                device -> settings.energy().equals("measured") ? counter(device, metrics) : EnergyCounter.NONE,
                System::nanoTime,
                () -> TimeUnit.MILLISECONDS.toMicros(System.currentTimeMillis())));
    }

    /** The price book of {@code books.prices}. */
    static PriceBook prices(BooksSettings settings) {
        return settings.prices().isEmpty() ? PriceBook.free() : PriceBook.load(Path.of(settings.prices()));
    }

    private static EnergyCounter counter(String group, MetricsSettings metrics) {
        if (group.equals(DeviceGroup.PROCESSORS)) {
            return PowercapCounter.find(PowercapCounter.SYSTEM)
                    .<EnergyCounter>map(counter -> counter)
                    .orElse(EnergyCounter.NONE);
        }
        List<Integer> gpus = DeviceGroup.gpus(group);
        if (gpus.isEmpty()) {
            return EnergyCounter.NONE;
        }
        return new GpuEnergy(
                Optional.of(metrics.nvml()).filter(file -> !file.isEmpty()).map(Path::of),
                () -> gpus.stream().map(DeviceGroup::uuid).toList());
    }

    /** A folder that goes with the process. */
    private static Path temporary() {
        try {
            Path folder = Files.createTempDirectory("jeton-books");
            Files.createFile(folder.resolve(TEMPORARY));
            LOG.warn(
                    "books are kept in a temporary folder and lost when the server ends; set books.folder to keep them");
            return folder;
        } catch (IOException e) {
            throw new AccountingException(
                    "no temporary folder can be made for the books (%s); set books.folder".formatted(e), e);
        }
    }

    /** Closes books, and deletes their folder if it was a temporary one. */
    public static void close(Bookkeeper books) {
        books.close();
        forget(books.folder());
    }

    /** Deletes the folder of books that were closed, if it was a temporary one. */
    static void forget(Path folder) {
        if (Files.exists(folder.resolve(TEMPORARY))) {
            delete(folder);
        }
    }

    private static void delete(Path folder) {
        try (Stream<Path> files = Files.walk(folder)) {
            files.sorted(Comparator.reverseOrder())
                    .forEach(file -> file.toFile().delete());
        } catch (IOException | UncheckedIOException e) {
            LOG.debug("the temporary books were not deleted", e);
        }
    }
}
