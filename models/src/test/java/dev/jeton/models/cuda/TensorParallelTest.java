package dev.jeton.models.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.jeton.models.DeviceOptions;
import dev.jeton.models.EngineOptions;
import dev.jeton.models.TensorType;
import dev.jeton.models.engine.Driver;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.StepResult;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.FamilyContract;
import dev.jeton.models.reference.GgufModel;
import dev.jeton.models.reference.PackedWeights;
import dev.jeton.models.reference.ReferenceCheck;
import dev.jeton.models.reference.ReferenceDecoder;
import dev.jeton.models.reference.TinyModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.function.LongSupplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** Models that several GPUs share, against the float64 reference and against one GPU. On a machine that stands in. */
class TensorParallelTest {

    private static final long SEED = 20_260_107;
    /** Most that sixteen bits may be off on average, as for one GPU; greatest errors are eight times as large. */
    private static final double SIXTEEN = 0.005;

    private static final String AWQ =
            "{\"quant_method\": \"awq\", \"bits\": 4, \"group_size\": 128, \"version\": \"gemm\", \"zero_point\": true}";
    private static final String GPTQ =
            "{\"quant_method\": \"gptq\", \"bits\": 4, \"group_size\": 128, \"desc_act\": false}";
    private static final String FP8 = "{\"quant_method\": \"compressed-tensors\", \"format\": \"float-quantized\","
            + " \"config_groups\": {\"group_0\": {\"weights\": {\"num_bits\": 8, \"type\": \"float\", \"strategy\": \"channel\"}}}}";

    @RegisterExtension
    static final StandInMachine MACHINE = new StandInMachine(4);

    @TempDir
    Path folder;

    static EngineOptions options(int ranks, String quantize) {
        return new EngineOptions(256, 1 << 22, 4, 64, 16, 2, quantize)
                .with(new DeviceOptions("", false, "auto", Duration.ZERO, ranks));
    }

    private static Engine load(Path model, EngineOptions options) {
        return CudaEngine.load(model, options, MACHINE.libraries());
    }

    private TinyModel model(String config) throws IOException {
        return new TinyModel(folder, config, TensorType.F16, SEED);
    }

    private double error(TinyModel model, String quantize, int ranks, int rows) {
        ReferenceDecoder reference = new ReferenceDecoder(model.spec, model.weights, FamilyContract.plain(16), 1);
        return ReferenceCheck.errors(
                        TensorParallelTest::load, model, reference, options(ranks, quantize), SEED, rows, 19)
                .getAverage();
    }

    // ---- families ----------------------------------------------------------------------------------------------

    /**
     * Widths of whole steps of 128 for some products of few rows; a vocabulary of 301 that divides by nothing. One rank
     * adds products of few rows to the residual stream in 32 bits; several round what they sum to sixteen.
     */
    @Test
    void severalRanksAreAsNearToTheReferenceAsOne() throws IOException {
        String tied = "\"tie_word_embeddings\": true";
        TinyModel model = model(Configs.config("LlamaForCausalLM", 128, 8, 4, 16, 256, tied));
        double alone = error(model, "none", 1, 30);
        assertThat(alone).isLessThan(0.02);
        for (int ranks : List.of(2, 4)) {
            assertThat(error(model, "none", ranks, 30)).as("%d ranks", ranks).isLessThan(2 * alone);
        }
    }

    @Test
    void biasesAndWindows() throws IOException {
        String windows = "\"use_sliding_window\": true, \"sliding_window\": 19, \"max_window_layers\": 1";
        TinyModel model = model(Configs.config("Qwen2ForCausalLM", 80, 4, 2, 16, 96, windows));
        assertThat(error(model, "none", 2, 40)).isLessThan(SIXTEEN);
    }

    @Test
    void outputBiasesOnceAndBranchNormsAndCapsAfterTheSum() throws IOException {
        String caps = "\"attn_logit_softcapping\": 5.0, \"final_logit_softcapping\": 8.0,"
                + " \"query_pre_attn_scalar\": 30, \"sliding_window\": 21, \"attention_bias\": true";
        TinyModel model = model(Configs.config("Gemma2ForCausalLM", 72, 4, 2, 16, 112, caps));
        assertThat(model.spec.outputBias()).isTrue();
        assertThat(error(model, "none", 2, 40)).isLessThan(SIXTEEN);
    }

