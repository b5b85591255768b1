package dev.jeton.models.torch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ModelException;
import ai.djl.inference.Predictor;
import ai.djl.modality.Classifications;
import ai.djl.repository.zoo.Criteria;
import ai.djl.repository.zoo.ZooModel;
import ai.djl.translate.DeferredTranslatorFactory;
import ai.djl.translate.TranslateException;
import ai.djl.util.StringPair;
import dev.jeton.models.EngineOptions;
import dev.jeton.models.FolderTokenizer;
import dev.jeton.models.SafetensorsWriter;
import dev.jeton.models.TensorType;
import dev.jeton.models.VectorSpec;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.SequenceSpec;
import dev.jeton.models.engine.StepBatch;
import dev.jeton.models.engine.StepResult;
import dev.jeton.models.reference.TinyEncoder;
import dev.jeton.models.reference.TinyTokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Folders as DJL's model zoo lays them out: the engine against DJL's own translators, on the same files and texts. */
@ExtendWith(NeedsTorch.class)
class DjlTranslatorTest {

    private static final EngineOptions OPTIONS = new EngineOptions(0, 0, 16, 512, 16, 1, "none");
    private static final String PACKAGE = "ai.djl.huggingface.translator.";
    private static final List<String> TEXTS = List.of(
            TinyTokenizer.text(7, 8, 9),
            TinyTokenizer.text(50),
            TinyTokenizer.text(11, 12, 13, 14, 15, 16, 17, 18, 19, 20),
            TinyTokenizer.text(7, 9, 8));

    @TempDir
    Path home;

    private Path folder = Path.of("");

    @BeforeEach
    void makeFolder() throws IOException {
        TorchRuntime.start();
        folder = Files.createDirectory(home.resolve("tiny-encoder"));
        TinyTokenizer.write(folder, 64);
    }

    private static TinyEncoder encoder(int labels, int shift) {
        return new TinyEncoder(new TinyEncoder.Shape(64, 32, 2, 4, 48, 48, labels, shift), 21);
    }

    private void module(int labels, int shift, String architecture, String more) throws IOException {
        new EncoderArchive(encoder(labels, shift)).write(folder, "tiny-encoder.pt", architecture, more);
    }

    /** As DJL's converter writes it. */
    private void properties(String factory, String... lines) throws IOException {
        List<String> all = new ArrayList<>(List.of(
                "engine=PyTorch",
                "option.modelName=tiny-encoder",
                "option.mapLocation=true",
                "padding=true",
                "translatorFactory=" + PACKAGE + factory));
        all.addAll(List.of(lines));
        Files.write(folder.resolve("serving.properties"), all);
    }

    private interface Use<I, O> {
        List<O> by(Predictor<I, O> predictor) throws TranslateException;
    }

    private <I, O> List<O> djl(Class<I> input, Class<O> output, Use<I, O> use)
            throws IOException, ModelException, TranslateException {
        Criteria<I, O> criteria = Criteria.builder()
                .setTypes(input, output)
                .optModelPath(folder)
                .optEngine("PyTorch")
                .optTranslatorFactory(new DeferredTranslatorFactory())
                .build();
        try (ZooModel<I, O> model = criteria.loadModel();
                Predictor<I, O> predictor = model.newPredictor()) {
            return use.by(predictor);
        }
    }

    private static List<float[]> together(Engine engine, List<int[]> texts) {
        StepBatch batch = new StepBatch(0);
        for (int i = 0; i < texts.size(); i++) {
            int[] text = texts.get(i);
            engine.open(i, new SequenceSpec(SamplingParameters.GREEDY, text, text.length, text.length));
            batch.addRow(i, StepBatch.POOLED, 0, text, 0, text.length);
        }
        StepResult result = engine.await(engine.launch(batch));
        List<float[]> vectors = new ArrayList<>();
        for (int i = 0; i < texts.size(); i++) {
            assertThat(result.failure(i)).isEmpty();
            vectors.add(Arrays.copyOfRange(result.pooled, i * result.pooledWidth, (i + 1) * result.pooledWidth));
            engine.close(i);
        }
        return vectors;
    }

