package dev.jeton.server.clients;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.core.http.StreamResponse;
import com.openai.errors.NotFoundException;
import com.openai.errors.UnauthorizedException;
import com.openai.models.chat.completions.ChatCompletion;
import com.openai.models.chat.completions.ChatCompletionChunk;
import com.openai.models.chat.completions.ChatCompletionCreateParams;
import com.openai.models.chat.completions.ChatCompletionPredictionContent;
import com.openai.models.chat.completions.ChatCompletionStreamOptions;
import com.openai.models.chat.completions.StructuredChatCompletion;
import com.openai.models.chat.completions.StructuredChatCompletionCreateParams;
import com.openai.models.completions.Completion;
import com.openai.models.completions.CompletionCreateParams;
import com.openai.models.completions.CompletionUsage;
import com.openai.models.embeddings.CreateEmbeddingResponse;
import com.openai.models.embeddings.EmbeddingCreateParams;
import dev.jeton.models.VectorSpec;
import dev.jeton.server.testing.ByteTokenizer;
import dev.jeton.server.testing.TestServer;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class OpenAiJavaTest {

    private static TestServer server;
    private static OpenAIClient client;

    @BeforeAll
    static void start() {
        server = TestServer.builder()
                .set("server.api-keys", "right-key")
                .drafts(8)
                .start();
        client = client("right-key");
    }

    @AfterAll
    static void stop() {
        client.close();
        server.close();
    }

    private static OpenAIClient client(String key) {
        return OpenAIOkHttpClient.builder()
                .baseUrl(server.uri("/v1").toString())
                .apiKey(key)
                .maxRetries(0)
                .build();
    }

    private static ChatCompletionCreateParams.Builder chat() {
        return ChatCompletionCreateParams.builder()
                .model(TestServer.MODEL)
                .addUserMessage("hi")
                .temperature(0.5);
    }

    private static CompletionCreateParams.Builder completion() {
        return CompletionCreateParams.builder().model(TestServer.MODEL).prompt("hi");
    }

    @Test
    void shouldChat() {
        ChatCompletion answer = client.chat().completions().create(chat().build());
        ChatCompletion.Choice choice = answer.validate().choices().getFirst();
        assertThat(choice.message().content()).hasValue(TestServer.REPLY);
        assertThat(choice.finishReason()).isEqualTo(ChatCompletion.Choice.FinishReason.STOP);
        assertThat(answer.usage().orElseThrow().completionTokens()).isPositive();
    }

    /** What the client makes a schema of. */
    public static final class Person {
        public String name = "";
        public int age;
    }

    @Test
    void shouldChatInAClassOfTheCaller() {
        StructuredChatCompletionCreateParams<Person> params =
                chat().responseFormat(Person.class).build();
        StructuredChatCompletion<Person> answer = client.chat().completions().create(params);
        assertThat(answer.choices().getFirst().message().content())
                .hasValueSatisfying(person -> assertThat(person.name).isNotNull());
    }

    @Test
    void shouldSayWhatOfAPredictionWasRight() {
        ChatCompletionCreateParams params = chat().prediction(ChatCompletionPredictionContent.builder()
                        .content(TestServer.REPLY)
                        .build())
                .build();
        ChatCompletion answer = client.chat().completions().create(params).validate();
        CompletionUsage.CompletionTokensDetails details =
                answer.usage().orElseThrow().completionTokensDetails().orElseThrow();
        assertThat(answer.choices().getFirst().message().content()).hasValue(TestServer.REPLY);
        assertThat(details.acceptedPredictionTokens().orElseThrow()).isPositive();
        assertThat(details.rejectedPredictionTokens()).hasValue(0L);
    }

    @Test
    void shouldStreamAChat() {
        ChatCompletionCreateParams params = chat().streamOptions(
                        ChatCompletionStreamOptions.builder().includeUsage(true).build())
                .build();
        try (StreamResponse<ChatCompletionChunk> stream =
                client.chat().completions().createStreaming(params)) {
            List<ChatCompletionChunk> chunks = stream.stream().toList();
            chunks.forEach(ChatCompletionChunk::validate);
            assertThat(chunks.stream()
                            .flatMap(chunk -> chunk.choices().stream())
                            .flatMap(choice -> choice.delta().content().stream())
                            .collect(Collectors.joining()))
                    .isEqualTo(TestServer.REPLY);
            assertThat(chunks.getLast().usage()).isPresent();
        }
    }

    @Test
    void shouldComplete() {
        Completion answer = client.completions().create(completion().build()).validate();
        assertThat(answer.choices().getFirst().text()).isEqualTo(TestServer.REPLY);
    }

    @Test
    void shouldStreamACompletion() {
        try (StreamResponse<Completion> stream =
                client.completions().createStreaming(completion().build())) {
            assertThat(stream.stream()
                            .flatMap(chunk -> chunk.choices().stream())
                            .map(choice -> choice.text())
                            .collect(Collectors.joining()))
                    .isEqualTo(TestServer.REPLY);
        }
    }

    @Test
    void shouldListModels() {
        assertThat(client.models().list().data())
                .singleElement()
                .satisfies(model -> assertThat(model.validate().id()).isEqualTo(TestServer.MODEL));
    }

    @Test
    void shouldMeetItsErrors() {
        assertThatThrownBy(() ->
                        client.chat().completions().create(chat().model("other").build()))
                .isInstanceOf(NotFoundException.class)
                .hasMessageContaining("does not exist");
        OpenAIClient stranger = client("wrong-key");
        assertThatThrownBy(() -> stranger.models().list()).isInstanceOf(UnauthorizedException.class);
        stranger.close();
    }

    @Test
    void shouldEmbed() {
        VectorSpec spec = new VectorSpec(
                VectorSpec.Kind.EMBEDDING,
                "Test",
                ByteTokenizer.SIZE,
                64,
                2,
                2,
                List.of(),
                List.of(),
                VectorSpec.Scores.NONE,
                0,
                -1,
                "");
        try (TestServer encoder = TestServer.builder()
                .vectors(spec, tokens -> new float[] {tokens.length, 0.25f})
                .start()) {
            OpenAIClient embedder = OpenAIOkHttpClient.builder()
                    .baseUrl(encoder.uri("/v1").toString())
                    .apiKey("any")
                    .build();
            CreateEmbeddingResponse answer = embedder.embeddings()
                    .create(EmbeddingCreateParams.builder()
                            .model(TestServer.MODEL)
                            .inputOfArrayOfStrings(List.of("a", "bcd"))
                            .build());
            assertThat(answer.validate().data().get(1).embedding()).containsExactly(4f, 0.25f);
            assertThat(answer.usage().totalTokens()).isEqualTo(6);
            embedder.close();
        }
    }
}
