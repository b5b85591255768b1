package dev.jeton.benchmarks.engines;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.jeton.models.EngineProvider;
import dev.jeton.models.Engines;
import dev.jeton.models.reference.TinyEncoder;
import dev.jeton.models.reference.TinyTokenizer;
import dev.jeton.server.ModelLoader;
import dev.jeton.server.Server;
import dev.jeton.server.api.ServedModel;
import dev.jeton.server.config.Configuration;
import dev.jeton.server.config.Configuration.ModelSettings;
import dev.jeton.server.config.ConfigurationLoader;
import dev.jeton.server.config.Settings;
import dev.jeton.server.json.Json;
import dev.jeton.server.metrics.ServerMetrics;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Tiny encoders behind a whole server, asked over HTTP, against float64. */
abstract class EncoderServingContract {

    private static final TinyEncoder.Shape EMBEDDING = new TinyEncoder.Shape(64, 32, 2, 4, 48, 48, 0, -1);
    private static final TinyEncoder.Shape RERANKER = new TinyEncoder.Shape(64, 32, 2, 4, 48, 48, 1, -1);
    private static final TinyEncoder.Shape CLASSIFIER = new TinyEncoder.Shape(64, 32, 1, 4, 48, 48, 3, 2);
    private static final int BROKEN = 50;

    @TempDir
    Path folder;

    private final String engine;

    EncoderServingContract(String engine) {
        this.engine = engine;
    }

    /** Writes an encoder, with its config.json, as the engine reads it. */
    abstract void export(TinyEncoder encoder, Path model, String architecture, String more) throws IOException;

    @BeforeEach
    void needsTheEngine() throws IOException {
        EngineProvider provider = Engines.found().named(engine);
        assumeTrue(provider.missing().isEmpty(), provider.missing());
        TinyTokenizer.write(folder, 64);
    }

    /** A server that serves the folder under the name {@code tiny}. */
    final class Serving implements AutoCloseable {
        private final Server server;
        private final HttpClient client = HttpClient.newHttpClient();

        Serving() {
            Settings settings = new ConfigurationLoader(Map.of())
                    .flags(Map.of("server.port", "0"))
                    .load();
            Configuration configuration = settings.configuration();
            ServerMetrics metrics = new ServerMetrics(false);
            ModelLoader loader =
                    new ModelLoader(Engines.found(), configuration.stream().stallTimeout());
            ModelSettings model = loader.settle(folder, settings.model(folder.toString(), "tiny"));
            assertThat(model.engine()).isEqualTo(engine);
            ServedModel served = loader.load("tiny", folder, model, metrics.steps("tiny"));
            server = new Server(configuration, List.of(served), metrics, Optional.empty());
        }

