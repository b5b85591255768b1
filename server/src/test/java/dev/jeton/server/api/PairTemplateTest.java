package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.models.ChatTemplate;
import dev.jeton.models.ChatTemplates;
import dev.jeton.models.ModelException;
import dev.jeton.models.VectorSpec;
import dev.jeton.models.VectorSpec.Kind;
import dev.jeton.models.VectorSpec.Scores;
import dev.jeton.models.VectorStage;
import dev.jeton.server.testing.ByteTokenizer;
import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Rankers that are decoders, and are asked in words. */
class PairTemplateTest {

    private static final String TEMPLATE =
            "{% set told = messages | selectattr('role', 'eq', 'system') | map(attribute='content') | first %}"
                    + "I:{{ told | default('own') }}|Q:{{ messages | selectattr('role', 'eq', 'query')"
                    + " | map(attribute='content') | first }}|D:{{ messages | selectattr('role', 'eq', 'document')"
                    + " | map(attribute='content') | first }}|yes?";

    @TempDir
    Path folder;

    private ChatTemplate template(String source) throws IOException {
        Path file = folder.resolve("template.jinja");
        Files.writeString(file, source);
        Files.writeString(folder.resolve("config.json"), "{}");
        return ChatTemplates.ofFile(file, folder, Clock.systemUTC());
    }

    private static VectorSpec ranker(String prompt) {
        return new VectorSpec(
                Kind.RERANKER,
                "Test",
                ByteTokenizer.SIZE,
                64,
                4,
                1,
                List.of(new VectorStage.TokenLogit(1, 2)),
                List.of("relevance"),
                Scores.SIGMOID,
                0,
                -1,
                prompt);
    }

    private final List<String> shown = new CopyOnWriteArrayList<>();

    private TestServer start(String prompt) throws IOException {
        return TestServer.builder()
                .contextLength(64)
                .template(template(TEMPLATE))
                .vectors(ranker(prompt), tokens -> {
                    byte[] bytes = new byte[tokens.length];
                    for (int i = 0; i < bytes.length; i++) {
                        bytes[i] = (byte) tokens[i];
                    }
                    shown.add(new String(bytes, StandardCharsets.UTF_8));
                    return new float[] {tokens.length / 16f};
                })
                .start();
    }

    private static String ask(String documents, String more) {
        return "{'model':'test-model','query':'what','documents':" + documents + more + "}";
    }

    @Test
    void showsEachDocumentWithTheQueryThroughTheTemplate() throws IOException {
        try (TestServer server = start("")) {
            Answer answer = server.post("/v1/rerank", ask("['one','three']", ""));
            assertThat(answer.status()).isEqualTo(200);
            assertThat(shown).containsExactlyInAnyOrder("I:own|Q:what|D:one|yes?", "I:own|Q:what|D:three|yes?");
            assertThat(answer.at("results.0.index")).isEqualTo(1L);
        }
    }

    @Test
    void tellsTheModelsPromptUnlessTheRequestHasAnInstruction() throws IOException {
        try (TestServer server = start("folder's")) {
            server.post("/v1/rerank", ask("['one']", ""));
            server.post("/v1/rerank", ask("['one']", ",'instruction':'mine'"));
            assertThat(shown).containsExactly("I:folder's|Q:what|D:one|yes?", "I:mine|Q:what|D:one|yes?");
        }
    }

    @Test
    void leavesOutTheEndOfADocumentAndNotWhatFollowsIt() throws IOException {
        try (TestServer server = start("")) {
            String document = "['" + "a".repeat(100) + "']";
            assertThat(server.post("/v1/rerank", ask(document, "")).status()).isEqualTo(400);
            Answer cut = server.post("/v1/rerank", ask(document, ",'truncate':true"));
            assertThat(cut.status()).isEqualTo(200);
            assertThat(shown).hasSize(1);
            assertThat(shown.getFirst()).hasSize(64).endsWith("aaa|yes?");
        }
    }

    @Test
    void findsOutThatATemplateTakesPartsOfContents() throws IOException {
        String parts = "{{ (messages | selectattr('role', 'eq', 'query') | first).content[0].text }};"
                + "{{ (messages | selectattr('role', 'eq', 'document') | first).content[0].text }}";
        PairTemplate pairs = PairTemplate.of(template(parts)).orElseThrow();
        assertThat(pairs.parted()).isTrue();
        assertThat(pairs.render("", "a", "b")).isEqualTo("a;b");
    }

    @Test
    void refusesADecoderThatRanksWithoutATemplateForIt() throws IOException {
        String chat = "{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}";
        assertThatThrownBy(() -> VectorModel.of(ranker(""), Optional.of(template(chat))))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("--chat-template");
        assertThatThrownBy(() -> VectorModel.of(ranker(""), Optional.empty())).isInstanceOf(ModelException.class);
    }
}
