package dev.jeton.natives;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.jeton.natives.testing.CudaStandIn;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.random.RandomGenerator;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The bindings of cuBLASLt against products in float64. */
class CublasLtTest {

    @TempDir
    private static Path folder;

    private static CudaStandIn machine;

    @TempDir
    private Path kept;

    private final List<String> warnings = new ArrayList<>();
    private CudaContext context;
    private CudaStream stream;
    private Arena arena;

    @BeforeAll
    static void build() throws IOException {
        Assumptions.assumeTrue(
                CudaStandIn.possible(), "there is no C++ compiler (g++), so cuBLASLt's bindings are not tested");
        machine = CudaStandIn.compile(folder);
    }

    @BeforeEach
    void open() {
        machine.reset();
        context = CudaDriver.open(Optional.of(machine.driver()))
                .devices()
                .getFirst()
                .open();
        stream = context.stream();
        arena = Arena.ofConfined();
    }

    @AfterEach
    void close() {
        context.close();
        arena.close();
    }

    private CublasLt cublas(boolean deterministic) {
        return cublas(deterministic, false);
    }

    private CublasLt cublas(boolean deterministic, boolean fast) {
        return CublasLt.open(
                Optional.of(machine.cublasLt()),
                context,
                new CublasLt.Options(
                        1 << 20, deterministic, fast, Optional.of(new AlgorithmCache(kept, warnings::add))));
    }

    /** Elements that each type has exactly: halves from -4 to 4. */
    private double[] values(int count, long seed) {
        RandomGenerator random = new Random(seed);
        return random.ints(count, -8, 9).mapToDouble(i -> i / 2.0).toArray();
    }

    private DeviceMemory matrix(double[] values, MatrixType type) {
        MemorySegment host = arena.allocate((long) values.length * type.bytes(), 16);
        for (int i = 0; i < values.length; i++) {
            float v = (float) values[i];
            switch (type) {
                case F32 -> host.setAtIndex(JAVA_FLOAT, i, v);
                case F16 -> host.setAtIndex(JAVA_SHORT, i, Float.floatToFloat16(v));
                case BF16 -> host.setAtIndex(JAVA_SHORT, i, (short) (Float.floatToRawIntBits(v) >> 16));
                case F8_E4M3 -> host.set(JAVA_BYTE, i, e4m3(v));
            }
        }
        DeviceMemory memory = context.allocate(host.byteSize());
        memory.upload(host);
        return memory;
    }

    /** Of values that it has exactly. */
    private static byte e4m3(float v) {
        if (v == 0) {
            return 0;
        }
        int exponent = Math.getExponent(v);
        int mantissa = Math.round((Math.abs(v) / Math.scalb(1f, exponent) - 1) * 8);
        return (byte) ((v < 0 ? 128 : 0) | (exponent + 7) << 3 | mantissa);
    }

    private float[] floats(DeviceMemory memory) {
        MemorySegment host = arena.allocate(memory.bytes(), 16);
        memory.download(host);
        return host.toArray(JAVA_FLOAT);
    }

    private static double dot(double[] x, double[] w, int row, int column, int k) {
        double sum = 0;
        for (int i = 0; i < k; i++) {
            sum += x[row * k + i] * w[column * k + i];
        }
        return sum;
    }

    @ParameterizedTest
    @EnumSource(MatrixType.class)
    void productIsThatOfRowMajorMatrices(MatrixType type) {
        int m = 3;
        int n = 16;
        int k = 48;
        double[] x = values(m * k, 1);
        double[] w = values(n * k, 2);
        DeviceMemory y = context.allocate(4L * m * n);
        try (CublasLt cublas = cublas(false);
                MatmulPlan plan = cublas.plan(new MatmulShape(m, n, k, type, MatrixType.F32))) {
            plan.run(matrix(x, type), matrix(w, type), y, stream);
            stream.synchronize();
        }
        float[] found = floats(y);
        for (int i = 0; i < m * n; i++) {
            assertThat((double) found[i]).isCloseTo(dot(x, w, i / n, i % n, k), within(1e-3));
        }
    }

    @Test
    void rowsAreScaledBiasAddedAndTheOldContentKept() {
        int m = 2;
        int n = 16;
        int k = 16;
        double[] x = values(m * k, 3);
        double[] w = values(n * k, 4);
        double[] old = values(m * n, 5);
        double[] bias = values(n, 6);
        double[] xScale = {0.5, 4};
        double[] wScale = values(n, 7);
        DeviceMemory y = matrix(old, MatrixType.F32);
        MatmulShape shape = new MatmulShape(m, n, k, MatrixType.F8_E4M3, MatrixType.F32, true, true, true);
        try (CublasLt cublas = cublas(false);
                MatmulPlan plan = cublas.plan(shape)) {
            plan.run(
                    matrix(x, MatrixType.F8_E4M3).address(),
                    matrix(w, MatrixType.F8_E4M3).address(),
                    y.address(),
                    matrix(bias, MatrixType.F32).address(),
                    matrix(xScale, MatrixType.F32).address(),
                    matrix(wScale, MatrixType.F32).address(),
                    stream);
            stream.synchronize();
        }
        float[] found = floats(y);
        for (int i = 0; i < m * n; i++) {
            double product = dot(x, w, i / n, i % n, k) * xScale[i / n] * wScale[i % n];
            assertThat((double) found[i]).isCloseTo(product + bias[i % n] + old[i], within(1e-3));
        }
    }

