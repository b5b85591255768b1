package dev.jeton.natives;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.management.ThreadMXBean;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Streams, events and graphs, against a machine that runs kernels on the host. */
class CudaWorkTest extends CudaFixture {
    @Test
    void forgottenDependencyBetweenStreamsShowsWhenWorkRunsLate() {
        CudaStream other = context.stream(true);
        CudaEvent copied = context.event(false);
        boolean wrong = false;
        for (int seed = 0; seed < 20; seed++) {
            machine.deferred(seed);
            wrong |= scaled(stream, other, Optional.empty()) != 6;
            assertThat(scaled(stream, other, Optional.of(copied))).isEqualTo(6);
        }
        assertThat(wrong).isTrue();
    }

    private float scaled(CudaStream copies, CudaStream kernels, Optional<CudaEvent> order) {
        try (PinnedMemory pinned = context.pin(4);
                DeviceMemory x = floats(0)) {
            pinned.segment().set(JAVA_FLOAT, 0, 3);
            x.upload(0, pinned.segment(), 0, 4, copies);
            order.ifPresent(event -> {
                event.record(copies);
                kernels.waitFor(event);
            });
            module.function("scale").launch(1, 32, 0, kernels, scaling(x, 1, 2, 0));
            kernels.synchronize();
            copies.synchronize();
            return read(x)[0];
        }
    }

    @Test
    void eventsTellTheDevicesTime() {
        machine.clock(250_000);
        CudaEvent start = context.event();
        CudaEvent end = context.event();
        DeviceMemory x = floats(1);
        start.record(stream);
        x.fill(0, 4, 0, stream);
        x.fill(0, 4, 0, stream);
        end.record(stream);
        end.synchronize();
        assertThat(end.isDone()).isTrue();
        assertThat(end.millisSince(start)).isEqualTo(0.75f);
        machine.clock(0);
    }

    @Test
    void workRunsOnlyWhenAwaitedInDeferredMode() {
        machine.deferred(1);
        CudaEvent event = context.event(true);
        DeviceMemory x = floats(5);
        x.fill(0, 4, 0, stream);
        x.fill(0, 4, 0, stream);
        x.fill(0, 4, 0, stream);
        event.record(stream);
        assertThat(event.isDone()).isFalse();
        event.synchronize();
        assertThat(event.isDone()).isTrue();
        assertThat(stream.isDone()).isTrue();
    }

    @Test
    void capturedGraphReplaysWithTheArgumentsThatItWasGiven() {
        DeviceMemory x = floats(1, 1);
        KernelArguments arguments = scaling(x, 2, 2, 0);
        stream.beginCapture();
        module.function("scale").launch(1, 32, 0, stream, arguments);
        module.function("scale").launch(1, 32, 0, stream, arguments.set(2, 1f).set(3, 1.0));
        try (CudaGraph graph = stream.endCapture();
                CudaGraphExec exec = graph.instantiate()) {
            assertThat(graph.nodes()).isEqualTo(2);
            assertThat(read(x)).containsExactly(1, 1);
            arguments.set(2, 100f);
            exec.upload(stream);
            exec.launch(stream);
            exec.launch(stream);
            stream.synchronize();
            assertThat(read(x)).containsExactly(7, 7);
        }
    }

    @Test
    void graphTakesOverAnotherRecordingOfTheSameWorkAndNoOther() {
        DeviceMemory x = floats(1);
        try (CudaGraph first = recorded(x, 2, 1);
                CudaGraph second = recorded(x, 5, 1);
                CudaGraph longer = recorded(x, 5, 2);
                CudaGraphExec exec = first.instantiate()) {
            assertThat(exec.update(longer)).isFalse();
            assertThat(exec.update(second)).isTrue();
            exec.launch(stream);
            stream.synchronize();
            assertThat(read(x)).containsExactly(5);
        }
    }

    @Test
    void captureSpansStreamsThatAreForkedAndJoined() {
        CudaStream side = context.stream();
        CudaEvent fork = context.event(false);
        CudaEvent join = context.event(false);
        DeviceMemory x = floats(1);
        DeviceMemory y = floats(1);
        stream.beginCapture();
        fork.record(stream);
        side.waitFor(fork);
        module.function("scale").launch(1, 32, 0, side, scaling(y, 1, 3, 0));
        module.function("scale").launch(1, 32, 0, stream, scaling(x, 1, 2, 0));
        join.record(side);
        stream.waitFor(join);
        try (CudaGraph graph = stream.endCapture();
                CudaGraphExec exec = graph.instantiate()) {
            exec.launch(stream);
            stream.synchronize();
            assertThat(read(x)).containsExactly(2);
            assertThat(read(y)).containsExactly(3);
        }
    }

    @Test
    void waitingBreaksACaptureAndTheStreamWorksAfterIt() {
        stream.beginCapture();
        assertThatThrownBy(stream::synchronize)
                .isInstanceOf(CudaException.class)
                .hasMessageContaining("900");
        assertThatThrownBy(stream::endCapture).isInstanceOf(CudaException.class).hasMessageContaining("901");
        stream.synchronize();
        assertThat(stream.isDone()).isTrue();
    }

    @Test
    void hotCallsAllocateNothing() {
        DeviceMemory x = floats(1, 2);
        PinnedMemory pinned = context.pin(64);
        CudaEvent start = context.event();
        CudaEvent end = context.event();
        CudaFunction scale = module.function("scale");
        KernelArguments arguments = scaling(x, 2, 1, 0);
        MemorySegment host = pinned.segment();
        try (CudaGraph graph = recorded(x, 1, 1);
                CudaGraphExec exec = graph.instantiate()) {
            Runnable step = () -> {
                start.record(stream);
                x.upload(0, host, 0, 8, stream);
                scale.launch(1, 32, 0, stream, arguments.set(0, x).set(1, 2).set(2, 1f));
                exec.launch(stream);
                x.download(0, host, 0, 8, stream);
                end.record(stream);
                stream.waitFor(end);
                if (!end.isDone() || end.millisSince(start) < 0) {
                    throw new IllegalStateException("the device's time ran backwards");
                }
            };
            for (int i = 0; i < 20_000; i++) {
                step.run();
            }
            ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
            long before = threads.getCurrentThreadAllocatedBytes();
            for (int i = 0; i < 1_000; i++) {
                step.run();
            }
            long allocated = threads.getCurrentThreadAllocatedBytes() - before;
            assertThat(allocated).as("bytes in 1,000 steps").isLessThan(1_000);
        }
    }
}
