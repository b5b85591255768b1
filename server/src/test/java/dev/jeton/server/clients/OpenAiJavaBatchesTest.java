package dev.jeton.server.clients;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.core.http.HttpResponse;
import com.openai.errors.NotFoundException;
import com.openai.models.batches.Batch;
import com.openai.models.batches.BatchCreateParams;
import com.openai.models.batches.BatchCreateParams.CompletionWindow;
import com.openai.models.batches.BatchCreateParams.Endpoint;
import com.openai.models.files.FileCreateParams;
import com.openai.models.files.FileObject;
import com.openai.models.files.FilePurpose;
import dev.jeton.server.testing.Eventually;
import dev.jeton.server.testing.TestServer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** OpenAI's Java library sends files and waits for batches. */
class OpenAiJavaBatchesTest {

    @TempDir
    private Path folder;

    private TestServer server;
    private OpenAIClient client;

    @BeforeEach
    void start() {
        server = TestServer.builder()
                .set("server.api-keys", "right-key")
                .set("batches.folder", folder.resolve("batches").toString())
                .start();
        client = OpenAIOkHttpClient.builder()
                .baseUrl(server.uri("/v1").toString())
                .apiKey("right-key")
                .maxRetries(0)
                .build();
    }

    @AfterEach
    void stop() {
        client.close();
        server.close();
    }

    private FileObject send(String text) throws IOException {
        Path file = Files.writeString(folder.resolve("requests.jsonl"), text);
        return client.files()
                .create(FileCreateParams.builder()
                        .file(file)
                        .purpose(FilePurpose.BATCH)
                        .build());
    }

    private Batch ended(FileObject file) {
        Batch batch = client.batches()
                .create(BatchCreateParams.builder()
                        .inputFileId(file.id())
                        .endpoint(Endpoint.V1_CHAT_COMPLETIONS)
                        .completionWindow(CompletionWindow._24H)
                        .build());
        Eventually.until(
                "the batch has ended",
                () -> client.batches().retrieve(batch.id()).errorFileId().isPresent()
                        || client.batches().retrieve(batch.id()).completedAt().isPresent()
                        || client.batches().retrieve(batch.id()).failedAt().isPresent());
        return client.batches().retrieve(batch.id()).validate();
    }

    private static String line(String id, String model) {
        return "{\"custom_id\":\"%s\",\"method\":\"POST\",\"url\":\"/v1/chat/completions\",\"body\":{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":\"say:%s\"}]}}"
                .formatted(id, model, id);
    }

    private String content(String file) throws IOException {
        try (HttpResponse response = client.files().content(file)) {
            return new String(response.body().readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    @Test
    void shouldAnswerTheRequestsOfAFile() throws IOException {
        String text = IntStream.range(0, 30)
                .mapToObj(i -> line("r" + i, i == 7 ? "no-such-model" : TestServer.MODEL))
                .collect(Collectors.joining("\n"));
        FileObject file = send(text).validate();
        assertThat(file.filename()).isEqualTo("requests.jsonl");
        assertThat(file.bytes()).isEqualTo(text.length());

        Batch batch = ended(file);

        assertThat(batch.status()).isEqualTo(Batch.Status.COMPLETED);
        assertThat(batch.requestCounts().orElseThrow().completed()).isEqualTo(29);
        assertThat(batch.requestCounts().orElseThrow().failed()).isEqualTo(1);
        assertThat(batch.usage().orElseThrow().totalTokens()).isPositive();
        assertThat(content(batch.outputFileId().orElseThrow()).lines())
                .hasSize(29)
                .anyMatch(answer -> answer.contains("\"custom_id\":\"r3\"") && answer.contains("\"content\":\"r3\""));
        assertThat(content(batch.errorFileId().orElseThrow()))
                .contains("\"r7\"")
                .contains("model_not_found");
        assertThat(client.batches().list().data()).extracting(Batch::id).containsExactly(batch.id());
        assertThat(client.files().list().data()).hasSize(3);
    }

    @Test
    void shouldSayWhatIsWrongWithAFile() throws IOException {
        Batch batch = ended(send(line("a", "m") + "\nnonsense"));
        assertThat(batch.status()).isEqualTo(Batch.Status.FAILED);
        assertThat(batch.errors().orElseThrow().data().orElseThrow())
                .singleElement()
                .satisfies(error -> assertThat(error.line()).hasValue(2L));
    }

    @Test
    void shouldDeleteFiles() throws IOException {
        FileObject file = send(line("a", TestServer.MODEL));
        assertThat(client.files().retrieve(file.id())).isEqualTo(file);
        assertThat(client.files().delete(file.id()).validate().deleted()).isTrue();
        assertThatThrownBy(() -> client.files().retrieve(file.id())).isInstanceOf(NotFoundException.class);
    }
}
