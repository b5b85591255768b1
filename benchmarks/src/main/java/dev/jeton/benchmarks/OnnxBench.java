package dev.jeton.benchmarks;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import dev.jeton.models.EngineOptions;
import dev.jeton.models.Engines;
import dev.jeton.models.StepEngineProvider;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.SequenceSpec;
import dev.jeton.models.engine.StepBatch;
import dev.jeton.models.engine.StepResult;
import dev.jeton.models.onnx.EncoderExport;
import dev.jeton.models.reference.TinyEncoder;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.LongBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;

/**
 * Embeddings through the onnx engine against calling ONNX Runtime itself, which gives hidden states only: an encoder of
 * the shape of MiniLM (6 layers, 384 wide), 32 texts of 128 tokens. Three ways take turns: ONNX Runtime as it is by
 * default (its threads spin), without spinning, and the engine, which also pools and normalises.
 *
 * <p>Arguments: rounds, threads.
 */
public final class OnnxBench {

    private static final int TEXTS = 32;
    private static final int LENGTH = 128;
    private static final int VOCABULARY = 30_522;

    private OnnxBench() {}

    /** Prints the median of each way and how the engine compares. */
    public static void main(String[] args) throws IOException, OrtException {
        int rounds = args.length > 0 ? Integer.parseInt(args[0]) : 25;
        int threads = args.length > 1 ? Integer.parseInt(args[1]) : 2;
        Path folder = Files.createTempDirectory("onnx-bench");
        try {
            write(folder);
            compare(folder, rounds, threads);
        } finally {
            try (Stream<Path> files = Files.walk(folder)) {
                for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                    Files.delete(file);
                }
            }
        }
    }

    private static void write(Path folder) throws IOException {
        new EncoderExport(new TinyEncoder(new TinyEncoder.Shape(VOCABULARY, 384, 6, 12, 1536, 512, 0, -1), 1))
                .write(folder, "BertModel", "");
        Files.writeString(folder.resolve("modules.json"), """
                [{"type": "sentence_transformers.models.Transformer", "path": ""},
                 {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"},
                 {"type": "sentence_transformers.models.Normalize", "path": "2_Normalize"}]
                """);
        Files.createDirectory(folder.resolve("1_Pooling"));
        Files.writeString(folder.resolve("1_Pooling/config.json"), "{\"pooling_mode_mean_tokens\": true}");
    }

    private static void compare(Path folder, int rounds, int threads) throws OrtException {
        int[][] texts = new int[TEXTS][];
        Random random = new Random(2);
        for (int i = 0; i < TEXTS; i++) {
            texts[i] = random.ints(LENGTH, 1000, VOCABULARY).toArray();
        }
        EngineOptions options = new EngineOptions(0, 0, TEXTS, TEXTS * LENGTH, 16, threads, "none");
        StepEngineProvider provider = (StepEngineProvider) Engines.found().named("onnx");
        try (Engine engine = provider.open(folder, options);
                OrtSession spinning = session(folder, threads, true);
                OrtSession waiting = session(folder, threads, false)) {
            double[][] seconds = new double[3][rounds];
            for (int round = -2; round < rounds; round++) {
                for (int i = 0; i < 3; i++) {
                    int way = Math.floorMod(round + i, 3);
                    long start = System.nanoTime();
                    switch (way) {
                        case 0 -> direct(spinning, texts);
                        case 1 -> direct(waiting, texts);
                        default -> throughTheEngine(engine, texts);
                    }
                    if (round >= 0) {
                        seconds[way][round] = (System.nanoTime() - start) / 1e9;
                    }
                }
            }
            double tokens = TEXTS * LENGTH;
            System.out.printf(
                    Locale.ROOT,
                    "%d texts of %d tokens, %d threads, median of %d: ONNX Runtime %.0f tok/s, without spinning %.0f,"
                            + " the engine %.0f (%.3f and %.3f of them)%n",
                    TEXTS,
                    LENGTH,
                    threads,
                    rounds,
                    tokens / median(seconds[0]),
                    tokens / median(seconds[1]),
                    tokens / median(seconds[2]),
                    median(seconds[0]) / median(seconds[2]),
                    median(seconds[1]) / median(seconds[2]));
        }
    }

    private static OrtSession session(Path folder, int threads, boolean spinning) throws OrtException {
        try (OrtSession.SessionOptions options = new OrtSession.SessionOptions()) {
            options.setIntraOpNumThreads(threads);
            options.addConfigEntry("session.intra_op.allow_spinning", spinning ? "1" : "0");
            return OrtEnvironment.getEnvironment()
                    .createSession(folder.resolve("model.onnx").toString(), options);
        }
    }

    private static float direct(OrtSession session, int[][] texts) throws OrtException {
        LongBuffer ids = longs();
        LongBuffer ones = longs();
        LongBuffer zeros = longs();
        for (int[] text : texts) {
            for (int token : text) {
                ids.put(token);
                ones.put(1);
                zeros.put(0);
            }
        }
        long[] shape = {TEXTS, LENGTH};
        OrtEnvironment environment = OrtEnvironment.getEnvironment();
        try (OnnxTensor tokens = OnnxTensor.createTensor(environment, ids.flip(), shape);
                OnnxTensor mask = OnnxTensor.createTensor(environment, ones.flip(), shape);
                OnnxTensor types = OnnxTensor.createTensor(environment, zeros.flip(), shape);
                OrtSession.Result result =
                        session.run(Map.of("input_ids", tokens, "attention_mask", mask, "token_type_ids", types))) {
            return ((OnnxTensor) result.get(0)).getFloatBuffer().get(0);
        }
    }

    private static LongBuffer longs() {
        return ByteBuffer.allocateDirect(8 * TEXTS * LENGTH)
                .order(ByteOrder.nativeOrder())
                .asLongBuffer();
    }

    private static float throughTheEngine(Engine engine, int[][] texts) {
        StepBatch batch = new StepBatch(0);
        for (int i = 0; i < TEXTS; i++) {
            engine.open(i, new SequenceSpec(SamplingParameters.GREEDY, texts[i], LENGTH, LENGTH));
            batch.addRow(i, StepBatch.POOLED, 0, texts[i], 0, LENGTH);
        }
        StepResult result = engine.await(engine.launch(batch));
        for (int i = 0; i < TEXTS; i++) {
            result.failure(i).ifPresent(why -> {
                throw new IllegalStateException(why);
            });
            engine.close(i);
        }
        return result.pooled[0];
    }

    private static double median(double[] values) {
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        return sorted[sorted.length / 2];
    }
}
