package dev.jeton.models.onnx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.ModelException;
import dev.jeton.models.SafetensorsWriter;
import dev.jeton.models.TensorType;
import dev.jeton.models.VectorSpec;
import dev.jeton.models.VectorStage;
import dev.jeton.models.engine.EncoderContract;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.SequenceSpec;
import dev.jeton.models.engine.StepBatch;
import dev.jeton.models.engine.StepResult;
import dev.jeton.models.reference.TinyEncoder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Encoders of several kinds against float64. */
class EncoderEngineTest extends EncoderContract {

    private static final EngineOptions OPTIONS = new EngineOptions(0, 0, 8, 256, 16, 2, "none");
    private static final TinyEncoder.Shape BERT = new TinyEncoder.Shape(64, 32, 2, 4, 48, 48, 0, -1);
    private static final int SEPARATOR = 3;

    @TempDir
    Path folder;

    @Override
    protected Engine create() throws IOException {
        Path model = Files.createTempDirectory(folder, "model");
        new EncoderExport(new TinyEncoder(BERT, 7)).write(model, "BertModel", "");
        return OnnxEngines.load(model, OPTIONS);
    }

    @Override
    protected double tolerance() {
        return 1e-5;
    }

    private static float[] vector(Engine engine, int... text) {
        engine.open(0, new SequenceSpec(SamplingParameters.GREEDY, text, text.length, text.length));
        StepBatch batch = new StepBatch(0);
        batch.addRow(0, StepBatch.POOLED, 0, text, 0, text.length);
        StepResult result = engine.await(engine.launch(batch));
        engine.close(0);
        assertThat(result.failure(0)).isEmpty();
        return Arrays.copyOf(result.pooled, result.pooledWidth);
    }

    private static int[] text(int length) {
        return new Random(length).ints(length, 5, 64).toArray();
    }

    private static void near(float[] found, double[] expected) {
        assertThat(found).hasSize(expected.length);
        for (int i = 0; i < expected.length; i++) {
            assertThat((double) found[i])
                    .as("element %d", i)
                    .isCloseTo(expected[i], org.assertj.core.api.Assertions.within(1e-4));
        }
    }

    private void modules(Path model, String... types) throws IOException {
        StringBuilder json = new StringBuilder("[");
        for (int i = 0; i < types.length; i++) {
            String path = types[i].equals("Transformer") ? "" : i + "_" + types[i];
            json.append(i == 0 ? "" : ",")
                    .append(
                            "{\"idx\": %d, \"name\": \"%d\", \"path\": \"%s\", \"type\": \"sentence_transformers.models.%s\"}"
                                    .formatted(i, i, path, types[i]));
            Files.createDirectories(model.resolve(path));
        }
        Files.writeString(model.resolve("modules.json"), json.append("]"));
    }

    @Test
    void poolsByTheMeanWithoutModules() throws IOException {
        TinyEncoder encoder = new TinyEncoder(BERT, 7);
        new EncoderExport(encoder).write(folder, "BertModel", "");
        int[] text = text(13);
        double[] mean = new double[32];
        for (double[] state : encoder.hidden(text, -1)) {
            for (int h = 0; h < 32; h++) {
                mean[h] += state[h] / text.length;
            }
        }
        try (Engine engine = OnnxEngines.load(folder, OPTIONS)) {
            near(vector(engine, text), mean);
        }
    }

    @Test
    void joinsSeveralPoolingsMultipliesAndNormalises() throws IOException {
        TinyEncoder encoder = new TinyEncoder(BERT, 9);
        new EncoderExport(encoder).write(folder, "BertModel", "");
        modules(folder, "Transformer", "Pooling", "Dense", "Normalize");
        Files.writeString(folder.resolve("1_Pooling/config.json"), """
                {"word_embedding_dimension": 32, "pooling_mode_cls_token": true, "pooling_mode_mean_tokens": true,
                 "pooling_mode_max_tokens": true, "pooling_mode_mean_sqrt_len_tokens": true,
                 "pooling_mode_weightedmean_tokens": true, "pooling_mode_lasttoken": true}
                """);
        Files.writeString(folder.resolve("2_Dense/config.json"), """
                {"in_features": 192, "out_features": 5, "bias": true,
                 "activation_function": "torch.nn.modules.activation.GELU"}
                """);
        Random random = new Random(5);
        float[] weight = new float[5 * 192];
        float[] bias = new float[5];
        for (int i = 0; i < weight.length; i++) {
            weight[i] = (float) random.nextGaussian() / 8;
        }
        for (int i = 0; i < bias.length; i++) {
            bias[i] = (float) random.nextGaussian();
        }
        new SafetensorsWriter()
                .add("linear.weight", TensorType.F32, new int[] {5, 192}, weight)
                .add("linear.bias", TensorType.F32, new int[] {5}, bias)
                .write(folder.resolve("2_Dense/model.safetensors"));
        int[] text = text(11);
        double[] pooled = pooled(encoder.hidden(text, -1));
        double[] out = new double[5];
        double square = 0;
        for (int o = 0; o < 5; o++) {
            double sum = bias[o];
            for (int i = 0; i < 192; i++) {
                sum += weight[o * 192 + i] * pooled[i];
            }
            out[o] = sum * standardNormal(sum);
            square += out[o] * out[o];
        }
        for (int o = 0; o < 5; o++) {
            out[o] /= Math.sqrt(square);
        }
        assertThat(VectorSpec.read(folder).width()).isEqualTo(5);
        try (Engine engine = OnnxEngines.load(folder, OPTIONS)) {
            near(vector(engine, text), out);
        }
    }