    @Test
    void fewerKeyHeadsThanRanksAreInSeveral() throws IOException {
        String biases = "\"attention_bias\": true";
        TinyModel model = model(Configs.config("LlamaForCausalLM", 64, 8, 2, 16, 96, biases));
        assertThat(error(model, "none", 4, 20)).isLessThan(SIXTEEN);
    }

    /** Of each rank's heads, half is turned, and its rows are in pairs in the files, biases too. */
    @Test
    void headsWhoseNeighboursAreTurnedAreCutAsOthers() throws IOException {
        TinyModel model = model(Configs.config("Glm4ForCausalLM", 64, 8, 2, 32, 96, "\"attention_bias\": true"));
        assertThat(model.spec.rotary().width()).isEqualTo(16);
        assertThat(error(model, "none", 4, 20)).isLessThan(SIXTEEN);
    }

    /** A key head that several ranks have counts in none of them as more than its part. */
    @Test
    void headsThatAreNormalisedTogetherAreSoOverAllRanks() throws IOException {
        String biases = "\"attention_bias\": true";
        TinyModel model = model(Configs.config("Olmo2ForCausalLM", 64, 8, 2, 16, 96, biases));
        assertThat(error(model, "none", 4, 20)).isLessThan(SIXTEEN);
    }

    /** None is left out, so that no choice hangs on rounding. */
    @Test
    void expertsAreDividedByTheirWidth() throws IOException {
        String some = "\"num_experts\": 2, \"num_experts_per_tok\": 2, \"moe_intermediate_size\": 48,"
                + " \"decoder_sparse_step\": 2, \"norm_topk_prob\": true, \"tie_word_embeddings\": true";
        TinyModel model = model(Configs.config("Qwen3MoeForCausalLM", 64, 4, 2, 16, 96, some));
        assertThat(model.spec.experts().layers()).containsExactly(false, true, false);
        assertThat(error(model, "none", 2, 30)).isLessThan(SIXTEEN);
    }

    /** Ranks that chose experts by sums rounded each in its own way would now and then choose different ones. */
    @Test
    void timesChooseNoAlgorithmForWhatEveryRankComputes() throws IOException {
        String some = "\"num_experts\": 4, \"num_experts_per_tok\": 2, \"moe_intermediate_size\": 48";
        TinyModel model = model(Configs.config("Qwen3MoeForCausalLM", 64, 4, 2, 16, 96, some));
        // for 20 rows alone products are cuBLASLt's: of q, k and v, attention's output, the router and the head
        assertThat(algorithmsKept(model, 1)).isEqualTo(4);
        assertThat(algorithmsKept(model, 2)).isEqualTo(3);
    }

    /** What cuBLASLt loads for a product waits for exchanges that have begun, so each is made before there are any. */
    @Test
    void productsThatAreNotTimedAreTriedAtLoad() throws IOException {
        String some = "\"num_experts\": 4, \"num_experts_per_tok\": 2, \"moe_intermediate_size\": 48";
        TinyModel model = model(Configs.config("Qwen3MoeForCausalLM", 64, 4, 2, 16, 96, some));
        EngineOptions options = new EngineOptions(64, 4 << 20, 2, 20, 16, 0, "none")
                .with(new DeviceOptions("", false, "auto", Duration.ZERO, 2));
        long before = MACHINE.knobs().calls("cublasLtMatmul");
        load(model.folder, options).close();
        // on both ranks three products of three layers and the head, in a step, and a router's by itself
        assertThat(MACHINE.knobs().calls("cublasLtMatmul") - before).isEqualTo(2 * (3 * 3 + 1 + 1));
    }

    private static long algorithmsKept(TinyModel model, int ranks) throws IOException {
        EngineOptions options = new EngineOptions(64, 4 << 20, 2, 20, 16, 0, "none")
                .with(new DeviceOptions("", false, "auto", Duration.ofHours(1), ranks));
        DeviceLibraries libraries = MACHINE.librariesWithNewCache();
        CudaEngine.load(model.folder, options, libraries).close();
        try (Stream<Path> files = Files.list(libraries.cache().resolve("algorithms"))) {
            return files.count();
        }
    }

    // ---- formats -----------------------------------------------------------------------------------------------

