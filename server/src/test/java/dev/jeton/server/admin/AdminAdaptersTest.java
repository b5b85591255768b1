package dev.jeton.server.admin;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.VectorSpec;
import dev.jeton.server.config.Tenant;
import dev.jeton.server.testing.AdminClient;
import dev.jeton.server.testing.ByteTokenizer;
import dev.jeton.server.testing.Eventually;
import dev.jeton.server.testing.PrometheusText;
import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import java.io.IOException;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Adapters that come and go while requests are answered. */
class AdminAdaptersTest {

    private static final String LONG = "a prompt of several blocks that is always the same ".repeat(3);

    @TempDir
    private Path folder;

    private TestServer server;
    private AdminClient admin;

    @BeforeEach
    void start() throws IOException {
        adapter("root/loud", "shout");
        adapter("root/quiet", "whisper");
        adapter("elsewhere", "shout");
        server = builder().start();
        admin = new AdminClient(server);
    }

    private TestServer.Builder builder() {
        return AdminClient.in(folder)
                .adapter("filed")
                .set("server.api-keys", "key")
                .set("admin.adapter-root", folder.resolve("root").toString())
                .set("admin.max-adapters", "2")
                .set("metrics.vllm-names", "true");
    }

    private Path adapter(String name, String says) throws IOException {
        Path place = Files.createDirectories(folder.resolve(name));
        Files.writeString(place.resolve("adapter_config.json"), says);
        Files.writeString(place.resolve("adapter_model.safetensors"), "numbers");
        return place;
    }

    private void restart() {
        server.close();
        server = builder().start();
        admin = new AdminClient(server);
    }

    @AfterEach
    void stop() {
        server.close();
    }

    private Answer load(String name, String from) {
        return admin.post("adapters", "{'name':'%s','model':'test-model','folder':'%s'}".formatted(name, from));
    }

    private Answer complete(String model, String prompt) {
        return server.send(server.request("/v1/completions")
                .header("authorization", "Bearer key")
                .POST(BodyPublishers.ofString(
                        "{\"model\": \"%s\", \"prompt\": \"%s\", \"max_tokens\": 20}".formatted(model, prompt))));
    }

    private String says(String model) {
        return (String) complete(model, "say:Good day").at("choices.0.text");
    }

    private static void assertError(Answer answer, int status, String text) {
        assertThat(answer.status()).as(answer.body()).isEqualTo(status);
        assertThat(String.valueOf(answer.at("error.message"))).contains(text);
    }

    private PrometheusText metrics() {
        return PrometheusText.parse(
                server.send(server.request("/metrics").GET()).body());
    }

    @Test
    void servesAnAdapterFromWhenItIsLoadedUntilItIsUnloaded() {
        assertError(complete("sql", "say:x"), 404, "does not exist");

        Answer loaded = load("sql", "loud");
        assertThat(loaded.status()).as(loaded.body()).isEqualTo(201);
        assertThat(loaded.at("loaded")).isEqualTo(true);
        assertThat(loaded.at("bytes")).isEqualTo(1_000L);
        assertThat(says("sql")).isEqualTo("GOOD DAY");
        assertThat(says("test-model")).isEqualTo("Good day");
        Answer models = server.send(server.request("/v1/models/sql")
                .header("authorization", "Bearer key")
                .GET());
        assertThat(models.at("parent")).isEqualTo("test-model");

        assertThat(admin.delete("adapters/sql").at("deleted")).isEqualTo(true);
        assertError(complete("sql", "say:x"), 404, "does not exist");
        assertError(admin.delete("adapters/sql"), 404, "no adapter 'sql'");
    }

    @Test
    void keepsNoCarrierOfVirtualThreadsWhileItReads() {
        assertThat(load("sql", "loud").status()).isEqualTo(201);
        assertThat(server.engine().readByVirtualThread()).isFalse();
    }

    @Test
    void requestsThroughAnUnloadedAdapterFinishAndItsMemoryIsCountedUntilThen() {
        load("sql", "loud");
        server.engine().hold();
        CompletableFuture<Answer> running = CompletableFuture.supplyAsync(() -> complete("sql", "say:Good day"));
        server.engine().allow(2);
        Eventually.until("it is running", () -> server.engine().stepsRun() >= 2);

        assertThat(admin.delete("adapters/sql").status()).isEqualTo(200);
        assertError(complete("sql", "say:x"), 404, "does not exist");
        assertThat(metrics().value("jeton_adapters_loaded")).isZero();
        assertThat(metrics().value("jeton_adapters_loaded_bytes")).isEqualTo(1_000);

        server.engine().release();
        assertThat(running.join().at("choices.0.text")).isEqualTo("GOOD DAY");
        Eventually.until("its memory is given back", () -> metrics().value("jeton_adapters_loaded_bytes") == 0);
        assertThat(says("test-model")).isEqualTo("Good day");
    }