        Answer post(String path, String body) throws IOException, InterruptedException {
            HttpResponse<String> answer = client.send(
                    HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + server.port() + path))
                            .POST(HttpRequest.BodyPublishers.ofString(body.replace('\'', '"')))
                            .build(),
                    HttpResponse.BodyHandlers.ofString());
            return new Answer(answer.statusCode(), answer.body());
        }

        @Override
        public void close() {
            client.close();
            server.close();
        }
    }

    /** What was answered. */
    record Answer(int status, String body) {

        /** The value at names and indices with points between them. */
        Object at(String path) {
            Object value = Json.parse(body);
            for (String name : path.split("\\.")) {
                value = value instanceof List<?> list
                        ? list.get(Integer.parseInt(name))
                        : value instanceof Map<?, ?> map ? map.get(name) : null;
                assertThat(value).as("%s in %s", path, body).isNotNull();
            }
            return java.util.Objects.requireNonNull(value);
        }

        double number(String path) {
            return ((Number) at(path)).doubleValue();
        }
    }

    private static int[] whole(int... words) {
        return IntStream.concat(
                        IntStream.concat(IntStream.of(TinyTokenizer.FIRST), IntStream.of(words)),
                        IntStream.of(TinyTokenizer.SEPARATOR))
                .toArray();
    }

    private static double sigmoid(double logit) {
        return 1 / (1 + Math.exp(-logit));
    }

    @Test
    void embedsTextsAndCountsTheirTokens() throws Exception {
        TinyEncoder encoder = new TinyEncoder(EMBEDDING, 11);
        export(encoder, folder, "BertModel", "");
        try (Serving serving = new Serving()) {
            Answer answer = serving.post("/v1/embeddings", "{'model':'tiny','input':['w7 w8 w9','w20']}");
            assertThat(answer.status()).as(answer.body()).isEqualTo(200);
            assertThat(answer.at("usage.prompt_tokens")).isEqualTo(8L);
            int[][] texts = {whole(7, 8, 9), whole(20)};
            for (int i = 0; i < 2; i++) {
                double[][] states = encoder.hidden(texts[i], -1);
                for (int h = 0; h < 32; h++) {
                    double sum = 0;
                    for (double[] state : states) {
                        sum += state[h] / states.length;
                    }
                    assertThat(answer.number("data." + i + ".embedding." + h)).isCloseTo(sum, within(1e-4));
                }
            }
        }
    }

    @Test
    void refusesATextBeyondThePositionsUnlessItMayBeCut() throws Exception {
        export(new TinyEncoder(EMBEDDING, 11), folder, "BertModel", "");
        String text = "w7 ".repeat(60).strip();
        try (Serving serving = new Serving()) {
            Answer refused = serving.post("/v1/embeddings", "{'model':'tiny','input':['w8','" + text + "']}");
            assertThat(refused.status()).isEqualTo(400);
            assertThat(refused.at("error.code")).isEqualTo("context_length_exceeded");
            Answer cut = serving.post("/v1/embeddings", "{'model':'tiny','input':'" + text + "','truncate':true}");
            assertThat(cut.status()).as(cut.body()).isEqualTo(200);
            assertThat(cut.at("usage.prompt_tokens")).isEqualTo(48L);
        }
    }

    @Test
    void failsTheCallWhoseVectorIsNotFiniteAndNoOther() throws Exception {
        TinyEncoder encoder = new TinyEncoder(EMBEDDING, 11);
        encoder.breakWord(BROKEN);
        export(encoder, folder, "BertModel", "");
        try (Serving serving = new Serving()) {
            Answer failed = serving.post("/v1/embeddings", "{'model':'tiny','input':['w7','w" + BROKEN + "']}");
            assertThat(failed.status()).isEqualTo(500);
            assertThat(failed.at("error.message").toString()).contains("not finite");
            assertThat(serving.post("/v1/embeddings", "{'model':'tiny','input':'w7'}")
                            .status())
                    .isEqualTo(200);
        }
    }

    @Test
    void ranksDocuments() throws Exception {
        TinyEncoder encoder = new TinyEncoder(RERANKER, 12);
        export(encoder, folder, "BertForSequenceClassification", "\"id2label\": {\"0\": \"LABEL_0\"}");
        try (Serving serving = new Serving()) {
            ranked(serving, encoder);
        }
    }

    /** Holds the order and the scores of some documents against the encoder. */
    static void ranked(Serving serving, TinyEncoder encoder) throws IOException, InterruptedException {
        Answer answer = serving.post(
                "/v1/rerank", "{'model':'tiny','query':'w7 w8','documents':['w9','w10 w11 w12','w13 w14']}");
        assertThat(answer.status()).as(answer.body()).isEqualTo(200);
        int[][] documents = {{9}, {10, 11, 12}, {13, 14}};
        double before = Double.POSITIVE_INFINITY;
        for (int place = 0; place < 3; place++) {
            int[] document = documents[(int) answer.number("results." + place + ".index")];
            int[] pair = IntStream.concat(
                            IntStream.of(whole(7, 8)),
                            IntStream.concat(IntStream.of(document), IntStream.of(TinyTokenizer.SEPARATOR)))
                    .toArray();
            double score = answer.number("results." + place + ".relevance_score");
            assertThat(score)
                    .isCloseTo(sigmoid(encoder.logits(pair, TinyTokenizer.SEPARATOR)[0]), within(1e-4))
                    .isLessThanOrEqualTo(before);
            before = score;
        }
    }

    @Test
    void classifiesTexts() throws Exception {
        TinyEncoder encoder = new TinyEncoder(CLASSIFIER, 13);
        export(
                encoder,
                folder,
                "RobertaForSequenceClassification",
                "\"id2label\": {\"0\": \"good\", \"1\": \"bad\", \"2\": \"ugly\"}");
        try (Serving serving = new Serving()) {
            Answer answer = serving.post("/v1/classify", "{'model':'tiny','input':'w7 w8 w9'}");
            assertThat(answer.status()).as(answer.body()).isEqualTo(200);
            double[] logits = encoder.logits(whole(7, 8, 9), -1);
            double sum =
                    IntStream.range(0, 3).mapToDouble(i -> Math.exp(logits[i])).sum();
            List<String> labels = List.of("good", "bad", "ugly");
            for (int i = 0; i < 3; i++) {
                assertThat(answer.number("data.0.scores." + labels.get(i)))
                        .isCloseTo(Math.exp(logits[i]) / sum, within(1e-4));
            }
            Answer other = serving.post("/v1/embeddings", "{'model':'tiny','input':'w7'}");
            assertThat(other.status()).isEqualTo(400);
            assertThat(other.at("error.message").toString()).contains("/v1/classify");
        }
    }
}
