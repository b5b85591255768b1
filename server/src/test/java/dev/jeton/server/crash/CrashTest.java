package dev.jeton.server.crash;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.accounting.testing.PostgresServer;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A server is killed while it answers; after a restart its books agree with what every client saw.
 * {@code -Djeton.crash.kills=100} kills more often, {@code -Djeton.crash.seed=7} otherwise: {@code benchmarks/crashes}
 * does.
 */
class CrashTest {

    @TempDir
    private Path folder;

    @Test
    void booksOnSqliteSurviveKills() throws Exception {
        survives("jdbc:sqlite:" + folder.resolve("ledger.db"), "", Integer.getInteger("jeton.crash.kills", 5));
    }

    @Test
    void booksOnPostgresqlSurviveKills() throws Exception {
        Optional<PostgresServer> postgres = PostgresServer.shared();
        Assumptions.assumeTrue(postgres.isPresent(), PostgresServer::missing);
        survives(postgres.get().create(), PostgresServer.USER, 2);
    }

    private void survives(String ledger, String user, int kills) throws Exception {
        long seed = Long.getLong("jeton.crash.seed", 1);
        CrashTally tally;
        try {
            tally = new CrashDrive(folder, ledger, user).run(seed, kills);
        } catch (AssertionError | RuntimeException e) {
            throw new AssertionError("seed %d: %s".formatted(seed, e.getMessage()), e);
        }
        System.err.println(tally);
        assertThat(tally.kills()).isEqualTo(kills);
        // Or nothing was proved.
        assertThat(tally.answered()).isPositive();
        assertThat(tally.aborted()).isPositive();
        assertThat(tally.confirmedOfAborted()).isPositive();
    }
}