    @Test
    void findsNoPrefixOfAnotherThatHadItsName() {
        load("sql", "loud");
        complete("sql", LONG);
        assertThat((long) complete("sql", LONG).at("usage.prompt_tokens_details.cached_tokens"))
                .isGreaterThan(100);
        admin.delete("adapters/sql");
        load("sql", "quiet");
        assertThat(complete("sql", LONG).at("usage.prompt_tokens_details.cached_tokens"))
                .isEqualTo(0L);
        assertThat(says("sql")).isEqualTo("good day");
    }

    @Test
    void replacesOneOnlyWhereThatIsSaid() {
        load("sql", "loud");
        assertError(load("sql", "quiet"), 409, "already");
        assertThat(says("sql")).isEqualTo("GOOD DAY");

        Answer replaced = admin.post("adapters", "{'name':'sql','folder':'quiet','replace':true}");
        assertThat(replaced.status()).as(replaced.body()).isEqualTo(201);
        assertThat(replaced.at("folder")).isEqualTo("quiet");
        assertThat(says("sql")).isEqualTo("good day");
        Eventually.until("the first is given up", () -> metrics().value("jeton_adapters_loaded_bytes") == 1_000);
    }

    @Test
    void answersThroughTheNewOneARequestWhosePromptIsBeingMadeWhileItsAdapterIsReplaced() {
        server.close();
        CountDownLatch rendering = new CountDownLatch(1);
        CountDownLatch replaced = new CountDownLatch(1);
        server = builder()
                .template((messages, tools, opened, variables) -> {
                    if (messages.toString().contains("slow")) {
                        rendering.countDown();
                        await(replaced);
                    }
                    return "say:Good day\n";
                })
                .start();
        admin = new AdminClient(server);
        load("sql", "loud");
        CompletableFuture<Answer> asked =
                CompletableFuture.supplyAsync(() -> server.send(server.request("/v1/chat/completions")
                        .header("authorization", "Bearer key")
                        .POST(BodyPublishers.ofString("""
                                {"model": "sql", "messages": [{"role": "user", "content": "slow"}]}"""))));
        await(rendering);
        assertThat(admin.post("adapters", "{'name':'sql','folder':'quiet','replace':true}")
                        .status())
                .isEqualTo(201);
        Eventually.until("the first is given up", () -> metrics().value("jeton_adapters_loaded_bytes") == 1_000);
        replaced.countDown();

        Answer answer = asked.join();
        assertThat(answer.status()).as(answer.body()).isEqualTo(200);
        assertThat(answer.at("choices.0.message.content")).isEqualTo("good day");
    }

