package dev.jeton.models.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * What every paged engine promises its caller, as the Javadoc of {@link Engine} and {@link StepBatch} says. An engine
 * with at least four slots, 64 tokens a step and a context of at least 256 subclasses this.
 */
public abstract class StepContract {

    private static final SamplingParameters SAMPLED =
            new SamplingParameters(0.8, 0, 0.9, 0, 1, 0, 0, LogitBias.NONE, 4711, 0, new int[0], -1);

    private Engine engine;
    private Driver driver;
    private int[] prompt;

    /** A new engine. */
    protected abstract Engine create() throws Exception;

    /**
     * Most that a log-probability may depend on the batch and its chunks; 0 for an engine whose bits do not, which then
     * also gives the same tokens.
     */
    protected double tolerance() {
        return 0;
    }

    private void needsTheSameBits() {
        assumeTrue(tolerance() == 0, "this engine's logits depend on the batch, within a tolerance");
    }

    @BeforeEach
    void createEngine() throws Exception {
        engine = create();
        driver = new Driver(engine);
        int vocabulary = engine.info().vocabulary();
        prompt = new int[45];
        Arrays.setAll(prompt, i -> (i * 37 + 11) % vocabulary);
    }

    @AfterEach
    void closeEngine() {
        engine.close();
    }

    @Test
    void shouldGiveTheSameTokensWhateverTheChunks() {
        needsTheSameBits();
        int[] whole = tokens(SAMPLED, prompt.length);
        for (int chunk : new int[] {1, 5, 16, 44}) {
            assertThat(tokens(SAMPLED, chunk)).as("chunks of %d", chunk).isEqualTo(whole);
        }
    }

    private int[] tokens(SamplingParameters sampling, int chunk) {
        Driver.Sequence sequence = driver.generate(0, prompt, sampling, 20, chunk);
        driver.close(sequence);
        return sequence.generated();
    }

    @Test
    void shouldGiveTheSameTokensWhateverElseIsInTheBatch() {
        needsTheSameBits();
        int[] alone = tokens(SAMPLED, prompt.length);
        Driver.Sequence sequence = driver.open(0, prompt, SAMPLED);
        Driver.Sequence[] others = new Driver.Sequence[3];
        for (int i = 0; i < others.length; i++) {
            others[i] = driver.open(i + 1, Arrays.copyOf(prompt, 3 + i), SAMPLED.withSeed(i));
        }
        while (sequence.length - sequence.promptLength < alone.length) {
            driver.begin();
            driver.add(others[0], others[0].length - others[0].computed, 0);
            driver.add(sequence, Math.min(11, sequence.length - sequence.computed), 0);
            driver.add(others[1], others[1].length - others[1].computed, 0);
            driver.add(others[2], others[2].length - others[2].computed, 0);
            StepResult result = driver.run();
            driver.apply(result, 0, others[0]);
            driver.apply(result, 1, sequence);
            driver.apply(result, 2, others[1]);
            driver.apply(result, 3, others[2]);
        }
        assertThat(sequence.generated()).isEqualTo(alone);
    }

    @Test
    void shouldTakeTheSlotsLastTokenAsInput() {
        int[] given = tokens(SamplingParameters.GREEDY, prompt.length);
        Driver.Sequence sequence = driver.generate(1, prompt, SamplingParameters.GREEDY, 1, prompt.length);
        for (int i = 1; i < given.length; i++) {
            driver.begin().addLast(sequence);
            driver.apply(driver.run(), 0, sequence);
        }
        assertThat(sequence.generated()).isEqualTo(given);
    }

    @Test
    void shouldGoOnWhereItWasWhenASlotIsOpenedAnew() {
        needsTheSameBits();
        int[] whole = tokens(SAMPLED, prompt.length);
        Driver.Sequence sequence = driver.generate(2, prompt, SAMPLED, 8, prompt.length);
        driver.close(sequence);
        engine.open(1, new SequenceSpec(SAMPLED, sequence.tokens, sequence.promptLength, sequence.length));
        Driver.Sequence resumed =
                new Driver.Sequence(1, prompt, engine.info().groups().size());
        for (int token : sequence.generated()) {
            resumed.append(token);
        }
        while (resumed.length < sequence.promptLength + whole.length) {
            driver.begin().add(resumed, resumed.length - resumed.computed, 0);
            driver.apply(driver.run(), 0, resumed);
        }
        assertThat(resumed.generated()).isEqualTo(whole);
    }

