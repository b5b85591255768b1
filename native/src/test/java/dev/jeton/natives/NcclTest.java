package dev.jeton.natives;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.natives.testing.CudaStandIn;
import dev.jeton.natives.testing.CudaStandIn.Resource;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Ranks on the stand-in's devices; one thread drives all, as a group of threads would. */
class NcclTest {

    private static final int COUNT = 4;

    @TempDir
    private static Path folder;

    private static CudaStandIn machine;

    private final List<CudaContext> contexts = new ArrayList<>();
    private final List<CudaStream> streams = new ArrayList<>();
    private final List<DeviceMemory> memory = new ArrayList<>();
    private Nccl nccl;

    @BeforeAll
    static void build() throws IOException {
        Assumptions.assumeTrue(CudaStandIn.possible(), "there is no C++ compiler (g++), so NCCL is not tested");
        machine = CudaStandIn.compile(folder);
    }

    @BeforeEach
    void open() {
        machine.reset();
        machine.devices(3, 9, 0, 1L << 24);
        nccl = Nccl.open(Optional.of(machine.nccl()));
        for (CudaDevice device : CudaDriver.open(Optional.of(machine.driver())).devices()) {
            CudaContext context = device.open();
            contexts.add(context);
            streams.add(context.stream());
            memory.add(context.allocate(4L * COUNT * 4));
        }
    }

    @AfterEach
    void close() {
        machine.heal();
        machine.immediate();
        for (CudaContext context : contexts) {
            context.makeCurrent();
            context.close();
        }
    }

    /** Puts {@code rank + 1} times 1, 2, 3 and 4 at the beginning of each device's memory. */
    private void fill() {
        try (Arena arena = Arena.ofConfined()) {
            for (int rank = 0; rank < contexts.size(); rank++) {
                MemorySegment host = arena.allocate(4L * COUNT, 16);
                for (int i = 0; i < COUNT; i++) {
                    host.setAtIndex(JAVA_FLOAT, i, (rank + 1) * (i + 1));
                }
                contexts.get(rank).makeCurrent();
                memory.get(rank).upload(0, host, 0, 4L * COUNT, streams.get(rank));
                streams.get(rank).synchronize();
            }
        }
    }