    private static void await(CountDownLatch latch) {
        try {
            assertThat(latch.await(20, TimeUnit.SECONDS)).isTrue();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    void servesAfterARestartWhatWasLoadedBeforeIt() {
        load("sql", "loud");
        load("chat", "quiet");
        admin.delete("adapters/chat");
        restart();
        assertThat(says("sql")).isEqualTo("GOOD DAY");
        assertThat(complete("chat", "say:x").status()).isEqualTo(404);
        assertThat(admin.get("audit").body()).contains("adapter.load", "adapter.unload");
    }

    @Test
    void startsWithoutAnAdapterWhoseFolderIsGoneAndSaysSo() throws IOException {
        load("sql", "loud");
        Files.delete(folder.resolve("root/loud/adapter_config.json"));
        restart();
        assertThat(complete("sql", "say:x").status()).isEqualTo(404);
        assertThat(admin.get("adapters/sql").at("loaded")).isEqualTo(false);
        assertThat(says("test-model")).isEqualTo("Good day");
        assertThat(admin.delete("adapters/sql").status()).isEqualTo(200);
    }

    @ParameterizedTest
    @MethodSource("unreadable")
    void staysWithoutAnAdapterThatItFailsToRead(byte[] config) throws IOException {
        load("sql", "loud");
        Files.write(folder.resolve("root/loud/adapter_config.json"), config);
        restart();
        assertThat(admin.get("adapters/sql").at("loaded")).isEqualTo(false);
        assertThat(says("test-model")).isEqualTo("Good day");
        assertError(admin.post("adapters", "{'name':'sql','folder':'loud','replace':true}"), 500, "its log says why");
        assertThat(load("chat", "quiet").status()).isEqualTo(201);
    }

    private static List<byte[]> unreadable() {
        return List.of("hoard".getBytes(StandardCharsets.UTF_8), new byte[] {(byte) 0xff});
    }

    @ParameterizedTest
    @ValueSource(strings = {"../elsewhere", "%s/elsewhere", "/etc", ".", "loud/../../elsewhere", "link", "halves"})
    void loadsNothingFromOutsideItsRoot(String from) throws IOException {
        Files.createSymbolicLink(folder.resolve("root/link"), folder.resolve("elsewhere"));
        Path halves = adapter("root/halves", "shout");
        Files.delete(halves.resolve("adapter_model.safetensors"));
        Files.createSymbolicLink(
                halves.resolve("adapter_model.safetensors"), folder.resolve("elsewhere/adapter_model.safetensors"));

        assertError(load("sql", from.formatted(folder)), 400, "must be below admin.adapter-root");
        assertThat(complete("sql", "say:x").status()).isEqualTo(404);
    }

    @Test
    void saysWhatIsWrongWithAFolder() throws IOException {
        adapter("root/mute", "nothing");
        assertError(load("sql", "nowhere"), 400, "no adapter in 'folder'");
        assertError(load("sql", "mute"), 400, "does not nothing");
        assertError(
                admin.post("adapters", "{'name':'sql','model':'filed','folder':'loud'}"), 400, "there are: test-model");
        assertThat(admin.get("adapters").body()).doesNotContain("sql");
    }

    @Test
    void hasABoundOfAdaptersAndTellsHowNearItIs() {
        load("one", "loud");
        load("two", "quiet");
        assertError(load("three", "loud"), 409, "admin.max-adapters");
        assertThat(metrics().value("jeton_adapters_loaded")).isEqualTo(2);
        assertThat(metrics().value("jeton_adapters_loaded_bound")).isEqualTo(2);
        admin.delete("adapters/one");
        assertThat(load("three", "loud").status()).isEqualTo(201);
    }

    @Test
    void hasABoundOfTheirMemory() throws IOException {
        Path weights = folder.resolve("root/loud/adapter_model.safetensors");
        Files.write(weights, new byte[2 << 20]);
        server.close();
        server = builder().set("admin.adapter-memory", "1MiB").start();
        admin = new AdminClient(server);
        assertError(load("sql", "loud"), 409, "admin.adapter-memory");
        adapter("root/swelling", "swell");
        assertError(load("sql", "swelling"), 409, "more than 1,048,576 bytes in memory");
        assertThat(load("chat", "quiet").status()).isEqualTo(201);
    }

    @Test
    void leavesThoseOfTheConfigurationAlone() {
        assertError(admin.delete("adapters/filed"), 409, "jeton.yaml");
        assertError(load("filed", "loud"), 409, "jeton.yaml");
        assertError(load("test-model", "loud"), 409, "jeton.yaml");
        Answer all = admin.get("adapters");
        assertThat(all.at("data.0.name")).isEqualTo("filed");
        assertThat(all.at("data.0.source")).isEqualTo("file");
    }

    @Test
    void isNoModelThatABudgetMayCountOn() {
        load("sql", "loud");
        String budget = "{'id':'day','level':'tenant','tenant':'default','unit':'requests','window':'day','limit':1,"
                + "'ladder':[{'cheaper':{'model':'%s'}}]}";
        assertError(admin.post("budgets", budget.formatted("sql")), 400, "may be unloaded at any time");
        assertError(admin.post("budgets", budget.formatted("sqk")), 400, "No model is served as 'sqk'");
        assertThat(admin.post("budgets", budget.formatted("filed")).status()).isEqualTo(201);
    }

    @Test
    void changesNothingWhereThePolicyHasAnotherVersion() {
        String body = "{\"name\": \"sql\", \"folder\": \"loud\"}";
        Answer answer = admin.send(
                admin.request("/admin/v1/adapters").header("if-match", "\"77\"").POST(BodyPublishers.ofString(body)));
        assertThat(answer.status()).isEqualTo(412);
        assertThat(complete("sql", "say:x").status()).isEqualTo(404);
        assertThat(metrics().value("jeton_adapters_loaded_bytes")).isZero();
    }

    @Test
    void isAskedWithAnAdminKeyOnly() {
        for (String key : List.of("key", "nobody")) {
            assertThat(Tenant.Key.digest(key)).isNotEqualTo(Tenant.Key.digest(AdminClient.KEY));
            assertThat(server.send(java.net.http.HttpRequest.newBuilder(
                                            java.net.URI.create(admin.url() + "/admin/v1/adapters"))
                                    .header("authorization", "Bearer " + key)
                                    .POST(BodyPublishers.ofString("{}")))
                            .status())
                    .isEqualTo(401);
        }
    }

    @Test
    void countsUnderTheModelThatTheNameIsAnAdapterOfNow() {
        server.close();
        server = builder().alias("other").start();
        admin = new AdminClient(server);
        load("sql", "loud");
        says("sql");
        double first = metrics().value("vllm:generation_tokens_total", "model_name=\"test-model\"");
        admin.delete("adapters/sql");

        assertThat(admin.post("adapters", "{'name':'sql','model':'other','folder':'loud'}")
                        .status())
                .isEqualTo(201);
        says("sql");

        assertThat(metrics().value("vllm:generation_tokens_total", "model_name=\"other\""))
                .isEqualTo(first)
                .isPositive();
        assertThat(metrics().value("vllm:generation_tokens_total", "model_name=\"test-model\""))
                .isEqualTo(first);
        assertThat(metrics().value("jeton_tokens_generated_total", "model=\"sql\""))
                .isEqualTo(2 * first);
    }

    @Test
    void tellsBalancersWhichThereAreNow() {
        load("sql", "loud");
        assertThat(metrics().value("vllm:lora_requests_info", "running_lora_adapters=\"filed,sql\""))
                .isPositive();
        admin.delete("adapters/sql");
        assertThat(server.send(server.request("/metrics").GET()).body())
                .doesNotContain("filed,sql")
                .contains("running_lora_adapters=\"filed\"");
    }

    @Test
    void answersThroughTheRightOneOrNotAtAllWhileTheyComeAndGo() throws InterruptedException {
        List<String> wrong = Collections.synchronizedList(new ArrayList<>());
        AtomicBoolean over = new AtomicBoolean();
        AtomicInteger answered = new AtomicInteger();
        List<Thread> clients = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            clients.add(Thread.ofVirtual().start(() -> {
                while (!over.get()) {
                    Answer answer = complete("sql", "say:Good day");
                    String text = String.valueOf(answer.at("choices.0.text"));
                    boolean right = answer.status() == 200
                            ? text.equals("GOOD DAY") || text.equals("good day")
                            : answer.status() == 404;
                    answered.addAndGet(answer.status() == 200 ? 1 : 0);
                    if (!right) {
                        wrong.add(answer.body());
                    }
                }
            }));
        }
        for (int i = 0; i < 15; i++) {
            assertThat(load("sql", "loud").status()).isEqualTo(201);
            int before = answered.get();
            Eventually.until("it answers", () -> answered.get() > before || !wrong.isEmpty());
            assertThat(admin.post("adapters", "{'name':'sql','folder':'quiet','replace':true}")
                            .status())
                    .isEqualTo(201);
            assertThat(admin.delete("adapters/sql").status()).isEqualTo(200);
        }
        over.set(true);
        for (Thread client : clients) {
            client.join();
        }
        assertThat(wrong).isEmpty();
        Eventually.until("all are given up", () -> metrics().value("jeton_adapters_loaded_bytes") == 0);
    }

    @Test
    void saysThatAnEngineTakesThoseOfItsStartOnly() {
        server.close();
        VectorSpec spec = new VectorSpec(
                VectorSpec.Kind.EMBEDDING,
                "Test",
                ByteTokenizer.SIZE,
                64,
                4,
                4,
                List.of(),
                List.of(),
                VectorSpec.Scores.NONE,
                0,
                -1,
                "");
        server = AdminClient.in(folder)
                .set("admin.adapter-root", folder.resolve("root").toString())
                .contextLength(64)
                .vectors(spec, tokens -> new float[4])
                .start();
        admin = new AdminClient(server);
        assertError(load("sql", "loud"), 400, "only at its start");
        assertThat(admin.get("adapters").body()).doesNotContain("sql");
    }

    @Test
    void loadsNothingWhereNoRootIsConfigured() {
        server.close();
        server = builder().set("admin.adapter-root", "").start();
        admin = new AdminClient(server);
        assertError(load("sql", "loud"), 409, "admin.adapter-root");
    }
}
