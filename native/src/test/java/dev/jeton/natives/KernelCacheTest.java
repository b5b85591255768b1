package dev.jeton.natives;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.natives.testing.CudaStandIn;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class KernelCacheTest {

    private static final String TEXT = "#include \"n.h\"\nextern \"C\" __global__ void f(int* x) { *x = N; }";

    @TempDir
    private static Path folder;

    private static CudaStandIn machine;

    @TempDir
    private Path kept;

    private Nvrtc nvrtc;

    @BeforeAll
    static void build() throws IOException {
        Assumptions.assumeTrue(CudaStandIn.possible(), "there is no C++ compiler (g++), so kernels are not compiled");
        machine = CudaStandIn.compile(folder);
    }

    @BeforeEach
    void open() {
        machine.reset();
        nvrtc = Nvrtc.open(Optional.of(machine.nvrtc()), 13_000);
    }

    private static KernelSource source(String number) {
        return new KernelSource("f.cu", TEXT, Map.of("n.h", "#define N " + number), List.of());
    }

    private List<Path> files() throws IOException {
        try (Stream<Path> files = Files.list(kept)) {
            return files.sorted().toList();
        }
    }

    private long compilations() {
        return machine.calls("nvrtcCompileProgram");
    }

    @Test
    void sameSourceIsCompiledOnceAndChangedOnesAgain() {
        KernelCache cache = new KernelCache(kept, 1 << 24);
        byte[] first = cache.cubin(nvrtc, source("1"), "sm_90");
        assertThat(cache.cubin(nvrtc, source("1"), "sm_90")).isEqualTo(first);
        assertThat(compilations()).isEqualTo(1);
        cache.cubin(nvrtc, source("2"), "sm_90");
        cache.cubin(nvrtc, source("1"), "sm_80");
        cache.cubin(nvrtc, new KernelSource("f.cu", TEXT, source("1").headers(), List.of("-DM=1")), "sm_90");
        assertThat(compilations()).isEqualTo(4);
    }

    @Test
    void brokenFileIsCompiledAgainAndReplaced() throws IOException {
        KernelCache cache = new KernelCache(kept, 1 << 24);
        byte[] first = cache.cubin(nvrtc, source("1"), "sm_90");
        Path file = files().getFirst();
        byte[] bytes = Files.readAllBytes(file);
        bytes[bytes.length / 2] ^= 1;
        Files.write(file, bytes);
        assertThat(cache.cubin(nvrtc, source("1"), "sm_90")).hasSameSizeAs(first);
        assertThat(compilations()).isEqualTo(2);
        Files.write(file, new byte[5]);
        cache.cubin(nvrtc, source("1"), "sm_90");
        cache.cubin(nvrtc, source("1"), "sm_90");
        assertThat(compilations()).isEqualTo(3);
    }

    @Test
    void filesUsedLongestAgoGoPastTheBound() throws IOException {
        int bytes = new KernelCache(kept, 1 << 24).cubin(nvrtc, source("1"), "sm_90").length;
        KernelCache cache = new KernelCache(kept, 2L * bytes + bytes / 2);
        Files.setLastModifiedTime(files().getFirst(), FileTime.fromMillis(2_000));
        Path first = files().getFirst();
        cache.cubin(nvrtc, source("2"), "sm_90");
        Path second =
                files().stream().filter(file -> !file.equals(first)).findFirst().orElseThrow();
        Files.setLastModifiedTime(second, FileTime.fromMillis(1_000));
        cache.cubin(nvrtc, source("3"), "sm_90");
        assertThat(files()).hasSize(2).contains(first).doesNotContain(second);
    }

    @Test
    void folderThatCannotBeWrittenOnlyCostsTime() throws IOException {
        Path file = Files.writeString(kept.resolve("file"), "no folder");
        KernelCache cache = new KernelCache(file, 1 << 24);
        assertThat(cache.cubin(nvrtc, source("1"), "sm_90")).isNotEmpty();
        assertThat(cache.cubin(nvrtc, source("1"), "sm_90")).isNotEmpty();
        assertThat(compilations()).isEqualTo(2);
    }
}
