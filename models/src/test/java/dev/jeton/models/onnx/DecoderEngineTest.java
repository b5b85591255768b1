package dev.jeton.models.onnx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.ModelException;
import dev.jeton.models.TensorType;
import dev.jeton.models.engine.Capability;
import dev.jeton.models.engine.Driver;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.EngineException;
import dev.jeton.models.engine.LogitBias;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.StepBatch;
import dev.jeton.models.engine.StepResult;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.FamilyContract;
import dev.jeton.models.reference.ReferenceCheck;
import dev.jeton.models.reference.ReferenceDecoder;
import dev.jeton.models.reference.TinyModel;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What is special to decoders of ONNX exports. */
class DecoderEngineTest {

    private static final EngineOptions OPTIONS = OptimumDecoderTest.OPTIONS;
    private static final SamplingParameters SCORED =
            new SamplingParameters(0, 0, 1, 0, 1, 0, 0, LogitBias.NONE, 0, 0, new int[0], 0);

    @TempDir
    Path folder;

    private DecoderExport export(DecoderExport.Style style) throws IOException {
        Path model = Files.createTempDirectory(folder, "model");
        new TinyModel(model, Configs.qwen3(""), TensorType.F32, 3);
        return new DecoderExport(model, style);
    }

    private void reference(
            DecoderExport.Style style, UnaryOperator<DecoderExport> how, UnaryOperator<double[]> kept, double tolerance)
            throws IOException {
        TinyModel model =
                new TinyModel(Files.createTempDirectory(folder, "model"), Configs.qwen3(""), TensorType.F32, 5);
        ReferenceDecoder reference = new ReferenceDecoder(model.spec, model.weights, FamilyContract.plain(32), 1, kept);
        ReferenceCheck.check(
                (path, options) -> {
                    try {
                        return OnnxEngines.load(
                                how.apply(new DecoderExport(path, style)).write(), options);
                    } catch (IOException e) {
                        throw new UncheckedIOException(e);
                    }
                },
                model,
                reference,
                tolerance,
                OPTIONS,
                11);
    }

    @Test
    void keepsKeysAndValuesInSixteenBitsWhereTheGraphDoes() throws IOException {
        UnaryOperator<double[]> half = x -> each(x, v -> Float.float16ToFloat(Float.floatToFloat16((float) v)));
        reference(DecoderExport.Style.OPTIMUM, e -> e.types(OnnxGraph.FLOAT16, OnnxGraph.FLOAT), half, 5e-3);
        UnaryOperator<double[]> brain = x -> each(x, DecoderEngineTest::bf16);
        reference(DecoderExport.Style.OPTIMUM, e -> e.types(OnnxGraph.BFLOAT16, OnnxGraph.FLOAT), brain, 4e-2);
        reference(DecoderExport.Style.GENAI, e -> e.types(OnnxGraph.FLOAT16, OnnxGraph.FLOAT), half, 4e-2);
    }

    @Test
    void readsLogitsInSixteenBits() throws IOException {
        reference(DecoderExport.Style.OPTIMUM, e -> e.types(OnnxGraph.FLOAT, OnnxGraph.FLOAT16), x -> x, 4e-2);
        reference(DecoderExport.Style.OPTIMUM, e -> e.types(OnnxGraph.FLOAT, OnnxGraph.BFLOAT16), x -> x, 0.3);
    }

    private interface Rounding {
        double of(double value);
    }

    private static double[] each(double[] x, Rounding rounding) {
        double[] y = new double[x.length];
        for (int i = 0; i < y.length; i++) {
            y[i] = rounding.of(x[i]);
        }
        return y;
    }

    private static double bf16(double value) {
        return dev.jeton.models.SafetensorsWriter.rounded(TensorType.BF16, (float) value);
    }

    @Test
    void givesLengthsInThePlaceOfAMask() throws IOException {
        reference(DecoderExport.Style.GENAI, DecoderExport::lengths, x -> x, 2e-4);
    }

    @Test
    void matchesTheReferenceInTwoBranchesWithAndWithoutTheirOrder() throws IOException {
        reference(DecoderExport.Style.OPTIMUM, e -> e.merged(true), x -> x, 2e-4);
        reference(DecoderExport.Style.OPTIMUM, e -> e.merged(false), x -> x, 2e-4);
    }

    @Test
    void readsWeightsBesideTheGraph() throws IOException {
        reference(DecoderExport.Style.OPTIMUM, e -> e.external("model.onnx_data"), x -> x, 2e-4);
    }

