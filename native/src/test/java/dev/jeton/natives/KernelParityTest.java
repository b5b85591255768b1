package dev.jeton.natives;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Every kernel against float64: the programs kernels/test/check_*.cpp, built with g++ for the host's CUDA machine and,
 * on a machine with a GPU, with nvcc for it. A case is a check and the macros that its kernels are specialised by. Some
 * are watched for accesses that nothing orders, too.
 */
class KernelParityTest {

    /** As g++ builds every check, and the headers that they begin with. */
    private static final List<String> HOST_COMPILER = List.of(
            "g++",
            "-std=c++17",
            "-Og",
            "-w",
            "-fno-strict-aliasing",
            "-march=native",
            "-fsanitize=alignment",
            "-fno-sanitize-recover=alignment");

    /** Checks that run so long that compiling for speed takes less than it saves. */
    private static final Set<String> LONG = Set.of("attention", "latent", "sampling");

    private static final String HEADERS = "headers.h";
    /** The same for what is compiled with other options than they were. */
    private static final String AS_TEXT = "as_text.h";

    /** Who looks for races, and what sources are told that it looks at. */
    private static final String RACES = "races.o";

    private static final String WATCHED = "-DJETON_RACES";

    @TempDir
    private static Path machine;

    @TempDir
    private Path folder;

    /** Most of what a check takes to compile are the headers; where g++ cannot keep them compiled, it reads them. */
    @BeforeAll
    static void compileHeadersOfTheHostMachine() throws IOException, InterruptedException {
        if (KernelSources.exists(machine, "g++", "--version")) {
            KernelSources.copyHostMachine(machine);
            for (String name : List.of(HEADERS, AS_TEXT)) {
                Files.writeString(machine.resolve(name), """
                    #include "cuda_host.h"
                    #include <algorithm>
                    #include <functional>
                    #include <random>
                    #include <string>
                    #include <vector>
                    """);
            }
            List<String> compile = new ArrayList<>(HOST_COMPILER);
            compile.addAll(List.of("-x", "c++-header", HEADERS, "-o", HEADERS + ".gch"));
            assertThat(KernelSources.run(machine, compile).code()).isZero();
            List<String> races =
                    new ArrayList<>(HOST_COMPILER.subList(0, HOST_COMPILER.indexOf("-fsanitize=alignment")));
            races.addAll(List.of("-O3", WATCHED, "-c", "cuda_host_races.cpp", "-o", RACES));
            assertThat(KernelSources.run(machine, races).code()).isZero();
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "rows HEAD_DIM=80 GROUP=1 JETON_TYPE=1",
                "rows HEAD_DIM=6 GROUP=3 JETON_KV=2",
                "rows HEAD_DIM=24 ROTARY_DIM=18 GROUP=2 JETON_KV=3",
                "rows HEAD_DIM=256 GROUP=7 JETON_KV=3 BLOCK_SIZE=32 JETON_RESIDUAL=0",
                "attention",
                "attention HEAD_DIM=80 GROUP=1 JETON_TYPE=1",
                "attention HEAD_DIM=64 GROUP=7 JETON_KV=2 BLOCK_SIZE=32",
                "attention HEAD_DIM=64 GROUP=8",
                "attention HEAD_DIM=256 GROUP=2 JETON_KV=2 BLOCK_SIZE=64 JETON_SHARED=101376",
                "sampling",
                "products WEIGHTS=1",
                "products WEIGHTS=3",
                "products JETON_TYPE=1 JETON_RESIDUAL=0",
                "products WEIGHTS=1 JETON_TYPE=1 JETON_RESIDUAL=0",
                "products WEIGHTS=2 JETON_TYPE=1 JETON_RESIDUAL=0 JETON_SHARED=101376",
                "products WEIGHTS=3 JETON_TYPE=1 JETON_RESIDUAL=0",
                "products WEIGHTS=4 JETON_TYPE=1 JETON_RESIDUAL=0",
                "products WEIGHTS=2 SCALE_GROUP=64 JETON_TYPE=1 JETON_RESIDUAL=0",
                "products WEIGHTS=2 SCALE_GROUP=32",
                "products WEIGHTS=5",
                "products WEIGHTS=5 SCALE_GROUP=64",
                "products WEIGHTS=5 SCALE_GROUP=32 JETON_TYPE=1 JETON_RESIDUAL=0 JETON_SHARED=101376",
                "products WEIGHTS=6",
                "products WEIGHTS=6 JETON_TYPE=1 JETON_RESIDUAL=0 JETON_SHARED=101376",
                "latent HEAD_DIM=32 ROTARY_DIM=8 GROUP=4 LATENT_RANK=36 LATENT_PAIRED=0 JETON_TYPE=1",
                "latent HEAD_DIM=192 ROTARY_DIM=64 GROUP=16 BLOCK_SIZE=64",
                "latent HEAD_DIM=192 ROTARY_DIM=64 GROUP=3 JETON_SHARED=101376 JETON_TYPE=1",
                "adapters JETON_TYPE=1"
            })
    void agreesWithFloat64OnTheHost(String check) throws IOException, InterruptedException {
        assumeCompiler();
        boolean fast = LONG.contains(check.split(" ")[0]);
        compileForTheHost(
                KernelSources.folder(),
                check,
                machine.resolve(fast ? AS_TEXT : HEADERS),
                fast ? List.of("-O2") : List.of());
        link(List.of("check.o"));
        run(check);
    }