    @Test
    void shouldGoOnFromCopiedBlocks() {
        Driver.Sequence original = driver.generate(0, prompt, SAMPLED, 5, prompt.length);
        Driver.Sequence fork =
                new Driver.Sequence(1, prompt, engine.info().groups().size());
        for (int token : original.generated()) {
            fork.append(token);
        }
        engine.open(1, new SequenceSpec(SAMPLED, fork.tokens, fork.promptLength, fork.length));
        driver.reserve(fork, original.computed);
        for (int g = 0; g < original.table.length; g++) {
            int first = 0;
            while (original.table[g][first] < 0) {
                first++;
            }
            int count = original.table[g].length - first;
            engine.transfer(
                    g,
                    Arrays.copyOfRange(original.table[g], first, first + count),
                    Arrays.copyOfRange(fork.table[g], first, first + count),
                    count);
        }
        if (engine.info().supports(Capability.STATE)) {
            engine.copyState(original.slot, fork.slot);
        }
        fork.computed = original.computed;
        for (int i = 0; i < 10; i++) {
            driver.begin().add(original, 1, 0);
            driver.add(fork, 1, 0);
            StepResult result = driver.run();
            driver.apply(result, 0, original);
            driver.apply(result, 1, fork);
        }
        assertThat(fork.generated()).isEqualTo(original.generated());
    }

    @Test
    void shouldRefuseARowThatDoesNotGoOnFromItsStateAndGoOn() {
        assumeTrue(engine.info().supports(Capability.STATE));
        int[] expected = tokens(SAMPLED, prompt.length);
        Driver.Sequence sequence = driver.open(0, prompt, SAMPLED);
        driver.begin().add(sequence, 9, 0);
        driver.apply(driver.run(), 0, sequence);
        for (int elsewhere : new int[] {0, 8, 10}) {
            sequence.computed = elsewhere;
            driver.begin().add(sequence, 5, 0);
            assertThatThrownBy(() -> engine.launch(driver.batch())).isInstanceOf(EngineException.class);
        }
        sequence.computed = 9;
        while (sequence.length - sequence.promptLength < expected.length) {
            driver.begin().add(sequence, sequence.length - sequence.computed, 0);
            driver.apply(driver.run(), 0, sequence);
        }
        assertThat(sequence.generated()).isEqualTo(expected);
    }

    @Test
    void shouldCopyAStateOnlyToAnOpenSlotThatHasSeenNoStep() {
        Driver.Sequence sequence = driver.generate(0, prompt, SAMPLED, 1, prompt.length);
        assertThatThrownBy(() -> engine.copyState(0, 1)).isInstanceOf(EngineException.class);
        driver.generate(1, Arrays.copyOf(prompt, 3), SAMPLED, 1, 3);
        assertThatThrownBy(() -> engine.copyState(0, 1)).isInstanceOf(EngineException.class);
        assertThatThrownBy(() -> engine.copyState(0, 0)).isInstanceOf(EngineException.class);
        driver.begin().add(sequence, 1, 0);
        assertThat(driver.run().accepted[0]).isOne();
    }

    @Test
    void shouldCopyTheStateThatASlotHasOnceTheStepInFlightIsDone() {
        assumeTrue(engine.info().supports(Capability.STATE));
        needsTheSameBits();
        int[] expected = tokens(SAMPLED, prompt.length);
        Driver.Sequence parent = driver.open(0, prompt, SAMPLED);
        Driver.Sequence fork = driver.open(1, prompt, SAMPLED);
        driver.begin().add(parent, prompt.length - 1, 0);
        StepTicket ticket = engine.launch(driver.batch());
        parent.computed = prompt.length - 1;
        driver.reserve(fork, parent.computed);
        for (int g = 0; g < parent.table.length; g++) {
            engine.transfer(g, parent.table[g], fork.table[g], parent.table[g].length);
        }
        engine.copyState(0, 1);
        engine.await(ticket);
        fork.computed = parent.computed;
        engine.close(0);
        while (fork.length - fork.promptLength < expected.length) {
            driver.begin().add(fork, 1, 0);
            driver.apply(driver.run(), 0, fork);
        }
        assertThat(fork.generated()).isEqualTo(expected);
    }

