package dev.jeton.server.clients;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.anthropic.client.AnthropicClient;
import com.anthropic.client.okhttp.AnthropicOkHttpClient;
import com.anthropic.core.http.StreamResponse;
import com.anthropic.errors.BadRequestException;
import com.anthropic.errors.NotFoundException;
import com.anthropic.models.messages.batches.BatchCreateParams;
import com.anthropic.models.messages.batches.MessageBatch;
import com.anthropic.models.messages.batches.MessageBatchIndividualResponse;
import dev.jeton.server.testing.Eventually;
import dev.jeton.server.testing.RawClient;
import dev.jeton.server.testing.TestServer;
import java.io.IOException;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Batches of messages with Anthropic's library for Java, which checks every field that it is given. */
class AnthropicJavaBatchesTest {

    private static final String PATH = "/v1/messages/batches";

    @TempDir
    private Path folder;

    private TestServer server;
    private AnthropicClient client;

    @BeforeEach
    void start() {
        server = TestServer.builder()
                .set("server.api-keys", "a-key")
                .set("batches.folder", folder.toString())
                .start();
        client = AnthropicOkHttpClient.builder()
                .baseUrl(server.uri("").toString())
                .apiKey("a-key")
                .maxRetries(0)
                .build();
    }

    @AfterEach
    void stop() {
        client.close();
        server.close();
    }

    private static BatchCreateParams.Request request(String id, String model) {
        return BatchCreateParams.Request.builder()
                .customId(id)
                .params(BatchCreateParams.Request.Params.builder()
                        .model(model)
                        .maxTokens(100)
                        .addUserMessage("say:" + id)
                        .build())
                .build();
    }

    private MessageBatch ended(MessageBatch batch) {
        Eventually.until(
                "the batch has ended",
                () -> client.messages()
                        .batches()
                        .retrieve(batch.id())
                        .processingStatus()
                        .equals(MessageBatch.ProcessingStatus.ENDED));
        return client.messages().batches().retrieve(batch.id()).validate();
    }

    private Map<String, MessageBatchIndividualResponse> results(MessageBatch batch) {
        try (StreamResponse<MessageBatchIndividualResponse> lines =
                client.messages().batches().resultsStreaming(batch.id())) {
            return lines.stream()
                    .map(MessageBatchIndividualResponse::validate)
                    .collect(Collectors.toMap(MessageBatchIndividualResponse::customId, line -> line));
        }
    }

    @Test
    void shouldAnswerEachRequest() {
        MessageBatch batch = client.messages()
                .batches()
                .create(BatchCreateParams.builder()
                        .requests(List.of(
                                request("one", TestServer.MODEL),
                                request("two", TestServer.MODEL),
                                request("three", "no-such-model")))
                        .build())
                .validate();
        assertThat(batch.id()).startsWith("msgbatch_");
        assertThat(batch.requestCounts().processing()).isEqualTo(3);

        MessageBatch end = ended(batch);

        assertThat(end.requestCounts().succeeded()).isEqualTo(2);
        assertThat(end.requestCounts().errored()).isEqualTo(1);
        Map<String, MessageBatchIndividualResponse> results = results(end);
        assertThat(results.get("two")
                        .result()
                        .asSucceeded()
                        .message()
                        .content()
                        .getFirst()
                        .asText()
                        .text())
                .isEqualTo("two");
        assertThat(results.get("three").result().asErrored().error().error().isNotFoundError())
                .isTrue();
        assertThat(client.messages().batches().list().data())
                .extracting(MessageBatch::id)
                .containsExactly(batch.id());
        assertThat(server.send(server.request("/v1/batches")
                                .header("authorization", "Bearer a-key")
                                .GET())
                        .body())
                .as("OpenAI's list has OpenAI's batches")
                .contains("\"data\":[]");
    }

    @Test
    void shouldForgetABatchThatHasEnded() throws IOException {
        MessageBatch batch = ended(client.messages()
                .batches()
                .create(BatchCreateParams.builder()
                        .addRequest(request("one", TestServer.MODEL))
                        .build()));
        assertThat(client.messages().batches().delete(batch.id()).validate().id())
                .isEqualTo(batch.id());
        assertThatThrownBy(() -> client.messages().batches().retrieve(batch.id()))
                .isInstanceOf(NotFoundException.class);
        assertThatThrownBy(() -> client.messages().batches().cancel(batch.id())).isInstanceOf(NotFoundException.class);
    }

    @Test
    void shouldRefuseAnIdThatIsThereTwice() {
        assertThatThrownBy(() -> client.messages()
                        .batches()
                        .create(BatchCreateParams.builder()
                                .addRequest(request("one", TestServer.MODEL))
                                .addRequest(request("one", TestServer.MODEL))
                                .build()))
                .isInstanceOf(BadRequestException.class)
                .hasMessageContaining("was there before");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '~', textBlock = """
            {'requests':[]}                                            | 'requests' is empty
            {'other':1}                                                | 'requests' is missing
            {'requests':5}                                             | must be an array
            {'requests':[5]}                                           | 'requests[0]' must be an object
            {'requests':[{'custom_id':'a b','params':{}}]}             | letters, digits
            {'requests':[{'custom_id':'a'}]}                           | 'requests[0].params' is missing
            {'requests':[{'custom_id':'a','params':{'stream':true}}]}  | leave 'stream' out
            {'requests':[{'custom_id':'a','params':{}},                | invalid JSON
            []                                                         | must be a JSON object
            """)
    void shouldSayWhatIsWrong(String body, String why) throws IOException {
        TestServer.Answer answer = server.send(server.request(PATH)
                .header("x-api-key", "a-key")
                .POST(BodyPublishers.ofString(body.replace('\'', '"'))));
        assertThat(answer.status()).as(answer.body()).isEqualTo(400);
        assertThat(answer.at("type")).isEqualTo("error");
        assertThat(String.valueOf(answer.at("error.message"))).contains(why);
        try (Stream<Path> left = Files.list(folder.resolve("incoming"))) {
            assertThat(left).isEmpty();
        }
    }

    @Test
    void shouldAskForAKeyBeforeItTakesRequests() throws IOException {
        try (RawClient raw = new RawClient(server.port())) {
            raw.send("POST " + PATH + " HTTP/1.1\r\nhost: t\r\ncontent-length: 90000000\r\n\r\n");
            assertThat(raw.response()).startsWith("HTTP/1.1 401").contains("authentication_error");
        }
    }
}
