package dev.jeton.scheduler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.models.engine.LogitBias;
import dev.jeton.models.engine.SamplingParameters;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A loop over an engine that batches by itself. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class SequenceLoopTest extends GenerationContract {

    private BatchingEngine engine = new BatchingEngine(256, 4, System::nanoTime);
    /** Nanoseconds by kind of row. */
    private final List<long[]> rows = Collections.synchronizedList(new ArrayList<>());

    private final AtomicLong unbalanced = new AtomicLong();

    @Override
    protected Dispatcher create() {
        engine = new BatchingEngine(256, 4, System::nanoTime);
        return new SequenceLoop("batching", engine, config(), System::nanoTime, System.nanoTime(), record -> {
            long sum = 0;
            for (int row = 0; row < record.rows(); row++) {
                sum += record.nanos[row];
                rows.add(new long[] {record.kind[row], record.nanos[row], record.tokens[row]});
            }
            unbalanced.addAndGet(record.endNanos - record.startNanos - sum);
        });
    }

    private static GenerationRequest request(int from, int maxTokens) {
        int[] prompt = new int[10];
        Arrays.setAll(prompt, i -> from + i);
        return GenerationRequest.of("r" + from, prompt, maxTokens, SamplingParameters.GREEDY);
    }

    private long tokens(byte kind) {
        return rows.stream()
                .filter(row -> row[0] == kind)
                .mapToLong(row -> row[2])
                .sum();
    }

    @Test
    void manyReadersEachGetTheirOwnTokens() throws Exception {
        try (Dispatcher loop = create();
                ExecutorService readers = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<Integer>> counts = new ArrayList<>();
            for (int i = 0; i < 60; i++) {
                GenerationRequest request = request(i, 1 + i % 30);
                counts.add(readers.submit((Callable<Integer>) () -> {
                    Generation generation = loop.submit(request);
                    GenerationEvent event = new GenerationEvent();
                    int count = 0;
                    while (generation.next(event)) {
                        count += event.finished ? 0 : 1;
                    }
                    return count;
                }));
            }
            for (int i = 0; i < counts.size(); i++) {
                assertThat(counts.get(i).get()).isEqualTo(1 + i % 30);
            }
        }
        assertThat(unbalanced.get()).isZero();
        assertThat(tokens(StepRecord.PREFILL)).isEqualTo(600);
    }

    @Test
    void booksAsOverrunWhatIsComputedPastAnExhaustedAllowance() throws Exception {
        Allowance three = new Allowance() {
            private int left = 3;

            @Override
            public synchronized int grant(int tokens) {
                int given = Math.min(left, tokens);
                left -= given;
                return given;
            }

            @Override
            public synchronized boolean exhausted() {
                return left == 0;
            }
        };
        Generation generation;
        try (Dispatcher loop = create()) {
            generation = loop.submit(new GenerationRequest(
                    "r",
                    new int[] {1, 2, 3},
                    1,
                    50,
                    SamplingParameters.GREEDY,
                    new int[0],
                    false,
                    0,
                    Long.MAX_VALUE,
                    0,
                    three));
            GenerationEvent event = new GenerationEvent();
            while (generation.next(event)) {
                assertThat(event.message).isEmpty();
            }
            while (!loop.idle() || loop.stats().runningSequences() > 0) {
                Thread.onSpinWait();
            }
        }
        assertThat(generation.usage().completionTokens()).isEqualTo(3);
        assertThat(tokens(StepRecord.PREFILL) + tokens(StepRecord.DECODE)).isGreaterThanOrEqualTo(3 + 2);
        assertThat(unbalanced.get()).isZero();
    }

    @Test
    void failsEverybodyWhenTheEngineIsLost() throws Exception {
        try (Dispatcher loop = create()) {
            engine.hold();
            Generation generation = loop.submit(request(1, 5));
            engine.lose();
            GenerationEvent event = new GenerationEvent();
            while (generation.next(event)) {
                assertThat(event.sequence).isZero();
            }
            assertThat(event.reason).isEqualTo(FinishReason.ERROR);
            assertThat(event.message).contains("as the test wants it");
            assertThatThrownBy(() -> loop.submit(request(2, 1)))
                    .isInstanceOfSatisfying(
                            RejectedException.class,
                            e -> assertThat(e.reason()).isEqualTo(RejectedException.Reason.ENGINE_DOWN));
        }
    }

    @Test
    void failsOnlyTheRequestThatTheEngineRefuses() throws Exception {
        try (Dispatcher loop = create()) {
            SamplingParameters refused =
                    new SamplingParameters(0, 0, 1, 0, 1, 0, 0, LogitBias.NONE, 0, 4, new int[0], -1);
            Generation generation = loop.submit(GenerationRequest.of("r", new int[] {1}, 8, refused));
            GenerationEvent event = new GenerationEvent();
            assertThat(generation.next(event)).isTrue();
            assertThat(event.reason).isEqualTo(FinishReason.ERROR);
            assertThat(event.message).contains("no least number");
            Generation next = loop.submit(request(1, 2));
            assertThat(next.next(event)).isTrue();
            assertThat(event.finished).isFalse();
        }
    }

    @Test
    void servesTheMoreUrgentFirstOfThoseThatWait() throws Exception {
        try (Dispatcher loop = create()) {
            engine.hold();
            List<Generation> full = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                full.add(loop.submit(request(i, 2)));
            }
            while (loop.stats().runningSequences() < 4) {
                Thread.onSpinWait();
                loop.wake();
            }
            Generation patient = loop.submit(new GenerationRequest(
                    "patient",
                    new int[] {1},
                    1,
                    1,
                    SamplingParameters.GREEDY,
                    new int[0],
                    false,
                    1,
                    Long.MAX_VALUE,
                    0,
                    Allowance.UNLIMITED));
            Generation urgent = loop.submit(request(9, 1));
            engine.release();
            GenerationEvent event = new GenerationEvent();
            assertThat(urgent.next(event)).isTrue();
            while (urgent.next(event) || patient.next(event)) {
                assertThat(event.message).isEmpty();
            }
            assertThat(urgent.usage().queueNanos()).isPositive();
            assertThat(patient.usage().totalNanos()).isPositive();
        }
    }

    @Test
    void refusesWhatSuchAnEngineDoesNotDo() {
        try (Dispatcher loop = create()) {
            assertThatThrownBy(() -> loop.submit(
                            GenerationRequest.pooled("r", new int[] {1}, 0, Long.MAX_VALUE, 0, Allowance.UNLIMITED)))
                    .isInstanceOfSatisfying(
                            RejectedException.class,
                            e -> assertThat(e.reason()).isEqualTo(RejectedException.Reason.UNSUPPORTED));
        }
    }
}
