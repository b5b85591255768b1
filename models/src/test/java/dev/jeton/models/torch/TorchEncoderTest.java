package dev.jeton.models.torch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Device;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.jni.JniUtils;
import dev.jeton.models.EngineOptions;
import dev.jeton.models.Engines;
import dev.jeton.models.MachineMemory;
import dev.jeton.models.ModelException;
import dev.jeton.models.SafetensorsWriter;
import dev.jeton.models.TensorType;
import dev.jeton.models.VectorSpec;
import dev.jeton.models.engine.EncoderContract;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.SequenceSpec;
import dev.jeton.models.engine.StepBatch;
import dev.jeton.models.engine.StepResult;
import dev.jeton.models.reference.TinyEncoder;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Encoders as TorchScript modules of several kinds against float64. */
@ExtendWith(NeedsTorch.class)
class TorchEncoderTest extends EncoderContract {

    private static final EngineOptions OPTIONS = new EngineOptions(0, 0, 8, 256, 16, 1, "none");
    private static final TinyEncoder.Shape BERT = new TinyEncoder.Shape(64, 32, 2, 4, 48, 48, 0, -1);
    private static final TinyEncoder.Shape ROBERTA = new TinyEncoder.Shape(64, 32, 2, 4, 48, 48, 0, 2);
    private static final int SEPARATOR = 3;

    @TempDir
    Path folder;

    @Override
    protected Engine create() throws IOException {
        Path model = Files.createTempDirectory(folder, "model");
        new EncoderArchive(new TinyEncoder(BERT, 7)).write(model, "model.pt", "BertModel", "");
        return load(model);
    }

    @Override
    protected double tolerance() {
        return 1e-5;
    }

