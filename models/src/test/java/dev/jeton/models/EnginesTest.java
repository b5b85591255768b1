package dev.jeton.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.models.engine.Engine;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EnginesTest {

    @TempDir
    Path folder;

    private record Provider(String name, String missing, String refusal) implements StepEngineProvider {
        @Override
        public EngineSupport support() {
            return new EngineSupport("", List.of(), List.of(), Set.of());
        }

        @Override
        public String refusal(Path model) {
            return refusal;
        }

        @Override
        public Engine open(Path model, EngineOptions options) {
            throw new ModelException("never opened here");
        }
    }

    private static Engines engines(Provider... providers) {
        return new Engines(List.of(providers));
    }

    @Test
    void takesTheFirstThatReadsTheModelAndRunsHere() {
        Engines engines = engines(
                new Provider("a", "", "no weights"), new Provider("b", "a library", ""), new Provider("c", "", ""));
        assertThat(engines.choose(Engines.AUTO, folder).name()).isEqualTo("c");
    }

    @Test
    void givesTheReasonOfEachWhereNoneFits() {
        Engines engines = engines(new Provider("a", "", "no weights"), new Provider("b", "a library", ""));
        assertThatThrownBy(() -> engines.choose(Engines.AUTO, folder))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("a: no weights")
                .hasMessageContaining("b: cannot run here: a library");
    }

    @Test
    void refusesAnEngineByNameThatIsNotThere() {
        assertThatThrownBy(() -> engines(new Provider("a", "", "")).choose("z", folder))
                .hasMessageContaining("there is no engine 'z'")
                .hasMessageContaining("a");
    }

    @Test
    void refusesAnEngineByNameThatCannotRunHere() {
        assertThatThrownBy(() -> engines(new Provider("a", "a library", "")).choose("a", folder))
                .hasMessageContaining("cannot run here: a library");
    }

    @Test
    void refusesAModelThatTheEngineByNameDoesNotRead() {
        assertThatThrownBy(() -> engines(new Provider("a", "", "no weights")).choose("a", folder))
                .hasMessageContaining("does not run")
                .hasMessageContaining("no weights");
    }

    @Test
    void findsTheEngineForAFolderOfSafetensors() throws IOException {
        Path model = Path.of("demo", "jeton-demo-small");
        assertThat(Engines.found().choose(Engines.AUTO, model).name()).isEqualTo("cpu");
        Files.copy(model.resolve("config.json"), folder.resolve("config.json"));
        assertThatThrownBy(() -> Engines.found().choose(Engines.AUTO, folder))
                .hasMessageContaining("cpu: there is neither model.safetensors nor")
                .hasMessageNotContaining("GGUF file of the folder");
        Files.writeString(folder.resolve("m.Q8_0.gguf"), "one of several");
        assertThatThrownBy(() -> Engines.found().choose(Engines.AUTO, folder))
                .hasMessageContaining("to serve a GGUF file of the folder, name that file");
    }

    @Test
    void saysWhatEachEngineReadsAndCanDo() {
        assertThat(Engines.found().providers()).allSatisfy(provider -> {
            assertThat(provider.support().formats()).isNotEmpty();
            assertThat(provider.support().capabilities()).isNotEmpty();
        });
    }
}
