package dev.jeton.server.testing;

import dev.jeton.accounting.BookPace;
import dev.jeton.accounting.Bookkeeper;
import dev.jeton.models.ChatTemplate;
import dev.jeton.models.Tokenizer;
import dev.jeton.models.VectorSpec;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.reasoning.ReasoningFormat;
import dev.jeton.models.tools.ToolFormat;
import dev.jeton.scheduler.SchedulerConfig;
import dev.jeton.scheduler.StepListener;
import dev.jeton.scheduler.StepLoop;
import dev.jeton.server.OpenBooks;
import dev.jeton.server.Server;
import dev.jeton.server.api.ModelDialects;
import dev.jeton.server.api.SamplingDefaults;
import dev.jeton.server.api.ServedModel;
import dev.jeton.server.api.SystemRoles;
import dev.jeton.server.api.VectorModel;
import dev.jeton.server.config.Configuration;
import dev.jeton.server.config.ConfigurationLoader;
import dev.jeton.server.json.Json;
import dev.jeton.server.metrics.ServerMetrics;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;

/** A whole server on a free port over the real step loop and a {@link ReplyEngine}, with a plain client. */
public final class TestServer implements AutoCloseable {

    /** The served model. */
    public static final String MODEL = "test-model";

    /** What it answers to a prompt that does not end in {@code say:TEXT}. */
    public static final String REPLY = "Hello, h\u00e9llo \ud83d\ude00 and goodbye.";

    private final ReplyEngine engine;
    private final Server server;
    private final HttpClient client =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    private TestServer(Builder builder) {
        engine = new ReplyEngine(
                builder.contextLength, builder.blocks, builder.sequences, builder.batchedTokens, builder.replies);
        if (builder.drafts > 0) {
            engine.steady();
        }
        Configuration configuration = builder.configuration();
        SchedulerConfig scheduler = new SchedulerConfig(
                        builder.sequences,
                        builder.batchedTokens,
                        builder.waiting,
                        1_024,
                        configuration.stream().stallTimeout().toNanos(),
                        0,
                        true,
                        1)
                .drafting(builder.drafts);
        ServerMetrics metrics = new ServerMetrics(configuration.metrics().vllmNames());
        Optional<Bookkeeper> books = configuration.books().folder().isEmpty()
                ? Optional.empty()
                : OpenBooks.of(configuration, BookPace.PROMPT);
        StepListener steps = metrics.steps(MODEL);
        StepListener listener = books.map(open -> StepListener.both(
                        steps, open.meter(engine.info().name()).engine()))
                .orElse(steps);
        Engine driven = builder.vectorSpec
                .<Engine>map(spec -> new VectorEngine(
                        builder.contextLength,
                        builder.sequences,
                        Math.max(builder.batchedTokens, builder.contextLength),
                        spec.width(),
                        builder.vectors))
                .orElse(engine);
        StepLoop loop = new StepLoop(MODEL, driven, scheduler, System::nanoTime, System.nanoTime(), listener);
        ByteTokenizer tokenizer = builder.tokenizer;
        ModelDialects dialects = builder.dialects(tokenizer);
        int[] ends = dialects.ends(new int[] {ByteTokenizer.EOS});
        ServedModel model = new ServedModel(
                MODEL,
                Path.of("nowhere"),
                tokenizer,
                builder.template,
                builder.template.map(SystemRoles::of).orElse(SystemRoles.USUAL),
                ends,
                loop.contextLength(),
                SamplingDefaults.OPENAI,
                loop,
                ServedModel.longestToken(tokenizer),
                builder.vectorSpec.map(spec -> VectorModel.of(spec, builder.template)),
                dialects.tools(),
                dialects.reasoning(),
                Optional.empty());
        List<ServedModel> models = new ArrayList<>(List.of(model));
        builder.aliases.forEach(name -> models.add(new ServedModel(
                name,
                model.folder(),
                tokenizer,
                builder.template,
                builder.template.map(SystemRoles::of).orElse(SystemRoles.USUAL),
                ends,
                loop.contextLength(),
                SamplingDefaults.OPENAI,
                loop,
                model.longestToken(),
                model.vectors(),
                model.tools(),
                model.reasoning(),
                Optional.empty())));
        builder.adapters.forEach(name -> models.add(model.through(name, 1 + builder.adapters.indexOf(name))));
        server = new Server(configuration, models, metrics, books);
    }

