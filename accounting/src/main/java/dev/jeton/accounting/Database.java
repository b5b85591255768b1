package dev.jeton.accounting;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.SQLTimeoutException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import javax.sql.DataSource;
import org.flywaydb.core.Flyway;
import org.flywaydb.core.api.FlywayException;
import org.flywaydb.core.api.MigrationInfo;
import org.flywaydb.core.api.output.MigrateOutput;
import org.postgresql.ds.PGSimpleDataSource;
import org.sqlite.ProgressHandler;
import org.sqlite.SQLiteConfig;
import org.sqlite.SQLiteConnection;
import org.sqlite.SQLiteDataSource;

/**
 * Connections to SQLite or PostgreSQL, and what differs between the two. Writers and readers have pools of their own,
 * so reports never keep the projection from its connection.
 */
final class Database implements AutoCloseable {

    /** Which of the two. */
    enum Kind {
        /** One file, in this process. */
        SQLITE,
        /** A server. */
        POSTGRESQL
    }

    /** What is done in one transaction. */
    @FunctionalInterface
    interface Work<T> {
        T run(Connection connection) throws SQLException;
    }

    private static final String SQLITE_URL = "jdbc:sqlite:";
    private static final String POSTGRESQL_URL = "jdbc:postgresql:";
    private static final String SCHEMA = "classpath:dev/jeton/accounting/schema/";
    private static final int READERS = 4;
    private static final int POSTGRESQL_WRITERS = 3;
    private static final int BUSY_MILLIS = 2_000;
    private static final int SOCKET_SECONDS = 60;
    private static final long CONNECTION_MILLIS = TimeUnit.SECONDS.toMillis(5);
    /** How long after its limit a server that was told to stop is believed to be there. */
    private static final long GRACE_MILLIS = TimeUnit.SECONDS.toMillis(5);
    /** Steps of SQLite's machine between two looks at the clock. */
    private static final int SQLITE_STEPS = 10_000;

    private static final int SQLITE_INTERRUPT = 9;
    private static final String POSTGRESQL_CANCELED = "57014";

    private final Kind kind;
    private final String url;
    private final HikariDataSource writers;
    private final HikariDataSource readers;
    private final Optional<Duration> patience;

    private Database(
            Kind kind, String url, HikariDataSource writers, HikariDataSource readers, Optional<Duration> patience) {
        this.kind = kind;
        this.url = url;
        this.writers = writers;
        this.readers = readers;
        this.patience = patience;
    }

    /** Opens the pools; connections are made when they are wanted. */
    static Database open(String url, String user, String password) {
        Kind kind = kind(url);
        HikariConfig writing = new HikariConfig();
        writing.setDataSource(source(url, user, password, true));
        writing.setMaximumPoolSize(kind == Kind.SQLITE ? 1 : POSTGRESQL_WRITERS);
        writing.setPoolName("ledger-writers");
        HikariConfig reading = new HikariConfig();
        reading.setDataSource(source(url, user, password, false));
        reading.setMaximumPoolSize(READERS);
        reading.setPoolName("ledger-readers");
        if (kind == Kind.POSTGRESQL) {
            // Several queries of one report see one state of the books. A transaction of SQLite's always does.
            reading.setTransactionIsolation("TRANSACTION_REPEATABLE_READ");
            reading.setReadOnly(true);
            // Who waited for a lock sees what was decided meanwhile, whatever the database's default is.
            writing.setTransactionIsolation("TRANSACTION_READ_COMMITTED");
        }
        return new Database(kind, url, pool(writing), pool(reading), Optional.empty());
    }

    /** The same connections, where nothing that is read may take longer; closing either closes both. */
    Database patient(Duration most) {
        return new Database(kind, url, writers, readers, Optional.of(most));
    }

    private static HikariDataSource pool(HikariConfig config) {
        config.setMinimumIdle(0);
        config.setConnectionTimeout(CONNECTION_MILLIS);
        // The database may be away when the pool is made.
        config.setInitializationFailTimeout(-1);
        return new HikariDataSource(config);
    }

