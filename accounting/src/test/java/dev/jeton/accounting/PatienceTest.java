package dev.jeton.accounting;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.SQLTimeoutException;
import java.time.Duration;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class PatienceTest {

    /** Counts for ever. */
    private static final String ENDLESS =
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT 1 FROM n) SELECT COUNT(*) FROM n";

    private static long one(Connection connection, String sql) throws SQLException {
        try (var statement = connection.createStatement();
                ResultSet rows = statement.executeQuery(sql)) {
            rows.next();
            return rows.getLong(1);
        }
    }

    @ParameterizedTest
    @EnumSource(Database.Kind.class)
    void aQuestionWithoutEndIsStoppedAndTheConnectionIsAsGoodAsBefore(Database.Kind kind) {
        try (TestBooks books = new TestBooks(kind);
                Database database = Database.open(books.url(), TestBooks.USER, "")) {
            Database patient = database.patient(Duration.ofMillis(200));

            assertThatThrownBy(() -> patient.read(connection -> one(connection, ENDLESS)))
                    .isInstanceOf(AccountingException.class)
                    .hasMessageContaining("ask about a shorter time")
                    .hasCauseInstanceOf(SQLTimeoutException.class);

            assertThat(patient.<Long>read(connection -> one(connection, "SELECT COUNT(*) FROM request")))
                    .isZero();
            assertThat(database.<Long>read(connection -> one(connection, "SELECT COUNT(*) FROM request")))
                    .isZero();
        }
    }
}
