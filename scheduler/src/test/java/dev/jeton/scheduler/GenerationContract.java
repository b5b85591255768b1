package dev.jeton.scheduler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.models.engine.Capability;
import dev.jeton.models.engine.LogitBias;
import dev.jeton.models.engine.SamplingParameters;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * What every dispatcher promises whoever submits to it, whether its engine executes our steps or batches by itself: the
 * Javadoc of {@link Dispatcher}, {@link Generation} and {@link Allowance}. Of an engine with a context of at least 128
 * and at least four sequences at a time.
 */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
public abstract class GenerationContract {

    private static final int TOKENS = 12;

    private Dispatcher dispatcher;

    /**
     * A dispatcher over a new engine, with places for four sequences and a waiting queue of 64. What the engine drafts
     * depends on how long its steps take: one that really computes is to be given as {@link SteadyTimes}.
     */
    protected abstract Dispatcher create() throws Exception;

    /**
     * Whether the same seed gives the same tokens whatever else is in the batch, as bits that do not depend on it do.
     */
    protected boolean sameInAnyBatch() {
        return true;
    }

    /** Bounds for {@link #create}. */
    protected static SchedulerConfig config() {
        return new SchedulerConfig(4, 256, 64, 1_024, 30_000_000_000L, 0, true, 7).drafting(4);
    }

    @BeforeEach
    void open() throws Exception {
        dispatcher = create();
    }

    @AfterEach
    void close() {
        if (dispatcher != null) { // an engine that is missing here skips its tests before there is one
            dispatcher.close();
        }
    }

    private static SamplingParameters sampled(long seed) {
        return new SamplingParameters(0.8, 0, 0.95, 0, 1, 0, 0, LogitBias.NONE, seed, 0, new int[0], -1);
    }

    private int[] prompt(int from, int length) {
        int vocabulary = dispatcher.engine().vocabulary();
        int[] prompt = new int[length];
        Arrays.setAll(prompt, i -> (from * 31 + i * 7 + 1) % vocabulary);
        return prompt;
    }

    private static GenerationRequest request(
            int[] prompt, int sequences, int maxTokens, SamplingParameters sampling, int[] stops, Allowance allowance) {
        return new GenerationRequest(
                "r", prompt, sequences, maxTokens, sampling, stops, false, 0, Long.MAX_VALUE, 0, allowance);
    }

    private static GenerationRequest plain(int[] prompt, SamplingParameters sampling) {
        return request(prompt, 1, TOKENS, sampling, new int[0], Allowance.UNLIMITED);
    }

    /** What came of a request: tokens and the end of each sequence. */
    private record Answer(List<List<Integer>> tokens, List<FinishReason> reasons, List<Integer> lastTokens) {

        List<Integer> only() {
            return tokens.getFirst();
        }

        FinishReason reason() {
            return reasons.getFirst();
        }
    }

    private static Answer read(Generation generation, int sequences) throws InterruptedException {
        Answer answer = new Answer(new ArrayList<>(), new ArrayList<>(), new ArrayList<>());
        for (int i = 0; i < sequences; i++) {
            answer.tokens().add(new ArrayList<>());
            answer.reasons().add(FinishReason.ERROR);
            answer.lastTokens().add(-1);
        }
        GenerationEvent event = new GenerationEvent();
        while (generation.next(event)) {
            if (event.finished) {
                answer.reasons().set(event.sequence, event.reason);
                answer.lastTokens().set(event.sequence, event.token);
                assertThat(event.message).isEmpty();
            } else {
                answer.tokens().get(event.sequence).add(event.token);
            }
        }
        return answer;
    }

    private Answer run(GenerationRequest request) throws InterruptedException {
        return read(dispatcher.submit(request), request.sequences());
    }

    private void awaitIdle() {
        while (!dispatcher.idle()) {
            Thread.onSpinWait();
        }
    }