    /** DJL's model zoo has ONNX exports, too. */
    @Test
    void poolsAsTheTranslatorOfDjlThatServingPropertiesNames() throws IOException {
        TinyEncoder encoder = new TinyEncoder(BERT, 9);
        new EncoderExport(encoder).write(folder, "BertForMaskedLM", "");
        Files.writeString(
                folder.resolve("serving.properties"),
                "engine=OnnxRuntime\noption.modelName=model\npooling=cls\nnormalize=false\n"
                        + "translatorFactory=ai.djl.huggingface.translator.TextEmbeddingTranslatorFactory\n");
        try (Engine engine = OnnxEngines.load(folder, OPTIONS)) {
            near(vector(engine, text(9)), encoder.hidden(text(9), -1)[0]);
        }
    }

    /** First, greatest, mean, mean by the root, weighted mean, last: the order of sentence-transformers. */
    private static double[] pooled(double[][] states) {
        int n = states.length;
        double[] all = new double[6 * 32];
        for (int h = 0; h < 32; h++) {
            double sum = 0;
            double weighted = 0;
            double most = Double.NEGATIVE_INFINITY;
            for (int t = 0; t < n; t++) {
                sum += states[t][h];
                weighted += (t + 1) * states[t][h];
                most = Math.max(most, states[t][h]);
            }
            all[h] = states[0][h];
            all[32 + h] = most;
            all[64 + h] = sum / n;
            all[96 + h] = sum / Math.sqrt(n);
            all[128 + h] = weighted / (n * (n + 1) / 2);
            all[160 + h] = states[n - 1][h];
        }
        return all;
    }

    /** By Simpson's rule. */
    private static double standardNormal(double x) {
        int steps = 4000;
        double from = -12;
        double width = (x - from) / steps;
        double sum = 0;
        for (int i = 0; i <= steps; i++) {
            double at = from + i * width;
            sum += (i == 0 || i == steps ? 1 : i % 2 == 1 ? 4 : 2) * Math.exp(-at * at / 2);
        }
        return sum * width / 3 / Math.sqrt(2 * Math.PI);
    }

    @Test
    void tellsTheTextsOfAPairApartByTokenTypes() throws IOException {
        TinyEncoder encoder = new TinyEncoder(new TinyEncoder.Shape(64, 32, 2, 4, 48, 48, 1, -1), 3);
        new EncoderExport(encoder)
                .write(
                        folder,
                        "BertForSequenceClassification",
                        "\"id2label\": {\"0\": \"LABEL_0\"}, \"sep_token_id\": 3");
        VectorSpec spec = VectorSpec.read(folder);
        assertThat(spec.kind()).isEqualTo(VectorSpec.Kind.RERANKER);
        assertThat(spec.scores()).isEqualTo(VectorSpec.Scores.SIGMOID);
        int[] pair = {2, 10, 11, SEPARATOR, 20, 21, 22, SEPARATOR};
        try (Engine engine = OnnxEngines.load(folder, OPTIONS)) {
            near(vector(engine, pair), encoder.logits(pair, SEPARATOR));
            assertThat((double) vector(engine, pair)[0])
                    .isNotCloseTo(encoder.logits(pair, -1)[0], org.assertj.core.api.Assertions.within(1e-3));
        }
    }

    @Test
    void findsTheSeparatorInTheTokenizer() throws IOException {
        new EncoderExport(new TinyEncoder(BERT, 3)).write(folder, "BertForSequenceClassification", "");
        Files.writeString(
                folder.resolve("tokenizer.json"),
                "{\"added_tokens\": [{\"id\": 3, \"content\": \"</s>\", \"special\": true}], \"model\": {\"vocab\": {\"a\": 0}}}");
        Files.writeString(folder.resolve("tokenizer_config.json"), "{\"sep_token\": {\"content\": \"</s>\"}}");
        assertThat(VectorSpec.read(folder).separator()).isEqualTo(3);
    }

    @Test
    void readsLabelsAndHowTheyAreScored() throws IOException {
        TinyEncoder encoder = new TinyEncoder(new TinyEncoder.Shape(64, 32, 1, 4, 48, 48, 3, 2), 3);
        new EncoderExport(encoder)
                .write(
                        folder,
                        "RobertaForSequenceClassification",
                        "\"id2label\": {\"0\": \"a\", \"1\": \"b\", \"2\": \"c\"}, \"problem_type\": \"multi_label_classification\"");
        VectorSpec spec = VectorSpec.read(folder);
        assertThat(spec.kind()).isEqualTo(VectorSpec.Kind.CLASSIFIER);
        assertThat(spec.labels()).containsExactly("a", "b", "c");
        assertThat(spec.scores()).isEqualTo(VectorSpec.Scores.SIGMOID);
        assertThat(spec.maxTokens())
                .as("two positions are before the first token")
                .isEqualTo(46);
        int[] text = text(46);
        try (Engine engine = OnnxEngines.load(folder, OPTIONS)) {
            near(vector(engine, text), encoder.logits(text, -1));
            near(vector(engine, text(5)), encoder.logits(text(5), -1));
        }
    }

