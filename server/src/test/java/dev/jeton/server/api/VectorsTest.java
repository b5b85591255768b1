package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.VectorSpec;
import dev.jeton.models.VectorSpec.Kind;
import dev.jeton.models.VectorSpec.Scores;
import dev.jeton.server.testing.ByteTokenizer;
import dev.jeton.server.testing.Eventually;
import dev.jeton.server.testing.PrometheusText;
import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import java.io.IOException;
import java.net.http.HttpRequest;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Embeddings, ranks and classes over HTTP. */
class VectorsTest {

    private static final String PRICES = """
            currency: USD
            tariffs:
              - model: "*"
                input: 3
                output: 15
                embeddings: 1
                batch-discount: 50
            """;

    @TempDir
    Path folder;

    private static VectorSpec spec(Kind kind, Scores scores, String... labels) {
        int width = labels.length == 0 ? 4 : labels.length;
        return new VectorSpec(
                kind, "Test", ByteTokenizer.SIZE, 64, 4, width, List.of(), List.of(labels), scores, 0, -1, "");
    }

    /** How many tokens, how many of them are {@code a}, {@code b} and {@code c}; fails for {@code !}. */
    private static float[] counts(int[] tokens) {
        float[] vector = new float[4];
        vector[0] = tokens.length;
        for (int token : tokens) {
            if (token == '!') {
                return new float[0];
            }
            if (token >= 'a' && token <= 'c') {
                vector[1 + token - 'a']++;
            }
        }
        return vector;
    }

    private static TestServer.Builder embeddings() {
        return TestServer.builder().contextLength(64).vectors(spec(Kind.EMBEDDING, Scores.NONE), VectorsTest::counts);
    }

    private static String ask(String input) {
        return "{'model':'test-model','input':" + input + "}";
    }

    private static List<?> embedding(Answer answer, int i) {
        return (List<?>) answer.at("data." + i + ".embedding");
    }

    @Test
    void embedsATextAListOfTextsAndTokens() {
        try (TestServer server = embeddings().start()) {
            Answer one = server.post("/v1/embeddings", ask("'abca'"));
            assertThat(one.status()).isEqualTo(200);
            assertThat(one.at("object")).isEqualTo("list");
            assertThat(one.at("data.0.object")).isEqualTo("embedding");
            // the tokenizer begins a text with a special token
            assertThat(embedding(one, 0)).hasToString("[5.0, 2.0, 1.0, 1.0]");
            assertThat(one.at("usage.prompt_tokens")).isEqualTo(5L);
            assertThat(one.at("usage.total_tokens")).isEqualTo(5L);

            Answer two = server.post("/v1/embeddings", ask("['a','bb']"));
            assertThat(two.at("data.1.index")).isEqualTo(1L);
            assertThat(embedding(two, 0)).hasToString("[2.0, 1.0, 0.0, 0.0]");
            assertThat(embedding(two, 1)).hasToString("[3.0, 0.0, 2.0, 0.0]");

            assertThat(embedding(server.post("/v1/embeddings", ask("[97,98]")), 0))
                    .hasToString("[2.0, 1.0, 1.0, 0.0]");
            assertThat(embedding(server.post("/v1/embeddings", ask("[[97],[98,98]]")), 1))
                    .hasToString("[2.0, 0.0, 2.0, 0.0]");
        }
    }

    @Test
    void givesTheSameFloatsAsBase64() {
        try (TestServer server = embeddings().start()) {
            Answer answer =
                    server.post("/v1/embeddings", "{'model':'test-model','input':'abca','encoding_format':'base64'}");
            ByteBuffer bytes = ByteBuffer.wrap(Base64.getDecoder().decode((String) answer.at("data.0.embedding")))
                    .order(ByteOrder.LITTLE_ENDIAN);
            assertThat(IntStream.range(0, 4).mapToObj(i -> bytes.getFloat(4 * i)))
                    .containsExactly(5f, 2f, 1f, 1f);
        }
    }

