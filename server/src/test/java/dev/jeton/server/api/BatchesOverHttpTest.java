package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.server.testing.Eventually;
import dev.jeton.server.testing.PrometheusText;
import dev.jeton.server.testing.RawClient;
import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import dev.jeton.server.testing.TwoTenants;
import java.io.IOException;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Files and batches as tenants ask for them, with books. */
class BatchesOverHttpTest {

    private static final String BOUNDARY = "b0undary";

    @TempDir
    private Path folder;

    private TestServer server;

    @BeforeEach
    void start() {
        server = TwoTenants.in(folder)
                .set("batches.folder", folder.resolve("kept").toString())
                .set("batches.max-file", "100KiB")
                .start();
    }

    @AfterEach
    void stop() {
        server.close();
    }

    private static String field(String name, String value) {
        return "--%s\r\ncontent-disposition: form-data; name=\"%s\"\r\n\r\n%s\r\n".formatted(BOUNDARY, name, value);
    }

    private static String file(String name, String text) {
        return "--%s\r\ncontent-disposition: form-data; name=\"file\"; filename=\"%s\"\r\ncontent-type: text/plain\r\n\r\n%s\r\n"
                .formatted(BOUNDARY, name, text);
    }

    private static final String END = "--" + BOUNDARY + "--\r\n";

    private Answer post(String key, String path, String type, String body) {
        return server.send(server.request(path)
                .header("authorization", "Bearer " + key)
                .header("content-type", type)
                .header("x-jeton-labels", "team=search")
                .POST(BodyPublishers.ofString(body)));
    }

    private Answer upload(String key, String form) {
        return post(key, "/v1/files", "multipart/form-data; boundary=" + BOUNDARY, form);
    }

    private Answer json(String key, String path, String json) {
        return post(key, path, "application/json", json.replace('\'', '"'));
    }

    private static String line(String id) {
        return "{\"custom_id\":\"%s\",\"method\":\"POST\",\"url\":\"/v1/completions\",\"body\":{\"model\":\"test-model\",\"prompt\":\"say:%s\",\"max_tokens\":3}}"
                .formatted(id, id);
    }

    private static String lines(int count) {
        return IntStream.range(0, count).mapToObj(i -> line("r" + i)).collect(Collectors.joining("\n"));
    }

    private String sent(String key, int requests) {
        Answer answer = upload(key, field("purpose", "batch") + file("in.jsonl", lines(requests)) + END);
        assertThat(answer.status()).as(answer.body()).isEqualTo(200);
        return String.valueOf(answer.at("id"));
    }

    private Answer create(String key, String file) {
        return json(
                key,
                "/v1/batches",
                "{'input_file_id':'%s','endpoint':'/v1/completions','completion_window':'24h'}".formatted(file));
    }

    private Answer ended(String key, String id) {
        Eventually.until(
                "the batch has ended",
                () -> TwoTenants.get(server, key, "/v1/batches/" + id).body().contains("\"usage\":"));
        return TwoTenants.get(server, key, "/v1/batches/" + id);
    }

    @Test
    void booksEachRequestForWhoAskedUnderTheBatchsLabel() {
        Answer created = create(TwoTenants.RED, sent(TwoTenants.RED, 5));
        assertThat(created.status()).as(created.body()).isEqualTo(200);
        String id = String.valueOf(created.at("id"));
        Answer batch = ended(TwoTenants.RED, id);
        assertThat(batch.at("status")).isEqualTo("completed");
        assertThat(batch.at("request_counts.completed")).isEqualTo(5L);
        TwoTenants.awaitBooked(server, 5);
        assertThat(TwoTenants.get(server, TwoTenants.RED, "/v1/books/report?by=label:batch")
                        .body())
                .contains(id);
        assertThat(TwoTenants.get(server, TwoTenants.RED, "/v1/books/report?by=label:team")
                        .body())
                .contains("search");
        assertThat(TwoTenants.get(server, TwoTenants.RED, "/v1/books/requests").body())
                .contains("red-app");
    }

    @Test
    void showsATenantNothingOfAnothers() {
        String file = sent(TwoTenants.RED, 2);
        String batch = String.valueOf(create(TwoTenants.RED, file).at("id"));
        ended(TwoTenants.RED, batch);
        for (String path :
                new String[] {"/v1/files/" + file, "/v1/files/" + file + "/content", "/v1/batches/" + batch}) {
            assertThat(TwoTenants.get(server, TwoTenants.RED, path).status())
                    .as(path)
                    .isEqualTo(200);
            assertThat(TwoTenants.get(server, TwoTenants.BLUE, path).status())
                    .as(path)
                    .isEqualTo(404);
        }
        assertThat(json(TwoTenants.BLUE, "/v1/batches/" + batch + "/cancel", "{}")
                        .status())
                .isEqualTo(404);
        assertThat(create(TwoTenants.BLUE, file).status()).isEqualTo(404);
        assertThat(TwoTenants.get(server, TwoTenants.BLUE, "/v1/files").body()).contains("\"data\":[]");
        assertThat(TwoTenants.get(server, TwoTenants.BLUE, "/v1/batches").body())
                .contains("\"data\":[]");
        assertThat(TwoTenants.get(server, "wrong-key", "/v1/files").status()).isEqualTo(401);
    }