    /** Of 2,048 products of 0.75, 0.75 and less: as many bits as the sum needs, and more than fast ones keep. */
    private float sum(boolean fast, MatrixType type) {
        int k = 2_048;
        double[] x = new double[k];
        double[] w = new double[16 * k];
        Arrays.fill(x, 1.5);
        Arrays.fill(w, 1);
        x[0] = 0.015625;
        DeviceMemory y = matrix(new double[16], MatrixType.F32);
        try (CublasLt cublas = cublas(false, fast);
                MatmulPlan plan = cublas.plan(new MatmulShape(1, 16, k, type, MatrixType.F32))) {
            plan.run(matrix(x, type), matrix(w, type), y, stream);
            stream.synchronize();
            return floats(y)[0];
        }
    }

    @Test
    void sumsOfFp8HaveFewerBitsOnlyWhereTheyMay() {
        float exact = 2_047 * 1.5f + 0.015625f;
        assertThat(sum(false, MatrixType.F8_E4M3)).isEqualTo(exact);
        assertThat(sum(true, MatrixType.F8_E4M3)).isNotEqualTo(exact).isCloseTo(exact, within(1f));
        assertThat(sum(true, MatrixType.BF16)).isEqualTo(exact);
    }

    @Test
    void algorithmsOfFastSumsAreKeptApart() {
        MatmulShape shape = new MatmulShape(2, 16, 64, MatrixType.F8_E4M3, MatrixType.F32);
        DeviceMemory x = matrix(new double[2 * 64], MatrixType.F8_E4M3);
        DeviceMemory w = matrix(new double[16 * 64], MatrixType.F8_E4M3);
        DeviceMemory y = matrix(new double[2 * 16], MatrixType.F32);
        boolean[] known = new boolean[2];
        for (int i = 0; i < 2; i++) {
            try (CublasLt cublas = cublas(false, i == 1);
                    MatmulPlan plan = cublas.plan(shape)) {
                known[i] = plan.searched();
                plan.search(x.address(), new long[] {w.address(), w.address()}, y.address(), 0, 0, 0, stream);
            }
        }
        assertThat(known).containsExactly(false, false);
    }

    @Test
    void deterministicHandleTakesNoAlgorithmThatSplitsTheSum() {
        MatmulShape shape = new MatmulShape(8, 16, 64, MatrixType.BF16, MatrixType.BF16);
        try (CublasLt free = cublas(false);
                MatmulPlan plan = free.plan(shape)) {
            assertThat(plan.splits()).isEqualTo(4);
        }
        try (CublasLt fixed = cublas(true);
                MatmulPlan plan = fixed.plan(shape)) {
            assertThat(plan.splits()).isEqualTo(1);
        }
    }

    /** The operands of a small product, and what became of a search on a handle of its own. */
    private final class Searched {
        private final MatmulShape shape = new MatmulShape(8, 16, 64, MatrixType.BF16, MatrixType.BF16);
        private final DeviceMemory x = matrix(values(8 * 64, 1), MatrixType.BF16);
        private final DeviceMemory w = matrix(values(16 * 64, 2), MatrixType.BF16);
        private final DeviceMemory y = context.allocate(8 * 16 * 2);

        /** Parts into which the algorithm that was found splits k: 4 is cuBLASLt's own first choice, algorithm 2. */
        int search(boolean deterministic) {
            try (CublasLt cublas = cublas(deterministic);
                    MatmulPlan plan = cublas.plan(shape)) {
                plan.search(x.address(), new long[] {w.address(), w.address()}, y.address(), 0, 0, 0, stream);
                return plan.splits();
            }
        }

        Path file() throws IOException {
            try (Stream<Path> files = Files.list(kept)) {
                return files.findFirst().orElseThrow();
            }
        }
    }

    @Test
    void searchTakesTheFastestAndALaterHandleDoesNotSearchAgain() {
        machine.clock(1);
        machine.product(0, 3_000);
        machine.product(1, 2_000);
        machine.product(2, 5_000);
        Searched operands = new Searched();
        assertThat(operands.search(false)).isEqualTo(1);
        long products = machine.calls("cublasLtMatmul");
        assertThat(products).isEqualTo(1 + 3 * 2);
        machine.product(2, 1);
        assertThat(operands.search(false)).isEqualTo(1);
        assertThat(machine.calls("cublasLtMatmul")).isEqualTo(products);
    }

