package dev.jeton.server.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ConfigurationTest {

    @TempDir
    private Path folder;

    private Path yaml(String text) throws IOException {
        return Files.writeString(folder.resolve("jeton.yaml"), text);
    }

    private Settings load(String text) throws IOException {
        return new ConfigurationLoader(Map.of()).file(yaml(text)).load();
    }

    @Test
    void shouldReadAFile() throws IOException {
        Configuration configuration = load("""
                server:
                  port: 9000
                  api-keys: [a, b]
                  drain-timeout: 1m
                http:
                  max-body: 2MiB
                models:
                  - path: some/folder
                    name: mine
                    kv-memory: 1GiB
                    kv-host-memory: 64GiB
                  - path: other
                """).configuration();
        assertThat(configuration.server().port()).isEqualTo(9_000);
        assertThat(configuration.server().apiKeys()).containsExactly("a", "b");
        assertThat(configuration.server().drainTimeout()).isEqualTo(Duration.ofMinutes(1));
        assertThat(configuration.http().maxBody()).isEqualTo(2 << 20);
        assertThat(configuration.models()).hasSize(2);
        assertThat(configuration.models().getFirst().name()).isEqualTo("mine");
        assertThat(configuration.models().getFirst().kvBytes()).isEqualTo(1L << 30);
        assertThat(configuration.models().getFirst().hostKvBytes()).isEqualTo(64L << 30);
        assertThat(configuration.models().getLast().hostKvBytes()).isZero();
        assertThat(configuration.models().getLast().kvBytes()).isZero();
    }

    @Test
    void shouldLetTheEnvironmentWinOverTheFileAndAFlagOverBoth() throws IOException {
        Path file = yaml("server: {port: 1, host: a, max-requests: 3}");
        Settings settings = new ConfigurationLoader(Map.of("JETON_SERVER_PORT", "2", "JETON_SERVER_HOST", "b"))
                .file(file)
                .flag("server.port", "3", "--port")
                .load();
        assertThat(settings.values().get("server.port")).isEqualTo(new Resolved("3", "--port"));
        assertThat(settings.values().get("server.host")).isEqualTo(new Resolved("b", "JETON_SERVER_HOST"));
        assertThat(settings.values().get("server.max-requests")).isEqualTo(new Resolved("3", "jeton.yaml:1"));
        assertThat(settings.values().get("log.level").origin()).isEqualTo("default");
    }

    @Test
    void shouldGiveModelsTheEnginesSettingsUnlessTheySetTheirOwn() throws IOException {
        Configuration configuration = load("""
                engine: {threads: 3, quantize: q8_0}
                models: [{path: x, threads: 1}]
                """).configuration();
        assertThat(configuration.models().getFirst().threads()).isEqualTo(1);
        assertThat(configuration.models().getFirst().quantize()).isEqualTo("q8_0");
    }

    @Test
    void shouldGiveEachModelItsOwnAdaptersInTheirOrder() throws IOException {
        Path file = Files.writeString(folder.resolve("jeton.yaml"), """
                models:
                  - path: /models/a
                    adapters: [sql=/adapters/sql, chat=/adapters/chat]
                  - path: /models/b
                """);
        Configuration configuration =
                new ConfigurationLoader(Map.of()).file(file).load().configuration();
        assertThat(configuration.models().get(0).adapters())
                .containsExactly(Map.entry("sql", "/adapters/sql"), Map.entry("chat", "/adapters/chat"));
        assertThat(configuration.models().get(1).adapters()).isEmpty();
    }

    @Test
    void shouldSayHowAdaptersAreNamed() {
        for (String wrong : List.of("sql", "=/adapters/sql", "sql=", "a=/x,,b")) {
            assertThatThrownBy(() -> Configuration.of(Map.of("engine.adapters", wrong)))
                    .as(wrong)
                    .hasMessageContaining("entries NAME=FOLDER are expected");
        }
        assertThatThrownBy(() -> Configuration.of(Map.of("engine.adapters", "a=/x,a=/y")))
                .hasMessageContaining("two adapters are named 'a'");
    }

    @Test
    void shouldSuggestTheNearestKeyForAnUnknownOne() {
        assertThatThrownBy(() -> load("server:\n  prot: 9000\n"))
                .hasMessage("unknown key 'server.prot' (jeton.yaml:2); did you mean 'server.port'?");
        assertThatThrownBy(() -> load("models: [{path: x, thread: 2}]"))
                .hasMessageContaining("did you mean 'threads'?");
        assertThatThrownBy(() -> new ConfigurationLoader(Map.of("JETON_SERVER_PROT", "1")).load())
                .hasMessageContaining("did you mean 'JETON_SERVER_PORT'?");
        assertThatThrownBy(() -> Configuration.of(Map.of("http.max-bdy", "1")))
                .hasMessageContaining("did you mean 'http.max-body'?");
    }

    @Test
    void shouldSayWhereAWrongValueStandsAndWhatIsExpected() {
        assertThatThrownBy(() -> load("server:\n  port: many\n"))
                .hasMessage("'server.port' is 'many' (jeton.yaml:2): a whole number is expected");
        assertThatThrownBy(() -> load("server: {port: 70000}")).hasMessageContaining("between 0 and 65535");
        assertThatThrownBy(() -> load("server: {drain-timeout: 30}")).hasMessageContaining("a duration with its unit");
        assertThatThrownBy(() -> load("http: {max-body: 2Gb}")).hasMessageContaining("a size is expected");
        assertThatThrownBy(() -> load("http: {max-body: 2TiB}")).hasMessageContaining("between 1KiB and 1GiB");
        assertThatThrownBy(() -> load("metrics: {vllm-names: maybe}")).hasMessageContaining("true or false");
        assertThatThrownBy(() -> load("log: {level: loud}")).hasMessageContaining("one of error, warn, info, debug");
        assertThatThrownBy(() -> load("models: [{name: x}]")).hasMessageContaining("has no 'path'");
    }

    @Test
    void shouldRefuseAFileThatIsNoConfiguration() {
        assertThatThrownBy(() -> load("server: 5")).isInstanceOf(ConfigException.class);
        assertThatThrownBy(() -> load("- a")).isInstanceOf(ConfigException.class);
        assertThatThrownBy(() -> load("server: {port: 1, port: 2}")).isInstanceOf(ConfigException.class);
        assertThatThrownBy(() -> load("a: [")).isInstanceOf(ConfigException.class);
        assertThatThrownBy(() -> load("models: [a]")).isInstanceOf(ConfigException.class);
        assertThatThrownBy(() -> new ConfigurationLoader(Map.of()).file(folder.resolve("none.yaml")))
                .hasMessageContaining("cannot read");
    }

    @Test
    void shouldTakeAnEmptyFileAsNoSettings() throws IOException {
        assertThat(load("").configuration().server().port()).isEqualTo(8_000);
        assertThat(load("# nothing\n").configuration().models()).isEmpty();
    }

    @Test
    void shouldHaveDefaultsThatPassTheirOwnChecks() {
        assertThat(Configuration.of(Map.of()).limits().maxN()).isEqualTo(128);
    }

    @Test
    void shouldNotPrintKeys() {
        assertThat(Configuration.of(Map.of("server.api-keys", "secret")).toString())
                .doesNotContain("secret");
    }

    @Test
    void shouldSayWhichListOrSectionIsMeant() {
        assertThatThrownBy(() -> load("modles:\n  - path: x"))
                .hasMessageContaining("there is no section 'modles'; did you mean 'models'?");
        assertThatThrownBy(() -> load("servre: 5"))
                .hasMessageContaining("there is no section 'servre'; did you mean 'server'?");
        assertThatThrownBy(() -> load("server: 5")).hasMessageContaining("'server' is a section");
    }

    @Test
    void shouldNotServeEverybodyWhereAKeyIsGivenThatIsEmpty() {
        assertThatThrownBy(() -> Configuration.of(Map.of("server.api-keys", "")))
                .hasMessageContaining("'server.api-keys' is given and names no key");
        assertThatThrownBy(() -> Configuration.of(Map.of("server.api-keys", " , ")))
                .hasMessageContaining("names no key");
        assertThatThrownBy(() -> new ConfigurationLoader(Map.of("JETON_SERVER_API_KEYS", "")).load())
                .hasMessageContaining("JETON_SERVER_API_KEYS");
    }

    @Test
    void shouldNotPrintASecretThatDoesNotFit() {
        assertThatThrownBy(() -> Configuration.of(Map.of("webhooks.secret", "hush-hush")))
                .hasMessageContaining("at least 24 bytes")
                .hasMessageNotContaining("hush");
    }

    @Test
    void shouldRefuseAnAdminApiThatNobodyCouldUseOrThatWouldForget() {
        String keys = "ops:" + "0".repeat(64);
        assertThatThrownBy(() -> Configuration.of(Map.of("admin.port", "8001")))
                .hasMessageContaining("'admin.keys' is not");
        assertThatThrownBy(() -> Configuration.of(Map.of("admin.port", "8001", "admin.keys", keys)))
                .hasMessageContaining("books.folder");
        assertThatThrownBy(() -> Configuration.of(Map.of("admin.keys", "ops:secret")))
                .hasMessageContaining("ID:SHA256");
        assertThatThrownBy(() -> Configuration.of(Map.of("admin.keys", keys + ",other:" + "0".repeat(64))))
                .hasMessageContaining("twice");
        assertThat(Configuration.of(Map.of("admin.port", "1", "admin.keys", keys, "books.folder", "x"))
                        .admin()
                        .keys())
                .isEqualTo(Map.of("0".repeat(64), "ops"));
    }

    @Test
    void shouldRefuseWebhooksThatNobodyCouldTrust() {
        assertThatThrownBy(() -> Configuration.of(Map.of("webhooks.url", "http://localhost/hook")))
                .hasMessageContaining("'webhooks.secret' is not");
        assertThatThrownBy(() -> Configuration.of(Map.of("webhooks.secret", "short")))
                .hasMessageContaining("at least 24 bytes");
        assertThat(Configuration.of(Map.of("webhooks.secret", "whsec_" + "AAAA".repeat(8)))
                        .webhooks()
                        .key())
                .isEqualTo(new byte[24]);
    }
}
