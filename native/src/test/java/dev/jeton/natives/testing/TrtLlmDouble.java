package dev.jeton.natives.testing;

import dev.jeton.natives.TrtLlm;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * The shim for TensorRT-LLM, built by CMake against the conformance double beside it; and folders of engines that the
 * double runs.
 */
public final class TrtLlmDouble {

    /** The version that the double says it has. */
    public static final String VERSION = "0.18.2";

    private static final String LIBRARY = "libjeton_trtllm.so";

    private TrtLlmDouble() {}

    /** Whether there are CMake and a C++ compiler. */
    public static boolean possible() {
        return runs("cmake") && runs("c++");
    }

    private static boolean runs(String tool) {
        try {
            return run(List.of(tool, "--version"), 20) == 0;
        } catch (IOException e) {
            return false;
        }
    }

    /** Builds it; returns the folder with {@code libjeton_trtllm.so}, or, sanitized, with {@code bridge_test}. */
    public static Path build(Path folder, boolean sanitized) throws IOException {
        List<String> configure = new ArrayList<>(
                List.of("cmake", "-S", sources().toString(), "-B", folder.toString(), "-DJETON_TRTLLM_DOUBLE=ON"));
        if (sanitized) {
            configure.addAll(List.of("-DJETON_SANITIZE=ON", "-DCMAKE_BUILD_TYPE=Debug"));
        }
        String target = sanitized ? "bridge_test" : "jeton_trtllm";
        if (run(configure, 120) != 0
                || run(List.of("cmake", "--build", folder.toString(), "--target", target), 300) != 0) {
            throw new IOException("the shim was not built; what CMake said stands above");
        }
        return folder;
    }

    private static Path sources() throws IOException {
        Path source = Path.of("").toAbsolutePath();
        while (!Files.isRegularFile(source.resolve("native/trtllm/CMakeLists.txt"))) {
            source = source.getParent();
            if (source == null) {
                throw new IOException(
                        "native/trtllm is in no folder above " + Path.of("").toAbsolutePath());
            }
        }
        return source.resolve("native/trtllm");
    }

    /**
     * Puts it into a folder and binds it to this process. It is built once for a machine and user and kept in the
     * temporary folder, by the hash of its sources.
     */
    public static void load(Path folder) throws IOException {
        Path kept = Path.of(System.getProperty("java.io.tmpdir"))
                .resolve("jeton-trtllm-" + System.getProperty("user.name") + "-" + hash() + ".so");
        Path library = folder.resolve(LIBRARY);
        if (Files.exists(kept)) {
            Files.copy(kept, library);
        } else {
            build(folder, false);
            Path copy = Files.createTempFile(kept.getParent(), "jeton-trtllm", ".so");
            Files.copy(library, copy, StandardCopyOption.REPLACE_EXISTING);
            Files.move(copy, kept, StandardCopyOption.ATOMIC_MOVE);
        }
        TrtLlm.load(Optional.of(library));
    }

    private static String hash() throws IOException {
        try (Stream<Path> files = Files.walk(sources())) {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            for (Path file : files.filter(Files::isRegularFile).sorted().toList()) {
                digest.update(file.getFileName().toString().getBytes(StandardCharsets.UTF_8));
                digest.update(Files.readAllBytes(file));
            }
            return HexFormat.of().formatHex(digest.digest(), 0, 12);
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }

    /**
     * Writes an engine's folder: a vocabulary of 1,000, a context of 256, four sequences at a time, 64 tokens an
     * iteration.
     *
     * @param knobs of the double, as {@code "iteration_us": 500}; empty for none
     */
    public static Path engine(Path folder, String version, String knobs) throws IOException {
        Files.createDirectories(folder);
        Files.writeString(folder.resolve("config.json"), """
                {"version": "%s",
                 "pretrained_config": {"architecture": "LlamaForCausalLM", "vocab_size": 1000, "hidden_size": 64,
                  "num_attention_heads": 4, "num_key_value_heads": 2, "num_hidden_layers": 2,
                  "mapping": {"world_size": 1}},
                 "build_config": {"max_seq_len": 256, "max_batch_size": 4, "max_num_tokens": 64,
                  "plugin_config": {"tokens_per_block": 32}},
                 "double": {%s}}
                """.formatted(version, knobs));
        Files.writeString(folder.resolve("rank0.engine"), "an engine");
        return folder;
    }

    private static int run(List<String> command, int seconds) throws IOException {
        ProcessBuilder builder = new ProcessBuilder(command)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .redirectError(ProcessBuilder.Redirect.INHERIT);
        builder.environment().put("JAVA_HOME", System.getProperty("java.home"));
        Process process = builder.start();
        try {
            return process.waitFor(seconds, TimeUnit.SECONDS) ? process.exitValue() : -1;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return -1;
        }
    }

    /** Runs the bridge's own test under the sanitizers; returns its exit status. */
    public static int test(Path folder) throws IOException {
        return run(List.of(build(folder, true).resolve("bridge_test").toString()), 120);
    }
}
