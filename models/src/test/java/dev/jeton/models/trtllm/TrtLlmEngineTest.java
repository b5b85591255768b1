package dev.jeton.models.trtllm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.jeton.models.DeviceOptions;
import dev.jeton.models.EngineOptions;
import dev.jeton.models.ModelException;
import dev.jeton.models.engine.EngineException;
import dev.jeton.models.engine.Iteration;
import dev.jeton.models.engine.LogitBias;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.SequenceEngine;
import dev.jeton.models.engine.SequenceSpec;
import dev.jeton.natives.testing.TrtLlmDouble;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The trtllm engine against the double of TensorRT-LLM's executor. */
class TrtLlmEngineTest {

    private static final EngineOptions OPTIONS = new EngineOptions(0, 0, 4, 64, 16, 0, "none");

    @TempDir
    private static Path built;

    @TempDir
    private Path folder;

    @BeforeAll
    static void build() throws IOException {
        assumeTrue(TrtLlmDouble.possible(), "there is no CMake, or no C++ compiler");
        TrtLlmDouble.load(built);
    }

    /** Takes note of what it is told, and of spans that overlap or tokens that come before their iteration. */
    private static final class Ears implements SequenceEngine.Sink {
        final Map<Long, List<Integer>> tokens = new ConcurrentHashMap<>();
        final Map<Long, Integer> generated = new HashMap<>();
        final Map<Long, Integer> prefilled = new HashMap<>();
        final Map<Long, CompletableFuture<SequenceEngine.Finish>> ends = new ConcurrentHashMap<>();
        final List<String> wrong = new ArrayList<>();
        String message = "";
        long told = Long.MIN_VALUE;

        CompletableFuture<SequenceEngine.Finish> end(long id) {
            return ends.computeIfAbsent(id, key -> new CompletableFuture<>());
        }

        @Override
        public void iteration(Iteration iteration) {
            if (iteration.startNanos < told || iteration.endNanos < iteration.startNanos) {
                wrong.add("an iteration from " + iteration.startNanos + " after one to " + told);
            }
            told = iteration.endNanos;
            for (int row = 0; row < iteration.rows(); row++) {
                generated.merge(iteration.id[row], iteration.generated[row], Integer::sum);
                prefilled.merge(iteration.id[row], iteration.prefill[row], Integer::sum);
            }
        }

        @Override
        public void token(long id, int token, float logProbability) {
            List<Integer> its = tokens.computeIfAbsent(id, key -> new ArrayList<>());
            its.add(token);
            if (its.size() > generated.getOrDefault(id, 0)) {
                wrong.add("a token of " + id + " before its iteration");
            }
        }

        @Override
        public void finished(long id, SequenceEngine.Finish how, String why) {
            message = why;
            end(id).complete(how);
        }

        @Override
        public void lost(String why) {
            wrong.add("lost: " + why);
        }
    }

    private Path engine(String version, String knobs) throws IOException {
        return TrtLlmDouble.engine(folder.resolve("engine"), version, knobs);
    }

    private SequenceEngine open(Ears ears, String knobs) throws IOException {
        SequenceEngine engine = new TrtLlmEngineProvider(Map.of()).open(engine(TrtLlmDouble.VERSION, knobs), OPTIONS);
        engine.start(ears);
        return engine;
    }

    private static SequenceSpec spec(int from, int length) {
        int[] tokens = new int[length];
        for (int i = 0; i < length; i++) {
            tokens[i] = (from + 7 * i) % 1_000;
        }
        return new SequenceSpec(SamplingParameters.GREEDY, tokens, length, length);
    }

    private static SequenceEngine.Finish end(Ears ears, long id) throws Exception {
        return ears.end(id).get(30, TimeUnit.SECONDS);
    }

    @Test
    void describesWhatTheFolderHolds() throws IOException {
        try (SequenceEngine engine = open(new Ears(), "")) {
            assertThat(engine.info().vocabulary()).isEqualTo(1_000);
            assertThat(engine.info().contextLength()).isEqualTo(256);
            assertThat(engine.info().maxSlots()).isEqualTo(4);
            assertThat(engine.info().groups().getFirst().blockSize()).isEqualTo(32);
            // 2 layers, 2 heads of 16, K and V in 16 bits, 32 tokens
            assertThat(engine.info().groups().getFirst().bytesPerBlock()).isEqualTo(2 * 2 * 16 * 4 * 32);
            assertThat(engine.info().devices().getFirst()).contains(TrtLlmDouble.VERSION);
        }
    }

    @Test
    void tellsWholeSequencesAndTheIterationsThatTheyCameFrom() throws Exception {
        Ears ears = new Ears();
        try (SequenceEngine engine = open(ears, "\"statistics_late_us\": 100")) {
            for (int i = 0; i < 10; i++) {
                engine.submit(i, spec(i, 20 + 10 * i), 12, 0);
            }
            for (int i = 0; i < 10; i++) {
                assertThat(end(ears, i)).isEqualTo(SequenceEngine.Finish.LENGTH);
                assertThat(ears.tokens.get((long) i)).hasSize(12);
            }
            assertThat(engine.stats().iterations()).isGreaterThanOrEqualTo(12);
            assertThat(engine.stats().busyNanos()).isPositive();
        }
        assertThat(ears.wrong).isEmpty();
        for (long i = 0; i < 10; i++) {
            assertThat(ears.prefilled).containsEntry(i, 20 + 10 * (int) i);
            assertThat(ears.generated).containsEntry(i, 12);
        }
    }

