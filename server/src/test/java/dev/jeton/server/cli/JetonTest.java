package dev.jeton.server.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

class JetonTest {

    private record Run(int code, String out, String err) {}

    private static Run run(String... arguments) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        CommandLine line = Jeton.commandLine();
        line.setOut(new PrintWriter(out, true));
        line.setErr(new PrintWriter(err, true));
        return new Run(line.execute(arguments), out.toString(), err.toString());
    }

    @Test
    void shouldShowAnExampleInEveryHelp() {
        for (String command : new String[] {"serve", "config", "engines", "version"}) {
            assertThat(run(command, "--help").out()).contains("Example: jeton " + command);
        }
        assertThat(run("--help").out()).contains("Example: jeton serve");
        assertThat(run("config", "check", "--help").out()).contains("Example: jeton config check");
    }

    @Test
    void shouldTellItsVersion() {
        assertThat(run("version").out()).startsWith("jeton ").contains("Java 2");
    }

    @Test
    void shouldShowEverySettingWithItsOriginAndNoKeys() {
        Run show = run("config", "show", "--set", "server.port=9000", "--set", "server.api-keys=hush-hush");
        assertThat(show.code()).isZero();
        assertThat(show.out())
                .containsPattern("server.port +9000 +# --set server.port")
                .containsPattern("server.host +127.0.0.1 +# default")
                .doesNotContain("hush-hush");
    }

    @Test
    void shouldShowNoPasswordsThatStandInAddresses() {
        Run show = run(
                "config",
                "show",
                "--set",
                "books.ledger=jdbc:postgresql://db/jeton?user=books&password=hush-hush&ssl=true",
                "--set",
                "tracing.endpoint=https://me:hush-hush@collector/v1/traces");
        assertThat(show.code()).isZero();
        assertThat(show.out())
                .contains("jdbc:postgresql://db/jeton?user=books&password=***&ssl=true")
                .contains("https://***@collector/v1/traces")
                .doesNotContain("hush-hush");
    }

    @Test
    void shouldCheckAFile(@TempDir Path folder) throws IOException {
        Path good = Files.writeString(folder.resolve("good.yaml"), "server: {port: 1}");
        Path bad = Files.writeString(folder.resolve("bad.yaml"), "server: {prot: 1}");
        assertThat(run("config", "check", "--config", good.toString()).code()).isZero();
        Run check = run("config", "check", "--config", bad.toString());
        assertThat(check.code()).isEqualTo(1);
        assertThat(check.err()).contains("jeton: unknown key 'server.prot'").contains("'server.port'");
    }

    @Test
    void shouldSayWhatToDoWhereAModelIsMissing() {
        Run serve = run("serve", "--model", "no/such-model-here", "--set", "log.level=error");
        assertThat(serve.code()).isEqualTo(1);
        assertThat(serve.err()).startsWith("jeton: ").contains("no/such-model-here");
    }

    @Test
    void shouldLetGoOfItsBooksWhereItCannotStart(@TempDir Path folder) {
        for (int i = 0; i < 2; i++) {
            Run serve = run(
                    "serve", "--model", "no/such-model-here", "--books", folder.toString(), "--set", "log.level=error");
            assertThat(serve.err()).startsWith("jeton: ").contains("no/such-model-here");
        }
    }

    @Test
    void shouldRefuseAnUnknownOption() {
        assertThat(run("serve", "--prot", "1").code()).isEqualTo(2);
    }
}