    @Test
    void readsAFolderOfOnnxruntimeGenai() throws IOException {
        Path model = export(DecoderExport.Style.GENAI).write();
        Files.move(model.resolve("model.onnx"), model.resolve("decoder.onnx"));
        Files.delete(model.resolve("config.json"));
        Files.writeString(model.resolve("genai_config.json"), """
                {"model": {"context_length": 200, "vocab_size": 301, "decoder": {"filename": "decoder.onnx",
                 "head_size": 32, "num_key_value_heads": 2, "inputs": {"past_key_names": "past_key_values.%d.key"},
                 "outputs": {"logits": "logits"}}}, "search": {"past_present_share_buffer": true}}
                """);
        try (Engine engine = new OnnxEngineProvider().open(model, OPTIONS)) {
            assertThat(engine.info().contextLength()).isEqualTo(200);
            assertThat(new Driver(engine).generate(0, new int[] {1, 2, 3}, SCORED, 4, 3).failure)
                    .isEmpty();
        }
    }

    /**
     * Rows of very different lengths come and go, with blocks in any order and drafts refused: what each sequence gets
     * is what it gets alone, as far as log-probabilities can tell.
     */
    @ParameterizedTest
    @EnumSource(DecoderExport.Style.class)
    void givesRaggedRowsThatComeAndGoWhatTheyGetAlone(DecoderExport.Style style) throws IOException {
        for (boolean positions : new boolean[] {true, false}) {
            DecoderExport export = export(style);
            Path model = positions ? export.write() : export.withoutPositions().write();
            EngineOptions options = new EngineOptions(256, 4 << 20, 6, 64, 8, 2, "none");
            List<int[]> prompts = new ArrayList<>();
            Random random = new Random(8);
            for (int i = 0; i < 14; i++) {
                prompts.add(random.ints(1 + random.nextInt(i % 3 == 0 ? 90 : 20), 0, 301)
                        .toArray());
            }
            List<Driver.Sequence> alone = new ArrayList<>();
            try (Engine engine = OnnxEngines.load(model, options)) {
                Driver driver = new Driver(engine);
                for (int[] prompt : prompts) {
                    Driver.Sequence sequence = driver.generate(0, prompt, SCORED, 12, 64);
                    assertThat(sequence.failure).isEmpty();
                    alone.add(sequence);
                    driver.close(sequence);
                }
            }
            try (Engine engine = OnnxEngines.load(model, options)) {
                compare(engine, prompts, alone, style + " " + positions);
            }
        }
    }

    private static void compare(Engine engine, List<int[]> prompts, List<Driver.Sequence> alone, String what) {
        Driver driver = new Driver(engine, 99);
        Random random = new Random(4);
        Driver.Sequence[] slots = new Driver.Sequence[6];
        int[] which = new int[6];
        int next = 0;
        int done = 0;
        while (done < prompts.size()) {
            for (int s = 0; s < slots.length; s++) {
                if (slots[s] == null && next < prompts.size() && random.nextInt(3) > 0) {
                    which[s] = next;
                    slots[s] = driver.open(s, prompts.get(next++), SCORED);
                }
            }
            driver.begin();
            List<Driver.Sequence> rows = new ArrayList<>();
            int left = 60;
            for (Driver.Sequence sequence : slots) {
                // some rows sit out a step
                if (sequence != null && left > 0 && random.nextInt(5) > 0) {
                    int count = Math.min(left, Math.min(30, sequence.length - sequence.computed));
                    driver.add(sequence, count, 0);
                    left -= count;
                    rows.add(sequence);
                }
            }
            if (rows.isEmpty()) {
                continue;
            }
            StepResult result = driver.run();
            for (int i = 0; i < rows.size(); i++) {
                driver.apply(result, i, rows.get(i));
                assertThat(rows.get(i).failure).isEmpty();
            }
            for (int s = 0; s < slots.length; s++) {
                if (slots[s] != null && slots[s].length - slots[s].promptLength >= 12) {
                    Driver.Sequence expected = alone.get(which[s]);
                    assertThat(slots[s].generated())
                            .as(what + " sequence " + which[s])
                            .isEqualTo(expected.generated());
                    for (int i = 0; i < 12; i++) {
                        assertThat(slots[s].logProbabilities.get(i))
                                .isCloseTo(
                                        expected.logProbabilities.get(i),
                                        org.assertj.core.api.Assertions.within(1e-3f));
                    }
                    driver.close(slots[s]);
                    slots[s] = null;
                    done++;
                }
            }
        }
    }

