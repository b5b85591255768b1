package dev.jeton.models.onnx;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.EngineProvider;
import dev.jeton.models.TensorType;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.TinyEncoder;
import dev.jeton.models.reference.TinyModel;
import java.io.File;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.ServiceLoader;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What cannot be loaded is refused with what to do; the process goes on. */
class BadInputTest {

    @TempDir
    Path folder;

    private DecoderExport export(String name) throws IOException {
        Path model = Files.createDirectory(folder.resolve(name));
        new TinyModel(model, Configs.qwen3(""), TensorType.F32, 3);
        return new DecoderExport(model, DecoderExport.Style.OPTIMUM);
    }

    private List<String> child(boolean withRuntime, String... arguments) throws IOException, InterruptedException {
        String path = Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator))
                .filter(entry -> withRuntime || !entry.contains("onnxruntime"))
                .collect(Collectors.joining(File.pathSeparator));
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx512m",
                "-Xlog:disable",
                "-XX:ErrorFile=" + folder.resolve("crash.log"),
                "--add-modules=jdk.incubator.vector",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                path,
                BadInputChild.class.getName()));
        command.addAll(List.of(arguments));
        Path errors = folder.resolve("errors");
        Process process =
                new ProcessBuilder(command).redirectError(errors.toFile()).start();
        String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        int code = process.waitFor();
        assertThat(code).as("%s%n%s", out, Files.readString(errors)).isZero();
        return out.lines().toList();
    }

    @Test
    void isFoundByTheServiceLoaderAndRunsHere() {
        assertThat(ServiceLoader.load(EngineProvider.class)).anySatisfy(provider -> {
            assertThat(provider.name()).isEqualTo("onnx");
            assertThat(provider.missing()).isEmpty();
        });
    }

    @Test
    void namesTheArtifactWhereOnnxRuntimeIsNotThere() throws Exception {
        assertThat(child(false, "missing"))
                .singleElement()
                .asString()
                .contains("com.microsoft.onnxruntime:onnxruntime:1.29.0");
        assertThat(child(true, "missing")).containsExactly("");
    }

    /** ONNX Runtime looks at the command line by recursion. */
    @Test
    void startsInAProcessWithALongCommandLine() throws Exception {
        assertThat(child(true, "missing", "x".repeat(100_000))).containsExactly("");
    }

    @Test
    void refusesEachWithItsReason() throws Exception {
        Path good = export("good").write();
        Path truncated = export("truncated").write();
        byte[] whole = Files.readAllBytes(truncated.resolve("model.onnx"));
        Files.write(truncated.resolve("model.onnx"), Arrays.copyOf(whole, whole.length / 2));
        Path empty = export("empty").write();
        Files.write(empty.resolve("model.onnx"), new byte[0]);
        Path pickle = export("pickle").write();
        Files.writeString(pickle.resolve("model.onnx"), "PK\u0003\u0004 this is no graph");
        Path lonely = export("lonely").external("model.onnx_data").write();
        Files.delete(lonely.resolve("model.onnx_data"));
        Path cut = export("cut").external("model.onnx_data").write();
        try (RandomAccessFile data =
                new RandomAccessFile(cut.resolve("model.onnx_data").toFile(), "rw")) {
            data.setLength(data.length() / 2);
        }
        Path outside = export("outside").external("../beside.onnx_data").write();
        Path huge = export("huge").external("model.onnx_data").write();
        try (RandomAccessFile data =
                new RandomAccessFile(huge.resolve("model.onnx_data").toFile(), "rw")) {
            data.setLength(1L << 40);
        }
        Path unknown = export("unknown").unknownInput("pixel_values").write();
        Path late = export("late").opset(99).write();
        Path pastless = export("pastless").write();
        Files.move(pastless.resolve("model.onnx"), pastless.resolve("x"));
        new EncoderExport(new TinyEncoder(new TinyEncoder.Shape(301, 32, 1, 4, 48, 48, 0, -1), 1))
                .graphOnly(pastless.resolve("model.onnx"));
        String[][] cases = {
            {good.toString(), "none", "", "loaded "},
            {truncated.toString(), "none", "", "ends early or is damaged"},
            {empty.toString(), "none", "", "is empty"},
            {pickle.toString(), "none", "", "ModelException"},
            {lonely.toString(), "none", "", "model.onnx_data, which is not beside it"},
            {cut.toString(), "none", "", "is it whole?"},
            {outside.toString(), "none", "", "outside its folder"},
            {huge.toString(), "none", "", "bytes of memory"},
            {unknown.toString(), "none", "", "input \"pixel_values\" is not known"},
            {late.toString(), "none", "", "cannot load"},
            {pastless.toString(), "none", "", "text-generation-with-past"},
            {good.toString(), "q8_0", "", "quantised export"},
            {good.toString(), "none", "cuda:0", "com.microsoft.onnxruntime:onnxruntime_gpu:1.29.0"},
            {good.toString(), "none", "tensorrt:1", "com.microsoft.onnxruntime:onnxruntime_gpu:1.29.0"},
            {good.toString(), "none", "GPU-1234", "cpu, cuda:0 and tensorrt:0"},
            {folder.toString(), "none", "", "holds no ONNX file"},
            {good.toString(), "none", "", "loaded "},
        };
        List<String> arguments = new ArrayList<>();
        for (String[] one : cases) {
            arguments.addAll(List.of("load", one[0], one[1], one[2]));
        }
        List<String> outcomes = child(true, arguments.toArray(String[]::new));
        assertThat(outcomes).hasSize(cases.length);
        for (int i = 0; i < cases.length; i++) {
            assertThat(outcomes.get(i)).as(cases[i][0]).contains(cases[i][3]);
            assertThat(outcomes.get(i)).startsWith(cases[i][3].equals("loaded ") ? "loaded " : "ModelException");
        }
    }

    @Test
    void survivesFilesThatAreDamagedAnywhere() throws Exception {
        Path model = export("damaged").write();
        assertThat(child(true, "damage", model.toString(), "17", "120"))
                .singleElement()
                .asString()
                .startsWith("survived 120, refused ");
    }
}