    @Test
    void shouldGoOnFromBlocksThatWereOffloadedAndBroughtBack() {
        assumeTrue(engine.info().supports(Capability.HOST_TIER));
        Driver.Sequence whole = driver.generate(0, prompt, SAMPLED, 15, prompt.length);
        Driver.Sequence original = driver.generate(1, prompt, SAMPLED, 5, prompt.length);
        int[][] away = move(original, true);
        driver.close(original);
        Driver.Sequence other = driver.generate(2, Arrays.copyOf(prompt, 40), SAMPLED.withSeed(1), 30, 40);
        Driver.Sequence back = driver.open(1, prompt, SAMPLED);
        engine.close(1);
        for (int token : original.generated()) {
            back.append(token);
        }
        engine.open(1, new SequenceSpec(SAMPLED, back.tokens, back.promptLength, back.length));
        back.computed = back.length - 1;
        driver.reserve(back, back.computed);
        back.onHost = away;
        move(back, false);
        while (back.length < whole.length) {
            driver.begin().add(back, 1, 0);
            driver.add(other, 1, 0);
            StepResult result = driver.run();
            driver.apply(result, 0, back);
            driver.apply(result, 1, other);
        }
        assertThat(back.generated()).isEqualTo(whole.generated());
    }

    /** Copies what a sequence has to the host's last blocks, or back from where it was, and waits for that. */
    private int[][] move(Driver.Sequence sequence, boolean away) {
        int[][] hostBlocks = sequence.onHost;
        long before = away ? engine.offloaded() : engine.onloaded();
        int moved = 0;
        for (int g = 0; g < sequence.table.length; g++) {
            int[] there = Arrays.stream(sequence.table[g]).filter(b -> b >= 0).toArray();
            if (away) {
                int last = engine.info().groups().get(g).hostBlocks() - 1;
                hostBlocks[g] = new int[there.length];
                Arrays.setAll(hostBlocks[g], i -> last - i);
                engine.offload(g, there, hostBlocks[g], there.length);
            } else {
                engine.onload(g, there, hostBlocks[g], there.length);
            }
            moved += there.length;
        }
        for (long i = 0; (away ? engine.offloaded() : engine.onloaded()) < before + moved; i++) {
            assertThat(i).as("looks until the copies are complete").isLessThan(100_000_000);
        }
        return hostBlocks;
    }

    @Test
    void shouldRefuseToCopyWhatIsOnNeitherTier() {
        LayerGroup group = engine.info().groups().getFirst();
        int[] first = {0};
        int[] beyond = {group.hostBlocks()};
        assertThatThrownBy(() -> engine.offload(0, first, beyond, 1)).isInstanceOf(EngineException.class);
        assertThatThrownBy(() -> engine.onload(0, first, beyond, 1)).isInstanceOf(EngineException.class);
        assertThatThrownBy(() -> engine.onload(0, new int[] {group.blockCount()}, first, 1))
                .isInstanceOf(EngineException.class);
    }

    @Test
    void shouldNotNeedTheBatchOnceItIsLaunched() {
        int[] expected = tokens(SAMPLED, prompt.length);
        Driver.Sequence sequence = driver.open(0, prompt, SAMPLED);
        driver.begin().add(sequence, prompt.length, 0);
        StepTicket ticket = engine.launch(driver.batch());
        Arrays.fill(driver.batch().tokens, 0);
        driver.begin();
        StepResult result = engine.await(ticket);
        assertThat(result.tokens[result.tokenStart[0]]).isEqualTo(expected[0]);
    }

    @Test
    void shouldRefuseMoreTicketsThanItDeclares() {
        Driver.Sequence sequence = driver.open(0, prompt, SAMPLED);
        driver.begin().add(sequence, 4, 0);
        StepTicket first = engine.launch(driver.batch());
        for (int i = 1; i < engine.info().maxTickets(); i++) {
            sequence.computed += 4;
            driver.begin().add(sequence, 4, 0);
            engine.launch(driver.batch());
        }
        assertThatThrownBy(() -> engine.launch(driver.batch())).isInstanceOf(EngineException.class);
        assertThatThrownBy(() -> engine.await(new StepTicket(first.number() + 7)))
                .isInstanceOf(EngineException.class);
        assertThat(engine.await(first).rows()).isEqualTo(1);
    }

