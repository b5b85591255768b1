package dev.jeton.models.torch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.models.ModelException;
import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TorchLibrariesTest {

    private static final String JNI = "jnilib/%s/%s/%s";

    @TempDir
    Path folder;

    /** Class path of empty files under the given names. */
    private ClassLoader with(String... names) throws IOException {
        for (String name : names) {
            Path file = folder.resolve(name);
            Files.createDirectories(file.getParent());
            Files.write(file, new byte[0]);
        }
        return new URLClassLoader(new URL[] {folder.toUri().toURL()}, null);
    }

    private static String jni(String flavor) {
        return JNI.formatted(TorchLibraries.platform(), flavor, System.mapLibraryName("djl_torch"));
    }

    @Test
    void shouldNameTheArtifactThatIsMissing() throws IOException {
        List<String> there = new ArrayList<>();
        assertThat(new TorchLibraries(Map.of(), with()).missing()).contains("ai.djl.pytorch:pytorch-engine:0.35.1");
        there.add("ai/djl/pytorch/engine/PtEngine.class");
        assertThat(new TorchLibraries(Map.of(), with(there.toArray(String[]::new))).missing())
                .contains("ai.djl.pytorch:pytorch-jni:2.7.1-0.35.1");
        there.add("jnilib/pytorch.properties");
        there.add(jni("cpu"));
        assertThat(new TorchLibraries(Map.of(), with(there.toArray(String[]::new))).missing())
                .contains("ai.djl.pytorch:pytorch-native-cpu:2.7.1:" + TorchLibraries.platform());
        there.add("pytorch/cpu/%s/%s".formatted(TorchLibraries.platform(), System.mapLibraryName("torch_cpu")));
        assertThat(new TorchLibraries(Map.of(), with(there.toArray(String[]::new))).missing())
                .isEmpty();
    }

    @Test
    void shouldSayWhatIsWrongWithALibraryPath() throws IOException {
        ClassLoader jars = with("ai/djl/pytorch/engine/PtEngine.class", "jnilib/pytorch.properties", jni("cu128"));
        Path libtorch = Files.createDirectory(folder.resolve("libtorch"));
        Map<String, String> path = Map.of("PYTORCH_LIBRARY_PATH", libtorch.toString(), "PYTORCH_FLAVOR", "cu128");
        assertThat(new TorchLibraries(path, jars).missing()).contains(libtorch.toString(), "torch_cpu");
        Files.write(libtorch.resolve(System.mapLibraryName("torch_cpu")), new byte[0]);
        assertThat(new TorchLibraries(path, jars).missing()).contains("PYTORCH_VERSION");
        Map<String, String> versioned = Map.of(
                "PYTORCH_LIBRARY_PATH", libtorch.toString(), "PYTORCH_FLAVOR", "cu128", "PYTORCH_VERSION", "2.7.1");
        assertThat(new TorchLibraries(versioned, jars).missing()).isEmpty();
        Map<String, String> other = Map.of(
                "PYTORCH_LIBRARY_PATH", libtorch.toString(), "PYTORCH_FLAVOR", "cu118", "PYTORCH_VERSION", "2.7.1");
        assertThat(new TorchLibraries(other, jars).missing()).contains("cu118", "PYTORCH_FLAVOR is cpu or cu128");
    }

    @Test
    void shouldNameTheVersionsThatTheBuildHas() throws IOException {
        assertThat(property("jnilib/pytorch.properties")).contains(TorchLibraries.TORCH + "-" + TorchLibraries.DJL);
    }

    private static String property(String resource) throws IOException {
        try (var in = TorchLibraries.class.getClassLoader().getResourceAsStream(resource)) {
            return new String(in.readAllBytes(), java.nio.charset.StandardCharsets.UTF_8);
        }
    }

    @Test
    void shouldTellDevicesApart() {
        Map<String, String> cuda = Map.of("PYTORCH_LIBRARY_PATH", "/libtorch", "PYTORCH_FLAVOR", "cu128");
        assertThat(TorchDevice.of("", Map.of())).isEqualTo(TorchDevice.PROCESSORS);
        assertThat(TorchDevice.of("cpu", cuda)).isEqualTo(TorchDevice.PROCESSORS);
        assertThat(TorchDevice.of("", cuda).torchName()).isEqualTo("cuda:0");
        assertThat(TorchDevice.of("cuda:3", cuda).torchName()).isEqualTo("cuda:3");
        assertThatThrownBy(() -> TorchDevice.of("1", Map.of()))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("PYTORCH_FLAVOR=cu128");
    }
}