    private List<float[]> ours() {
        try (FolderTokenizer tokenizer = FolderTokenizer.load(folder);
                Engine engine = new TorchEngineProvider().open(folder, OPTIONS)) {
            return together(
                    engine,
                    TEXTS.stream().map(text -> tokenizer.encode(text, true)).toList());
        }
    }

    private static void near(List<float[]> found, List<float[]> expected) {
        assertThat(found).hasSameSizeAs(expected);
        for (int i = 0; i < expected.size(); i++) {
            assertThat(found.get(i))
                    .as("text %d", i)
                    .usingComparatorWithPrecision(2e-5f)
                    .containsExactly(expected.get(i));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "cls", "mean", "max", "mean_sqrt_len", "lasttoken"})
    void poolsAsTheTranslator(String pooling) throws Exception {
        module(0, -1, "BertModel", "");
        String line = pooling.isEmpty() ? "" : "pooling=" + pooling;
        properties("TextEmbeddingTranslatorFactory", "includeTokenTypes=true", "normalize=false", line);
        List<float[]> one = djl(String.class, float[].class, predictor -> {
            List<float[]> all = new ArrayList<>();
            for (String text : TEXTS) {
                all.add(predictor.predict(text));
            }
            return all;
        });
        near(ours(), one);
        // of several texts at once DJL takes the last token of the first for all
        if (!pooling.equals("lasttoken")) {
            near(ours(), djl(String.class, float[].class, predictor -> predictor.batchPredict(TEXTS)));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"true", "false"})
    void appliesLayersAndTheNormAsTheTranslator(String normalize) throws Exception {
        module(0, 2, "RobertaModel", "");
        Random random = new Random(4);
        new SafetensorsWriter()
                .add("linear.weight", TensorType.F32, new int[] {5, 32}, floats(random, 160))
                .add("linear.bias", TensorType.F32, new int[] {5}, floats(random, 5))
                .write(folder.resolve("linear.safetensors"));
        new SafetensorsWriter()
                .add("norm.weight", TensorType.F32, new int[] {5}, floats(random, 5))
                .add("norm.bias", TensorType.F32, new int[] {5}, floats(random, 5))
                .write(folder.resolve("norm.safetensors"));
        for (String activation : List.of("Tanh", "")) {
            properties(
                    "TextEmbeddingTranslatorFactory",
                    "dense=linear.safetensors",
                    "denseActivation=" + activation,
                    "layerNorm=norm.safetensors",
                    "normalize=" + normalize);
            assertThat(VectorSpec.read(folder).width()).isEqualTo(5);
            near(ours(), djl(String.class, float[].class, predictor -> predictor.batchPredict(TEXTS)));
        }
    }

