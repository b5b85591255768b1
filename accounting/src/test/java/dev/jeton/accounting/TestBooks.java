package dev.jeton.accounting;

import dev.jeton.accounting.testing.PostgresServer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;

/** An empty database of either kind for one test, and means to look at it and to spoil it. */
final class TestBooks implements AutoCloseable {

    static final String USER = PostgresServer.USER;
    private static final List<String> TABLES = List.of(
            "node",
            "request",
            "allowance",
            "device_window",
            "line",
            "posting",
            "document",
            "period",
            "period_taken",
            "recost",
            "task",
            "step",
            "usage_hour",
            "device_hour");

    private static final Map<Database.Kind, String> TEMPLATES = new EnumMap<>(Database.Kind.class);
    private static final long RECOSTED = TestFacts.micros("2026-12-01T09:00:00Z");

    private final Database.Kind kind;
    private final Path folder;
    private final String url;
    private final Ledger ledger;
    private final List<Fact> recosts = new ArrayList<>();

    /** Makes one; the test is skipped where there is no PostgreSQL. */
    TestBooks(Database.Kind kind) {
        this.kind = kind;
        var server = kind == Database.Kind.POSTGRESQL ? PostgresServer.shared() : Optional.<PostgresServer>empty();
        Assumptions.assumeTrue(kind == Database.Kind.SQLITE || server.isPresent(), PostgresServer::missing);
        try {
            folder = Files.createTempDirectory("jeton-books");
            if (kind == Database.Kind.SQLITE) {
                url = "jdbc:sqlite:" + Files.copy(sqlite(), folder.resolve("ledger.db"));
            } else {
                url = server.orElseThrow().copy(postgresql(server.orElseThrow()));
            }
        } catch (IOException | SQLException e) {
            throw new AssertionError(e);
        }
        ledger = Ledger.open(url, USER, "");
    }

    /** An empty ledger of each kind, made once: to copy it is quicker than to migrate another. */
    private static Path sqlite() throws IOException {
        synchronized (TEMPLATES) {
            String file = TEMPLATES.get(Database.Kind.SQLITE);
            if (file == null) {
                Path made = Files.createTempFile("jeton-books", ".db");
                made.toFile().deleteOnExit();
                Ledger.migrate("jdbc:sqlite:" + made, "", "");
                file = made.toString();
                TEMPLATES.put(Database.Kind.SQLITE, file);
            }
            return Path.of(file);
        }
    }

    private static String postgresql(PostgresServer server) throws SQLException {
        synchronized (TEMPLATES) {
            String made = TEMPLATES.get(Database.Kind.POSTGRESQL);
            if (made == null) {
                made = server.create();
                Ledger.migrate(made, USER, "");
                TEMPLATES.put(Database.Kind.POSTGRESQL, made);
            }
            return made;
        }
    }

    Database.Kind kind() {
        return kind;
    }

    String url() {
        return url;
    }

    Path folder() {
        return folder;
    }

    Ledger ledger() {
        return ledger;
    }

    Connection raw() throws SQLException {
        return DriverManager.getConnection(url, USER, "");
    }

    /** Applies facts as a projection would, from number 1 on, in batches. */
    TestBooks apply(String node, List<Fact> facts) {
        return apply(node, facts, TestFacts.COSTINGS);
    }

    /** The same, by other prices. */
    TestBooks apply(String node, List<Fact> facts, Costings costings) {
        try (Database database = Database.open(url, USER, "")) {
            FactApplier applier = new FactApplier(node, costings);
            for (int from = 0; from < facts.size(); from += Projection.BATCH) {
                List<FactSource.Entry> batch =
                        TestFacts.entries(facts, from, Math.min(facts.size(), from + Projection.BATCH));
                applier.apply(database, batch);
            }
        }
        return this;
    }

    /** Costs a period again, as the journal of another node says. */
    TestBooks recost(String period, String priceBook, String content, Costings costings) {
        recosts.add(new Fact.Recosted(RECOSTED + recosts.size(), period, priceBook, content));
        return apply("operator", recosts, costings);
    }

    /** Every row of the books as text. */
    List<String> dump() {
        List<String> rows = new ArrayList<>();
        for (String table : TABLES) {
            rows.addAll(query("SELECT * FROM " + table).stream()
                    .map(row -> table + " " + row)
                    .sorted()
                    .toList());
        }
        return rows;
    }

    /** Rows as text, columns joined by commas. */
    List<String> query(String sql) {
        try (Connection connection = raw();
                var statement = connection.createStatement();
                ResultSet rows = statement.executeQuery(sql)) {
            List<String> result = new ArrayList<>();
            while (rows.next()) {
                List<String> columns = new ArrayList<>();
                for (int i = 1; i <= rows.getMetaData().getColumnCount(); i++) {
                    columns.add(rows.getString(i));
                }
                result.add(String.join(",", columns));
            }
            return result;
        } catch (SQLException e) {
            throw new AssertionError(sql, e);
        }
    }

    /** Changes the database by hand. */
    void execute(String... statements) throws SQLException {
        try (Connection connection = raw();
                var statement = connection.createStatement()) {
            for (String sql : statements) {
                statement.execute(sql);
            }
        }
    }

    /** Takes the guard of the postings away, as somebody would who tampers with them. */
    void unguard() throws SQLException {
        if (kind == Database.Kind.SQLITE) {
            execute("DROP TRIGGER posting_keeps", "DROP TRIGGER posting_stays");
        } else {
            execute("DROP TRIGGER posting_keeps ON posting");
        }
    }

    /** Waits until something is so. */
    static void await(BooleanSupplier condition) {
        long deadline = System.nanoTime() + 60_000_000_000L;
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() > deadline) {
                throw new AssertionError("waited for a minute");
            }
            Thread.yield();
        }
    }

    @Override
    public void close() {
        ledger.close();
        try (Stream<Path> files = Files.walk(folder)) {
            files.sorted(Comparator.reverseOrder())
                    .forEach(file -> file.toFile().delete());
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }
}
