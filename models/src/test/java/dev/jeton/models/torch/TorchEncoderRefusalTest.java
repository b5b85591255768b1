package dev.jeton.models.torch;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.reference.TinyEncoder;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** TorchScript files that must end in a message and never in a dead JVM; in processes of their own. */
@ExtendWith(NeedsTorch.class)
class TorchEncoderRefusalTest {

    @TempDir
    Path folder;

    private Path model = Path.of("");
    private Path file = Path.of("");
    private byte[] whole = new byte[0];

    @BeforeEach
    void writeModel() throws IOException {
        model = folder.resolve("model");
        file = model.resolve("model.pt");
        archive().write(model, "model.pt", "BertModel", "");
        whole = Files.readAllBytes(file);
    }

    private static EncoderArchive archive() {
        return new EncoderArchive(new TinyEncoder(new TinyEncoder.Shape(64, 32, 1, 4, 48, 48, 0, -1), 1));
    }

    private Outcome load() throws IOException, InterruptedException {
        return Outcome.of(folder, Map.of(), model.toString(), "0", "none", "");
    }

    @Test
    void shouldLoadWhatIsWhole() throws IOException, InterruptedException {
        Outcome outcome = load();
        assertThat(outcome.code()).as(outcome.output()).isZero();
    }

    @Test
    void shouldRefuseATruncatedFile() throws IOException, InterruptedException {
        for (int length : new int[] {0, 1000, whole.length / 2, whole.length - 30}) {
            Files.write(file, Arrays.copyOf(whole, length));
            load().refused("is no TorchScript file, or is not whole");
        }
    }

    @Test
    void shouldRefuseWeightsWithoutCode() throws IOException, InterruptedException {
        try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(file))) {
            zip.putNextEntry(new ZipEntry("archive/data.pkl"));
            zip.write(1);
        }
        load().refused("holds weights and no code");
    }

    @Test
    void shouldRefuseAnotherZipFile() throws IOException, InterruptedException {
        try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(file))) {
            zip.putNextEntry(new ZipEntry("word/document.xml"));
            zip.write(1);
        }
        load().refused("no module of torch.jit.save");
    }

    @Test
    void shouldRefuseCodeThatLibtorchDoesNotKnow() throws IOException, InterruptedException {
        archive().operator("torch.layer_norm", "torch.layer_enorm").write(model, "model.pt", "BertModel", "");
        load().refused("layer_enorm");
    }

    @Test
    void shouldRefuseAModuleForOtherInputs() throws IOException, InterruptedException {
        archive().inputs(EncoderArchive.Inputs.PIXELS).write(model, "model.pt", "BertModel", "");
        load().refused("Tensor pixel_values");
    }

    @Test
    void shouldRefuseAnOutputOfAnotherShape() throws IOException, InterruptedException {
        Path config = model.resolve("config.json");
        Files.writeString(config, Files.readString(config).replace("\"hidden_size\": 32", "\"hidden_size\": 31"));
        load().refused("where hidden states of 31");
    }

    @Test
    void shouldRefuseIdsBeyondTheModulesVocabulary() throws IOException, InterruptedException {
        Path config = model.resolve("config.json");
        Files.writeString(config, Files.readString(config).replace("\"vocab_size\": 64", "\"vocab_size\": 6400"));
        load().refused("index out of range");
    }

    @Test
    void shouldRefuseAGpuWithoutALibtorchForIt() throws IOException, InterruptedException {
        Outcome.of(folder, Map.of(), model.toString(), "0", "none", "cuda:0").refused("PYTORCH_FLAVOR=cu128");
    }

    /** Whatever byte of it is another, it is seen before libtorch reads it, or it did not matter. */
    @Test
    void shouldSurviveDamageAnywhere() throws IOException, InterruptedException {
        Outcome outcome = Outcome.of(folder, Map.of(), "damage", model.toString(), "17", "150");
        assertThat(outcome.code()).as(outcome.output()).isZero();
        assertThat(outcome.output()).contains("survived 150");
    }

    /** Numbers where the ZIP's own directory says how large and where its parts are. */
    @Test
    void shouldSurviveADamagedDirectory() throws IOException, InterruptedException {
        int directory =
                ByteBuffer.wrap(whole).order(java.nio.ByteOrder.LITTLE_ENDIAN).getInt(whole.length - 6);
        Random random = new Random(3);
        for (int i = 0; i < 6; i++) {
            byte[] bytes = whole.clone();
            bytes[directory + random.nextInt(whole.length - directory)] ^= (byte) (1 + random.nextInt(255));
            Files.write(file, bytes);
            assertThat(load().code()).isBetween(0, 1);
        }
    }
}