    @Test
    void givesAListInParts() {
        for (int i = 0; i < 5; i++) {
            sent(TwoTenants.RED, 1);
        }
        Answer all = TwoTenants.get(server, TwoTenants.RED, "/v1/files");
        Answer first = TwoTenants.get(server, TwoTenants.RED, "/v1/files?limit=2");
        assertThat(first.at("has_more")).isEqualTo(true);
        Answer rest = TwoTenants.get(server, TwoTenants.RED, "/v1/files?limit=3&after=" + first.at("last_id"));
        assertThat(rest.at("has_more")).isEqualTo(false);
        assertThat(rest.at("data.2.id")).isEqualTo(all.at("data.4.id"));
        assertThat(TwoTenants.get(server, TwoTenants.RED, "/v1/files?order=asc&limit=1")
                        .at("data.0.id"))
                .isEqualTo(all.at("data.4.id"));
        assertThat(TwoTenants.get(server, TwoTenants.RED, "/v1/files?purpose=batch_output")
                        .body())
                .contains("\"data\":[]");
        assertThat(TwoTenants.get(server, TwoTenants.RED, "/v1/files?after=no").status())
                .isEqualTo(400);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            purpose=fine-tune              | purpose
            purpose=                       | purpose
            nothing=1                      | purpose
            """)
    void refusesOtherPurposes(String field, String named) {
        String[] parts = field.split("=", -1);
        Answer answer = upload(TwoTenants.RED, field(parts[0], parts[1]) + file("a", lines(1)) + END);
        assertThat(answer.status()).isEqualTo(400);
        assertThat(answer.at("error.param")).isEqualTo(named);
    }

    @Test
    void refusesWhatIsNoForm() throws IOException {
        String purpose = field("purpose", "batch");
        assertThat(upload(TwoTenants.RED, purpose + END).body()).contains("'file' is missing");
        assertThat(upload(TwoTenants.RED, purpose + file("a", "x")).body()).contains("last boundary is missing");
        assertThat(upload(TwoTenants.RED, purpose + file("a", "x") + file("b", "x") + END)
                        .body())
                .contains("more than once");
        assertThat(upload(TwoTenants.RED, "nothing of the kind").status()).isEqualTo(400);
        assertThat(upload(TwoTenants.RED, "").status()).isEqualTo(400);
        assertThat(json(TwoTenants.RED, "/v1/files", "{}").body()).contains("multipart/form-data");
        assertThat(post(TwoTenants.RED, "/v1/files", "multipart/form-data", "x").status())
                .isEqualTo(400);
        assertThat(upload(TwoTenants.RED, field("purpose", "batch".repeat(10_000)) + END)
                        .status())
                .isEqualTo(400);
        StringBuilder many = new StringBuilder();
        for (int i = 0; i < 100; i++) {
            many.append(field("f" + i, "x"));
        }
        assertThat(upload(TwoTenants.RED, many + END).body()).contains("more than 64 fields");
        try (Stream<Path> left = Files.list(folder.resolve("kept/incoming"))) {
            assertThat(left).isEmpty();
        }
    }

    @Test
    void refusesAFileThatIsTooLarge() {
        String large = "x".repeat(100 * 1024 + 1);
        Answer answer = upload(TwoTenants.RED, field("purpose", "batch") + file("a", large) + END);
        assertThat(answer.status()).isEqualTo(400);
        assertThat(answer.body()).contains("at most 102400 are kept");
        Answer larger = upload(TwoTenants.RED, field("purpose", "batch") + file("a", "x".repeat(1 << 20)) + END);
        assertThat(larger.status()).isEqualTo(413);
    }

    /** However many files a tenant sends at once, there is no more on disk than may be kept. */
    @ParameterizedTest
    @CsvSource({"/v1/files, multipart/form-data; boundary=b0undary", "/v1/messages/batches, application/json"})
    void countsWhatIsStillArriving(String path, String type) throws IOException {
        String form = path.endsWith("files") ? file("a", "x".repeat(90_000)) : "{\"requests\":[" + " ".repeat(90_000);
        String head =
                "POST %s HTTP/1.1\r\nhost: t\r\nauthorization: Bearer %s\r\ncontent-type: %s\r\ncontent-length: 100000\r\n\r\n"
                        .formatted(path, TwoTenants.RED, type);
        try (TestServer small = TwoTenants.in(Files.createDirectory(folder.resolve("own")))
                        .set("batches.folder", folder.resolve("own/kept").toString())
                        .set("batches.max-file", "100KiB")
                        .set("batches.max-size", "1MiB")
                        .start();
                RawClient first = new RawClient(small.port());
                RawClient second = new RawClient(small.port());
                RawClient third = new RawClient(small.port())) {
            first.send(head).send(form);
            second.send(head).send(form);
            Eventually.until("both have arrived as far as they do", () -> kept(small) >= 180_000);
            third.send(head).send(form);
            assertThat(third.response()).startsWith("HTTP/1.1 429").contains("There is no room");
            first.close();
            second.close();
            Eventually.until("the room is given back", () -> kept(small) == 0);
        }
    }

    private static double kept(TestServer server) {
        return PrometheusText.parse(server.get("/metrics").body()).value("jeton_files_bytes");
    }

    /** Who has no key sends nothing to disk. */
    @Test
    void asksForAKeyBeforeItTakesAFile() throws IOException {
        try (RawClient client = new RawClient(server.port())) {
            client.send("POST /v1/files HTTP/1.1\r\nhost: t\r\ncontent-length: 90000\r\n\r\n");
            assertThat(client.response()).startsWith("HTTP/1.1 401");
        }
    }

    @Test
    void keepsTheBytesOfAFileAsTheyAre() throws Exception {
        byte[] bytes = new byte[50_000];
        new Random(5).nextBytes(bytes);
        byte[] head = (field("purpose", "batch")
                        + "--" + BOUNDARY
                        + "\r\ncontent-disposition: form-data; name=\"file\"; filename=\"../../etc/p\u00e4ss\"\r\n\r\n")
                .getBytes(StandardCharsets.UTF_8);
        byte[] end = ("\r\n" + END).getBytes(StandardCharsets.UTF_8);
        byte[] form = Arrays.copyOf(head, head.length + bytes.length + end.length);
        System.arraycopy(bytes, 0, form, head.length, bytes.length);
        System.arraycopy(end, 0, form, head.length + bytes.length, end.length);
        Answer answer = server.send(server.request("/v1/files")
                .header("authorization", "Bearer " + TwoTenants.RED)
                .header("content-type", "multipart/form-data; boundary=" + BOUNDARY)
                .POST(BodyPublishers.ofByteArray(form)));
        assertThat(answer.at("filename")).isEqualTo("p\u00e4ss");
        byte[] back = server.client()
                .send(
                        server.request("/v1/files/" + answer.at("id") + "/content")
                                .header("authorization", "Bearer " + TwoTenants.RED)
                                .build(),
                        BodyHandlers.ofByteArray())
                .body();
        assertThat(back).isEqualTo(bytes);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            {'input_file_id':'FILE','endpoint':'/v1/audio','completion_window':'24h'}                       | endpoint
            {'input_file_id':'FILE','endpoint':'/v1/completions','completion_window':'1w'}                  | completion_window
            {'input_file_id':'FILE','endpoint':'/v1/completions','completion_window':'0h'}                  | completion_window
            {'endpoint':'/v1/completions'}                                                                  | input_file_id
            {'input_file_id':'FILE','endpoint':'/v1/completions','metadata':{'a':1}}                        | metadata.a
            {'input_file_id':'FILE','endpoint':'/v1/completions','output_expires_after':{'anchor':'x'}}     | output_expires_after.anchor
            {'input_file_id':'FILE','endpoint':'/v1/completions','output_expires_after':{'anchor':'created_at','seconds':5}} | output_expires_after.seconds
            """)
    void refusesABatchThatCannotBe(String body, String named) {
        String file = sent(TwoTenants.RED, 1);
        Answer answer = json(TwoTenants.RED, "/v1/batches", body.replace("FILE", file));
        assertThat(answer.status()).as(answer.body()).isEqualTo(400);
        assertThat(answer.at("error.param")).isEqualTo(named);
    }