    /** What no wrong number shows where threads take turns: an access that no barrier orders. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "rows",
                "attention HEAD_DIM=10 GROUP=5 JETON_KV=3",
                "sampling",
                "products",
                "products WEIGHTS=2",
                "products WEIGHTS=4",
                "experts",
                "latent HEAD_DIM=40 ROTARY_DIM=16 GROUP=11 LATENT_RANK=64",
                "ranks JETON_TYPE=1",
                "adapters"
            })
    void agreesWithFloat64AndOrdersItsAccesses(String check) throws IOException, InterruptedException {
        assumeCompiler();
        watchRaces(check, KernelSources.folder());
        run(check);
    }

    @ParameterizedTest
    @CsvSource({
        "adapters, adapters.cu, __syncthreads();, low_rank_in",
        "experts, experts.cu, __syncwarp();, choose_experts",
        "products, jeton.cuh, __threadfence();, skinny_matmul"
    })
    void findsTheRaceWhereOrderIsTakenOut(String check, String source, String order, String kernel)
            throws IOException, InterruptedException {
        assumeCompiler();
        Path kernels = Files.createDirectories(folder.resolve("kernels/test"));
        for (Path from : List.of(KernelSources.folder(), KernelSources.folder().resolve("test"))) {
            try (Stream<Path> files = Files.list(from).filter(Files::isRegularFile)) {
                for (Path file : files.toList()) {
                    Files.copy(
                            file,
                            folder.resolve("kernels")
                                    .resolve(KernelSources.folder().relativize(file)));
                }
            }
        }
        Path changed = kernels.resolveSibling(source);
        Files.writeString(changed, Files.readString(changed).replace(order, ";"));

        watchRaces(check, folder.resolve("kernels"));
        KernelSources.Outcome outcome =
                KernelSources.run(folder, List.of(folder.resolve("check").toString()));

        assertThat(outcome.output()).contains("RACE kernel " + kernel);
        assertThat(outcome.code()).isNotZero();
    }

    /** Blocks that tell each other by a counter what they have stored: what comes behind the fence is not told. */
    @ParameterizedTest
    @CsvSource({
        "'out[blockIdx.x] = 1; __threadfence(); last = atomicAdd(counter, 1);', false",
        "'__threadfence(); out[blockIdx.x] = 1; last = atomicAdd(counter, 1);', true",
        "'__threadfence(); last = atomicAdd(counter, 1); out[blockIdx.x] = 1;', true"
    })
    void findsWhatABlockStoresBehindItsFence(String store, boolean races) throws IOException, InterruptedException {
        assumeCompiler();
        Path kernels = Files.createDirectories(folder.resolve("kernels/test"));
        Files.writeString(kernels.resolve("check_told.cpp"), """
            #include "%s"
            __global__ void tell(int* counter, int* out) {
                int last = 0;
                if (threadIdx.x == 0) { %s }
                if (last == 1) { __threadfence(); out[2] = out[0] + out[1]; }
            }
            int main() {
                Array<int> counter(1), out(3);
                counter[0] = 0;
                RUN(GRID(2), 32, 0, tell, counter, out);
                return report("told");
            }
            """.formatted(
                        KernelSources.folder().resolve("test/check.h"), store));
        watchRaces("told", folder.resolve("kernels"));
        KernelSources.Outcome outcome =
                KernelSources.run(folder, List.of(folder.resolve("check").toString()));
        assertThat(outcome.output().contains("RACE kernel tell"))
                .as(outcome.output())
                .isEqualTo(races);
        assertThat(outcome.code() != 0).isEqualTo(races);
    }

    private void assumeCompiler() throws InterruptedException {
        Assumptions.assumeTrue(
                KernelSources.exists(folder, "g++", "--version"), "there is no g++, so no kernel is run on the host");
    }

    private void watchRaces(String check, Path kernels) throws IOException, InterruptedException {
        compileForTheHost(
                kernels, check, machine.resolve(AS_TEXT), List.of("-O1", "-g1", "-fsanitize=thread", WATCHED));
        link(List.of("-no-pie", machine.resolve(RACES).toString(), "check.o"));
    }

    private void compileForTheHost(Path kernels, String check, Path headers, List<String> options)
            throws IOException, InterruptedException {
        List<String> compile = new ArrayList<>(HOST_COMPILER);
        compile.addAll(
                List.of("-c", "-include", headers.toString(), "-DMACHINE=\"check_host.h\"", "-I", machine.toString()));
        compile.addAll(options);
        build(kernels, check, compile, "check.o");
    }