    @Test
    void shouldStampStepsInOrder() {
        Driver.Sequence sequence = driver.open(0, prompt, SAMPLED);
        long before = Long.MIN_VALUE;
        for (int i = 0; i < 10; i++) {
            driver.begin().add(sequence, 3, 0);
            StepResult result = driver.run();
            assertThat(result.startNanos).isGreaterThanOrEqualTo(before);
            assertThat(result.endNanos).isGreaterThan(result.startNanos);
            before = result.endNanos;
            driver.apply(result, 0, sequence);
        }
    }

    @Test
    void shouldSampleNothingFromARowThatDoesNotAsk() {
        Driver.Sequence sequence = driver.open(0, prompt, SAMPLED);
        driver.begin().add(sequence, 7, 0);
        assertThat(driver.run().accepted[0]).isZero();
    }

    @Test
    void shouldLetASlotCloseWhileItsStepIsInFlight() {
        int[] expected = tokens(SAMPLED, prompt.length);
        Driver.Sequence gone = driver.open(0, Arrays.copyOf(prompt, 9), SAMPLED.withSeed(1));
        driver.begin().add(gone, 9, 0);
        StepTicket ticket = engine.launch(driver.batch());
        engine.close(0);
        engine.await(ticket);
        assertThat(driver.generate(0, prompt, SAMPLED, expected.length, prompt.length)
                        .generated())
                .isEqualTo(expected);
    }

    @Test
    void shouldRefuseWhatIsOutsideItsBoundsAndGoOn() {
        int[] expected = tokens(SAMPLED, prompt.length);
        Driver.Sequence sequence = driver.open(0, prompt, SAMPLED);
        assertThatThrownBy(() -> driver.open(0, prompt, SAMPLED)).isInstanceOf(EngineException.class);
        StepBatch unknown = new StepBatch(engine.info().groups().size());
        unknown.addRow(1, StepBatch.SAMPLE, 0, prompt, 0, 4);
        assertThatThrownBy(() -> engine.launch(unknown)).isInstanceOf(EngineException.class);
        StepBatch blockless = new StepBatch(engine.info().groups().size());
        blockless.addRow(0, StepBatch.SAMPLE, 0, prompt, 0, 4);
        assertThatThrownBy(() -> engine.launch(blockless)).isInstanceOf(EngineException.class);
        while (sequence.length - sequence.promptLength < expected.length) {
            driver.begin().add(sequence, sequence.length - sequence.computed, 0);
            driver.apply(driver.run(), 0, sequence);
        }
        assertThat(sequence.generated()).isEqualTo(expected);
    }

    @Test
    void shouldAcceptRightDraftsAndNoWrongOnes() {
        assumeTrue(engine.info().supports(Capability.DRAFTS));
        int[] expected = tokens(SAMPLED, prompt.length);
        Driver.Sequence sequence = driver.generate(0, prompt, SAMPLED, 1, prompt.length);
        int steps = 0;
        while (sequence.length - sequence.promptLength < expected.length) {
            int have = sequence.length - sequence.promptLength;
            int drafts = Math.min(4, expected.length - have);
            int right = steps % 5;
            int[] inputs = new int[1 + drafts];
            inputs[0] = sequence.tokens[sequence.length - 1];
            for (int i = 0; i < drafts; i++) {
                inputs[1 + i] = i < right ? expected[have + i] : (expected[have + i] + 1) % 7;
                right = inputs[1 + i] == expected[have + i] ? Math.max(right, i + 1) : Math.min(right, i);
            }
            driver.reserve(sequence, sequence.computed + inputs.length);
            driver.begin();
            int row = driver.batch().addRow(0, StepBatch.SAMPLE, sequence.computed, inputs, 0, inputs.length);
            driver.batch().drafts[row] = drafts;
            for (int g = 0; g < sequence.table.length; g++) {
                driver.batch().addBlocks(g, sequence.table[g], 0, sequence.table[g].length);
            }
            StepResult result = driver.run();
            assertThat(result.accepted[0]).isEqualTo(Math.min(right, drafts) + 1);
            int computed = sequence.computed + result.accepted[0];
            driver.apply(result, 0, sequence);
            sequence.computed = computed;
            steps++;
        }
        assertThat(Arrays.copyOf(sequence.generated(), expected.length)).isEqualTo(expected);
    }

