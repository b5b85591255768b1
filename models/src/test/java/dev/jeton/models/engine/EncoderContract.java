package dev.jeton.models.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * What every engine of whole prompts promises: see {@link Capability#WHOLE_PROMPTS}. An engine with at least eight
 * slots, 128 tokens a step, a vocabulary of 64 and a context of at least 40 subclasses this.
 */
public abstract class EncoderContract {

    private Engine engine;

    /** A new engine. */
    protected abstract Engine create() throws Exception;

    /** Most that an element of a vector may depend on what else is in the batch, relative to the vector's length. */
    protected abstract double tolerance();

    @BeforeEach
    void createEngine() throws Exception {
        engine = create();
    }

    @AfterEach
    void closeEngine() {
        engine.close();
    }

    private static int[] text(int length, long seed) {
        return new Random(seed).ints(length, 5, 64).toArray();
    }

    private void open(int slot, int[] text) {
        engine.open(slot, new SequenceSpec(SamplingParameters.GREEDY, text, text.length, text.length));
    }

    private float[][] vectors(int[]... texts) {
        StepBatch batch = new StepBatch(0);
        for (int i = 0; i < texts.length; i++) {
            open(i, texts[i]);
            batch.addRow(i, StepBatch.POOLED, 0, texts[i], 0, texts[i].length);
        }
        StepResult result = engine.await(engine.launch(batch));
        float[][] vectors = new float[texts.length][];
        for (int i = 0; i < texts.length; i++) {
            assertThat(result.failure(i)).isEmpty();
            assertThat(result.accepted[i]).isZero();
            vectors[i] = Arrays.copyOfRange(result.pooled, i * result.pooledWidth, (i + 1) * result.pooledWidth);
            engine.close(i);
        }
        return vectors;
    }

    @Test
    void shouldSayThatItTakesWholePromptsAndKeepsNothing() {
        assertThat(engine.info().capabilities()).contains(Capability.POOLING, Capability.WHOLE_PROMPTS);
        assertThat(engine.info().groups()).isEmpty();
        assertThat(engine.info().maxTokens())
                .isGreaterThanOrEqualTo(engine.info().contextLength());
    }

    @Test
    void shouldGiveATextTheSameVectorAloneAndAmongOthers() {
        int[][] texts = {text(3, 1), text(40, 2), text(17, 3), text(1, 4), text(39, 5), text(17, 6), text(2, 7)};
        float[][] together = vectors(texts);
        for (int i = 0; i < texts.length; i++) {
            float[] alone = vectors(texts[i])[0];
            double length = 0;
            for (float value : alone) {
                length += value * value;
            }
            for (int j = 0; j < alone.length; j++) {
                assertThat((double) together[i][j])
                        .as("text %d, element %d", i, j)
                        .isCloseTo(alone[j], within(tolerance() * Math.sqrt(length)));
            }
        }
    }

    @Test
    void shouldTellTextsApart() {
        float[][] vectors = vectors(text(9, 1), text(9, 2));
        assertThat(vectors[0]).isNotEqualTo(vectors[1]);
    }

    @Test
    void shouldRefuseATextLongerThanItsPositionsAndGoOn() {
        int most = engine.info().contextLength();
        assertThatThrownBy(() -> open(0, text(most + 1, 1)))
                .isInstanceOf(EngineException.class)
                .hasMessageContaining(String.valueOf(most));
        assertThat(vectors(text(most, 1))).hasDimensions(1, vectors(text(1, 1))[0].length);
    }

    @Test
    void shouldRefusePartsOfATextAndGoOn() {
        int[] text = text(12, 1);
        float[] whole = vectors(text)[0];
        open(0, text);
        StepBatch part = new StepBatch(0);
        part.addRow(0, StepBatch.POOLED, 0, text, 0, 7);
        assertThatThrownBy(() -> engine.launch(part)).isInstanceOf(EngineException.class);
        StepBatch rest = new StepBatch(0);
        rest.addRow(0, StepBatch.POOLED, 7, text, 7, 5);
        assertThatThrownBy(() -> engine.launch(rest)).isInstanceOf(EngineException.class);
        engine.close(0);
        assertThat(vectors(text)[0]).isEqualTo(whole);
    }

    @Test
    void shouldRefuseToSampleToMaskAndToCopyBlocks() {
        int[] text = text(4, 1);
        open(0, text);
        StepBatch sampling = new StepBatch(0);
        sampling.addRow(0, StepBatch.POOLED | StepBatch.SAMPLE, 0, text, 0, 4);
        assertThatThrownBy(() -> engine.launch(sampling)).isInstanceOf(EngineException.class);
        StepBatch plain = new StepBatch(0);
        plain.addRow(0, 0, 0, text, 0, 4);
        assertThatThrownBy(() -> engine.launch(plain)).isInstanceOf(EngineException.class);
        assertThatThrownBy(() -> engine.transfer(0, new int[1], new int[1], 1)).isInstanceOf(EngineException.class);
        StepBatch good = new StepBatch(0);
        good.addRow(0, StepBatch.POOLED, 0, text, 0, 4);
        StepTicket ticket = engine.launch(good);
        assertThatThrownBy(() -> engine.masks(ticket, new TokenMasks(0, 0, new long[0])))
                .isInstanceOf(EngineException.class);
        assertThat(engine.await(ticket).pooledWidth).isPositive();
    }

    @Test
    void shouldNotNeedTheBatchOnceItIsLaunchedAndKeepAResultForOneMoreStep() {
        int[] text = text(11, 1);
        float[] expected = vectors(text)[0];
        open(0, text);
        StepBatch batch = new StepBatch(0);
        batch.addRow(0, StepBatch.POOLED, 0, text, 0, 11);
        StepTicket ticket = engine.launch(batch);
        Arrays.fill(batch.tokens, 0);
        batch.clear();
        StepResult result = engine.await(ticket);
        open(1, text(20, 2));
        batch.addRow(1, StepBatch.POOLED, 0, text(20, 2), 0, 20);
        engine.await(engine.launch(batch));
        assertThat(Arrays.copyOf(result.pooled, result.pooledWidth)).isEqualTo(expected);
    }

    @Test
    void shouldRefuseASecondTicketAndOneThatIsNotInFlight() {
        int[] text = text(5, 1);
        open(0, text);
        StepBatch batch = new StepBatch(0);
        batch.addRow(0, StepBatch.POOLED, 0, text, 0, 5);
        StepTicket ticket = engine.launch(batch);
        assertThatThrownBy(() -> engine.launch(batch)).isInstanceOf(EngineException.class);
        assertThatThrownBy(() -> engine.await(new StepTicket(ticket.number() + 3)))
                .isInstanceOf(EngineException.class);
        StepResult result = engine.await(ticket);
        assertThat(result.endNanos).isGreaterThan(result.startNanos);
    }
}
