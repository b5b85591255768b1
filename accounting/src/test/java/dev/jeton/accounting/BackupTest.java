package dev.jeton.accounting;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class BackupTest {

    private static final long LATER = TestFacts.START + 1000 * Periods.HOUR;

    private final TestBooks books = new TestBooks(Database.Kind.SQLITE);

    @AfterEach
    void close() {
        books.close();
    }

    @Test
    void restoresABackup() {
        books.apply("a", TestFacts.random(new SplittableRandom(6), "a", 300));
        Path backup = books.folder().resolve("backup.db");
        Path file = books.folder().resolve("restored.db");

        books.ledger().backup(backup);
        books.ledger().backup(books.folder().resolve("second.db"));
        Ledger.restore("jdbc:sqlite:" + file, backup);

        try (Ledger restored = Ledger.open("jdbc:sqlite:" + file, "", "")) {
            Grouping byTenant = new Grouping.By(Grouping.Dimension.TENANT);
            assertThat(restored.verify()).isEmpty();
            assertThat(restored.reports().totals(Scope.OPERATOR, 0, LATER, Filter.ALL, byTenant))
                    .isNotEmpty()
                    .isEqualTo(books.ledger().reports().totals(Scope.OPERATOR, 0, LATER, Filter.ALL, byTenant));
        }
    }

    @Test
    void overwritesNothing() throws IOException {
        Path backup = Files.writeString(books.folder().resolve("backup.db"), "precious");
        Path sound = books.folder().resolve("sound.db");
        books.ledger().backup(sound);

        assertThatThrownBy(() -> books.ledger().backup(backup))
                .isInstanceOf(AccountingException.class)
                .hasMessageContaining("overwrites nothing");
        assertThatThrownBy(() -> Ledger.restore(books.url(), sound))
                .isInstanceOf(AccountingException.class)
                .hasMessageContaining("overwrites nothing");
        assertThat(backup).hasContent("precious");
    }

    @Test
    void refusesABackupThatIsNone() throws IOException {
        Path text =
                Files.writeString(books.folder().resolve("backup.db"), "not a database, but long enough to be read");

        assertThatThrownBy(() -> Ledger.restore("jdbc:sqlite:" + books.folder().resolve("new.db"), text))
                .isInstanceOf(AccountingException.class)
                .hasMessageContaining("is no sound backup of a ledger");
    }

    @Test
    void namesTheToolsOfPostgres() {
        try (TestBooks server = new TestBooks(Database.Kind.POSTGRESQL)) {
            Path file = books.folder().resolve("backup");

            assertThatThrownBy(() -> server.ledger().backup(file)).hasMessageContaining("pg_dump");
            assertThatThrownBy(() -> Ledger.restore(server.url(), file)).hasMessageContaining("pg_restore");
        }
    }

    @Test
    void saysWhatIsPendingBeforeItMigrates() {
        String url = "jdbc:sqlite:" + books.folder().resolve("fresh.db");

        List<String> all = List.of(
                "1 books",
                "2 append only",
                "3 egress",
                "4 recosts",
                "5 work",
                "6 shared closes",
                "7 tasks",
                "8 shared budgets",
                "9 standing offers");
        assertThat(Ledger.pending(url, "", "")).isEqualTo(all);
        assertThat(Ledger.migrate(url, "", "")).isEqualTo(all);
        assertThat(Ledger.pending(url, "", "")).isEmpty();
    }
}