    private static DataSource source(String url, String user, String password, boolean writing) {
        if (kind(url) == Kind.SQLITE) {
            SQLiteConfig config = new SQLiteConfig();
            config.setJournalMode(SQLiteConfig.JournalMode.WAL);
            // What is committed must survive a power cut: the journal may let go of what the ledger has taken.
            config.setSynchronous(SQLiteConfig.SynchronousMode.FULL);
            config.setBusyTimeout(BUSY_MILLIS);
            SQLiteDataSource source = new SQLiteDataSource(config);
            source.setUrl(url);
            return source;
        }
        PGSimpleDataSource source = new PGSimpleDataSource();
        try {
            source.setUrl(url);
        } catch (IllegalArgumentException e) {
            throw new AccountingException(
                    "the ledger's address is no address of PostgreSQL; write jdbc:postgresql://host:port/database", e);
        }
        if (!user.isEmpty()) {
            source.setUser(user);
        }
        if (!password.isEmpty()) {
            source.setPassword(password);
        }
        source.setTcpKeepAlive(true);
        source.setApplicationName("jeton-ledger");
        if (writing) {
            // A server that has gone without a word must not hold the projection for ever.
            source.setSocketTimeout(SOCKET_SECONDS);
        }
        return source;
    }

    static Kind kind(String url) {
        if (url.startsWith(POSTGRESQL_URL)) {
            return Kind.POSTGRESQL;
        }
        if (url.startsWith(SQLITE_URL) && !url.contains(":memory:") && url.length() > SQLITE_URL.length()) {
            return Kind.SQLITE;
        }
        throw new AccountingException(("the ledger cannot be kept in '%s'; write jdbc:sqlite:/path/to/ledger.db or "
                        + "jdbc:postgresql://host/database")
                .formatted(url.replaceAll("password=[^&]*", "password=...")));
    }

    /** The file of a SQLite database; an AccountingException for PostgreSQL, naming what to use there. */
    static Path file(String url, String otherwise) {
        if (kind(url) == Kind.POSTGRESQL) {
            throw new AccountingException(otherwise);
        }
        String name = url.substring(SQLITE_URL.length());
        int parameters = name.indexOf('?');
        return Path.of(parameters < 0 ? name : name.substring(0, parameters));
    }

    /** Brings the schema up to date; the names of what was applied, oldest first. */
    static List<String> migrate(String url, String user, String password) {
        try {
            List<String> applied = new ArrayList<>();
            for (MigrateOutput migration : flyway(url, user, password).migrate().migrations) {
                applied.add("%s %s".formatted(migration.version, migration.description));
            }
            return applied;
        } catch (FlywayException e) {
            throw new AccountingException(
                    "the ledger's schema could not be brought up to date: %s; check the database's address and rights, "
                                    .formatted(e.getMessage())
                            + "or go back to the version that wrote it",
                    e);
        }
    }

    /** The names of what {@link #migrate} would apply. */
    static List<String> pending(String url, String user, String password) {
        try {
            List<String> pending = new ArrayList<>();
            for (MigrationInfo migration : flyway(url, user, password).info().pending()) {
                pending.add("%s %s".formatted(migration.getVersion(), migration.getDescription()));
            }
            return pending;
        } catch (FlywayException e) {
            throw new AccountingException(
                    "the ledger's schema could not be read: %s; check the database's address and rights"
                            .formatted(e.getMessage()),
                    e);
        }
    }

    private static Flyway flyway(String url, String user, String password) {
        String own = kind(url) == Kind.SQLITE ? "sqlite" : "postgresql";
        return Flyway.configure(Database.class.getClassLoader())
                .dataSource(source(url, user, password, false))
                .locations(SCHEMA + "common", SCHEMA + own)
                .loggers("slf4j")
                .load();
    }

    Kind kind() {
        return kind;
    }

    String url() {
        return url;
    }

    /** Does work in one transaction that no other writer's overlaps row by row; all of it or nothing. */
    <T> T write(Work<T> work) {
        return transaction(writers, work, "written to");
    }

    /**
     * As {@link #write}, for what must not wait long: a server that has gone without a word, or a lock that is not let
     * go of, ends it.
     */
    <T> T writeSoon(Duration most, Work<T> work) {
        if (kind == Kind.SQLITE) {
            return write(work);
        }
        return write(connection -> {
            try (var statement = connection.createStatement()) {
                statement.execute("SET LOCAL statement_timeout = " + most.toMillis());
                statement.execute("SET LOCAL lock_timeout = " + most.toMillis());
                // what is allotted must outlive the server's machine, whatever the database's default is
                statement.execute("SET LOCAL synchronous_commit = on");
            }
            // the pool takes this back
            connection.setNetworkTimeout(Runnable::run, Math.toIntExact(most.toMillis() + GRACE_MILLIS));
            return work.run(connection);
        });
    }

    /** The database's time, microseconds since 1970. */
    long micros(Connection connection) throws SQLException {
        String now = kind == Kind.POSTGRESQL
                ? "SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::BIGINT"
                : "SELECT CAST(unixepoch('subsec') * 1000000 AS INTEGER)";
        try (var statement = connection.createStatement();
                var rows = statement.executeQuery(now)) {
            rows.next();
            return rows.getLong(1);
        }
    }