    /** A server with everything as usual. */
    public static TestServer start() {
        return new Builder().start();
    }

    public static Builder builder() {
        return new Builder();
    }

    /** What may differ from the usual. */
    public static final class Builder {
        private final Map<String, String> settings = new LinkedHashMap<>(Map.of("server.port", "0"));
        private int contextLength = 4_096;
        private int blocks = 4_096;
        private int sequences = 64;
        private int batchedTokens = 512;
        private int waiting = 1_024;
        private int drafts;
        private String yaml = "";
        private final List<String> aliases = new ArrayList<>();
        private final List<String> adapters = new ArrayList<>();
        private Optional<ChatTemplate> template = Optional.of(new PlainTemplate());
        private Function<int[], int[]> replies = TestServer::reply;
        private ByteTokenizer tokenizer = new ByteTokenizer();
        private String toolCallParser = ToolFormat.OFF;
        private String reasoningParser = ReasoningFormat.OFF;
        private Optional<VectorSpec> vectorSpec = Optional.empty();
        private Function<int[], float[]> vectors = tokens -> new float[0];

        public Builder set(String key, String value) {
            settings.put(key, value);
            return this;
        }

        public Builder contextLength(int tokens) {
            contextLength = tokens;
            return this;
        }

        public Builder blocks(int count) {
            blocks = count;
            return this;
        }

        public Builder batchedTokens(int tokens) {
            batchedTokens = tokens;
            return this;
        }

        public Builder sequences(int count) {
            sequences = count;
            return this;
        }

        /** Up to so many drafts a row. */
        public Builder drafts(int most) {
            drafts = most;
            return this;
        }

        public Builder waiting(int count) {
            waiting = count;
            return this;
        }

        /** Serves the same engine under another name, too, as if it were another model. */
        public Builder alias(String name) {
            aliases.add(name);
            return this;
        }

        /** Serves an adapter of the engine's: the first shouts, the second whispers. */
        public Builder adapter(String name) {
            adapters.add(name);
            return this;
        }

        public Builder withoutTemplate() {
            template = Optional.empty();
            return this;
        }

        public Builder template(ChatTemplate other) {
            template = Optional.of(other);
            return this;
        }

        /** How the model writes tool calls. */
        public Builder toolCallParser(String name) {
            toolCallParser = name;
            return this;
        }

        /** How the model marks what it thinks. */
        public Builder reasoningParser(String name) {
            reasoningParser = name;
            return this;
        }

        private ModelDialects dialects(Tokenizer vocabulary) {
            return ModelDialects.of(toolCallParser, reasoningParser, template, vocabulary);
        }

        public Builder tokenizer(ByteTokenizer other) {
            tokenizer = other;
            return this;
        }

        public Builder replies(Function<int[], int[]> function) {
            replies = function;
            return this;
        }

        /** A model that gives vectors; of what a function has none for, the row fails. */
        public Builder vectors(VectorSpec spec, Function<int[], float[]> function) {
            vectorSpec = Optional.of(spec);
            vectors = function;
            return this;
        }

        /** Lines of a jeton.yaml, under the settings. */
        public Builder yaml(String text) {
            yaml = text;
            return this;
        }

