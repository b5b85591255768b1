package dev.jeton.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.models.AdapterFolder;
import dev.jeton.models.AdapterFolder.Target;
import dev.jeton.models.DecoderSpec;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** Made adapters are read as those that PEFT writes. */
class AdapterMakerTest {

    @TempDir
    Path folder;

    @Test
    void makesAnAdapterOfAllSevenLayersBesideItsModel() {
        Path model = folder.resolve("model");
        int exit = new CommandLine(new BenchCommand())
                .execute("make-model", "--shape", "15m", "--out", model.toString(), "--adapter-rank", "3");

        assertThat(exit).isZero();
        DecoderSpec spec = DecoderSpec.read(model);
        try (AdapterFolder adapter = AdapterFolder.open(model.resolve("adapter"), spec)) {
            for (int layer = 0; layer < spec.layers(); layer++) {
                for (Target target : Target.values()) {
                    AdapterFolder.Part part = adapter.part(layer, target).orElseThrow();
                    assertThat(part.rank()).isEqualTo(3);
                    assertThat(part.scale()).isEqualTo(2);
                    // as PEFT begins, B would be zeros, and the adapter would change nothing
                    assertThat(part.b().toFloats()).isNotEqualTo(new float[target.outputs(spec) * 3]);
                }
            }
        }
    }

    @Test
    void leavesExpertsAlone() throws IOException {
        Set<Target> ofAttention = EnumSet.of(Target.QUERY, Target.KEY, Target.VALUE, Target.OUTPUT);
        ModelMaker.writeConfig(new ModelMaker.Options(ModelShape.E8X110M, folder, "bf16", 1));
        AdapterMaker.make(new AdapterMaker.Options(ModelShape.E8X110M, folder.resolve("a"), "f32", 2, 1));

        try (AdapterFolder adapter = AdapterFolder.open(folder.resolve("a"), DecoderSpec.read(folder))) {
            for (Target target : Target.values()) {
                assertThat(adapter.part(11, target).isPresent()).isEqualTo(ofAttention.contains(target));
            }
        }
    }

    @Test
    void theSameSeedGivesTheSameBytes() throws IOException {
        for (String name : new String[] {"one", "same"}) {
            AdapterMaker.make(new AdapterMaker.Options(ModelShape.S15M, folder.resolve(name), "bf16", 2, 7));
        }
        AdapterMaker.make(new AdapterMaker.Options(ModelShape.S15M, folder.resolve("other"), "bf16", 2, 8));

        Path one = folder.resolve("one/adapter_model.safetensors");
        assertThat(Files.mismatch(one, folder.resolve("same/adapter_model.safetensors")))
                .isEqualTo(-1);
        assertThat(Files.mismatch(one, folder.resolve("other/adapter_model.safetensors")))
                .isNotNegative();
    }

    @Test
    void refusesRanksThatNoEngineReads() {
        for (int rank : new int[] {0, AdapterFolder.MOST_RANK + 1}) {
            assertThatThrownBy(() -> new AdapterMaker.Options(ModelShape.S15M, folder, "bf16", rank, 1))
                    .hasMessageContaining("must be 1 to 512");
        }
    }
}