    @Test
    void shouldAnswerTheSameWhateverIsPredicted() throws Exception {
        Assumptions.assumeTrue(sameInAnyBatch());
        for (SamplingParameters sampling : List.of(SamplingParameters.GREEDY, sampled(11))) {
            GenerationRequest plain = plain(prompt(5, 9), sampling);
            List<Integer> answer = run(plain).only();
            int[] right = answer.stream().mapToInt(Integer::intValue).toArray();
            int[] partly = Arrays.stream(right)
                    .map(token -> token % 3 == 0 ? token ^ 1 : token)
                    .toArray();
            assertThat(run(plain.predicting(right)).only()).isEqualTo(answer);
            assertThat(run(plain.predicting(partly)).only()).isEqualTo(answer);
        }
    }

    @Test
    void shouldComputeWhatIsPredictedInAdvance() throws Exception {
        Assumptions.assumeTrue(dispatcher.engine().supports(Capability.DRAFTS));
        GenerationRequest plain = plain(prompt(5, 9), SamplingParameters.GREEDY);
        int[] right = run(plain).only().stream().mapToInt(Integer::intValue).toArray();
        Generation generation = dispatcher.submit(plain.predicting(right));
        read(generation, 1);
        assertThat(generation.usage().drafts().acceptedPredicted()).isPositive();
    }

    @Test
    void shouldGenerateAsManyTokensAsAreAskedFor() throws Exception {
        Answer answer = run(plain(prompt(1, 9), SamplingParameters.GREEDY));
        assertThat(answer.only()).hasSize(TOKENS);
        assertThat(answer.reason()).isEqualTo(FinishReason.LENGTH);
        assertThat(answer.only())
                .allSatisfy(token ->
                        assertThat(token).isBetween(0, dispatcher.engine().vocabulary() - 1));
    }

    @Test
    void shouldGiveTheSameTokensForTheSameSeed() throws Exception {
        // A prompt longer than a block has less to compute the second time, which is another batch.
        int[] prompt = prompt(2, sameInAnyBatch() ? 20 : 12);
        Answer first = run(plain(prompt, sampled(5)));
        assertThat(run(plain(prompt, sampled(5))).only()).isEqualTo(first.only());
    }

    @Test
    void shouldServeMoreRequestsThanItRunsAtATimeEachAsAlone() throws Exception {
        List<List<Integer>> alone = new ArrayList<>();
        for (int i = 0; i < 12; i++) {
            alone.add(run(plain(prompt(i, 5 + i), sampled(i))).only());
        }
        List<Generation> together = new ArrayList<>();
        for (int i = 0; i < 12; i++) {
            together.add(dispatcher.submit(plain(prompt(i, 5 + i), sampled(i))));
        }
        for (int i = 0; i < 12; i++) {
            Answer answer = read(together.get(i), 1);
            assertThat(answer.reason()).isEqualTo(FinishReason.LENGTH);
            assertThat(answer.only()).hasSize(TOKENS);
            if (sameInAnyBatch()) {
                assertThat(answer.only()).as("request %d", i).isEqualTo(alone.get(i));
            }
        }
    }

    @Test
    void shouldEndAtAStopTokenAndTellWhich() throws Exception {
        List<Integer> tokens =
                run(plain(prompt(3, 10), SamplingParameters.GREEDY)).only();
        int stop = tokens.get(5);
        int first = tokens.indexOf(stop);
        Generation generation = dispatcher.submit(
                request(prompt(3, 10), 1, TOKENS, SamplingParameters.GREEDY, new int[] {stop}, Allowance.UNLIMITED));
        Answer answer = read(generation, 1);
        assertThat(answer.reason()).isEqualTo(FinishReason.STOP);
        assertThat(answer.only()).isEqualTo(tokens.subList(0, first));
        assertThat(answer.lastTokens()).containsExactly(stop);
        assertThat(generation.usage().completionTokens()).isEqualTo(first + 1);
    }

