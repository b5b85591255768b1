package dev.jeton.scheduler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.models.engine.EngineException;
import dev.jeton.models.engine.LayerGroup;
import dev.jeton.models.engine.PreparedAdapter;
import dev.jeton.models.sim.SimClock;
import dev.jeton.models.sim.SimEngine;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.Timeout.ThreadMode;

/** Adapters that an engine does not take. */
class AdapterCommandsTest {

    private final SimClock clock = new SimClock(0);

    /** Memory that says whether it was given back. */
    private static final class Memory implements PreparedAdapter {
        private final AtomicBoolean closed = new AtomicBoolean();

        @Override
        public long bytes() {
            return closed.get() ? 0 : 1;
        }

        @Override
        public void close() {
            closed.set(true);
        }
    }

    /** A loop whose engine takes no adapter. */
    private StepLoop loop(Supplier<Throwable> failure) {
        SimEngine engine = new SimEngine(
                Simulation.VOCABULARY, 512, List.of(new LayerGroup(4, 64, 64, 0)), 4, 64, 1, Simulation.TIME, clock);
        EngineAround failing = new EngineAround(engine) {
            @Override
            public void addAdapter(int number, PreparedAdapter adapter) {
                switch (failure.get()) {
                    case RuntimeException e -> throw e;
                    case Error e -> throw e;
                    case Throwable e -> throw new IllegalStateException(e);
                }
            }
        };
        return new StepLoop(
                "test",
                failing,
                new SchedulerConfig(4, 64, 64, 1024, 1_000_000_000_000L, 0, true, 7),
                clock,
                0,
                StepListener.NONE);
    }

    @Test
    @Timeout(value = 120, threadMode = ThreadMode.SEPARATE_THREAD)
    void shouldSayWhyAnEngineRefusesAnAdapterAndGoOn() {
        Memory memory = new Memory();
        try (StepLoop loop = loop(() -> new EngineException("no more"))) {
            assertThatThrownBy(() -> loop.addAdapter(memory))
                    .isInstanceOf(RejectedException.class)
                    .hasMessageContaining("no more");
            assertThat(memory.bytes()).isZero();
            assertThat(loop.up()).isTrue();
        }
    }

    @Test
    @Timeout(value = 120, threadMode = ThreadMode.SEPARATE_THREAD)
    void shouldLetNobodyWaitForAnAdapterThatTheLoopFailedOn() {
        Memory memory = new Memory();
        try (StepLoop loop = loop(() -> new OutOfMemoryError("made to fail"))) {
            assertThatThrownBy(() -> loop.addAdapter(memory))
                    .isInstanceOf(RejectedException.class)
                    .hasMessageContaining("made to fail");
            assertThat(memory.bytes()).isZero();
        }
    }
}