    @Test
    void failsTheRowsOfAFailedRunAndNoOthers() throws IOException {
        Path model = Files.createTempDirectory(folder, "model");
        String config = Configs.qwen3("");
        new TinyModel(
                model,
                config.replace("\"max_position_embeddings\": 1024", "\"max_position_embeddings\": 40"),
                TensorType.F32,
                3);
        new DecoderExport(model, DecoderExport.Style.OPTIMUM).write();
        Files.writeString(model.resolve("config.json"), config);
        try (Engine engine = OnnxEngines.load(model, OPTIONS)) {
            Driver driver = new Driver(engine);
            Driver.Sequence past = driver.open(0, new Random(1).ints(45, 0, 301).toArray(), SCORED);
            Driver.Sequence good = driver.open(1, new int[] {1, 2, 3}, SCORED);
            driver.begin().add(past, 45, 0);
            driver.add(good, 3, 0);
            StepResult result = driver.run();
            assertThat(result.failure(0))
                    .hasValueSatisfying(why -> assertThat(why).contains("ONNX Runtime"));
            assertThat(result.accepted[1]).isEqualTo(1);
            driver.apply(result, 1, good);
            driver.close(past);
            Driver.Sequence again = driver.generate(0, new int[] {1, 2, 3}, SCORED, 5, 3);
            assertThat(again.failure).isEmpty();
            for (int i = 0; i < 4; i++) {
                driver.begin().addLast(good);
                driver.apply(driver.run(), 0, good);
            }
            assertThat(good.generated()).isEqualTo(again.generated());
        }
    }

    @Test
    void saysWhatAnExportWithLogitsOfTheLastTokenCannotDo() throws IOException {
        try (Engine engine =
                OnnxEngines.load(export(DecoderExport.Style.GENAI).lastLogits().write(), OPTIONS)) {
            assertThat(engine.info().capabilities())
                    .contains(Capability.MASKS)
                    .doesNotContain(Capability.DRAFTS, Capability.PROMPT_LOG_PROBABILITIES);
            Driver driver = new Driver(engine);
            Driver.Sequence sequence = driver.open(0, new int[] {1, 2, 3}, SCORED);
            driver.begin().add(sequence, 3, StepBatch.PROMPT_LOG_PROBABILITIES);
            assertThatThrownBy(() -> engine.launch(driver.batch()))
                    .isInstanceOf(EngineException.class)
                    .hasMessageContaining("last token only");
            driver.begin().add(sequence, 3, 0);
            driver.apply(driver.run(), 0, sequence);
            assertThat(sequence.length).isEqualTo(4);
        }
    }

    @Test
    void refusesWhatTheExportDecides() throws IOException {
        Path model = export(DecoderExport.Style.OPTIMUM).write();
        assertThatThrownBy(() -> OnnxEngines.load(model, new EngineOptions(0, 0, 4, 64, 16, 1, "q8_0")))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("quantised export");
        assertThatThrownBy(() -> OnnxEngines.load(model, new EngineOptions(0, 0, 4, 64, 12, 1, "none")))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("block size 12");
        assertThatThrownBy(() -> OnnxEngines.load(model, EngineOptions.DEFAULT.withHostKv(1 << 20)))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("kv-host-memory");
        assertThatThrownBy(() -> OnnxEngines.load(model, new EngineOptions(0, 100, 4, 64, 16, 1, "none")))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("--kv-memory");
    }

    /** The memory that the process holds after many loads is what it held after a few. */
    @Test
    void givesBackAllMemoryWhenItIsClosed() throws IOException {
        Path model = export(DecoderExport.Style.GENAI).write();
        EngineOptions large = new EngineOptions(1024, 32 << 20, 8, 64, 16, 1, "none");
        long before = 0;
        for (int i = 0; i < 40; i++) {
            if (i == 10) {
                before = resident();
            }
            try (Engine engine = OnnxEngines.load(model, large)) {
                Driver driver = new Driver(engine, 5);
                driver.generate(0, new Random(2).ints(200, 0, 301).toArray(), SCORED, 8, 64);
            }
        }
        assertThat(resident() - before).as("bytes more after thirty loads").isLessThan(24L << 20);
    }

    private static long resident() throws IOException {
        Path memory = Path.of("/proc/self/statm");
        org.junit.jupiter.api.Assumptions.assumeTrue(Files.exists(memory), "this system has no /proc");
        System.gc();
        return 4096 * Long.parseLong(Files.readString(memory).split(" ")[1]);
    }
}
