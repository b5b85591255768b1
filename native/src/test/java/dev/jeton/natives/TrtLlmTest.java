package dev.jeton.natives;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.jeton.natives.testing.TrtLlmDouble;
import java.io.IOException;
import java.nio.LongBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The shim against the double of TensorRT-LLM's executor. */
class TrtLlmTest {

    private static final TrtLlm.Sampling GREEDY = new TrtLlm.Sampling(0, 1, 1, 0, 1, 0, 0, 0, 0, false, 35, 0.5f);

    @TempDir
    private static Path built;

    @TempDir
    private Path folder;

    @BeforeAll
    static void build() throws IOException {
        assumeTrue(TrtLlmDouble.possible(), "there is no CMake, or no C++ compiler");
        TrtLlmDouble.load(built);
    }

    private TrtLlm open(String knobs) throws IOException {
        return TrtLlm.open(
                new TrtLlm.Settings(
                        TrtLlmDouble.engine(folder.resolve("engine"), TrtLlmDouble.VERSION, knobs), 0, 0, 0, 0, true),
                1 << 14);
    }

    /** Tokens of one sequence. */
    private static List<Integer> tokens(TrtLlm executor, long id) {
        List<Integer> tokens = new ArrayList<>();
        while (true) {
            LongBuffer words = executor.await(1_000);
            while (words.hasRemaining()) {
                long kind = words.get();
                if (kind == TrtLlm.TOKENS) {
                    assertThat(words.get()).isEqualTo(id);
                    long count = words.get();
                    boolean last = (words.get() & TrtLlm.LAST) != 0;
                    for (long i = 0; i < count; i++) {
                        tokens.add((int) words.get());
                        words.get();
                    }
                    if (last) {
                        return tokens;
                    }
                } else if (kind == TrtLlm.ITERATION) {
                    words.position(words.position() + 2);
                    words.position(words.position() + 1 + 4 * (int) words.get(words.position()));
                } else {
                    words.position(words.position() + 5);
                }
            }
        }
    }

    @Test
    void bridgeHoldsUnderTheSanitizers(@TempDir Path sanitized) throws IOException {
        assertThat(TrtLlmDouble.test(sanitized)).isZero();
    }

    @Test
    void saysTheLibrarysVersion() {
        assertThat(TrtLlm.version()).isEqualTo(TrtLlmDouble.VERSION);
    }

    @Test
    void tellsTheTokensOfASequence() throws IOException {
        try (TrtLlm executor = open("")) {
            executor.enqueue(7, new int[] {1, 2, 3, 99}, 3, 5, new int[0], GREEDY);
            List<Integer> tokens = tokens(executor, 7);
            assertThat(tokens).hasSize(5);
            executor.enqueue(8, new int[] {1, 2, 3}, 3, 5, new int[] {tokens.get(2)}, GREEDY);
            assertThat(tokens(executor, 8)).isEqualTo(tokens.subList(0, tokens.indexOf(tokens.get(2)) + 1));
        }
    }

    @Test
    void throwsWhatTheLibraryThrows() throws IOException {
        assertThatThrownBy(() -> TrtLlm.open(new TrtLlm.Settings(folder.resolve("nowhere"), 0, 0, 0, 0, true), 1 << 14))
                .isInstanceOf(TrtLlmException.class)
                .hasMessageContaining("Failed to open engine config file");
        assertThatThrownBy(() -> open("\"leader\": false"))
                .isInstanceOf(TrtLlmException.class)
                .hasMessageContaining("not the leader");
        try (TrtLlm executor = open("")) {
            assertThatThrownBy(() -> executor.enqueue(1, new int[] {1}, 2, 1, new int[0], GREEDY))
                    .isInstanceOf(TrtLlmException.class)
                    .hasMessageContaining("a prompt of 2 tokens");
            assertThatThrownBy(() -> executor.enqueue(1, new int[] {1}, 1, 0, new int[0], GREEDY))
                    .isInstanceOf(TrtLlmException.class);
        }
    }

    @Test
    void refusesEveryCallOnceItIsClosed() throws Exception {
        TrtLlm executor = open("\"iteration_us\": 200");
        executor.enqueue(1, new int[] {1, 2, 3}, 3, 200, new int[0], GREEDY);
        Thread closer = Thread.ofPlatform().start(executor::close);
        assertThatThrownBy(() -> {
                    while (true) {
                        executor.await(1_000);
                    }
                })
                .isInstanceOf(TrtLlmException.class);
        closer.join();
        executor.close();
        for (Runnable call : List.<Runnable>of(
                () -> executor.enqueue(2, new int[] {1}, 1, 1, new int[0], GREEDY),
                () -> executor.cancel(1),
                () -> executor.await(1))) {
            assertThatThrownBy(call::run).isInstanceOf(TrtLlmException.class).hasMessage("the executor is closed");
        }
    }

    /** In a process of its own with the JVM's checks of JNI, which complain on standard output. */
    @Test
    void leaksNothingOverAMillionRequests() throws Exception {
        Process process = new ProcessBuilder(
                        ProcessHandle.current().info().command().orElse("java"),
                        "-Xcheck:jni",
                        "-Xmx128m",
                        "--enable-native-access=ALL-UNNAMED",
                        "-cp",
                        System.getProperty("java.class.path"),
                        TrtLlmMillion.class.getName(),
                        built.resolve("libjeton_trtllm.so").toString(),
                        TrtLlmDouble.engine(folder.resolve("engine"), TrtLlmDouble.VERSION, "")
                                .toString())
                .redirectErrorStream(true)
                .start();
        String said = new String(process.getInputStream().readAllBytes(), java.nio.charset.StandardCharsets.UTF_8);
        assertThat(process.waitFor(120, TimeUnit.SECONDS)).isTrue();
        assertThat(said).doesNotContain("WARNING in native method", "FATAL ERROR");
        assertThat(process.exitValue()).as(said).isZero();
        String grown = said.lines()
                .filter(line -> line.startsWith("grown "))
                .findFirst()
                .orElseThrow();
        assertThat(Long.parseLong(grown.substring(6))).as("kilobytes").isLessThan(24 << 10);
    }
}