    private TinyModel quantised(String quantization, TinyModel.Storage storage) throws IOException {
        String more = "\"attention_bias\": true"
                + (quantization.isEmpty() ? "" : ", \"quantization_config\": " + quantization);
        String config = Configs.config("LlamaForCausalLM", 128, 16, 8, 16, 256, more);
        return new TinyModel(folder, config, TensorType.F16, SEED, storage);
    }

    /** Scales of a row are of the rank's part of it, so weights are nearer to the file's than one GPU's are. */
    @Test
    void quantisesEachRanksPartAtLoad() throws IOException {
        TinyModel model = quantised("", TinyModel.Storage.PLAIN);
        assertThat(error(model, "int8", 2, 30)).isBetween(SIXTEEN, 0.03);
    }

    @Test
    void readsPartsOfCheckpointsOfFp8() throws IOException {
        TinyModel model = quantised(FP8, PackedWeights.fp8(true));
        assertThat(error(model, "none", 2, 12)).isLessThan(SIXTEEN);
    }

    @Test
    void readsPartsOfCheckpointsOfFourBits() throws IOException {
        assertThat(error(quantised(AWQ, PackedWeights.awq()), "none", 2, 30)).isLessThan(SIXTEEN);
        assertThat(error(quantised(GPTQ, PackedWeights.gptq(1, index -> index)), "none", 2, 30))
                .isLessThan(SIXTEEN);
    }

    @Test
    void refusesGroupsOfFourBitsThatDoNotDivide() throws IOException {
        TinyModel model = quantised(AWQ, PackedWeights.awq());
        assertThatThrownBy(() -> load(model.folder, options(4, "none")))
                .hasMessageContaining("o_proj.scales")
                .hasMessageContaining("among 4 GPUs; --tensor-parallel-size may be one of 1, 2");
    }

    /** Blocks of 256 of the down projection's 256 inputs are halved; rows of q and k lie pair by pair. */
    @Test
    void readsPartsOfGgufFiles() throws IOException {
        TinyModel tiny = model(Configs.config("LlamaForCausalLM", 256, 16, 8, 16, 256, "\"rms_norm_eps\": 1e-6"));
        GgufModel gguf = new GgufModel(
                "llama", tiny.spec, tiny.weights, name -> name.contains("emb") ? TensorType.F16 : TensorType.Q6_K);
        Path file = gguf.write(folder.resolve("m.gguf"));
        ReferenceDecoder reference = new ReferenceDecoder(tiny.spec, gguf.weights, FamilyContract.plain(16), 1);
        double error = ReferenceCheck.errors(
                        (path, options) -> load(file, options), tiny, reference, options(2, "none"), SEED, 24, 24)
                .getAverage();
        assertThat(error).isLessThan(SIXTEEN);
    }

    // ---- the ways of one and of several ------------------------------------------------------------------------

    private TinyModel plain() throws IOException {
        return model(Configs.config("LlamaForCausalLM", 64, 4, 2, 16, 96, "\"tie_word_embeddings\": true"));
    }

    /** For a machine with one GPU: all that several would call, of one. */
    @Test
    void oneRankComputesTheSameThroughNccl() throws IOException {
        TinyModel model = plain();
        ReferenceDecoder reference = new ReferenceDecoder(model.spec, model.weights, FamilyContract.plain(16), 1);
        double error = ReferenceCheck.errors(
                        (path, options) -> CudaEngine.load(
                                path, options, MACHINE.libraries().joiningOne()),
                        model,
                        reference,
                        options(1, "none"),
                        SEED,
                        30,
                        19)
                .getAverage();
        assertThat(error).as("rounded as by several ranks").isLessThan(2 * error(model, "none", 1, 30));
        assertThat(MACHINE.knobs().calls("ncclAllReduce")).isPositive();
        assertThat(MACHINE.knobs().calls("ncclAllGather")).isPositive();
    }

    @Test
    void oneRankAloneNeedsNoNccl() throws IOException {
        Path model = plain().folder;
        try (Engine engine = load(model, options(1, "none"))) {
            assertThat(engine.info().devices()).hasSize(1);
            assertThat(MACHINE.knobs().calls("ncclGetVersion")).isZero();
            try (Engine pair = load(model, options(2, "none"))) {
                assertThat(pair.info().groups().getFirst().bytesPerBlock())
                        .as("bytes of a block on both devices")
                        .isEqualTo(engine.info().groups().getFirst().bytesPerBlock());
            }
        }
    }