    @Test
    void takesTheShorterOfTheModelsAndTheSentencesLimit() throws IOException {
        new EncoderExport(new TinyEncoder(BERT, 7)).write(folder, "BertModel", "");
        Files.writeString(folder.resolve("sentence_bert_config.json"), "{\"max_seq_length\": 20}");
        try (Engine engine = OnnxEngines.load(folder, OPTIONS)) {
            assertThat(engine.info().contextLength()).isEqualTo(20);
        }
    }

    @Test
    void readsWhatSentenceTransformersWritesSinceVersionSix() throws IOException {
        new EncoderExport(new TinyEncoder(BERT, 7)).write(folder, "BertModel", "");
        modules(folder, "Transformer", "Pooling");
        Path pooling = folder.resolve("1_Pooling/config.json");
        Files.writeString(pooling, "{\"embedding_dimension\": 32, \"pooling_mode\": [\"lasttoken\", \"cls\"]}");
        Files.writeString(
                folder.resolve("sentence_bert_config.json"), "{\"transformer_task\": \"feature-extraction\"}");
        Files.writeString(folder.resolve("tokenizer_config.json"), "{\"model_max_length\": 21}");
        VectorSpec spec = VectorSpec.read(folder);
        assertThat(spec.stages())
                .containsExactly(new VectorStage.Pool(List.of(VectorStage.Pooling.LAST, VectorStage.Pooling.FIRST)));
        assertThat(spec.width()).isEqualTo(64);
        assertThat(spec.maxTokens()).isEqualTo(21);
        Files.writeString(folder.resolve("tokenizer_config.json"), "{\"model_max_length\": 1e30}");
        Files.writeString(pooling, "{\"pooling_mode\": \"max\"}");
        assertThat(VectorSpec.read(folder).maxTokens()).isEqualTo(48);
        assertThat(VectorSpec.read(folder).stages())
                .containsExactly(new VectorStage.Pool(List.of(VectorStage.Pooling.MAX)));
        Files.writeString(pooling, "{\"pooling_mode\": \"median\"}");
        assertThatThrownBy(() -> VectorSpec.read(folder)).hasMessageContaining("\"median\" is not supported");
    }

    @Test
    void failsTheRowWhoseVectorIsNotFiniteAndNoOther() throws IOException {
        TinyEncoder encoder = new TinyEncoder(BERT, 7);
        encoder.breakWord(50);
        new EncoderExport(encoder).write(folder, "BertModel", "");
        try (Engine engine = OnnxEngines.load(folder, OPTIONS)) {
            int[] good = text(6);
            good[2] = 7;
            float[] alone = vector(engine, good);
            int[] bad = {50, 8, 9};
            StepBatch batch = new StepBatch(0);
            engine.open(0, new SequenceSpec(SamplingParameters.GREEDY, bad, 3, 3));
            engine.open(1, new SequenceSpec(SamplingParameters.GREEDY, good, 6, 6));
            batch.addRow(0, StepBatch.POOLED, 0, bad, 0, 3);
            batch.addRow(1, StepBatch.POOLED, 0, good, 0, 6);
            StepResult result = engine.await(engine.launch(batch));
            assertThat(result.failure(0))
                    .hasValueSatisfying(why -> assertThat(why).contains("not finite"));
            assertThat(result.failure(1)).isEmpty();
            assertThat(Arrays.copyOfRange(result.pooled, 32, 64))
                    .usingComparatorWithPrecision(1e-4f)
                    .containsExactly(alone);
        }
    }

    @Test
    void refusesModulesThatItDoesNotKnow() throws IOException {
        new EncoderExport(new TinyEncoder(BERT, 7)).write(folder, "BertModel", "");
        modules(folder, "Transformer", "Pooling", "CNN");
        Files.writeString(folder.resolve("1_Pooling/config.json"), "{\"pooling_mode_mean_tokens\": true}");
        assertThatThrownBy(() -> VectorSpec.read(folder))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("CNN")
                .hasMessageContaining("Normalize");
        modules(folder, "Transformer", "Pooling");
        Files.writeString(folder.resolve("1_Pooling/config.json"), "{\"pooling_mode_mean_tokens\": false}");
        assertThatThrownBy(() -> VectorSpec.read(folder))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("no pooling mode");
    }

    @Test
    void refusesAGraphWhoseOutputIsNotWhatTheFolderSays() throws IOException {
        new EncoderExport(new TinyEncoder(BERT, 7)).write(folder, "BertForSequenceClassification", "\"num_labels\": 2");
        assertThatThrownBy(() -> OnnxEngines.load(folder, OPTIONS))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("logits")
                .hasMessageContaining("last_hidden_state");
    }
}