    @Test
    void forgetsTheRequestsOfABatchOfMessagesWithIt() {
        Answer created = json(
                TwoTenants.RED,
                "/v1/messages/batches",
                "{'requests':[{'custom_id':'a','params':{'model':'test-model','max_tokens':3,"
                        + "'messages':[{'role':'user','content':'say:a'}]}}]}");
        assertThat(created.status()).as(created.body()).isEqualTo(200);
        String path = "/v1/messages/batches/" + created.at("id");
        Eventually.until(
                "the batch has ended",
                () -> TwoTenants.get(server, TwoTenants.RED, path).body().contains("\"ended\""));
        assertThat(TwoTenants.get(server, TwoTenants.RED, "/v1/files").body()).contains("messages.jsonl");
        assertThat(server.send(server.request(path)
                                .header("authorization", "Bearer " + TwoTenants.RED)
                                .DELETE())
                        .status())
                .isEqualTo(200);
        assertThat(TwoTenants.get(server, TwoTenants.RED, "/v1/files").body()).contains("\"data\":[]");
    }

    @Test
    void countsFilesAndBatchesInMetrics() {
        String id =
                String.valueOf(create(TwoTenants.RED, sent(TwoTenants.RED, 3)).at("id"));
        ended(TwoTenants.RED, id);
        assertThat(server.get("/metrics").body())
                .contains("jeton_files 2.0")
                .contains("jeton_batches_open 0.0")
                .contains("jeton_batch_requests_total{outcome=\"answered\"} 3.0");
    }

    @Test
    void saysWhereNoneAreKept() {
        try (TestServer without = TestServer.start()) {
            assertThat(without.get("/v1/files").status()).isEqualTo(404);
            assertThat(without.get("/v1/batches").body()).contains("set batches.folder");
            assertThat(without.post("/v1/files", "{}").status()).isEqualTo(404);
        }
    }
}
