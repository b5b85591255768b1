package dev.jeton.natives;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Where nvcc is installed, every source compiles for every architecture that Jeton names. */
class KernelCompilationTest {

    @TempDir
    private Path folder;

    @ParameterizedTest
    @CsvSource({
        "rows.cu,",
        "rows.cu, -DJETON_TYPE=1 -DJETON_KV=3 -DJETON_RESIDUAL=0 -DHEAD_DIM=10",
        "rows.cu, -DHEAD_DIM=128 -DROTARY_DIM=96",
        "blocks.cu,",
        "ranks.cu,",
        "adapters.cu,",
        "attention.cu,",
        "attention.cu, -DHEAD_DIM=64 -DGROUP=8",
        "attention.cu, -DJETON_KV=2 -DHEAD_DIM=256 -DGROUP=8 -DJETON_SHARED=101376",
        "sampling.cu,",
        "matmul.cu,",
        "matmul.cu, -DWEIGHTS=1 -DJETON_TYPE=1",
        "matmul.cu, -DWEIGHTS=2",
        "matmul.cu, -DWEIGHTS=2 -DSCALE_GROUP=32",
        "matmul.cu, -DWEIGHTS=3",
        "matmul.cu, -DWEIGHTS=4 -DJETON_TYPE=1",
        "matmul.cu, -DWEIGHTS=5 -DSCALE_GROUP=32",
        "matmul.cu, -DWEIGHTS=6",
        "wide.cu,",
        "wide.cu, -DWEIGHTS=1",
        "wide.cu, -DWEIGHTS=2 -DJETON_TYPE=1 -DJETON_SHARED=101376",
        "wide.cu, -DWEIGHTS=2 -DSCALE_GROUP=64",
        "wide.cu, -DWEIGHTS=2 -DSCALE_GROUP=32 -DJETON_TYPE=1",
        "wide.cu, -DWEIGHTS=3 -DJETON_TYPE=1",
        "wide.cu, -DWEIGHTS=4",
        "wide.cu, -DWEIGHTS=5 -DSCALE_GROUP=32",
        "wide.cu, -DWEIGHTS=6",
        "wide.cu, -DWEIGHTS=6 -DJETON_TYPE=1",
        "experts.cu,",
        "latent.cu, -DHEAD_DIM=192 -DROTARY_DIM=64 -DGROUP=128",
        "latent.cu, -DHEAD_DIM=40 -DROTARY_DIM=16 -DGROUP=5 -DLATENT_RANK=40 -DJETON_TYPE=1 -DJETON_SHARED=101376"
    })
    void compilesForEveryArchitecture(String source, String macros) throws IOException, InterruptedException {
        Assumptions.assumeTrue(KernelSources.exists(folder, "nvcc", "--version"), "there is no nvcc");
        compile(source, macros, List.of(), List.of("90a"));
        // optimisers are slow, and what they warn of is the same for all
        compile(source, macros, List.of("-Xcicc", "-O1", "-Xptxas", "-O1"), List.of("80", "100"));
    }

    private void compile(String source, String macros, List<String> options, List<String> architectures)
            throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of("nvcc", "-std=c++17", "-fatbin", "-Werror", "all-warnings"));
        command.addAll(options);
        for (String architecture : architectures) {
            command.add("-gencode");
            command.add("arch=compute_%1$s,code=sm_%1$s".formatted(architecture));
        }
        if (macros != null) {
            command.addAll(List.of(macros.split(" ")));
        }
        command.addAll(List.of(
                "-o",
                folder.resolve("kernels.fatbin").toString(),
                KernelSources.folder().resolve(source).toString()));
        KernelSources.Outcome outcome = KernelSources.run(folder, command);
        assertThat(outcome.code()).as(outcome.output()).isZero();
    }

    @ParameterizedTest
    @MethodSource("sources")
    void includesNothingButOwnHeaders(String source) throws IOException {
        List<String> includes = Files.readAllLines(KernelSources.folder().resolve(source)).stream()
                .filter(line -> line.startsWith("#include"))
                .toList();
        assertThat(includes).contains("#include \"jeton.cuh\"");
        assertThat(List.of("#include \"jeton.cuh\"", "#include \"plan.cuh\"")).containsAll(includes);
    }

    static List<String> sources() {
        return List.of(
                "rows.cu",
                "blocks.cu",
                "attention.cu",
                "sampling.cu",
                "matmul.cu",
                "wide.cu",
                "experts.cu",
                "ranks.cu",
                "adapters.cu",
                "latent.cu");
    }
}