        private Configuration configuration() {
            try {
                Path file = Files.createTempFile("jeton", ".yaml");
                try {
                    return new ConfigurationLoader(Map.of())
                            .file(Files.writeString(file, yaml))
                            .flags(settings)
                            .load()
                            .configuration();
                } finally {
                    Files.delete(file);
                }
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        public TestServer start() {
            return new TestServer(this);
        }
    }

    /**
     * A prompt that holds {@code say:TEXT} is answered with TEXT up to the line's end, any other with {@link #REPLY}.
     */
    private static int[] reply(int[] prompt) {
        String text = new ByteTokenizer().decode(prompt, true);
        int at = text.lastIndexOf("say:");
        String answer =
                at < 0 ? REPLY : text.substring(at + 4).lines().findFirst().orElse("");
        return new ByteTokenizer().encode(answer, false);
    }

    public ReplyEngine engine() {
        return engine;
    }

    public Server server() {
        return server;
    }

    public int port() {
        return server.port();
    }

    public URI uri(String path) {
        return URI.create("http://127.0.0.1:" + port() + path);
    }

    public HttpClient client() {
        return client;
    }

    /** A POST of JSON written with single quotes. */
    public Answer post(String path, String json) {
        return send(request(path).POST(HttpRequest.BodyPublishers.ofString(json.replace('\'', '"'))));
    }

    public Answer post(String path, byte[] body) {
        return send(request(path).POST(HttpRequest.BodyPublishers.ofByteArray(body)));
    }

    /** A completion of {@code {"model": MODEL, "prompt": "hi", ...fields}}. */
    public Answer complete(String fields) {
        return post("/v1/completions", "{'model':'" + MODEL + "','prompt':'hi'" + comma(fields) + "}");
    }

    /** A chat of one user message, with further fields. */
    public Answer chat(String fields) {
        return post(
                "/v1/chat/completions",
                "{'model':'" + MODEL + "','messages':[{'role':'user','content':'hi'}]" + comma(fields) + "}");
    }

    private static String comma(String fields) {
        return fields.isEmpty() ? "" : "," + fields;
    }

    public Answer get(String path) {
        return send(request(path).GET());
    }

    public HttpRequest.Builder request(String path) {
        return HttpRequest.newBuilder(uri(path)).timeout(Duration.ofSeconds(20));
    }

    public Answer send(HttpRequest.Builder request) {
        try {
            HttpResponse<String> response =
                    client.send(request.build(), HttpResponse.BodyHandlers.ofString(StandardCharsets.UTF_8));
            return new Answer(response);
        } catch (IOException e) {
            throw new IllegalStateException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    /** An answer with access to its JSON by paths such as {@code choices.0.text}. */
    public record Answer(HttpResponse<String> response) {
        public int status() {
            return response.statusCode();
        }

        /** A header's value; empty where it is absent. */
        public String header(String name) {
            return response.headers().firstValue(name).orElse("");
        }

        public String body() {
            return response.body();
        }

        public Object at(String path) {
            return at(Json.parse(body()), path);
        }

        /** JSON of every event but the last, {@code [DONE]}. */
        public List<Object> events() {
            return body().lines()
                    .filter(line -> line.startsWith("data: {"))
                    .map(line -> Json.parse(line.substring(6)))
                    .collect(Collectors.toList());
        }

        public static Object at(Object root, String path) {
            Object value = root;
            for (String step : path.split("\\.")) {
                value = value instanceof List<?> list
                        ? Integer.parseInt(step) < list.size() ? list.get(Integer.parseInt(step)) : null
                        : value instanceof Map<?, ?> map ? map.get(step) : null;
            }
            return value;
        }

        /** The streamed text of a choice, joined. */
        public String streamed(String textPath, long index) {
            return events().stream()
                    .filter(event -> Long.valueOf(index).equals(at(event, "choices.0.index")))
                    .map(event -> at(event, textPath))
                    .filter(String.class::isInstance)
                    .map(String.class::cast)
                    .collect(Collectors.joining());
        }
    }

    @Override
    public void close() {
        engine.release();
        server.close();
        client.close();
    }
}
