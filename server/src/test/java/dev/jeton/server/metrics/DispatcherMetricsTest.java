package dev.jeton.server.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.engine.LayerGroup;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.StepTimeModel;
import dev.jeton.models.sim.SimClock;
import dev.jeton.models.sim.SimEngine;
import dev.jeton.scheduler.Dispatcher;
import dev.jeton.scheduler.DispatcherStats;
import dev.jeton.scheduler.Generation;
import dev.jeton.scheduler.GenerationEvent;
import dev.jeton.scheduler.GenerationRequest;
import dev.jeton.scheduler.SchedulerConfig;
import dev.jeton.scheduler.StepListener;
import dev.jeton.scheduler.StepLoop;
import dev.jeton.server.testing.Eventually;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class DispatcherMetricsTest {

    private final SimpleMeterRegistry registry = new SimpleMeterRegistry();

    private static Dispatcher loop(int hostBlocks) {
        SimClock clock = new SimClock(0);
        SimEngine engine = new SimEngine(
                1_000,
                256,
                List.of(new LayerGroup(4, 64, 512, 0, hostBlocks)),
                4,
                64,
                1,
                new StepTimeModel.Coefficients(1_000, 10, 1),
                0,
                clock);
        return new StepLoop("sim", engine, SchedulerConfig.DEFAULT, clock, 0, StepListener.NONE);
    }

    private static void ask(Dispatcher dispatcher, int from) throws InterruptedException {
        int[] prompt = IntStream.range(from, from + 81).map(i -> i % 1_000).toArray();
        Generation generation =
                dispatcher.submit(GenerationRequest.of("r" + from, prompt, 1, SamplingParameters.GREEDY));
        GenerationEvent event = new GenerationEvent();
        while (generation.next(event)) {
            assertThat(event.message).isEmpty();
        }
    }

    @Test
    void shouldExportBothTiersAndWhatMovesBetweenThem() throws InterruptedException {
        try (Dispatcher dispatcher = loop(200)) {
            DispatcherMetrics metrics = new DispatcherMetrics(registry, "m", dispatcher);
            for (int i = 0; i < 6; i++) {
                ask(dispatcher, 100 * i);
            }
            ask(dispatcher, 0);
            Eventually.until(
                    "nothing moves any more",
                    () -> dispatcher.stats().host().loadedBlocks() > 0
                            && dispatcher.stats().host().blocksFilling() == 0
                            && dispatcher.stats().blocksHeld() == 0);
            metrics.refresh();
            DispatcherStats stats = metrics.latest();

            assertThat(stats.host().hitTokens()).isEqualTo(80);
            assertThat(hits("host")).isEqualTo(80);
            assertThat(hits("device")).isEqualTo(stats.prefixHitTokens() - 80);
            assertThat(blocks("host", "kept"))
                    .isEqualTo(stats.host().blocksKept())
                    .isPositive();
            assertThat(blocks("host", "free") + blocks("host", "kept")).isEqualTo(200);
            assertThat(blocks("device", "cached") + blocks("device", "free")).isEqualTo(64);
            assertThat(counter("jeton.kv.moved.blocks", "direction", "load")).isEqualTo(20);
            assertThat(counter("jeton.kv.moved.bytes", "direction", "load")).isEqualTo(20 * 512);
            assertThat(counter("jeton.kv.moved.bytes", "direction", "offload"))
                    .isEqualTo(512 * counter("jeton.kv.moved.blocks", "direction", "offload"))
                    .isPositive();
            assertThat(counter("jeton.kv.evictions", "tier", "device")).isPositive();
            assertThat(counter("jeton.kv.evictions", "tier", "host")).isZero();
            assertThat(registry.get("jeton.kv.moving.blocks")
                            .tag("direction", "load")
                            .gauge()
                            .value())
                    .isZero();
        }
    }

    @Test
    void shouldNameNoHostsTierWhereThereIsNone() {
        try (Dispatcher dispatcher = loop(0)) {
            new DispatcherMetrics(registry, "m", dispatcher).refresh();

            assertThat(registry.find("jeton.kv.blocks").tag("tier", "host").gauges())
                    .isEmpty();
            assertThat(registry.find("jeton.kv.moved.blocks").functionCounters())
                    .isEmpty();
            assertThat(blocks("device", "free")).isEqualTo(64);
        }
    }

    private double blocks(String tier, String state) {
        return registry.get("jeton.kv.blocks")
                .tag("tier", tier)
                .tag("state", state)
                .gauge()
                .value();
    }

    private double hits(String tier) {
        return counter("jeton.prefix.hit.tokens", "tier", tier);
    }

    private double counter(String name, String tag, String value) {
        return registry.get(name).tag(tag, value).functionCounter().count();
    }
}