    @Test
    void shouldSampleSeveralContinuationsOfOnePrompt() throws Exception {
        Answer answer = run(request(prompt(4, 17), 3, TOKENS, sampled(11), new int[0], Allowance.UNLIMITED));
        assertThat(answer.reasons()).containsOnly(FinishReason.LENGTH);
        assertThat(answer.tokens()).allSatisfy(tokens -> assertThat(tokens).hasSize(TOKENS));
        assertThat(answer.tokens().stream().distinct().count()).isGreaterThan(1);
        if (sameInAnyBatch()) {
            assertThat(answer.tokens().getFirst())
                    .isEqualTo(run(plain(prompt(4, 17), sampled(11))).only());
        }
    }

    @Test
    void shouldEndSoonWhenItsClientHangsUp() throws Exception {
        Generation generation = dispatcher.submit(
                request(prompt(5, 8), 2, 100, SamplingParameters.GREEDY, new int[0], Allowance.UNLIMITED));
        GenerationEvent event = new GenerationEvent();
        assertThat(generation.next(event)).isTrue();
        generation.cancel();
        int tokens = 0;
        while (generation.next(event)) {
            tokens += event.finished ? 0 : 1;
        }
        assertThat(event.reason).isIn(FinishReason.CANCELLED, FinishReason.LENGTH);
        assertThat(tokens).isLessThanOrEqualTo(200);
        awaitIdle();
        assertThat(run(plain(prompt(6, 8), SamplingParameters.GREEDY)).only()).hasSize(TOKENS);
    }

    @Test
    void shouldEndASequenceWhoseReaderFoundAStopString() throws Exception {
        Generation generation = dispatcher.submit(
                request(prompt(7, 8), 1, 100, SamplingParameters.GREEDY, new int[0], Allowance.UNLIMITED));
        GenerationEvent event = new GenerationEvent();
        assertThat(generation.next(event)).isTrue();
        generation.stop(0);
        while (generation.next(event)) {
            assertThat(event.sequence).isZero();
        }
        assertThat(event.reason).isIn(FinishReason.STOP, FinishReason.LENGTH);
    }

    @Test
    void shouldNotCountTokensPastAStopHoweverLateItHearsOfIt() throws Exception {
        Generation generation = dispatcher.submit(plain(prompt(7, 8), SamplingParameters.GREEDY));
        GenerationEvent event = new GenerationEvent();
        for (int i = 0; i < 3; i++) {
            assertThat(generation.next(event)).isTrue();
        }
        awaitIdle(); // all tokens were handed over, and three were taken
        generation.stop(0);
        assertThat(generation.next(event)).isTrue();
        assertThat(event.finished).isTrue();
        assertThat(generation.next(event)).isFalse();
        assertThat(generation.usage().completionTokens()).isEqualTo(3);
        assertThat(generation.usage().overrunTokens()).isEqualTo(TOKENS - 3);
    }

    @Test
    void shouldNotCountAStopTokenPastAStop() throws Exception {
        List<Integer> tokens =
                run(plain(prompt(3, 10), SamplingParameters.GREEDY)).only();
        int stop = tokens.getLast();
        Generation generation = dispatcher.submit(
                request(prompt(3, 10), 1, TOKENS, SamplingParameters.GREEDY, new int[] {stop}, Allowance.UNLIMITED));
        GenerationEvent event = new GenerationEvent();
        assertThat(generation.next(event)).isTrue();
        Assumptions.assumeFalse(event.finished, "the model repeats itself");
        awaitIdle();
        generation.stop(0);
        assertThat(generation.next(event)).isTrue();
        assertThat(event.finished).isTrue();
        assertThat(event.token).isNegative();
        assertThat(generation.usage().completionTokens()).isEqualTo(1);
        // an engine with two steps in flight has computed more by then
        assertThat(generation.usage().overrunTokens()).isGreaterThanOrEqualTo(tokens.indexOf(stop));
    }