    @Test
    void shouldSampleOnlyWhatAMaskAllows() {
        assumeTrue(engine.info().supports(Capability.MASKS));
        int words = (engine.info().vocabulary() + 63) / 64;
        Driver.Sequence sequence = driver.open(0, prompt, SAMPLED);
        for (int allowed = 3; allowed < 9; allowed++) {
            driver.begin().add(sequence, sequence.length - sequence.computed, StepBatch.MASKED);
            StepTicket ticket = engine.launch(driver.batch());
            long[] bits = new long[words];
            bits[allowed >>> 6] |= 1L << (allowed & 63);
            engine.masks(ticket, new TokenMasks(1, words, bits));
            driver.apply(engine.await(ticket), 0, sequence);
            assertThat(sequence.tokens[sequence.length - 1]).isEqualTo(allowed);
        }
    }

    @Test
    void shouldSampleAMaskedRowWithoutAMaskAsOneThatIsNotMarked() {
        assumeTrue(engine.info().supports(Capability.MASKS));
        int words = (engine.info().vocabulary() + 63) / 64;
        int[] free = tokens(SAMPLED, prompt.length);
        int[] any = new int[free.length];
        Driver.Sequence before = driver.open(0, Arrays.copyOf(prompt, 5), SAMPLED);
        Driver.Sequence sequence = driver.open(3, prompt, SAMPLED);
        Driver.Sequence after = driver.open(1, Arrays.copyOf(prompt, 9), SAMPLED);
        for (int i = 0; i < free.length; i++) {
            driver.begin();
            for (Driver.Sequence each : List.of(before, sequence, after)) {
                driver.add(each, each.length - each.computed, StepBatch.MASKED);
            }
            StepTicket ticket = engine.launch(driver.batch());
            long[] bits = new long[2 * words];
            bits[i >>> 6] |= 1L << i;
            bits[words + (i + 1 >>> 6)] |= 1L << i + 1;
            // no mask at all, or only others have one
            TokenMasks masks = i % 2 == 0
                    ? new TokenMasks(3, words, new long[0], new int[] {-1, -1, -1}, 0)
                    : new TokenMasks(3, words, bits, new int[] {1, TokenMasks.ANY, 0}, 2);
            engine.masks(ticket, masks);
            StepResult result = engine.await(ticket);
            driver.apply(result, 0, before);
            driver.apply(result, 1, sequence);
            driver.apply(result, 2, after);
            any[i] = sequence.tokens[sequence.length - 1];
            if (i % 2 == 1) {
                assertThat(before.tokens[before.length - 1]).isEqualTo(i + 1);
                assertThat(after.tokens[after.length - 1]).isEqualTo(i);
            }
        }
        assertThat(any).isEqualTo(free);
    }

    @Test
    void shouldScoreEveryPromptTokenWhateverTheChunks() {
        assumeTrue(engine.info().supports(Capability.PROMPT_LOG_PROBABILITIES));
        float[] whole = scores(prompt.length);
        assertThat(scores(7)).usingComparatorWithPrecision((float) tolerance()).containsExactly(whole);
        for (int i = 0; i + 1 < prompt.length; i++) {
            assertThat(whole[i]).isNegative();
        }
    }

    @Test
    void shouldScoreAlikeWhateverElseIsInTheBatch() {
        assumeTrue(engine.info().supports(Capability.PROMPT_LOG_PROBABILITIES));
        float[] alone = scores(prompt.length);
        Driver.Sequence other = driver.generate(0, Arrays.copyOf(prompt, 17), SAMPLED, 1, 17);
        Driver.Sequence sequence = driver.open(3, prompt, SAMPLED);
        driver.begin();
        driver.addLast(other);
        driver.add(sequence, prompt.length, StepBatch.PROMPT_LOG_PROBABILITIES);
        StepResult result = driver.run();
        float[] among = Arrays.copyOfRange(result.promptLogProbabilities, 1, prompt.length);
        assertThat(among).usingComparatorWithPrecision((float) tolerance()).containsExactly(alone);
    }

    private float[] scores(int chunk) {
        Driver.Sequence sequence = driver.open(3, prompt, SAMPLED);
        float[] scores = new float[prompt.length - 1];
        while (sequence.computed < prompt.length) {
            int from = sequence.computed;
            int count = Math.min(chunk, prompt.length - from);
            driver.begin().add(sequence, count, StepBatch.PROMPT_LOG_PROBABILITIES);
            StepResult result = driver.run();
            System.arraycopy(result.promptLogProbabilities, 0, scores, from, Math.min(count, prompt.length - 1 - from));
            driver.apply(result, 0, sequence);
        }
        driver.close(sequence);
        return scores;
    }
}