    /** Apart from compiling, since what checks alignment or races would otherwise be linked with a library for it. */
    private void link(List<String> what) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of("g++", "-o", "check"));
        command.addAll(what);
        command.add("-ldl");
        KernelSources.Outcome linked = KernelSources.run(folder, command);
        assertThat(linked.code()).as(linked.output()).isZero();
    }

    @Tag("gpu")
    @ParameterizedTest
    @ValueSource(
            strings = {
                "rows",
                "rows HEAD_DIM=80 GROUP=1 JETON_TYPE=1",
                "rows HEAD_DIM=6 GROUP=3 JETON_KV=2",
                "rows HEAD_DIM=24 ROTARY_DIM=18 GROUP=2 JETON_KV=3",
                "rows HEAD_DIM=256 GROUP=7 JETON_KV=3 BLOCK_SIZE=32 JETON_RESIDUAL=0",
                "attention",
                "attention HEAD_DIM=64 GROUP=8",
                "attention HEAD_DIM=80 GROUP=1 JETON_TYPE=1",
                "attention HEAD_DIM=96 GROUP=20 JETON_KV=1",
                "attention HEAD_DIM=64 GROUP=7 JETON_KV=2 BLOCK_SIZE=32",
                "attention HEAD_DIM=10 GROUP=5 JETON_KV=3",
                "attention HEAD_DIM=128 GROUP=4 JETON_KV=2",
                "attention HEAD_DIM=128 GROUP=4 JETON_KV=3",
                "attention HEAD_DIM=256 GROUP=1",
                "attention HEAD_DIM=256 GROUP=4 JETON_SHARED=101376",
                "attention HEAD_DIM=256 GROUP=2 JETON_KV=2 BLOCK_SIZE=64",
                "sampling",
                "products",
                "products WEIGHTS=1",
                "products WEIGHTS=2",
                "products WEIGHTS=3",
                "products WEIGHTS=4",
                "products JETON_TYPE=1 JETON_RESIDUAL=0",
                "products WEIGHTS=1 JETON_TYPE=1 JETON_RESIDUAL=0",
                "products WEIGHTS=2 JETON_TYPE=1 JETON_RESIDUAL=0",
                "products WEIGHTS=3 JETON_TYPE=1 JETON_RESIDUAL=0",
                "products WEIGHTS=4 JETON_TYPE=1 JETON_RESIDUAL=0",
                "products WEIGHTS=2 SCALE_GROUP=64",
                "products WEIGHTS=2 SCALE_GROUP=32",
                "products WEIGHTS=2 SCALE_GROUP=64 JETON_TYPE=1 JETON_RESIDUAL=0",
                "products WEIGHTS=2 SCALE_GROUP=32 JETON_TYPE=1 JETON_RESIDUAL=0",
                "products WEIGHTS=5",
                "products WEIGHTS=5 SCALE_GROUP=64",
                "products WEIGHTS=5 SCALE_GROUP=32",
                "products WEIGHTS=5 JETON_TYPE=1 JETON_RESIDUAL=0",
                "products WEIGHTS=5 SCALE_GROUP=64 JETON_TYPE=1 JETON_RESIDUAL=0",
                "products WEIGHTS=5 SCALE_GROUP=32 JETON_TYPE=1 JETON_RESIDUAL=0",
                "products WEIGHTS=6",
                "products WEIGHTS=6 JETON_TYPE=1 JETON_RESIDUAL=0",
                "experts",
                "latent HEAD_DIM=40 ROTARY_DIM=16 GROUP=11 LATENT_RANK=64",
                "latent HEAD_DIM=32 ROTARY_DIM=8 GROUP=4 LATENT_RANK=36 LATENT_PAIRED=0 JETON_TYPE=1",
                "latent HEAD_DIM=192 ROTARY_DIM=64 GROUP=16 BLOCK_SIZE=64",
                "latent HEAD_DIM=192 ROTARY_DIM=64 GROUP=128 BLOCK_SIZE=64",
                "ranks JETON_TYPE=1",
                "adapters",
                "adapters JETON_TYPE=1"
            })
    void agreesWithFloat64OnTheGpu(String check) throws IOException, InterruptedException {
        Assumptions.assumeTrue(Files.exists(Path.of("/dev/nvidia0")), "there is no GPU");
        Assumptions.assumeTrue(KernelSources.exists(folder, "nvcc", "--version"), "there is no nvcc");
        build(
                KernelSources.folder(),
                check,
                new ArrayList<>(List.of("nvcc", "-std=c++17", "-x", "cu", "-arch=native", "-w")),
                "check");
        run(check);
    }

    private void build(Path kernels, String check, List<String> command, String to)
            throws IOException, InterruptedException {
        String[] words = check.split(" ");
        for (int i = 1; i < words.length; i++) {
            command.add("-D" + words[i]);
        }
        command.add("-o");
        command.add(folder.resolve(to).toString());
        command.add(kernels.resolve("test/check_" + words[0] + ".cpp").toString());
        KernelSources.Outcome outcome = KernelSources.run(folder, command);
        assertThat(outcome.code()).as(outcome.output()).isZero();
    }

    private void run(String check) throws IOException, InterruptedException {
        KernelSources.Outcome outcome =
                KernelSources.run(folder, List.of(folder.resolve("check").toString()));
        assertThat(outcome.code()).as(outcome.output()).isZero();
        assertThat(outcome.output()).contains(check.split(" ")[0] + ": ok");
    }
}
