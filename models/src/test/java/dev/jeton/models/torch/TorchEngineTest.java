package dev.jeton.models.torch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.models.DeviceOptions;
import dev.jeton.models.EngineOptions;
import dev.jeton.models.Engines;
import dev.jeton.models.MachineMemory;
import dev.jeton.models.ModelException;
import dev.jeton.models.TensorType;
import dev.jeton.models.engine.Driver;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.StepContract;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.TinyModel;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

@ExtendWith(NeedsTorch.class)
class TorchEngineTest extends StepContract {

    private static final EngineOptions OPTIONS = new EngineOptions(512, 8 << 20, 4, 64, 16, 1, "none");

    @TempDir
    Path folder;

    @Override
    protected Engine create() throws IOException {
        String windows = "\"use_sliding_window\": true, \"sliding_window\": 24, \"max_window_layers\": 1";
        TinyModel model = new TinyModel(folder, Configs.qwen2(windows), TensorType.F32, 3);
        return TorchEngine.load(model.folder, OPTIONS, TorchDevice.PROCESSORS);
    }

    @Override
    protected double tolerance() {
        return 1e-4;
    }

    @Test
    void shouldBeFoundByTheServiceLoader() {
        assertThat(Engines.found().named("torch").missing()).isEmpty();
    }

    @Test
    void shouldHaveOneLayerGroupPerWindow() throws IOException {
        try (Engine engine = create()) {
            assertThat(engine.info().groups()).extracting(g -> g.window()).containsExactly(0, 24);
        }
    }

    @Test
    void shouldRefuseOptionsThatCannotWork() throws IOException {
        TinyModel model = new TinyModel(folder, Configs.llama(""), TensorType.F32, 3);
        refuses(model, new EngineOptions(0, 0, 4, 64, 8, 1, "none"), "block size 8");
        refuses(model, new EngineOptions(0, 100, 4, 64, 16, 1, "none"), "--kv-memory");
        refuses(model, new EngineOptions(0, 0, 4, 64, 16, 1, "int8"), "int8");
        DeviceOptions eight = new DeviceOptions("", false, "int8", Duration.ZERO);
        refuses(model, OPTIONS.with(eight), "kv-cache-dtype");
        refuses(model, OPTIONS.withHostKv(1 << 20), "kv-host-memory");
    }

    private static void refuses(TinyModel model, EngineOptions options, String message) {
        assertThatThrownBy(() -> TorchEngine.load(model.folder, options, TorchDevice.PROCESSORS))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining(message);
    }

    @Test
    void shouldRefuseAModelThatDoesNotFitIntoMemory() throws IOException {
        TinyModel model = new TinyModel(folder, Configs.llama(""), TensorType.F32, 3);
        Path root = folder.resolve("root");
        Files.createDirectories(root.resolve("proc"));
        Files.writeString(root.resolve("proc/meminfo"), "MemAvailable: 102400 kB\n");
        MachineMemory little = new MachineMemory(root);
        assertThatThrownBy(() -> TorchEngine.load(model.folder, OPTIONS, TorchDevice.PROCESSORS, little))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("this machine has 100 free");
    }

    /** Weights that begin at an odd byte cannot be mapped as two-byte elements. */
    @Test
    void shouldCopyWeightsThatDoNotLieAsTheirTypeNeedsIt() throws IOException {
        TinyModel model = new TinyModel(folder, Configs.llama(""), TensorType.BF16, 3);
        int[] prompt = {5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
        int[] mapped = generate(model, prompt);
        Path file = folder.resolve("model.safetensors");
        byte[] bytes = Files.readAllBytes(file);
        long header = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getLong(0);
        ByteBuffer odd = ByteBuffer.allocate(bytes.length + 1).order(ByteOrder.LITTLE_ENDIAN);
        odd.putLong(header + 1)
                .put(bytes, 8, (int) header)
                .put((byte) ' ')
                .put(bytes, 8 + (int) header, bytes.length - 8 - (int) header);
        Files.write(file, odd.array());
        assertThat((header + 1) % 2).isNotEqualTo(header % 2);
        assertThat(generate(model, prompt)).isEqualTo(mapped);
    }

    private static int[] generate(TinyModel model, int[] prompt) {
        try (Engine engine = TorchEngine.load(model.folder, OPTIONS, TorchDevice.PROCESSORS)) {
            return new Driver(engine)
                    .generate(0, prompt, SamplingParameters.GREEDY, 10, prompt.length)
                    .generated();
        }
    }

    @Test
    void shouldGiveItsMemoryBackWhenItIsClosed() throws IOException {
        TinyModel model = new TinyModel(folder, Configs.llama("").replace(": 1024", ": 65536"), TensorType.F32, 3);
        EngineOptions options = new EngineOptions(0, 64 << 20, 4, 64, 16, 1, "none");
        long before = 0;
        for (int round = 0; round < 16; round++) {
            try (Engine engine = TorchEngine.load(model.folder, options, TorchDevice.PROCESSORS)) {
                new Driver(engine).generate(0, new int[] {1, 2, 3}, SamplingParameters.GREEDY, 20, 3);
            }
            if (round == 3) {
                before = residentBytes();
            }
        }
        assertThat(residentBytes() - before).as("of twelve times 64 MiB").isLessThan(96 << 20);
    }

    private static long residentBytes() throws IOException {
        String[] pages = Files.readString(Path.of("/proc/self/statm")).split(" ");
        return 4096 * Long.parseLong(pages[1]);
    }

    @Test
    void shouldKeepItsThreadsFromSpinningForLong() throws Throwable {
        try (Engine engine = create()) {
            assertThat(environment("OMP_WAIT_POLICY"))
                    .isEqualTo(System.getenv().getOrDefault("OMP_WAIT_POLICY", "PASSIVE"));
            assertThat(environment("GOMP_SPINCOUNT")).isEqualTo(System.getenv().getOrDefault("GOMP_SPINCOUNT", "1000"));
            assertThat(engine.info().devices()).containsExactly("cpu: 1 threads");
        }
    }

    /** A variable as native code sees it. */
    private static String environment(String name) throws Throwable {
        Linker linker = Linker.nativeLinker();
        MethodHandle get = linker.downcallHandle(
                linker.defaultLookup().findOrThrow("getenv"),
                FunctionDescriptor.of(ValueLayout.ADDRESS, ValueLayout.ADDRESS));
        MemorySegment value = (MemorySegment) get.invokeExact(Arena.global().allocateFrom(name));
        return value.reinterpret(100).getString(0);
    }
}