    private static Engine load(Path model) {
        return TorchEncoders.load(model, OPTIONS, TorchDevice.PROCESSORS, MachineMemory.OF_MACHINE);
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

    private static void near(float[] found, double[] expected, double tolerance) {
        assertThat(found).hasSize(expected.length);
        for (int i = 0; i < expected.length; i++) {
            assertThat((double) found[i]).as("element %d", i).isCloseTo(expected[i], within(tolerance));
        }
    }

    private static double[] mean(double[][] states) {
        double[] mean = new double[states[0].length];
        for (double[] state : states) {
            for (int h = 0; h < mean.length; h++) {
                mean[h] += state[h] / states.length;
            }
        }
        return mean;
    }

    private void refused(String... words) {
        assertThatThrownBy(() -> load(folder))
                .isInstanceOf(ModelException.class)
                .satisfies(e -> assertThat(e).message().contains(words));
    }

    @ParameterizedTest
    @EnumSource(
            value = EncoderArchive.Inputs.class,
            names = {"POSITIONS", "NAMES", "DICTIONARY"})
    void givesAModuleWhatItsForwardTakes(EncoderArchive.Inputs inputs) throws IOException {
        for (TinyEncoder.Shape shape : new TinyEncoder.Shape[] {BERT, ROBERTA}) {
            TinyEncoder encoder = new TinyEncoder(shape, 5);
            new EncoderArchive(encoder).inputs(inputs).write(folder, "model.pt", "BertModel", "");
            try (Engine engine = load(folder)) {
                near(vector(engine, text(13)), mean(encoder.hidden(text(13), -1)), 1e-4);
            }
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = EncoderArchive.Output.class,
            names = {"TENSOR", "TUPLE", "DICTIONARY", "SENTENCE"})
    void findsTheTensorInWhatAModuleReturns(EncoderArchive.Output output) throws IOException {
        TinyEncoder encoder = new TinyEncoder(BERT, 6);
        new EncoderArchive(encoder).output(output).write(folder, "model.pt", "BertModel", "");
        try (Engine engine = load(folder)) {
            near(vector(engine, text(11)), mean(encoder.hidden(text(11), -1)), 1e-4);
            near(vector(engine, text(1)), mean(encoder.hidden(text(1), -1)), 1e-4);
        }
    }

    /** float16, float64, bfloat16, by libtorch's numbers. */
    @ParameterizedTest
    @ValueSource(ints = {5, 7, 15})
    void readsOutputsOfEveryFloatingType(int type) throws IOException {
        TinyEncoder encoder = new TinyEncoder(BERT, 6);
        new EncoderArchive(encoder).type(type).write(folder, "model.pt", "BertModel", "");
        try (Engine engine = load(folder)) {
            near(vector(engine, text(11)), mean(encoder.hidden(text(11), -1)), type == 7 ? 1e-4 : 2e-2);
        }
    }

    @Test
    void readsWhatLibtorchItselfSaves() throws IOException {
        TinyEncoder encoder = new TinyEncoder(BERT, 6);
        new EncoderArchive(encoder).write(folder, "model.pt", "BertModel", "");
        Path file = folder.resolve("model.pt");
        byte[] written = Files.readAllBytes(file);
        TorchRuntime.start();
        try (PtNDManager manager =
                        (PtNDManager) ai.djl.engine.Engine.getEngine("PyTorch").newBaseManager(Device.cpu());
                OutputStream out = Files.newOutputStream(file)) {
            JniUtils.writeModule(
                    JniUtils.loadModule(manager, new ByteArrayInputStream(written), false, false), out, false);
        }
        assertThat(Files.readAllBytes(file)).isNotEqualTo(written);
        try (Engine engine = load(folder)) {
            near(vector(engine, text(11)), mean(encoder.hidden(text(11), -1)), 1e-4);
        }
    }

    @Test
    void poolsAsTheModulesOfSentenceTransformersSay() throws IOException {
        TinyEncoder encoder = new TinyEncoder(BERT, 9);
        new EncoderArchive(encoder).write(folder, "model.pt", "BertModel", "");
        Files.writeString(folder.resolve("modules.json"), """
                [{"type": "sentence_transformers.models.Transformer", "path": ""},
                 {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"},
                 {"type": "sentence_transformers.models.LayerNorm", "path": "2_LayerNorm"},
                 {"type": "sentence_transformers.models.Normalize", "path": "3_Normalize"}]
                """);
        Files.createDirectory(folder.resolve("1_Pooling"));
        Files.writeString(folder.resolve("1_Pooling/config.json"), "{\"pooling_mode_cls_token\": true}");
        Files.createDirectory(folder.resolve("2_LayerNorm"));
        Files.writeString(folder.resolve("2_LayerNorm/config.json"), "{\"dimension\": 32}");
        float[] weight = new float[32];
        float[] bias = new float[32];
        for (int i = 0; i < 32; i++) {
            weight[i] = 1 + i / 8f;
            bias[i] = i / 16f - 1;
        }
        new SafetensorsWriter()
                .add("norm.weight", TensorType.F32, new int[] {32}, weight)
                .add("norm.bias", TensorType.F32, new int[] {32}, bias)
                .write(folder.resolve("2_LayerNorm/model.safetensors"));
        double[] first = encoder.hidden(text(9), -1)[0];
        double average = Arrays.stream(first).average().orElseThrow();
        double variance = Arrays.stream(first)
                .map(value -> (value - average) * (value - average))
                .average()
                .orElseThrow();
        double[] expected = new double[32];
        for (int i = 0; i < 32; i++) {
            expected[i] = (first[i] - average) / Math.sqrt(variance + 1e-5) * weight[i] + bias[i];
        }
        double length = Math.sqrt(Arrays.stream(expected).map(v -> v * v).sum());
        try (Engine engine = load(folder)) {
            near(
                    vector(engine, text(9)),
                    Arrays.stream(expected).map(v -> v / length).toArray(),
                    1e-4);
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = EncoderArchive.Output.class,
            names = {"TENSOR", "TUPLE", "DICTIONARY"})
    void tellsTheTextsOfAPairApartByTokenTypes(EncoderArchive.Output output) throws IOException {
        TinyEncoder encoder = new TinyEncoder(new TinyEncoder.Shape(64, 32, 2, 4, 48, 48, 1, -1), 3);
        new EncoderArchive(encoder)
                .output(output)
                .write(folder, "model.pt", "BertForSequenceClassification", "\"num_labels\": 1, \"sep_token_id\": 3");
        assertThat(VectorSpec.read(folder).kind()).isEqualTo(VectorSpec.Kind.RERANKER);
        int[] pair = {2, 10, 11, SEPARATOR, 20, 21, 22, SEPARATOR};
        try (Engine engine = load(folder)) {
            near(vector(engine, pair), encoder.logits(pair, SEPARATOR), 1e-4);
            assertThat((double) vector(engine, pair)[0]).isNotCloseTo(encoder.logits(pair, -1)[0], within(1e-3));
        }
    }

    @Test
    void bringsTheLogitsOfAClassifier() throws IOException {
        TinyEncoder encoder = new TinyEncoder(new TinyEncoder.Shape(64, 32, 1, 4, 48, 48, 3, 2), 3);
        new EncoderArchive(encoder).write(folder, "model.pt", "RobertaForSequenceClassification", "\"num_labels\": 3");
        try (Engine engine = load(folder)) {
            assertThat(engine.info().contextLength()).isEqualTo(46);
            near(vector(engine, text(46)), encoder.logits(text(46), -1), 1e-4);
            near(vector(engine, text(5)), encoder.logits(text(5), -1), 1e-4);
        }
    }

    @Test
    void failsTheRowWhoseVectorIsNotFiniteAndNoOther() throws IOException {
        TinyEncoder encoder = new TinyEncoder(BERT, 7);
        encoder.breakWord(50);
        new EncoderArchive(encoder).write(folder, "model.pt", "BertModel", "");
        try (Engine engine = load(folder)) {
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

    /** Nothing runs on a GPU here, but libtorch compiles the script and so checks every call in it. */
    @Test
    void compilesItsAdapterForAGpu() {
        TorchRuntime.start();
        TorchModule.load(TorchEncoder.adapter(new TorchDevice(1), true)).close();
    }

    @Test
    void saysWhatItRunsOn() throws IOException {
        try (Engine engine = create()) {
            assertThat(engine.info().name()).isEqualTo("torch");
            assertThat(engine.info().devices()).containsExactly("cpu: 1 threads");
        }
    }

    @Test
    void isTakenByAutoWhereThereIsNothingElse() throws IOException {
        new EncoderArchive(new TinyEncoder(BERT, 7)).write(folder, "my.pt", "BertModel", "");
        assertThat(Engines.found().choose("auto", folder).name()).isEqualTo("torch");
    }

    @Test
    void saysWhatAnEncoderWithoutAModuleLacks() throws IOException {
        new TinyEncoder(BERT, 7).config(folder, "BertModel", "");
        assertThat(new TorchEngineProvider().refusal(folder)).contains("there is no TorchScript module (model.pt)");
    }

    @Test
    void givesItsMemoryBackFromRunToRun() throws IOException {
        TinyEncoder encoder = new TinyEncoder(new TinyEncoder.Shape(64, 256, 1, 4, 256, 512, 0, -1), 1);
        new EncoderArchive(encoder).write(folder, "model.pt", "BertModel", "");
        try (Engine engine = load(folder)) {
            long before = 0;
            for (int round = 0; round < 400; round++) {
                vector(engine, text(256));
                if (round == 100) {
                    before = residentBytes();
                }
            }
            assertThat(residentBytes() - before).as("of 300 times 256 KiB").isLessThan(32 << 20);
        }
    }

    private static long residentBytes() throws IOException {
        String[] pages = Files.readString(Path.of("/proc/self/statm")).split(" ");
        return 4096 * Long.parseLong(pages[1]);
    }

    @Test
    void refusesAModuleThatTakesSomethingElse() throws IOException {
        TinyEncoder encoder = new TinyEncoder(BERT, 7);
        new EncoderArchive(encoder).inputs(EncoderArchive.Inputs.PIXELS).write(folder, "model.pt", "BertModel", "");
        refused("Tensor pixel_values", "attention mask");
        new EncoderArchive(encoder).inputs(EncoderArchive.Inputs.IDS).write(folder, "model.pt", "BertModel", "");
        refused("forward(__torch__.Encoder self, Tensor input_ids)", "attention mask");
        new EncoderArchive(encoder).operator("def forward", "def backward").write(folder, "model.pt", "BertModel", "");
        refused("has no forward");
    }

    @Test
    void refusesAModuleThatReturnsSomethingElse() throws IOException {
        TinyEncoder encoder = new TinyEncoder(BERT, 7);
        new EncoderArchive(encoder).output(EncoderArchive.Output.STRANGE).write(folder, "model.pt", "BertModel", "");
        refused("[first, second]", "last_hidden_state");
        new EncoderArchive(encoder).output(EncoderArchive.Output.NUMBER).write(folder, "model.pt", "BertModel", "");
        refused("forward returns int");
        new EncoderArchive(encoder).type(4).write(folder, "model.pt", "BertModel", "");
        refused("whole numbers");
        new EncoderArchive(encoder)
                .output(EncoderArchive.Output.TENSOR)
                .write(folder, "model.pt", "BertForSequenceClassification", "\"num_labels\": 2");
        refused("[2, 5, 32]", "2 logits");
    }

    @Test
    void refusesAModuleOfAnotherWidthVocabularyOrNumberOfPositionsThanTheFolderSays() throws IOException {
        TinyEncoder encoder = new TinyEncoder(BERT, 7);
        new EncoderArchive(encoder).write(folder, "model.pt", "BertModel", "");
        Path config = folder.resolve("config.json");
        String right = Files.readString(config);
        Files.writeString(config, right.replace("\"hidden_size\": 32", "\"hidden_size\": 24"));
        refused("[2, 5, 32]", "hidden states of 24");
        Files.writeString(config, right.replace("\"vocab_size\": 64", "\"vocab_size\": 65"));
        refused("libtorch failed in forward");
        Files.writeString(config, right.replace("\"max_position_embeddings\": 48", "\"max_position_embeddings\": 50"));
        refused("libtorch failed in forward");
    }

    @Test
    void refusesToChooseAmongSeveralModules() throws IOException {
        EncoderArchive archive = new EncoderArchive(new TinyEncoder(BERT, 7));
        archive.write(folder, "one.pt", "BertModel", "");
        archive.write(folder, "other.pt", "BertModel", "");
        refused("2 TorchScript files (one.pt, other.pt)", "model.pt");
        archive.write(folder, "model.pt", "BertModel", "");
        load(folder).close();
    }

    @Test
    void refusesWhatDoesNotFitIntoMemoryAndOptionsForOtherEngines() throws IOException {
        new EncoderArchive(new TinyEncoder(BERT, 7)).write(folder, "model.pt", "BertModel", "");
        Path proc = Files.createDirectories(folder.resolve("root/proc"));
        Files.writeString(proc.resolve("meminfo"), "MemAvailable:       10 kB\n");
        assertThatThrownBy(() -> TorchEncoders.load(
                        folder, OPTIONS, TorchDevice.PROCESSORS, new MachineMemory(folder.resolve("root"))))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("MB free");
        EngineOptions quantised = new EngineOptions(0, 0, 8, 256, 16, 1, "int8");
        assertThatThrownBy(
                        () -> TorchEncoders.load(folder, quantised, TorchDevice.PROCESSORS, MachineMemory.OF_MACHINE))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("int8");
    }
}