    /** All have the whole state, and the first tells it. */
    @Test
    void givesVectorsOfTextsAsOneRankDoes() throws IOException {
        String config = Configs.config("LlamaModel", 128, 8, 4, 16, 256, "\"tie_word_embeddings\": true");
        Path model = model(config).folder;
        float[][] vectors = new float[2][];
        for (int ranks = 1; ranks <= 2; ranks++) {
            try (Engine engine = load(model, options(ranks, "none"))) {
                Driver driver = new Driver(engine);
                Driver.Sequence text = driver.open(0, new int[] {5, 9, 200, 31, 7, 7, 90}, SamplingParameters.GREEDY);
                driver.begin().add(text, 7, 0);
                StepResult result = driver.run();
                vectors[ranks - 1] = Arrays.copyOf(result.pooled, result.pooledWidth);
            }
        }
        assertThat(vectors[1]).containsExactly(vectors[0], within(0.01f));
        assertThat(vectors[1]).isNotEqualTo(new float[vectors[0].length]);
    }

    /** Each device puts its heads of a block away and brings them back; a block is there when all have. */
    @Test
    void goesOnFromBlocksThatWereOnTheHost() throws IOException {
        int[] prompt = {5, 9, 200, 31, 7, 7, 90};
        EngineOptions options = options(2, "none").withHostKv(1 << 20);
        try (Engine engine = load(plain().folder, options)) {
            Driver driver = new Driver(engine);
            int[] expected =
                    driver.generate(0, prompt, SamplingParameters.GREEDY, 4, 7).generated();
            Driver.Sequence moved = driver.generate(1, prompt, SamplingParameters.GREEDY, 1, 7);
            int first = moved.table[0][0];
            engine.offload(0, new int[] {first}, new int[] {3}, 1);
            until(engine::offloaded);
            engine.onload(0, new int[] {first + 5}, new int[] {3}, 1);
            until(engine::onloaded);
            moved.table[0][0] = first + 5;
            for (int i = 1; i < expected.length; i++) {
                driver.begin().addLast(moved);
                driver.apply(driver.run(), 0, moved);
            }
            assertThat(moved.generated()).isEqualTo(expected);
        }
    }

    private static void until(LongSupplier moved) {
        for (int i = 0; i < 1_000 && moved.getAsLong() == 0; i++) {
            Thread.onSpinWait();
        }
        assertThat(moved.getAsLong()).isEqualTo(1);
    }

    @Test
    void exchangesOfDecodeStepsAreInTheirGraphs() throws IOException {
        try (Engine engine = load(plain().folder, options(2, "none"))) {
            assertThat(engine.info().devices()).hasSize(2).doesNotHaveDuplicates();
            Driver driver = new Driver(engine);
            Driver.Sequence sequence = driver.generate(0, new int[] {1, 2, 3}, SamplingParameters.GREEDY, 1, 3);
            long graphs = MACHINE.knobs().calls("cuGraphLaunch");
            long sums = MACHINE.knobs().calls("ncclAllReduce");
            for (int i = 0; i < 5; i++) {
                driver.begin().addLast(sequence);
                driver.apply(driver.run(), 0, sequence);
            }
            assertThat(MACHINE.knobs().calls("cuGraphLaunch") - graphs).isEqualTo(2 * 5);
            assertThat(MACHINE.knobs().calls("ncclAllReduce")).isEqualTo(sums);
        }
    }

    /** Two steps in flight, and devices that do their work late and in any order between them. */
    @Test
    void givesTheSameTokensWithTwoStepsInFlightOnLateDevices() throws IOException {
        int[] prompt = {5, 9, 200, 31, 7, 7, 90};
        TinyModel model = plain();
        int[] expected;
        try (Engine engine = load(model.folder, options(2, "none"))) {
            expected = new Driver(engine)
                    .generate(0, prompt, SamplingParameters.GREEDY, 10, prompt.length)
                    .generated();
        }
        MACHINE.reset();
        try (Engine engine = load(model.folder, options(2, "none"))) {
            MACHINE.knobs().deferred(7);
            int[] tokens =
                    new Driver(engine).generateWithTwoInFlight(0, prompt, SamplingParameters.GREEDY, expected.length);
            assertThat(tokens).isEqualTo(expected);
        }
    }
}
