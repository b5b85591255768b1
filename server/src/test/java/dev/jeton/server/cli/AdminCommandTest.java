package dev.jeton.server.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.server.testing.AdminClient;
import dev.jeton.server.testing.FreePort;
import dev.jeton.server.testing.PemFiles;
import dev.jeton.server.testing.TestServer;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** {@code jeton admin} against a server. */
class AdminCommandTest {

    private record Run(int code, String out, String err) {}

    @TempDir
    private Path folder;

    private TestServer server;

    @BeforeEach
    void start() {
        server = AdminClient.in(folder).start();
    }

    @AfterEach
    void stop() {
        server.close();
    }

    private static Run run(String... arguments) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        CommandLine line = Jeton.commandLine();
        line.setOut(new PrintWriter(out, true));
        line.setErr(new PrintWriter(err, true));
        return new Run(line.execute(arguments), out.toString(), err.toString());
    }

    private Run admin(String... arguments) {
        List<String> all = new ArrayList<>(List.of("admin"));
        all.addAll(Arrays.asList(arguments));
        all.addAll(List.of("--url", new AdminClient(server).url(), "--admin-key", AdminClient.KEY));
        return run(all.toArray(String[]::new));
    }

    private Run well(String... arguments) {
        Run run = admin(arguments);
        assertThat(run.code()).as(run.err()).isZero();
        return run;
    }

    @Test
    void everyCommandHasHelpWithAnExample() {
        List<String> seen = new ArrayList<>();
        helpOf(Jeton.commandLine().getSubcommands().get("admin"), "admin", seen);
        assertThat(seen).hasSizeGreaterThan(30);
    }

    private static void helpOf(CommandLine command, String path, List<String> seen) {
        assertThat(command.getUsageMessage()).as(path).contains("Example: ").contains("jeton " + path);
        seen.add(path);
        command.getSubcommands().forEach((name, below) -> helpOf(below, path + " " + name, seen));
    }

    @Test
    void anAdaptersLifeFromTheCommandLine() throws Exception {
        server.close();
        Path adapter = Files.createDirectories(folder.resolve("root/loud"));
        Files.writeString(adapter.resolve("adapter_config.json"), "shout");
        Files.writeString(adapter.resolve("adapter_model.safetensors"), "numbers");
        server = AdminClient.in(folder)
                .set("admin.adapter-root", folder.resolve("root").toString())
                .start();
        assertThat(well("adapters", "add", "sql", "--model", "test-model", "--folder", "loud")
                        .out())
                .containsPattern("loaded: +true");
        assertThat(admin("adapters", "add", "sql", "--folder", "loud").err()).contains("already");
        well("adapters", "add", "sql", "--folder", "loud", "--replace");
        assertThat(well("adapters", "list").out()).containsPattern("sql +test-model +loud +true +1000 +admin");
        well("adapters", "remove", "sql");
        assertThat(well("adapters", "list").out()).doesNotContain("sql");
    }

    @Test
    void aTenantsLifeFromTheCommandLine() {
        well("tenants", "add", "acme", "--name", "Acme Ltd", "--project", "web", "--project", "batch");
        assertThat(well("tenants", "list").out()).containsPattern("acme +Acme Ltd +web batch +0 +false +admin");
        well("projects", "remove", "acme", "batch");
        assertThat(well("projects", "list", "acme").out()).contains("web").doesNotContain("batch");
        Run made = well("keys", "add", "acme", "laptop", "--project", "web", "--scope", "inference");
        assertThat(made.out()).containsPattern("secret: +jt-[0-9a-f]{64} +\\(shown this once\\)");
        assertThat(well("keys", "rotate", "acme", "laptop", "--overlap", "2h").out())
                .contains("formers:");
        assertThat(well("keys", "set", "acme", "laptop", "--disable", "--expires", "2099-01-01")
                        .out())
                .containsPattern("disabled: +true");
        assertThat(well("keys", "list", "acme").out()).containsPattern("laptop +web +inference +2099");
        well("keys", "remove", "acme", "laptop");
        well("tenants", "set", "acme", "--disable");
        well("tenants", "remove", "acme", "--reason", "contract ended");
        assertThat(well("audit", "--last", "1").out())
                .containsPattern("tenant.delete +acme +contract ended")
                .doesNotContain("tenant.create");
    }

    @Test
    void aBudgetsLifeFromTheCommandLine() {
        well(
                "budgets",
                "add",
                "day",
                "--level",
                "tenant",
                "--tenant",
                "default",
                "--unit",
                "output-tokens",
                "--window",
                "day",
                "--limit",
                "1000",
                "--ladder",
                "[{\"shorter\": {\"at-least\": 16}}]");
        assertThat(well("budgets", "set", "day", "--limit", "2000", "--mode", "soft", "--threshold", "90,100")
                        .out())
                .containsPattern("limit: +2000")
                .containsPattern("thresholds: +90 100")
                .containsPattern("ladder: +shorter=at-least=16");
        assertThat(well("budgets", "grace", "day", "--amount", "100", "--for", "1h", "--reason", "demo")
                        .out())
                .containsPattern("grace: +amount=100");
        assertThat(well("budgets", "grace", "day", "--amount", "0").out()).contains("grace:\n");
        assertThat(well("budgets", "kill", "day").out()).containsPattern("killed: +true");
        assertThat(well("budgets", "unkill", "day").out()).containsPattern("killed: +false");
        assertThat(well("budgets", "list", "--tenant", "default").out()).containsPattern("day +tenant +default");
        well("budgets", "remove", "day");
        well(
                "budgets",
                "add",
                "paid",
                "--level",
                "tenant",
                "--tenant",
                "default",
                "--unit",
                "requests",
                "--window",
                "prepaid");
        assertThat(well("budgets", "top-up", "paid", "--id", "i-1", "--amount", "5")
                        .out())
                .contains("id=i-1,amount=5");
    }

    @Test
    void pricesAndReservationsFromTheCommandLine() throws Exception {
        Path file = Files.writeString(
                folder.resolve("new.yaml"), well("prices", "show").out() + "egress: [{per-gb: 2}]\n");
        assertThat(well("prices", "put", file.toString(), "--reason", "2027").out())
                .containsPattern("in_force: +true");
        well("tenants", "add", "acme");
        String listed = well("reservations", "add", "--tenant", "acme", "--device", "cpu", "--share", "0.25")
                .out();
        String id = listed.lines().skip(1).findFirst().orElseThrow().split(" ")[0];
        assertThat(well("reservations", "remove", id).out()).doesNotContain("acme");
        assertThat(well("prices", "reset").out()).containsPattern("source: +file");
    }

    @Test
    void jsonIsTheServersAnswer() {
        assertThat(well("tenants", "list", "--json").out())
                .isEqualTo("{\"object\":\"list\",\"data\":[]}" + System.lineSeparator());
        assertThat(well("policy", "--json").out()).contains("\"version\":1");
    }

    @Test
    void aRefusalIsTheServersWordsAndAnExitCode() {
        Run refused = admin("keys", "add", "nobody", "k");
        assertThat(refused.code()).isEqualTo(1);
        assertThat(refused.err()).isEqualTo("jeton: There is no tenant 'nobody'" + System.lineSeparator());
        Run stranger = run("admin", "tenants", "list", "--url", new AdminClient(server).url(), "--admin-key", "x");
        assertThat(stranger.err()).contains("none of admin.keys");
        Run nowhere = run("admin", "tenants", "list", "--url", "http://127.0.0.1:" + FreePort.next());
        assertThat(nowhere.err()).contains("nobody listens at").contains("admin.port");
        assertThat(admin("tenants", "set", "a", "--enable", "--disable").err()).contains("contradict");
        assertThat(run("admin", "tenants", "list", "--url", "nonsense").err()).contains("is no URL");
        assertThat(admin("budgets", "set", "x", "--ladder", "[").code()).isEqualTo(1);
    }

    @Test
    void anAuthorityThatJavaDoesNotKnowIsNamed() throws Exception {
        PemFiles files = new PemFiles(folder);
        try (TestServer encrypted = AdminClient.in(folder.resolve("encrypted"))
                .set("tls.certificate", files.certificate.toString())
                .set("tls.key", files.key.toString())
                .start()) {
            String url = new AdminClient(encrypted).url().replace("http:", "https:");
            String[] list = {"admin", "tenants", "list", "--url", url, "--admin-key", AdminClient.KEY};
            Run stranger = run(list);
            assertThat(stranger.code()).isEqualTo(1);
            assertThat(stranger.err()).contains("not trusted").contains("--ca");
            List<String> known = new ArrayList<>(Arrays.asList(list));
            known.addAll(List.of("--ca", files.ca.toString()));
            assertThat(run(known.toArray(String[]::new)).code()).isZero();
            known.set(known.size() - 1, files.key.toString());
            assertThat(run(known.toArray(String[]::new)).err()).contains("--ca").contains(files.key.toString());
        }
    }
}