    @Test
    void searchKeepsTheFirstChoiceWhereItIsTheFastest() {
        machine.clock(1);
        machine.product(0, 3_000);
        machine.product(1, 2_000);
        assertThat(new Searched().search(false)).isEqualTo(4);
    }

    @Test
    void searchPassesOverACandidateThatFails() {
        machine.clock(1);
        machine.product(0, 1_000);
        machine.product(1, 1_000);
        machine.fail("cublasLtMatmul", 2, 15);
        assertThat(new Searched().search(false)).isEqualTo(1);
    }

    @Test
    void damagedFileIsSearchedAgainAndToldOf() throws IOException {
        Searched operands = new Searched();
        operands.search(false);
        long products = machine.calls("cublasLtMatmul");
        byte[] bytes = Files.readAllBytes(operands.file());
        bytes[3] ^= 1;
        Files.write(operands.file(), bytes);
        assertThat(warnings).isEmpty();
        operands.search(false);
        assertThat(machine.calls("cublasLtMatmul")).isEqualTo(2 * products);
        assertThat(warnings)
                .singleElement()
                .asString()
                .contains("damaged", operands.file().toString());
        Files.write(operands.file(), new byte[] {1, 2, 3});
        operands.search(false);
        assertThat(machine.calls("cublasLtMatmul")).isEqualTo(3 * products);
        assertThat(warnings).hasSize(2);
    }

    @Test
    void algorithmThatAnotherLibraryWouldRefuseIsNotTakenFromTheCache() throws IOException {
        Searched operands = new Searched();
        operands.search(false);
        long products = machine.calls("cublasLtMatmul");
        machine.fail("cublasLtMatmulAlgoCheck", 1, 15);
        operands.search(false);
        assertThat(machine.calls("cublasLtMatmul")).isEqualTo(2 * products);
    }

    @Test
    void deterministicHandleNeitherSearchesNorReadsTheCache() {
        machine.clock(1);
        machine.product(0, 1_000);
        machine.product(1, 1_000);
        Searched operands = new Searched();
        assertThat(operands.search(false)).isEqualTo(4);
        long products = machine.calls("cublasLtMatmul");
        assertThat(operands.search(true)).isEqualTo(1);
        assertThat(machine.calls("cublasLtMatmul")).isEqualTo(products);
    }

    @Test
    void shapeThatTheDeviceCannotDoIsNamed() {
        try (CublasLt cublas = cublas(false)) {
            assertThatThrownBy(() -> cublas.plan(new MatmulShape(2, 7, 16, MatrixType.F8_E4M3, MatrixType.F32)))
                    .isInstanceOf(CudaException.class)
                    .hasMessageContaining("CUBLAS_STATUS_NOT_SUPPORTED")
                    .hasMessageContaining("n=7")
                    .hasMessageContaining("GPU 0");
        }
    }

    @Test
    void operandThatIsTooSmallIsRefused() {
        MatmulShape shape = new MatmulShape(2, 16, 16, MatrixType.F32, MatrixType.F32);
        DeviceMemory small = context.allocate(64);
        DeviceMemory fine = context.allocate(4096);
        try (CublasLt cublas = cublas(false);
                MatmulPlan plan = cublas.plan(shape)) {
            assertThatThrownBy(() -> plan.run(fine, small, fine, stream)).isInstanceOf(IndexOutOfBoundsException.class);
            assertThatThrownBy(() -> plan.run(fine.address(), fine.address(), fine.address(), 5, 0, 0, stream))
                    .isInstanceOf(IllegalArgumentException.class);
        }
    }

    @Test
    void deviceLostInAProductIsToldFromAFailedOne() {
        MatmulShape shape = new MatmulShape(2, 16, 16, MatrixType.F32, MatrixType.F32);
        DeviceMemory x = context.allocate(4096);
        try (CublasLt cublas = cublas(false);
                MatmulPlan plan = cublas.plan(shape)) {
            machine.fail("cublasLtMatmul", 1, 13);
            assertThatThrownBy(() -> plan.run(x, x, x, stream))
                    .isInstanceOf(CudaException.class)
                    .isNotInstanceOf(CudaDeviceLostException.class);
            machine.fail("cublasLtMatmul", 1, 13);
            machine.lose(719);
            assertThatThrownBy(() -> plan.run(x, x, x, stream)).isInstanceOf(CudaDeviceLostException.class);
        }
        machine.heal();
    }

    @Test
    void planAndHandleSayThatTheyWereClosed() {
        MatmulShape shape = new MatmulShape(2, 16, 16, MatrixType.F32, MatrixType.F32);
        CublasLt cublas = cublas(false);
        MatmulPlan plan = cublas.plan(shape);
        plan.close();
        plan.close();
        DeviceMemory x = context.allocate(4096);
        assertThatThrownBy(() -> plan.run(x, x, x, stream)).isInstanceOf(IllegalStateException.class);
        cublas.close();
        assertThatThrownBy(() -> cublas.plan(shape)).isInstanceOf(IllegalStateException.class);
    }
}