    private float[] read(int rank, int from, int count) {
        contexts.get(rank).makeCurrent();
        streams.get(rank).synchronize();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment host = arena.allocate(memory.get(rank).bytes(), 16);
            memory.get(rank).download(host);
            return host.asSlice(4L * from, 4L * count).toArray(JAVA_FLOAT);
        }
    }

    private void sum(NcclRanks ranks, int rank) {
        contexts.get(rank).makeCurrent();
        long at = memory.get(rank).address();
        ranks.rank(rank).allReduce(at, at, COUNT, NcclType.F32, streams.get(rank));
    }

    private void gather(NcclRanks ranks, int rank) {
        contexts.get(rank).makeCurrent();
        long at = memory.get(rank).address();
        ranks.rank(rank).allGather(at, at + 4L * COUNT, COUNT, NcclType.F32, streams.get(rank));
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 2, 3})
    void everyRankHasTheSumOfAll(long seed) {
        fill();
        try (NcclRanks ranks = nccl.join(contexts)) {
            if (seed > 0) {
                machine.deferred(seed);
            }
            for (int rank = 0; rank < 3; rank++) {
                sum(ranks, rank);
            }
            for (int rank = 0; rank < 3; rank++) {
                ranks.rank(rank).check();
                assertThat(read(rank, 0, COUNT)).containsExactly(6, 12, 18, 24);
            }
        }
        assertThat(machine.open(Resource.COMMUNICATORS)).isZero();
    }

    @Test
    void gatheredPartsLieInTheOrderOfRanks() {
        fill();
        try (NcclRanks ranks = nccl.join(contexts)) {
            for (int rank = 2; rank >= 0; rank--) {
                gather(ranks, rank);
            }
            for (int rank = 0; rank < 3; rank++) {
                assertThat(read(rank, COUNT, 3 * COUNT)).containsExactly(1, 2, 3, 4, 2, 4, 6, 8, 3, 6, 9, 12);
            }
        }
    }

    @Test
    void exchangesAreReplayedFromGraphs() {
        fill();
        try (NcclRanks ranks = nccl.join(contexts)) {
            List<CudaGraphExec> graphs = new ArrayList<>();
            for (int rank = 0; rank < 3; rank++) {
                contexts.get(rank).makeCurrent();
                streams.get(rank).beginCapture();
                sum(ranks, rank);
                gather(ranks, rank);
                try (CudaGraph graph = streams.get(rank).endCapture()) {
                    graphs.add(graph.instantiate());
                }
            }
            for (int time = 0; time < 2; time++) {
                for (int rank = 0; rank < 3; rank++) {
                    contexts.get(rank).makeCurrent();
                    graphs.get(rank).launch(streams.get(rank));
                }
            }
            for (int rank = 0; rank < 3; rank++) {
                assertThat(read(rank, 0, 2)).containsExactly(18, 36);
                assertThat(read(rank, 3 * COUNT, 2)).containsExactly(18, 36);
            }
        }
    }

    @Test
    void oneRankAloneIsItsOwnSum() {
        fill();
        try (NcclRanks ranks = nccl.join(contexts.subList(0, 1))) {
            sum(ranks, 0);
            gather(ranks, 0);
            assertThat(read(0, 0, 2 * COUNT)).containsExactly(1, 2, 3, 4, 1, 2, 3, 4);
        }
    }

    @Test
    void rankThatDoesNotComeIsWaitedForUntilTheOthersAreGivenUp() {
        fill();
        try (NcclRanks ranks = nccl.join(contexts)) {
            sum(ranks, 0);
            sum(ranks, 1);
            contexts.get(0).makeCurrent();
            assertThat(streams.get(0).isDone()).isFalse();
            ranks.abort();
            streams.get(0).synchronize();
            assertThatThrownBy(() -> sum(ranks, 0))
                    .isInstanceOf(NcclException.class)
                    .hasMessageContaining("ncclAllReduce")
                    .hasMessageContaining("given up");
        }
        assertThat(machine.open(Resource.COMMUNICATORS)).isZero();
    }

    @Test
    void machineGivesUpOnARankThatNeverComes() {
        machine.patience(20);
        try (NcclRanks ranks = nccl.join(contexts)) {
            sum(ranks, 0);
            contexts.get(0).makeCurrent();
            assertThatThrownBy(streams.get(0)::synchronize).isInstanceOf(CudaDeviceLostException.class);
            ranks.abort();
        }
    }

    @Test
    void memoryOfAnotherDeviceIsAnError() {
        try (NcclRanks ranks = nccl.join(contexts.subList(0, 1))) {
            contexts.getFirst().makeCurrent();
            long other = memory.get(1).address();
            ranks.rank(0).allReduce(other, other, COUNT, NcclType.F32, streams.getFirst());
            assertThatThrownBy(streams.getFirst()::synchronize).isInstanceOf(CudaDeviceLostException.class);
            assertThat(machine.message()).contains("it lies in memory of device 1, and device 0 asks for it");
            ranks.abort();
        }
    }

    @Test
    void devicesThatAreTheSameAreNotJoined() {
        assertThatThrownBy(() -> nccl.join(List.of(contexts.getFirst(), contexts.getFirst())))
                .isInstanceOf(NcclException.class)
                .hasMessageContaining("invalid usage")
                .hasMessageContaining("GPU 0")
                .hasMessageContaining("two ranks have one device");
        assertThat(machine.open(Resource.COMMUNICATORS)).isZero();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "ncclGetUniqueId",
                "ncclGroupStart",
                "ncclCommInitRank",
                "ncclGroupEnd",
                "ncclAllReduce",
                "ncclAllGather",
                "ncclCommGetAsyncError",
                "ncclCommDestroy"
            })
    void everyCallThatFailsIsNamed(String call) {
        machine.fail(call, 1, 2);
        assertThatThrownBy(() -> {
                    try (NcclRanks ranks = nccl.join(contexts.subList(0, 1))) {
                        sum(ranks, 0);
                        gather(ranks, 0);
                        ranks.rank(0).check();
                    }
                })
                .isInstanceOf(NcclException.class)
                .hasMessageContaining(call)
                .hasMessageContaining("unhandled system error");
    }

    @Test
    void exchangeThatFailsLaterIsToldWhenItIsAskedFor() {
        try (NcclRanks ranks = nccl.join(contexts.subList(0, 1))) {
            machine.fail("exchange", 1, 6);
            assertThatThrownBy(ranks.rank(0)::check)
                    .isInstanceOf(NcclException.class)
                    .hasMessageContaining("rank 0, GPU 0")
                    .hasMessageContaining("network error");
        }
    }

    @Test
    void missingLibrarySaysWhereItWasLookedForAndWhatBringsIt() {
        assertThat(nccl.version()).isEqualTo("2.27.3");
        assertThat(nccl.place()).isEqualTo(machine.nccl().toString());
        assertThatThrownBy(() -> Nccl.open(Optional.of(folder.resolve("nowhere.so"))))
                .isInstanceOf(LibraryMissingException.class)
                .hasMessageContaining("nvidia-nccl")
                .hasMessageContaining("nowhere.so (no such file)");
    }
}
