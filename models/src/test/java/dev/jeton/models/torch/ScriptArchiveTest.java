package dev.jeton.models.torch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.models.DecoderSpec;
import dev.jeton.models.engine.EngineException;
import dev.jeton.models.reference.Configs;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

@ExtendWith(NeedsTorch.class)
class ScriptArchiveTest {

    @TempDir
    Path folder;

    @BeforeAll
    static void start() {
        TorchRuntime.start();
    }

    private byte[] archive(String config, TorchType type, String device) throws IOException {
        Files.writeString(folder.resolve("config.json"), config);
        DecoderSpec spec = DecoderSpec.read(folder);
        return new DecoderScript(spec, DecoderTensors.of(spec), type, device, 16).archive();
    }

    @Test
    void shouldHoldUncompressedEntriesUnderOneFolder() throws IOException {
        List<String> names = new ArrayList<>();
        try (ZipInputStream zip =
                new ZipInputStream(new ByteArrayInputStream(archive(Configs.llama(""), TorchType.FLOAT, "cpu")))) {
            for (ZipEntry entry = zip.getNextEntry(); entry != null; entry = zip.getNextEntry()) {
                names.add(entry.getName());
                assertThat(entry.getMethod()).isEqualTo(ZipEntry.STORED);
            }
        }
        assertThat(names)
                .containsExactly(
                        "archive/data.pkl", "archive/code/__torch__.py", "archive/constants.pkl", "archive/version");
    }

    /** Nothing runs on a GPU here, but libtorch compiles the script and so checks every call in it. */
    @Test
    void shouldCompileForAGpuInEveryType() throws IOException {
        for (TorchType type : TorchType.values()) {
            TorchModule.load(archive(Configs.qwen3(""), type, "cuda:1")).close();
            TorchModule.load(archive(Configs.mixtral(""), type, "cuda:1")).close();
            TorchModule.load(archive(Configs.qwen3Moe("\"decoder_sparse_step\": 2"), type, "cuda:1"))
                    .close();
        }
    }

    @Test
    void shouldSayInOneLineWhatLibtorchRefuses() throws IOException {
        byte[] whole = archive(Configs.llama(""), TorchType.FLOAT, "cpu");
        for (int length : new int[] {0, 1, 100, whole.length / 2, whole.length - 1}) {
            assertThatThrownBy(() -> TorchModule.load(Arrays.copyOf(whole, length)))
                    .as("cut to %d of %d bytes", length, whole.length)
                    .isInstanceOf(EngineException.class)
                    .hasMessageContaining("cannot be loaded")
                    .satisfies(e -> assertThat(e.getMessage()).doesNotContain("\n"));
        }
        try (TorchModule module = TorchModule.load(whole)) {
            assertThatThrownBy(() -> module.run("take", TorchModule.number(1)))
                    .isInstanceOf(EngineException.class)
                    .hasMessageContaining("libtorch failed in take");
            assertThatThrownBy(() -> module.run("nothing")).isInstanceOf(EngineException.class);
        }
    }
}
