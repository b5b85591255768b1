package dev.jeton.scheduler;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.StepTimeModel;
import java.util.Random;
import org.junit.jupiter.api.Test;

class AttributionTest {

    private static final GenerationRequest REQUEST =
            GenerationRequest.of("r", new int[] {1}, 1, SamplingParameters.GREEDY);

    @Test
    void rowsSumToTheStepsTimeExactly() {
        long seed = 11;
        Random random = new Random(seed);
        Attribution attribution = new Attribution();
        for (int round = 0; round < 2_000; round++) {
            StepRecord record = new StepRecord();
            int rows = 1 + random.nextInt(40);
            for (int i = 0; i < rows; i++) {
                record.add(REQUEST, 0, StepRecord.DECODE, 1 + random.nextInt(300), random.nextInt(5000));
            }
            record.startNanos = random.nextInt(1000);
            record.endNanos = record.startNanos + random.nextInt(50_000_000);
            attribution.attribute(record, model(random.nextInt(3_000_000), random.nextInt(30_000), random.nextInt(90)));
            long sum = 0;
            for (int i = 0; i < rows; i++) {
                assertThat(record.nanos[i]).as("seed %d", seed).isNotNegative();
                sum += record.nanos[i];
            }
            assertThat(sum).as("seed %d", seed).isEqualTo(record.endNanos - record.startNanos);
        }
    }

    @Test
    void belowTheKneeRowsShareTheFloorAlike() {
        StepRecord record = record(1_000_000, new int[] {1, 3}, new int[] {0, 0});
        new Attribution().attribute(record, model(1_000_000, 100, 0));

        assertThat(record.nanos[0]).isEqualTo(500_000);
        assertThat(record.nanos[1]).isEqualTo(500_000);
    }

    @Test
    void farAboveTheKneeRowsPayTheirOwnArithmetic() {
        StepRecord record = record(400_000_000, new int[] {100, 300}, new int[] {0, 0});
        new Attribution().attribute(record, model(1, 1_000_000, 0));

        assertThat(record.nanos[0]).isBetween(99_999_000L, 100_001_000L);
        assertThat(record.nanos[1]).isBetween(299_999_000L, 300_001_000L);
    }

    @Test
    void theBaseIsSharedAlikeHoweverLargeTheRows() {
        StepRecord record = record(5_000_000, new int[] {100, 300}, new int[] {0, 0});
        new Attribution().attribute(record, new StepTimeModel(new StepTimeModel.Coefficients(1_000_000, 0, 10_000, 0)));

        assertThat(record.nanos[0]).isEqualTo(1_500_000);
        assertThat(record.nanos[1]).isEqualTo(3_500_000);
    }

    @Test
    void kvReadsAreChargedToWhoReads() {
        StepRecord record = record(1_010_000, new int[] {1, 1}, new int[] {0, 100});
        new Attribution().attribute(record, model(1_000_000, 100, 100));

        assertThat(record.nanos[0]).isEqualTo(500_000);
        assertThat(record.nanos[1]).isEqualTo(510_000);
    }

    @Test
    void equalRowsPayEquallyButForSingleNanoseconds() {
        StepRecord record = record(1_000_001, new int[] {5, 5, 5}, new int[] {7, 7, 7});
        new Attribution().attribute(record, model(900_000, 20_000, 50));

        assertThat(record.nanos[0] - record.nanos[2]).isBetween(0L, 1L);
    }

    private static StepRecord record(long nanos, int[] tokens, int[] kvTokens) {
        StepRecord record = new StepRecord();
        for (int i = 0; i < tokens.length; i++) {
            record.add(REQUEST, 0, StepRecord.DECODE, tokens[i], kvTokens[i]);
        }
        record.endNanos = nanos;
        return record;
    }

    private static StepTimeModel model(double floor, double perToken, double perKvToken) {
        return new StepTimeModel(new StepTimeModel.Coefficients(floor, perToken, perKvToken));
    }
}