    /** One server at a time decides of shared budgets, so that versions come in order; they are read meanwhile. */
    void lockSharedBudgets(Connection connection) throws SQLException {
        if (kind == Kind.POSTGRESQL) {
            try (var statement = connection.createStatement()) {
                statement.execute("LOCK TABLE shared_budget IN SHARE ROW EXCLUSIVE MODE");
            }
        }
    }

    /** Reads one state of the books. */
    <T> T read(Work<T> work) {
        return transaction(readers, work, "read");
    }

    /** Does work outside of a transaction. */
    <T> T alone(Work<T> work) {
        try (Connection connection = readers.getConnection()) {
            return work.run(connection);
        } catch (SQLException e) {
            throw failed("read", e);
        }
    }

    /** In PostgreSQL keeps all projections out until the transaction's end; SQLite has one writer anyway. */
    void lockBooks(Connection connection) throws SQLException {
        if (kind == Kind.POSTGRESQL) {
            // Every projection begins by reading this table, and holds that lock until it commits.
            try (var statement = connection.createStatement()) {
                statement.execute("LOCK TABLE period IN ACCESS EXCLUSIVE MODE");
            }
        }
    }

    private <T> T transaction(HikariDataSource pool, Work<T> work, String verb) {
        try (Connection connection = pool.getConnection()) {
            begin(connection, pool == writers);
            try {
                T result = pool == readers && patience.isPresent()
                        ? limited(connection, patience.get(), work)
                        : work.run(connection);
                end(connection, true);
                return result;
            } catch (SQLException | RuntimeException | Error e) {
                try {
                    end(connection, false);
                } catch (SQLException lost) {
                    e.addSuppressed(lost);
                }
                throw e;
            }
        } catch (SQLException e) {
            throw failed(verb, e);
        }
    }

    /** SQLite's driver would begin the next transaction with each commit, and so lock the file while it idles. */
    private void begin(Connection connection, boolean writing) throws SQLException {
        if (kind == Kind.POSTGRESQL) {
            connection.setAutoCommit(false);
            return;
        }
        try (var statement = connection.createStatement()) {
            // A transaction that reads before it writes could otherwise find the file changed in between.
            statement.execute(writing ? "BEGIN IMMEDIATE" : "BEGIN DEFERRED");
        }
    }

    private void end(Connection connection, boolean commit) throws SQLException {
        if (kind == Kind.POSTGRESQL) {
            if (commit) {
                connection.commit();
            } else {
                connection.rollback();
            }
            return;
        }
        try (var statement = connection.createStatement()) {
            statement.execute(commit ? "COMMIT" : "ROLLBACK");
        }
    }

    /** Stops what takes too long: by the server where there is one, by a look at the clock in this process. */
    private <T> T limited(Connection connection, Duration most, Work<T> work) throws SQLException {
        if (kind == Kind.POSTGRESQL) {
            try (var statement = connection.createStatement()) {
                statement.execute("SET LOCAL statement_timeout = " + most.toMillis());
            }
            // A server that has gone without a word cannot stop anything; the pool takes this back.
            connection.setNetworkTimeout(Runnable::run, Math.toIntExact(most.toMillis() + GRACE_MILLIS));
            return work.run(connection);
        }
        SQLiteConnection own = connection.unwrap(SQLiteConnection.class);
        long start = System.nanoTime();
        ProgressHandler.setHandler(own, SQLITE_STEPS, new ProgressHandler() {
            @Override
            protected int progress() {
                return System.nanoTime() - start > most.toNanos() ? 1 : 0;
            }
        });
        try {
            return work.run(connection);
        } finally {
            ProgressHandler.clearHandler(own);
        }
    }

    private AccountingException failed(String verb, SQLException e) {
        boolean stopped = e.getErrorCode() == SQLITE_INTERRUPT || POSTGRESQL_CANCELED.equals(e.getSQLState());
        if (patience.isPresent() && stopped) {
            return new AccountingException(
                    "the question to the ledger took longer than %d s and was stopped; ask about a shorter time"
                            .formatted(patience.get().toSeconds()),
                    new SQLTimeoutException(e));
        }
        return new AccountingException(
                "the ledger's database could not be %s: %s; check that it is up and has space"
                        .formatted(verb, e.getMessage()),
                e);
    }

    @Override
    public void close() {
        writers.close();
        readers.close();
    }
}
