package dev.jeton.scheduler;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class DeviceTimelineTest {

    private final DeviceTimeline timeline = new DeviceTimeline(100);

    @Test
    void balancesWhereSpansFollowOneAnother() {
        timeline.record(DeviceState.LOADING, 100, 150);
        timeline.record(DeviceState.STEP, 150, 180);

        assertThat(timeline.imbalance(180)).isZero();
    }

    @Test
    void seesADroppedSpan() {
        timeline.record(DeviceState.LOADING, 100, 150);
        timeline.record(DeviceState.STEP, 160, 180);

        assertThat(timeline.imbalance(180)).isEqualTo(10);
    }

    @Test
    void seesADoubledSpan() {
        timeline.record(DeviceState.STEP, 100, 150);
        timeline.record(DeviceState.STEP, 100, 150);

        assertThat(timeline.imbalance(150)).isEqualTo(-50);
    }

    @Test
    void seesAnOverlap() {
        timeline.record(DeviceState.STEP, 100, 150);
        timeline.record(DeviceState.COPY, 140, 170);

        assertThat(timeline.imbalance(170)).isEqualTo(-10);
    }
}