    @Test
    void shortensAnEmbeddingToLengthOne() {
        try (TestServer server = embeddings().start()) {
            Answer answer = server.post("/v1/embeddings", "{'model':'test-model','input':[[97,97,97]],'dimensions':2}");
            assertThat(embedding(answer, 0)).hasSize(2);
            double length = embedding(answer, 0).stream()
                    .mapToDouble(value -> Math.pow(((Number) value).doubleValue(), 2))
                    .sum();
            assertThat(length).isBetween(1 - 1e-6, 1 + 1e-6);
        }
    }

    @Test
    void embedsMoreTextsThanTheQueueHasRoomFor() {
        try (TestServer server =
                embeddings().waiting(8).sequences(2).batchedTokens(16).start()) {
            String texts = IntStream.range(0, 500)
                    .mapToObj(i -> "'" + "a".repeat(1 + i % 40) + "'")
                    .collect(Collectors.joining(",", "[", "]"));
            Answer answer = server.post("/v1/embeddings", ask(texts));
            assertThat(answer.status()).isEqualTo(200);
            List<?> data = (List<?>) answer.at("data");
            assertThat(data).hasSize(500);
            for (int i = 0; i < data.size(); i++) {
                List<?> vector = (List<?>) ((Map<?, ?>) data.get(i)).get("embedding");
                assertThat(vector.get(1)).isEqualTo(1.0 + i % 40);
            }
        }
    }

    @Test
    void refusesATextBeyondTheContextUnlessItMayBeCut() {
        try (TestServer server = embeddings().start()) {
            String text = "a".repeat(100);
            Answer refused = server.post("/v1/embeddings", ask("['b','" + text + "']"));
            assertThat(refused.status()).isEqualTo(400);
            assertThat(refused.at("error.code")).isEqualTo("context_length_exceeded");
            assertThat(refused.at("error.param")).isEqualTo("input[1]");
            Answer cut = server.post("/v1/embeddings", "{'model':'test-model','input':'" + text + "','truncate':true}");
            assertThat(embedding(cut, 0)).hasToString("[64.0, 63.0, 0.0, 0.0]");
        }
    }

    @Test
    void refusesBadInput() {
        try (TestServer server = embeddings().set("limits.max-inputs", "3").start()) {
            for (String body : List.of(
                    "{'model':'test-model'}",
                    ask("''"),
                    ask("[]"),
                    ask("['a','']"),
                    ask("[1,'a']"),
                    ask("[99999]"),
                    ask("{'text':'a'}"),
                    ask("['a','a','a','a']"),
                    "{'model':'test-model','input':'a','encoding_format':'int8'}",
                    "{'model':'test-model','input':'a','dimensions':5}",
                    "{'model':'test-model','input':'a','dimensions':0}")) {
                Answer answer = server.post("/v1/embeddings", body);
                assertThat(answer.status()).as(body).isEqualTo(400);
                assertThat(answer.at("error.message")).as(body).isInstanceOf(String.class);
            }
        }
    }

    @Test
    void failsTheCallWhereTheEngineFailsOneText() {
        try (TestServer server = embeddings().start()) {
            Answer answer = server.post("/v1/embeddings", ask("['a','!','b']"));
            assertThat(answer.status()).isEqualTo(500);
            assertThat((String) answer.at("error.message")).contains("as the test wants it");
            assertThat(server.post("/v1/embeddings", ask("'a'")).status()).isEqualTo(200);
        }
    }

    private static double promptTokens(TestServer server) {
        return PrometheusText.parse(server.get("/metrics").body())
                .value("jeton_tokens_prompt_total", "model=\"test-model\"");
    }

