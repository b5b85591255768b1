package dev.jeton.natives;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.natives.testing.CudaStandIn;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The shipped sources through the bindings, as the engine uses them, on a machine that runs kernels on the host. */
class ShippedKernelsTest {

    @TempDir
    private static Path folder;

    private static CudaStandIn machine;

    private CudaContext context;
    private CudaStream stream;
    private Arena arena;

    @BeforeAll
    static void build() throws IOException {
        Assumptions.assumeTrue(CudaStandIn.possible(), "there is no C++ compiler (g++), so no kernel is compiled");
        machine = CudaStandIn.compile(folder);
    }

    @BeforeEach
    void open() {
        machine.reset();
        machine.checking(true);
        context = CudaDriver.open(Optional.of(machine.driver()))
                .devices()
                .getFirst()
                .open();
        stream = context.stream();
        arena = Arena.ofConfined();
    }

    @AfterEach
    void close() {
        machine.checking(false);
        context.close();
        arena.close();
    }

    private CudaModule module(String source, String... macros) {
        List<String> options = Arrays.stream(macros).map(macro -> "-D" + macro).toList();
        return new Kernels(Optional.of(Nvrtc.open(Optional.of(machine.nvrtc()), 13_000)), Optional.empty())
                .load(context, source, options);
    }

    private int[] constants(CudaModule module, String kernel, int count) {
        try (DeviceMemory out = context.allocate(4L * count)) {
            CudaFunction function = module.function(kernel);
            function.launch(1, 1, 0, stream, function.arguments().set(0, out));
            stream.synchronize();
            MemorySegment read = arena.allocate(JAVA_INT, count);
            out.download(read);
            return read.toArray(JAVA_INT);
        }
    }

    @Test
    void attentionTellsItsLaunchesForAHeadThatIsPadded() {
        CudaModule module = module("attention.cu", "HEAD_DIM=72", "GROUP=2", "JETON_KV=2", "BLOCK_SIZE=32");
        int[] told = constants(module, "attention_constants", 8);
        assertThat(Arrays.copyOf(told, 5)).containsExactly(80, 16, 128, 128, 128);
        assertThat(told[7]).isEqualTo(1024);
        for (String kernel : List.of("plan_attention", "attention_decode", "attention_prefill")) {
            assertThat(module.function(kernel).arguments().count()).isPositive();
        }
    }

    @Test
    void samplingTellsTheSizeOfASlotsParameters() {
        CudaModule module = module("sampling.cu");
        assertThat(constants(module, "sampling_constants", 4)).containsExactly(4096, 256, 512, 72);
        assertThat(module.function("sample_logits").arguments().count()).isEqualTo(15);
    }

    @Test
    void matmulTellsRowsAndMemoryOfABlock() {
        CudaModule sixteen = module("matmul.cu");
        assertThat(constants(sixteen, "matmul_constants", 2)).containsExactly(32, 98304);
        assertThat(sixteen.function("skinny_matmul").arguments().count()).isEqualTo(16);
        CudaModule four = module("matmul.cu", "WEIGHTS=2");
        assertThat(constants(four, "matmul_constants", 2)).containsExactly(64, 131072);
        assertThat(four.function("repack_packed").arguments().count()).isEqualTo(10);
    }

    @Test
    void wideProductsTellTilesAndMemoryOfABlock() {
        CudaModule eight = module("wide.cu", "WEIGHTS=3");
        assertThat(constants(eight, "wide_constants", 8)).containsExactly(128, 128, 256, 98304, 64, 128, 128, 98304);
        assertThat(eight.function("wide_matmul").arguments().count()).isEqualTo(16);
    }

    @Test
    void blocksAreCopiedWhole() {
        int blockBytes = 16 * 77;
        byte[] bytes = new byte[5 * blockBytes];
        new Random(3).nextBytes(bytes);
        try (DeviceMemory from = context.allocate(bytes.length);
                DeviceMemory to = context.allocate(bytes.length);
                DeviceMemory lists = context.allocate(16)) {
            from.upload(arena.allocateFrom(JAVA_BYTE, bytes));
            to.upload(arena.allocate(bytes.length));
            lists.upload(arena.allocateFrom(JAVA_INT, 4, 1, 0, 3));
            CudaFunction copy = module("blocks.cu").function("copy_blocks");
            KernelArguments arguments = copy.arguments()
                    .set(0, from)
                    .set(1, to)
                    .set(2, lists)
                    .set(3, lists.slice(8, 8))
                    .set(4, 2)
                    .set(5, (long) blockBytes);
            copy.launch(3, 2, 1, 256, 1, 1, 0, stream, arguments);
            stream.synchronize();
            MemorySegment read = arena.allocate(bytes.length);
            to.download(read);
            byte[] expected = new byte[bytes.length];
            System.arraycopy(bytes, 4 * blockBytes, expected, 0, blockBytes);
            System.arraycopy(bytes, blockBytes, expected, 3 * blockBytes, blockBytes);
            assertThat(read.toArray(JAVA_BYTE)).isEqualTo(expected);
        }
    }

    @Test
    void everyRowKernelIsFound() {
        CudaModule module = module("rows.cu", "HEAD_DIM=64", "JETON_TYPE=1");
        for (String kernel : List.of(
                "prepare_step",
                "embed",
                "rms_norm",
                "rms_norm_fp8",
                "head_means",
                "rotary_append",
                "swiglu",
                "geglu",
                "swiglu_fp8",
                "add_bias",
                "quantize_fp8_rows",
                "convert_f32_bf16")) {
            assertThat(module.function(kernel).name()).isEqualTo(kernel);
        }
    }
}