    @Test
    void endsACancelledSequenceWithinItsOverrun() throws Exception {
        Ears ears = new Ears();
        try (SequenceEngine engine = open(ears, "\"iteration_us\": 1000")) {
            engine.submit(1, spec(1, 5), 200, 0);
            while (!ears.tokens.containsKey(1L)) {
                Thread.onSpinWait();
            }
            engine.cancel(1);
            int before = ears.tokens.get(1L).size();
            assertThat(end(ears, 1)).isEqualTo(SequenceEngine.Finish.CANCELLED);
            assertThat(ears.tokens.get(1L).size() - before).isLessThanOrEqualTo(engine.maxOverrun());
            engine.cancel(77);
        }
        assertThat(ears.wrong).isEmpty();
    }

    @Test
    void failsTheSequencesThatTheLibraryCannotGoOnWith() throws Exception {
        Ears ears = new Ears();
        try (SequenceEngine engine = open(ears, "\"fail_after\": 3")) {
            engine.submit(1, spec(1, 5), 100, 0);
            assertThat(end(ears, 1)).isEqualTo(SequenceEngine.Finish.FAILED);
            assertThat(ears.message).contains("as the test wants it");
        }
    }

    @Test
    void saysThatItIsLostWhereItCannotTellWhatHappens() throws Exception {
        CompletableFuture<String> lost = new CompletableFuture<>();
        SequenceEngine.Sink broken = new SequenceEngine.Sink() {
            @Override
            public void iteration(Iteration iteration) {}

            @Override
            public void token(long id, int token, float logProbability) {
                throw new IllegalStateException("this token is not taken");
            }

            @Override
            public void finished(long id, SequenceEngine.Finish how, String why) {}

            @Override
            public void lost(String why) {
                lost.complete(why);
            }
        };
        try (SequenceEngine engine =
                new TrtLlmEngineProvider(Map.of()).open(engine(TrtLlmDouble.VERSION, ""), OPTIONS)) {
            engine.start(broken);
            engine.submit(1, spec(1, 5), 3, 0);
            assertThat(lost.get(30, TimeUnit.SECONDS)).contains("this token is not taken");
        }
    }

    @Test
    void endsWhatRunsWhenItIsClosed() throws Exception {
        Ears ears = new Ears();
        SequenceEngine engine = open(ears, "\"iteration_us\": 500");
        engine.submit(1, spec(1, 5), 200, 0);
        engine.close();
        assertThat(end(ears, 1)).isEqualTo(SequenceEngine.Finish.CANCELLED);
        assertThatThrownBy(() -> engine.submit(2, spec(1, 5), 1, 0)).isInstanceOf(EngineException.class);
        engine.cancel(1);
        engine.close();
    }

    @Test
    void refusesWhatItCannotDo() throws IOException {
        try (SequenceEngine engine = open(new Ears(), "")) {
            SamplingParameters biased = new SamplingParameters(
                    0, 0, 1, 0, 1, 0, 0, new LogitBias(new int[] {1}, new float[] {5}), 0, 0, new int[0], -1);
            assertThatThrownBy(() -> engine.submit(1, new SequenceSpec(biased, new int[] {1}, 1, 1), 1, 0))
                    .isInstanceOf(EngineException.class)
                    .hasMessageContaining("logit_bias");
            assertThatThrownBy(() -> engine.submit(
                            1, new SequenceSpec(SamplingParameters.GREEDY, new int[] {1_000}, 1, 1), 1, 0))
                    .isInstanceOf(EngineException.class)
                    .hasMessageContaining("vocabulary");
        }
    }

    @Test
    void refusesAFolderOrOptionsThatDoNotFit() throws IOException {
        TrtLlmEngineProvider provider = new TrtLlmEngineProvider(Map.of());
        assertThat(provider.refusal(folder)).contains("there is no config.json");
        Path good = engine(TrtLlmDouble.VERSION, "");
        assertThat(provider.refusal(good)).isEmpty();
        assertThatThrownBy(() -> provider.open(good, new EngineOptions(0, 0, 4, 64, 16, 0, "int8")))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("trtllm-build");
        assertThatThrownBy(
                        () -> provider.open(good, OPTIONS.with(new DeviceOptions("1", false, "auto", Duration.ZERO))))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("CUDA_VISIBLE_DEVICES");
        assertThatThrownBy(() -> provider.open(good, OPTIONS.withHostKv(1 << 20)))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("kv-host-memory");
        assertThatThrownBy(() -> provider.open(engine("0.9.0", ""), OPTIONS))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("built by TensorRT-LLM 0.9.0")
                .hasMessageContaining(TrtLlmDouble.VERSION);
        Path follower = engine(TrtLlmDouble.VERSION, "\"leader\": false");
        assertThatThrownBy(() -> provider.open(follower, OPTIONS))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("not the leader");
        Files.delete(good.resolve("rank0.engine"));
        assertThat(provider.refusal(good)).contains("rank0.engine");
        Files.writeString(good.resolve("config.json"), "{\"architectures\": []}");
        assertThat(provider.refusal(good)).contains("trtllm-build");
    }
}