    private static float[] floats(Random random, int count) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }

    @Test
    void normalizesUnlessToldOtherwiseAndTakesWholeNumbersOf32Bits() throws Exception {
        module(0, -1, "BertModel", "");
        properties("TextEmbeddingTranslatorFactory", "includeTokenTypes=true", "int32=true");
        List<float[]> vectors = ours();
        near(vectors, djl(String.class, float[].class, predictor -> predictor.batchPredict(TEXTS)));
        double length = 0;
        for (float value : vectors.getFirst()) {
            length += value * value;
        }
        assertThat(length).isCloseTo(1, within(1e-5));
    }

    @Test
    void putsNoSpecialTokensAroundTextsAndLowersThemWhereThatIsSaid() throws Exception {
        module(0, 2, "RobertaModel", "");
        properties("TextEmbeddingTranslatorFactory", "addSpecialTokens=false", "doLowerCase=true");
        try (FolderTokenizer tokenizer = FolderTokenizer.load(folder)) {
            assertThat(tokenizer.encode("W7 w8", true)).containsExactly(7, 8);
            assertThat(tokenizer.encodePair("w7", "W8")).containsExactly(7, 8);
        }
        near(ours(), djl(String.class, float[].class, predictor -> predictor.batchPredict(TEXTS)));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "single_label_classification", "multi_label_classification"})
    void scoresLabelsAsTheTranslator(String problem) throws Exception {
        String more = "\"id2label\": {\"0\": \"a\", \"1\": \"b\", \"2\": \"c\"}"
                + (problem.isEmpty() ? "" : ", \"problem_type\": \"" + problem + "\"");
        module(3, -1, "BertForSequenceClassification", more);
        properties("TextClassificationTranslatorFactory", "includeTokenTypes=true");
        VectorSpec spec = VectorSpec.read(folder);
        assertThat(spec.kind()).isEqualTo(VectorSpec.Kind.CLASSIFIER);
        List<Classifications> expected =
                djl(String.class, Classifications.class, predictor -> predictor.batchPredict(TEXTS));
        List<float[]> logits = ours();
        for (int i = 0; i < TEXTS.size(); i++) {
            double[] scores = scores(spec.scores(), logits.get(i));
            for (int label = 0; label < 3; label++) {
                assertThat(scores[label])
                        .isCloseTo(expected.get(i).get(spec.labels().get(label)).getProbability(), within(1e-5));
            }
        }
    }

    /** As the server makes them of logits. */
    private static double[] scores(VectorSpec.Scores kind, float[] logits) {
        double[] scores = new double[logits.length];
        double sum = 0;
        for (int i = 0; i < scores.length; i++) {
            scores[i] = kind == VectorSpec.Scores.SIGMOID ? 1 / (1 + Math.exp(-logits[i])) : Math.exp(logits[i]);
            sum += scores[i];
        }
        for (int i = 0; i < scores.length && kind == VectorSpec.Scores.SOFTMAX; i++) {
            scores[i] /= sum;
        }
        return scores;
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void scoresPairsAsTheTranslator(boolean sigmoid) throws Exception {
        module(1, -1, "BertForSequenceClassification", "\"id2label\": {\"0\": \"LABEL_0\"}");
        properties(
                "TextClassificationTranslatorFactory",
                "includeTokenTypes=true",
                "reranking=true",
                "sigmoid=" + sigmoid);
        VectorSpec spec = VectorSpec.read(folder);
        assertThat(spec.kind()).isEqualTo(VectorSpec.Kind.RERANKER);
        assertThat(spec.scores()).isEqualTo(sigmoid ? VectorSpec.Scores.SIGMOID : VectorSpec.Scores.NONE);
        List<StringPair> pairs = TEXTS.stream()
                .map(text -> new StringPair(TEXTS.getFirst(), text))
                .toList();
        List<float[]> expected = djl(StringPair.class, float[].class, predictor -> {
            List<float[]> all = new ArrayList<>();
            for (StringPair pair : pairs) {
                all.add(predictor.predict(pair));
            }
            return all;
        });
        try (FolderTokenizer tokenizer = FolderTokenizer.load(folder);
                Engine engine = new TorchEngineProvider().open(folder, OPTIONS)) {
            List<float[]> logits = together(
                    engine,
                    pairs.stream()
                            .map(pair -> tokenizer.encodePair(pair.getKey(), pair.getValue()))
                            .toList());
            for (int i = 0; i < pairs.size(); i++) {
                double score = sigmoid ? scores(spec.scores(), logits.get(i))[0] : logits.get(i)[0];
                assertThat(score).isCloseTo(expected.get(i)[0], within(2e-5));
            }
        }
    }

    @Test
    void weighsTokensByTheirPlaceAsSentenceTransformersDo() throws Exception {
        module(0, 2, "RobertaModel", "");
        properties("TextEmbeddingTranslatorFactory", "pooling=weightedmean", "normalize=false");
        int[] text = {2, 9, 10, 11, 3};
        double[][] states = encoder(0, 2).hidden(text, -1);
        try (Engine engine = new TorchEngineProvider().open(folder, OPTIONS)) {
            float[] found = together(engine, List.of(text)).getFirst();
            for (int h = 0; h < 32; h++) {
                double sum = 0;
                for (int t = 0; t < 5; t++) {
                    sum += (t + 1) * states[t][h] / 15;
                }
                assertThat((double) found[h]).isCloseTo(sum, within(1e-4));
            }
        }
    }

    @Test
    void takesNoLongerTextsThanItSays() throws Exception {
        module(0, -1, "BertModel", "");
        properties("TextEmbeddingTranslatorFactory", "includeTokenTypes=true", "maxLength=20");
        assertThat(VectorSpec.read(folder).maxTokens()).isEqualTo(20);
        properties("TextEmbeddingTranslatorFactory", "includeTokenTypes=true", "maxLength=512");
        assertThat(VectorSpec.read(folder).maxTokens()).isEqualTo(48);
    }

    private void refuses(String message) {
        assertThat(new TorchEngineProvider().refusal(folder)).contains(message);
        assertThatThrownBy(() -> new TorchEngineProvider().open(folder, OPTIONS))
                .isInstanceOf(dev.jeton.models.ModelException.class)
                .hasMessageContaining(message);
    }

    @Test
    void refusesTranslatorsAndOptionsThatItDoesNotKnowByTheirNames() throws Exception {
        module(0, -1, "BertModel", "");
        properties("FillMaskTranslatorFactory");
        refuses("FillMaskTranslatorFactory\" is not supported; TextEmbedding");
        properties("TextEmbeddingTranslatorFactory", "colour=red");
        refuses("the option \"colour\" is not supported");
        properties("TextEmbeddingTranslatorFactory", "sparse=true");
        refuses("\"sparse\"");
        properties("TextEmbeddingTranslatorFactory", "batchifier=none");
        refuses("\"batchifier\" must be stack or padding");
        properties("TextEmbeddingTranslatorFactory", "pooling=median");
        refuses("\"pooling\" must be mean, cls");
        properties("TextEmbeddingTranslatorFactory", "normalize=perhaps");
        refuses("\"normalize\" must be true or false");
        properties("TextEmbeddingTranslatorFactory", "maxLength=-3");
        refuses("\"maxLength\" must be a whole number");
        properties("TextEmbeddingTranslatorFactory", "dense=linear.safetensors");
        refuses("\"dense\" must be a safetensors file");
        properties("TextEmbeddingTranslatorFactory", "dense=../linear.safetensors");
        refuses("outside the folder");
        properties("TextEmbeddingTranslatorFactory", "tokenizer=some/tokenizer");
        refuses("the option \"tokenizer\" is not supported");
        properties("TextEmbeddingTranslatorFactory", "reranking=true");
        module(0, -1, "BertModel", "\"num_labels\": 3");
        refuses("3 labels");
        Files.write(
                folder.resolve("serving.properties"),
                List.of("engine=OnnxRuntime", "translatorFactory=" + PACKAGE + "TextEmbeddingTranslatorFactory"));
        refuses("\"engine\" must be PyTorch");
        Files.write(folder.resolve("serving.properties"), List.of("translatorFactory=\\u00"));
        refuses("cannot be read");
    }

    @Test
    void refusesAModuleThatTakesOtherTensorsThanTheTranslatorGives() throws Exception {
        module(0, -1, "BertModel", "");
        properties("TextEmbeddingTranslatorFactory");
        assertThatThrownBy(() -> new TorchEngineProvider().open(folder, OPTIONS))
                .hasMessageContaining("includeTokenTypes")
                .hasMessageContaining("Tensor argument_3");
        module(0, 2, "RobertaModel", "");
        properties("TextEmbeddingTranslatorFactory", "includeTokenTypes=true");
        assertThatThrownBy(() -> new TorchEngineProvider().open(folder, OPTIONS))
                .hasMessageContaining("gives it 3 tensors");
    }

    @Test
    void refusesAModuleThatPoolsBeforeTheTranslatorDoes() throws Exception {
        TinyEncoder labelled = encoder(32, -1);
        new EncoderArchive(labelled)
                .output(EncoderArchive.Output.TENSOR)
                .write(folder, "tiny-encoder.pt", "BertModel", "");
        properties("TextEmbeddingTranslatorFactory", "includeTokenTypes=true");
        assertThatThrownBy(() -> new TorchEngineProvider().open(folder, OPTIONS))
                .hasMessageContaining("[2, 32]")
                .hasMessageContaining("hidden states of 32 are expected");
    }
}