    @Test
    void shouldDeliverNoMoreThanItsAllowanceGrants() throws Exception {
        Purse purse = new Purse(5, true);
        Generation generation =
                dispatcher.submit(request(prompt(8, 8), 1, 100, SamplingParameters.GREEDY, new int[0], purse));
        Answer answer = read(generation, 1);
        assertThat(answer.only()).hasSize(5);
        assertThat(answer.reason()).isEqualTo(FinishReason.LENGTH);
        assertThat(generation.usage().completionTokens()).isEqualTo(5);
    }

    @Test
    void shouldGoOnWhenItsAllowanceGrows() throws Exception {
        List<Integer> whole =
                run(plain(prompt(9, 8), SamplingParameters.GREEDY)).only();
        Purse purse = new Purse(3, false);
        Generation generation =
                dispatcher.submit(request(prompt(9, 8), 1, TOKENS, SamplingParameters.GREEDY, new int[0], purse));
        GenerationEvent event = new GenerationEvent();
        List<Integer> tokens = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            assertThat(generation.next(event)).isTrue();
            tokens.add(event.token);
        }
        assertThat(generation.poll(event)).isFalse();
        purse.left.addAndGet(100);
        dispatcher.wake();
        while (generation.next(event)) {
            if (!event.finished) {
                tokens.add(event.token);
            }
        }
        assertThat(tokens).isEqualTo(whole);
    }

    /** Grants so many tokens. */
    private static final class Purse implements Allowance {
        final AtomicInteger left;
        private final AtomicInteger lent = new AtomicInteger();
        private final boolean last;

        Purse(int tokens, boolean isFinal) {
            left = new AtomicInteger(tokens);
            last = isFinal;
        }

        @Override
        public int grant(int tokens) {
            int before = left.getAndUpdate(have -> Math.max(0, have - tokens));
            return Math.min(before, tokens);
        }

        @Override
        public int lend(int tokens) {
            int given = grant(tokens);
            lent.addAndGet(given);
            return given;
        }

        @Override
        public void settle(int tokens, int used) {
            left.addAndGet(tokens - used);
            lent.addAndGet(-tokens);
        }

        @Override
        public boolean exhausted() {
            return last && left.get() + lent.get() == 0;
        }
    }

    @Test
    void shouldRefuseAPromptThatNeverFits() {
        int[] prompt = prompt(1, dispatcher.contextLength() + 1);
        assertThatThrownBy(() -> dispatcher.submit(plain(prompt, SamplingParameters.GREEDY)))
                .isInstanceOfSatisfying(
                        RejectedException.class,
                        e -> assertThat(e.reason()).isEqualTo(RejectedException.Reason.TOO_LARGE));
    }

    @Test
    void shouldEndAtTheContextsEnd() throws Exception {
        int context = dispatcher.contextLength();
        Answer answer = run(
                request(prompt(1, context - 4), 1, 100, SamplingParameters.GREEDY, new int[0], Allowance.UNLIMITED));
        assertThat(answer.only()).hasSize(4);
        assertThat(answer.reason()).isEqualTo(FinishReason.LENGTH);
    }

    @Test
    void shouldEndARequestWhoseDeadlineHasPassed() throws Exception {
        GenerationRequest request = new GenerationRequest(
                "late",
                prompt(1, 8),
                1,
                100,
                SamplingParameters.GREEDY,
                new int[0],
                false,
                0,
                Long.MIN_VALUE + 1,
                0,
                Allowance.UNLIMITED);
        Generation generation = dispatcher.submit(request);
        GenerationEvent event = new GenerationEvent();
        while (generation.next(event)) {
            assertThat(event.sequence).isZero();
        }
        assertThat(event.reason).isEqualTo(FinishReason.DEADLINE);
    }

    @Test
    void shouldSayWhatARequestUsed() throws Exception {
        Generation generation = dispatcher.submit(plain(prompt(10, 30), SamplingParameters.GREEDY));
        read(generation, 1);
        GenerationUsage usage = generation.usage();
        assertThat(usage.promptTokens()).isEqualTo(30);
        assertThat(usage.completionTokens()).isEqualTo(TOKENS);
        assertThat(usage.deviceNanos()).isPositive();
        assertThat(usage.totalNanos()).isGreaterThanOrEqualTo(usage.queueNanos());
    }

    @Test
    void shouldCountItsStepsAndTokens() throws Exception {
        run(plain(prompt(11, 30), SamplingParameters.GREEDY));
        dispatcher.close();
        DispatcherStats stats = dispatcher.stats();
        assertThat(stats.prefillTokens()).isBetween(1L, 30L);
        assertThat(stats.decodeTokens()).isBetween(TOKENS - 1L, TOKENS + 1L);
        assertThat(stats.steps()).isBetween((long) TOKENS, 3L * TOKENS);
        assertThat(stats.runningSequences()).isZero();
        assertThat(stats.deviceNanos()[DeviceState.STEP.ordinal()]).isPositive();
    }

    @Test
    void shouldRefuseWhileItDrainsAndFinishWhatRuns() throws Exception {
        Generation running = dispatcher.submit(plain(prompt(12, 8), SamplingParameters.GREEDY));
        dispatcher.drain();
        assertThatThrownBy(() -> dispatcher.submit(plain(prompt(13, 8), SamplingParameters.GREEDY)))
                .isInstanceOfSatisfying(
                        RejectedException.class,
                        e -> assertThat(e.reason()).isEqualTo(RejectedException.Reason.DRAINING));
        assertThat(read(running, 1).only()).hasSize(TOKENS);
    }

    @Test
    void shouldEndWhatStillRunsWhenItIsClosed() throws Exception {
        List<Generation> generations = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            generations.add(dispatcher.submit(
                    request(prompt(i, 8), 1, 100, SamplingParameters.GREEDY, new int[0], Allowance.UNLIMITED)));
        }
        dispatcher.close();
        for (Generation generation : generations) {
            GenerationEvent event = new GenerationEvent();
            while (generation.next(event)) {
                assertThat(event.sequence).isZero();
            }
            assertThat(event.reason).isIn(FinishReason.SHUTDOWN, FinishReason.LENGTH);
        }
    }

    @Test
    void followsAGrammarBesideThoseWithout() throws InterruptedException {
        StepGrammar grammar = new StepGrammar(dispatcher.engine().vocabulary(), 4, 9);
        GenerationRequest guided = plain(prompt(1, 20), sampled(3)).guided(grammar);
        if (!dispatcher.engine().supports(Capability.MASKS)) {
            assertThatThrownBy(() -> dispatcher.submit(guided))
                    .isInstanceOf(RejectedException.class)
                    .hasMessageContaining("follows no grammars");
            return;
        }
        List<Integer> plainAlone = run(plain(prompt(2, 15), sampled(4))).only();
        List<Integer> guidedAlone = run(guided).only();
        Generation first = dispatcher.submit(guided);
        Generation second = dispatcher.submit(plain(prompt(2, 15), sampled(4)));
        Generation third = dispatcher.submit(plain(prompt(3, 30), sampled(5)).guided(grammar));
        Answer answer = read(first, 1);
        Answer other = read(third, 1);
        List<Integer> free = read(second, 1).only();
        assertThat(List.of(answer.only(), other.only(), guidedAlone))
                .allMatch(tokens -> tokens.size() == 9 && grammar.begins(tokens));
        assertThat(List.of(answer.reason(), other.reason())).containsOnly(FinishReason.STOP);
        if (sameInAnyBatch()) {
            assertThat(answer.only()).isEqualTo(guidedAlone);
            assertThat(free).isEqualTo(plainAlone);
        }
    }
}
