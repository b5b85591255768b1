package dev.jeton.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.models.VectorSpec.Kind;
import dev.jeton.models.VectorSpec.Scores;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.GgufModel;
import dev.jeton.models.reference.TinyModel;
import dev.jeton.models.torch.TorchEngineProvider;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Which decoders give vectors, and which. */
class VectorSpecTest {

    @TempDir
    Path folder;

    private void write(String file, String text) throws IOException {
        Files.createDirectories(folder.resolve(file).getParent());
        Files.writeString(folder.resolve(file), text);
    }

    private void qwen3(String ending, String more) throws IOException {
        write("config.json", Configs.qwen3(more).replace("ForCausalLM", ending));
    }

    private void pooling(String mode) throws IOException {
        write("modules.json", """
                [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
                 {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
                 {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}]
                """);
        write("1_Pooling/config.json", "{\"word_embedding_dimension\": 64, \"%s\": true}".formatted(mode));
    }

    @Test
    void aDecoderGeneratesWhereNothingSaysOtherwise() throws IOException {
        qwen3("ForCausalLM", "");
        assertThat(VectorSpec.ofDecoder(folder)).isEmpty();
        assertThat(DecoderSpec.read(folder).vectors()).isFalse();
    }

    @Test
    void aDecoderOfSentenceTransformersGivesTheLastTokensVector() throws IOException {
        qwen3("ForCausalLM", "");
        pooling("pooling_mode_lasttoken");
        write("sentence_bert_config.json", "{\"max_seq_length\": 200}");
        VectorSpec spec = VectorSpec.ofDecoder(folder).orElseThrow();
        assertThat(spec.kind()).isEqualTo(Kind.EMBEDDING);
        assertThat(spec.width()).isEqualTo(64);
        DecoderSpec decoder = DecoderSpec.read(folder);
        assertThat(decoder.vectors()).isTrue();
        assertThat(decoder.context()).isEqualTo(200);
    }

    @Test
    void refusesToPoolADecoderOtherwise() throws IOException {
        qwen3("Model", "");
        pooling("pooling_mode_mean_tokens");
        assertThatThrownBy(() -> DecoderSpec.read(folder))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("last token")
                .hasMessageContaining("MEAN");
    }

    @Test
    void aDecoderWithoutAProjectionNormalisesTheLastTokensState() throws IOException {
        qwen3("Model", "");
        assertThat(VectorSpec.ofDecoder(folder).orElseThrow().stages())
                .containsExactly(new VectorStage.Pool(List.of(VectorStage.Pooling.LAST)), new VectorStage.Normalize());
    }

    @Test
    void aDecoderWithLabelsClassifiesOrRanks() throws IOException {
        qwen3("ForSequenceClassification", "\"id2label\": {\"0\": \"good\", \"1\": \"bad\"}");
        VectorSpec classifier = VectorSpec.ofDecoder(folder).orElseThrow();
        assertThat(classifier.kind()).isEqualTo(Kind.CLASSIFIER);
        assertThat(classifier.labels()).containsExactly("good", "bad");
        assertThat(classifier.scores()).isEqualTo(Scores.SOFTMAX);
        qwen3("ForSequenceClassification", "\"num_labels\": 1");
        VectorSpec ranker = VectorSpec.ofDecoder(folder).orElseThrow();
        assertThat(ranker.kind()).isEqualTo(Kind.RERANKER);
        assertThat(ranker.width()).isEqualTo(1);
    }

    @Test
    void labelsAreReadAtTheLastTokenThatIsNoPadding() throws IOException {
        qwen3("ForSequenceClassification", "\"pad_token_id\": 9");
        VectorSpec labelled = VectorSpec.ofDecoder(folder).orElseThrow();
        assertThat(labelled.read(new int[] {9, 3, 9, 9})).containsExactly(9, 3);
        assertThat(labelled.read(new int[] {9, 9})).containsExactly(9);
        qwen3("Model", "\"pad_token_id\": 9");
        assertThat(VectorSpec.ofDecoder(folder).orElseThrow().read(new int[] {3, 9}))
                .containsExactly(3, 9);
    }

    @Test
    void takesPromptAndScoresFromWhatSentenceTransformersWrote() throws IOException {
        qwen3("ForCausalLM", "");
        write("modules.json", """
                [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.base.modules.Transformer"},
                 {"idx": 1, "name": "1", "path": "1_LogitScore",
                  "type": "sentence_transformers.cross_encoder.modules.LogitScore"}]
                """);
        write("1_LogitScore/config.json", "{\"true_token_id\": 5}");
        write("config_sentence_transformers.json", """
                {"activation_fn": "torch.nn.modules.linear.Identity", "prompts": {"web": "Judge."},
                 "default_prompt_name": "web"}
                """);
        VectorSpec spec = VectorSpec.ofDecoder(folder).orElseThrow();
        assertThat(spec.stages()).containsExactly(new VectorStage.TokenLogit(5, -1));
        assertThat(spec.scores()).isEqualTo(Scores.NONE);
        assertThat(spec.prompt()).isEqualTo("Judge.");
    }

    @Test
    void torchRefusesVectorsByName() throws IOException {
        qwen3("Model", "");
        Files.createFile(folder.resolve("model.safetensors"));
        assertThat(new TorchEngineProvider().refusal(folder)).contains("vectors of texts");
    }

    private Path gguf(int pooling) throws IOException {
        TinyModel tiny = new TinyModel(folder.resolve("tiny"), Configs.qwen3(""), TensorType.F32, 1);
        GgufModel model = new GgufModel("qwen3", tiny.spec, tiny.weights, name -> TensorType.F32);
        model.writer.put("qwen3.pooling_type", pooling);
        return model.write(folder.resolve("pooling-%d.gguf".formatted(pooling)));
    }

    @Test
    void aGgufFileSaysHowItPools() throws IOException {
        assertThat(DecoderSpec.read(gguf(0)).vectors()).isFalse();
        Path last = gguf(3);
        assertThat(DecoderSpec.read(last).vectors()).isTrue();
        assertThat(VectorSpec.ofDecoder(last).orElseThrow().kind()).isEqualTo(Kind.EMBEDDING);
        Path mean = gguf(1);
        assertThatThrownBy(() -> DecoderSpec.read(mean)).hasMessageContaining("pooling type 1");
    }
}
