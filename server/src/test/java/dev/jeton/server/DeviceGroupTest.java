package dev.jeton.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.models.ModelException;
import dev.jeton.natives.testing.CudaStandIn;
import dev.jeton.server.config.Configuration.ModelSettings;
import dev.jeton.server.config.ConfigurationLoader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class DeviceGroupTest {

    private static ModelSettings model(Map<String, String> settings) {
        return new ConfigurationLoader(Map.of()).flags(settings).load().model("folder", "name");
    }

    @Test
    void isTheEnginesNameWhereNoGpuIsNamed() {
        assertThat(DeviceGroup.of(model(Map.of("engine.engine", "cpu")))).isEqualTo("cpu");
        assertThat(DeviceGroup.of(model(Map.of("engine.engine", "cuda")))).isEqualTo("cuda");
    }

    @ParameterizedTest
    @CsvSource({"'', cpu", "cpu, cpu", "cuda, cuda", "cuda:0, cuda", "cuda:1, cuda-1", "tensorrt:2, cuda-2", "x, cpu"})
    void sharesTheGroupOfWhatTheOnnxEngineComputesOn(String device, String group) {
        assertThat(DeviceGroup.of(model(Map.of("engine.engine", "onnx", "engine.device", device))))
                .isEqualTo(group);
    }

    @ParameterizedTest
    @CsvSource({"cuda, 0", "cuda-1, 1", "cuda-17, 17", "cuda-0+1, 0 1", "cuda-2+3+11, 2 3 11"})
    void tellsWhichGpusItIs(String group, String ordinals) {
        assertThat(DeviceGroup.gpus(group))
                .isEqualTo(
                        Arrays.stream(ordinals.split(" ")).map(Integer::valueOf).toList());
    }

    @ParameterizedTest
    @ValueSource(strings = {"cpu", "sim", "cuda-", "cuda-0", "cuda-x", "cuda-12345", "cuda-1+", "cuda-+1", "cuda-1+x"})
    void tellsWhatIsNoGpu(String group) {
        assertThat(DeviceGroup.gpus(group)).isEmpty();
    }

    @Test
    void modelsOnOneGpuShareAGroupHoweverTheyNameIt(@TempDir Path folder) throws IOException {
        Assumptions.assumeTrue(CudaStandIn.possible(), "there is no g++ to make the stand-in for a GPU");
        CudaStandIn machine = CudaStandIn.compile(folder);
        machine.devices(2, 9, 0, 1L << 30);
        Optional<Path> driver = Optional.of(machine.driver());
        for (String first : List.of("", "0", "GPU-1111")) {
            assertThat(DeviceGroup.of(on(first), driver)).isEqualTo("cuda");
        }
        for (String second : List.of("1", "GPU-2222")) {
            assertThat(DeviceGroup.of(on(second), driver)).isEqualTo("cuda-1");
        }
        assertThat(DeviceGroup.uuid(1, driver)).startsWith("GPU-22222222-");
        for (String both : List.of("", "0,1", "1, 0", "GPU-22,GPU-11")) {
            ModelSettings model =
                    model(Map.of("engine.engine", "cuda", "engine.device", both, "engine.tensor-parallel-size", "2"));
            assertThat(model.tensorParallel()).isEqualTo(2);
            assertThat(DeviceGroup.of(model, driver)).isEqualTo("cuda-0+1");
        }
    }

    @Test
    void oneGpuIsNotInTwoGroups() {
        DeviceGroup.requireApart(Set.of("cpu", "cuda", "cuda-1+2", "cuda-3"));
        assertThatThrownBy(() -> DeviceGroup.requireApart(Set.of("cuda-1+2", "cuda-2")))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("GPU 2")
                .hasMessageContaining("booked twice");
    }

    @Test
    void torchSharesTheGroupOfWhatItComputesOn() {
        Map<String, String> cuda = Map.of("PYTORCH_LIBRARY_PATH", "/libtorch", "PYTORCH_FLAVOR", "cu128");
        assertThat(DeviceGroup.torch("", Map.of())).isEqualTo("cpu");
        assertThat(DeviceGroup.torch("0", Map.of())).as("which fails to load").isEqualTo("cpu");
        assertThat(DeviceGroup.torch("cpu", cuda)).isEqualTo("cpu");
        assertThat(DeviceGroup.torch("", cuda)).isEqualTo("cuda");
        assertThat(DeviceGroup.torch("cuda:1", cuda)).isEqualTo("cuda-1");
    }

    private static ModelSettings on(String device) {
        return model(Map.of("engine.engine", "cuda", "engine.device", device));
    }

    @Test
    void settingsOfTheDeviceReachTheModel() {
        Map<String, String> settings = new LinkedHashMap<>();
        settings.put("engine.device", "GPU-5b6f");
        settings.put("engine.deterministic", "true");
        settings.put("engine.search-time", "0s");
        ModelSettings model = model(settings);
        assertThat(model.device()).isEqualTo("GPU-5b6f");
        assertThat(model.deterministic()).isTrue();
        assertThat(model.searchTime()).isZero();
    }
}
