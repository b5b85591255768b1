package dev.jeton.natives;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.natives.testing.CudaStandIn;
import dev.jeton.natives.testing.NvmlStandIn;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ProbeTest {

    @TempDir
    private static Path folder;

    private static CudaStandIn machine;
    private static NvmlStandIn nvml;

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    @BeforeAll
    static void build() throws IOException {
        Assumptions.assumeTrue(
                CudaStandIn.possible() && NvmlStandIn.possible(), "there is no C++ compiler, so nothing is probed");
        machine = CudaStandIn.compile(folder);
        nvml = NvmlStandIn.compile(folder);
    }

    @BeforeEach
    void reset() {
        machine.reset();
    }

    private int probe(String... more) {
        String[] arguments = {
            "--driver", machine.driver().toString(),
            "--nvrtc", machine.nvrtc().toString(),
            "--cublaslt", machine.cublasLt().toString(),
            "--nvml", nvml.file().toString(),
            "--nccl", machine.nccl().toString()
        };
        System.arraycopy(more, 0, arguments, 0, more.length);
        return Probe.run(new PrintStream(out, true, StandardCharsets.UTF_8), arguments);
    }

    private String said() {
        return out.toString(StandardCharsets.UTF_8);
    }

    @Test
    void everyStepIsTriedAndSaid() {
        assertThat(probe()).as(said()).isZero();
        assertThat(said())
                .contains("nvml       driver 570.86.15")
                .contains("driver     CUDA 13000")
                .contains("nvrtc      13.0")
                .contains("for sm_90a, 32 registers, right")
                .contains("3 operations captured and replayed, right")
                .containsPattern("launches   200 kernels in a graph, .* launched programmatically .* us; right")
                .contains("bf16 64 x 256 by 512, wrong by")
                .contains("GB/s")
                .contains("nccl       NCCL 2.27.3")
                .contains("one rank's sum and gather in a graph, right")
                .contains("all went well");
        assertThat(machine.open(CudaStandIn.Resource.ALLOCATIONS)).isZero();
        assertThat(machine.open(CudaStandIn.Resource.CONTEXTS)).isZero();
    }

    @Test
    void machineWithoutNcclIsFineForOneGpu() {
        String[] arguments = {
            "--driver", machine.driver().toString(),
            "--nvrtc", machine.nvrtc().toString(),
            "--cublaslt", machine.cublasLt().toString(),
            "--nvml", nvml.file().toString(),
            "--nccl", folder.resolve("nowhere.so").toString()
        };
        assertThat(Probe.run(new PrintStream(out, true, StandardCharsets.UTF_8), arguments))
                .as(said())
                .isZero();
        assertThat(said())
                .contains("nccl       not needed for one GPU; for a model on several: NCCL (the package libnccl2");
    }

    @Test
    void failedStepLeavesTheOthers() {
        machine.fail("cublasLtCreate", 1, 1);
        assertThat(probe()).isEqualTo(1);
        assertThat(said())
                .contains("matmul     FAILED: cublasLtCreate")
                .contains("copies     ")
                .contains("1 failed");
    }

    @Test
    void missingDriverIsSaid() {
        assertThat(probe("--driver", folder.resolve("nowhere.so").toString())).isEqualTo(1);
        assertThat(said()).contains("driver     FAILED: the CUDA driver (libcuda) is not there");
    }

    @Test
    void wrongCommandLineIsAnsweredWithTheUsage() {
        assertThat(Probe.run(new PrintStream(out, true, StandardCharsets.UTF_8), "--driver"))
                .isEqualTo(2);
        assertThat(said()).startsWith("usage: Probe [--driver FILE]");
    }
}