    private static void await(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Test
    @Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
    void countsNoTokensOfTextsThatWaitedWhenTheCallFailed() {
        CountDownLatch answered = new CountDownLatch(1);
        // whatever comes after the text that fails is computed only once the call was answered
        Function<int[], float[]> slow = tokens -> {
            if (tokens.length > 2) {
                await(answered);
            }
            return counts(tokens);
        };
        try (TestServer server = TestServer.builder()
                .contextLength(64)
                .vectors(spec(Kind.EMBEDDING, Scores.NONE), slow)
                .sequences(1)
                .batchedTokens(16)
                .start()) {
            String texts = IntStream.range(0, 100)
                    .mapToObj(i -> i == 0 ? "'!'" : "'" + "a".repeat(9) + "'")
                    .collect(Collectors.joining(",", "[", "]"));
            assertThat(server.post("/v1/embeddings", ask(texts)).status()).isEqualTo(500);
            answered.countDown();
            // the first text of 2 tokens, and the one of 10 that was being computed when the call ended
            assertThat(promptTokens(server)).isLessThanOrEqualTo(2 + 10);
        }
    }

    @Test
    void keepsItsPlaceWhereOthersFillTheQueue() throws InterruptedException {
        try (TestServer server =
                embeddings().waiting(1).sequences(1).batchedTokens(16).start()) {
            String texts =
                    IntStream.range(0, 40).mapToObj(i -> "'aaaaaaaaa'").collect(Collectors.joining(",", "[", "]"));
            AtomicInteger answered = new AtomicInteger();
            List<Thread> clients = IntStream.range(0, 4)
                    .mapToObj(client -> Thread.ofVirtual().start(() -> {
                        for (int i = 0; i < 20; i++) {
                            if (server.post("/v1/embeddings", ask(texts)).status() == 200) {
                                answered.incrementAndGet();
                            }
                        }
                    }))
                    .toList();
            for (Thread client : clients) {
                client.join();
            }
            assertThat(answered.get()).isPositive();
            // counted once an answer is sent, which its client may have by then
            Eventually.until("all answers are counted", () -> promptTokens(server) >= 400.0 * answered.get());
            // those that were refused had nothing computed
            assertThat(promptTokens(server)).isEqualTo(400.0 * answered.get());
        }
    }

    @Test
    void saysWhatAModelIsForThatDoesNotDoWhatIsAskedFor() {
        try (TestServer server = embeddings().start()) {
            Answer completion = server.complete("");
            assertThat(completion.status()).isEqualTo(400);
            assertThat((String) completion.at("error.message")).contains("/v1/embeddings");
            Answer rank = server.post("/v1/rerank", "{'model':'test-model','query':'a','documents':['b']}");
            assertThat(rank.status()).isEqualTo(400);
            assertThat((String) rank.at("error.message")).contains("/v1/embeddings");
        }
        try (TestServer server = TestServer.start()) {
            Answer answer = server.post("/v1/embeddings", ask("'a'"));
            assertThat(answer.status()).isEqualTo(400);
            assertThat((String) answer.at("error.message")).contains("/v1/completions");
        }
    }

    @Test
    void booksAllTokensAtThePriceOfEmbeddings() throws IOException {
        Path prices = Files.writeString(folder.resolve("prices.yaml"), PRICES);
        try (TestServer server = embeddings()
                .set("books.folder", folder.toString())
                .set("books.prices", prices.toString())
                .start()) {
            Answer answer = server.post("/v1/embeddings", ask("['aaa','bb']"));
            assertThat(answer.at("usage.jeton.cost.list")).isEqualTo("0.000007");
            Answer later = server.post("/v1/embeddings", "{'model':'test-model','input':'aaa','service_tier':'flex'}");
            assertThat(later.at("usage.jeton.cost.list")).isEqualTo("0.000002");
        }
    }

    @Test
    void stopsAtABudget() throws IOException {
        Path prices = Files.writeString(folder.resolve("prices.yaml"), PRICES);
        String yaml = """
                budgets:
                  - id: few
                    tenant: default
                    level: tenant
                    unit: input-tokens
                    limit: 10
                    window: day
                """;
        try (TestServer server = embeddings()
                .set("books.folder", folder.toString())
                .set("books.prices", prices.toString())
                .yaml(yaml)
                .start()) {
            assertThat(server.post("/v1/embeddings", ask("'aaaa'")).status()).isEqualTo(200);
            Answer refused = server.post("/v1/embeddings", ask("'aaaaaaa'"));
            assertThat(refused.status()).isEqualTo(429);
            assertThat(refused.header("x-jeton-budget")).isEqualTo("few");
        }
    }

    @Test
    void namesTheBudgetThatEndsAListInItsMiddle() throws IOException {
        Path prices = Files.writeString(folder.resolve("prices.yaml"), PRICES);
        try (TestServer server = embeddings()
                .sequences(2)
                .batchedTokens(16)
                .set("books.folder", folder.toString())
                .set("books.prices", prices.toString())
                .start()) {
            String texts =
                    IntStream.range(0, 300).mapToObj(i -> "'aaaaaaaa'").collect(Collectors.joining(",", "[", "]"));
            Answer answer = server.send(server.request("/v1/embeddings")
                    .header("x-jeton-budget", "device-seconds=0.000001")
                    .POST(HttpRequest.BodyPublishers.ofString(ask(texts).replace('\'', '"'))));
            assertThat(answer.status()).isEqualTo(429);
            assertThat(answer.at("error.code")).isEqualTo("budget_spent");
            assertThat(answer.header("x-jeton-budget")).isEqualTo("request/device-seconds");
        }
    }

    @Test
    void saysThatNoTextIsGeneratedBeforeItLooksAtAConversationOrAPrice() throws IOException {
        try (TestServer server =
                embeddings().set("books.folder", folder.toString()).start()) {
            String chat = "{'model':'test-model','messages':[{'role':'user','content':'hi'}]}";
            for (String path : List.of("/v1/chat/completions", "/v1/estimate")) {
                Answer answer = server.post(path, chat);
                assertThat(answer.status()).as(path).isEqualTo(400);
                assertThat((String) answer.at("error.message")).as(path).contains("generates no text");
            }
        }
    }

    @Test
    void ranksDocumentsByTheirScore() {
        VectorSpec ranker = spec(Kind.RERANKER, Scores.SIGMOID, "relevance");
        try (TestServer server = TestServer.builder()
                .contextLength(64)
                .vectors(ranker, tokens -> new float[] {counts(tokens)[1] - 2})
                .start()) {
            String documents = "['b','aaa',{'text':'aa'},'c']";
            Answer answer = server.post(
                    "/v1/rerank",
                    "{'model':'test-model','query':'q','documents':" + documents
                            + ",'top_n':3,'return_documents':true}");
            assertThat(answer.status()).isEqualTo(200);
            assertThat((List<?>) answer.at("results")).hasSize(3);
            assertThat(answer.at("results.0.index")).isEqualTo(1L);
            assertThat(answer.at("results.1.index")).isEqualTo(2L);
            assertThat(answer.at("results.2.index")).isEqualTo(0L);
            assertThat(answer.at("results.0.document.text")).isEqualTo("aaa");
            assertThat((double) answer.at("results.0.relevance_score")).isBetween(0.7310, 0.7311);
            assertThat((double) answer.at("results.1.relevance_score")).isEqualTo(0.5);
            for (String body : List.of(
                    "{'model':'test-model','documents':['b']}",
                    "{'model':'test-model','query':'','documents':['b']}",
                    "{'model':'test-model','query':'q'}",
                    "{'model':'test-model','query':'q','documents':[]}",
                    "{'model':'test-model','query':'q','documents':[1]}",
                    "{'model':'test-model','query':'q','documents':['']}",
                    "{'model':'test-model','query':'q','documents':['a'],'top_n':0}",
                    "{'model':'test-model','query':'q','documents':['" + "a".repeat(80) + "']}")) {
                assertThat(server.post("/v1/rerank", body).status()).as(body).isEqualTo(400);
            }
        }
    }

    @Test
    void classifiesByTheGreatestScore() {
        VectorSpec classifier = spec(Kind.CLASSIFIER, Scores.SOFTMAX, "good", "bad", "ugly");
        try (TestServer server = TestServer.builder()
                .contextLength(64)
                .vectors(classifier, tokens -> {
                    float[] all = counts(tokens);
                    return new float[] {all[1], all[2], all[3]};
                })
                .start()) {
            Answer answer = server.post("/v1/classify", ask("['bb','c']"));
            assertThat(answer.at("data.0.label")).isEqualTo("bad");
            assertThat(answer.at("data.1.label")).isEqualTo("ugly");
            assertThat(answer.at("data.0.num_classes")).isEqualTo(3L);
            double sum = ((List<?>) answer.at("data.0.probs"))
                    .stream()
                            .mapToDouble(value -> ((Number) value).doubleValue())
                            .sum();
            assertThat(sum).isBetween(1 - 1e-6, 1 + 1e-6);
            assertThat((double) answer.at("data.0.scores.bad")).isBetween(0.7869, 0.7870);
        }
    }
}
