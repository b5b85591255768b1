package dev.jeton.accounting;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;

/** Copies of a SQLite ledger; PostgreSQL has its own tools. */
final class Backups {

    private static final String DUMP = "this ledger is in PostgreSQL, which backs up with its own tools: "
            + "pg_dump --format=custom --file=ledger.dump DATABASE";
    private static final String RESTORE = "this ledger is in PostgreSQL, which restores with its own tools: "
            + "pg_restore --dbname=DATABASE ledger.dump";

    private Backups() {}

    static void backup(Database database, Path target) {
        Database.file(database.url(), DUMP);
        if (Files.exists(target)) {
            throw new AccountingException(
                    "%s exists, and a backup overwrites nothing; name another file or move it away".formatted(target));
        }
        Path unfinished = sibling(target, ".unfinished");
        try {
            Files.deleteIfExists(unfinished);
            database.alone(connection -> {
                try (var statement = connection.prepareStatement("VACUUM INTO ?")) {
                    statement.setString(1, unfinished.toString());
                    return statement.execute();
                }
            });
            try (FileChannel written = FileChannel.open(unfinished, StandardOpenOption.WRITE)) {
                written.force(true);
            }
            Files.move(unfinished, target, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            throw new AccountingException(
                    "the backup %s could not be written: %s; check the folder's space and rights".formatted(target, e),
                    e);
        }
    }

    static void restore(String url, Path backup) {
        Path file = Database.file(url, RESTORE);
        check(backup);
        if (Files.exists(file)) {
            throw new AccountingException(("%s exists, and restoring overwrites nothing; "
                            + "stop the server, move it and its -wal and -shm files away")
                    .formatted(file));
        }
        Path unfinished = sibling(file, ".unfinished");
        try {
            // Of the file that was here: SQLite would play it into the one that comes.
            Files.deleteIfExists(sibling(file, "-wal"));
            Files.deleteIfExists(sibling(file, "-shm"));
            Files.copy(backup, unfinished, StandardCopyOption.REPLACE_EXISTING);
            Files.move(unfinished, file, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            throw new AccountingException(
                    "%s could not be restored from %s: %s; check space and rights".formatted(file, backup, e), e);
        }
    }

    private static void check(Path backup) {
        if (!Files.isRegularFile(backup)) {
            throw new AccountingException("there is no backup %s; check its name".formatted(backup));
        }
        try (Connection connection = DriverManager.getConnection("jdbc:sqlite:" + backup);
                var statement = connection.createStatement()) {
            try (ResultSet rows = statement.executeQuery("PRAGMA integrity_check")) {
                String result = rows.next() ? rows.getString(1) : "nothing";
                if (!"ok".equals(result)) {
                    throw new SQLException(result);
                }
            }
            try (ResultSet rows = statement.executeQuery("SELECT COUNT(*) FROM node")) {
                rows.next();
            }
        } catch (SQLException e) {
            throw new AccountingException(
                    "%s is no sound backup of a ledger: %s; take another".formatted(backup, e.getMessage()), e);
        }
    }

    private static Path sibling(Path file, String suffix) {
        return file.resolveSibling(file.getFileName() + suffix);
    }
}
