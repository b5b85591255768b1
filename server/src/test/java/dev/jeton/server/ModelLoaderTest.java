package dev.jeton.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.models.DeviceOptions;
import dev.jeton.models.EngineOptions;
import dev.jeton.models.EngineSupport;
import dev.jeton.models.Engines;
import dev.jeton.models.ModelException;
import dev.jeton.models.StepEngineProvider;
import dev.jeton.models.StepSize;
import dev.jeton.models.engine.Engine;
import dev.jeton.scheduler.StepListener;
import dev.jeton.server.config.Configuration.ModelSettings;
import dev.jeton.server.config.ConfigurationLoader;
import dev.jeton.server.testing.ReplyEngine;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Loads from a folder in which there is nothing, so that its tokenizer fails, or from a whole one. */
class ModelLoaderTest {

    private static final Path DEMO = Path.of("..", "models", "demo", "jeton-demo-small");

    @TempDir
    Path folder;

    @Test
    void closesTheEngineOfAModelWhoseTokenizerCannotBeRead() throws Exception {
        ReplyEngine engine = engine();
        assertThatThrownBy(() -> load(folder, () -> engine)).isInstanceOf(ModelException.class);
        assertThat(engine.whenClosed().get(30, TimeUnit.SECONDS)).isSameAs(engine);
    }

    @Test
    void doesNotWaitForTheEngineOfAModelWhoseTokenizerCannotBeRead() throws Exception {
        CompletableFuture<Engine> opening = new CompletableFuture<>();
        assertThatThrownBy(() -> load(folder, opening::join)).isInstanceOf(ModelException.class);
        ReplyEngine engine = engine();
        opening.complete(engine);
        assertThat(engine.whenClosed().get(30, TimeUnit.SECONDS)).isSameAs(engine);
    }

    @Test
    void failsWithWhatTheEngineSaysOfAWholeFolder() {
        ModelException refusal = new ModelException("no memory for this model");
        assertThatThrownBy(() -> load(DEMO, () -> {
                    throw refusal;
                }))
                .isSameAs(refusal);
    }

    @Test
    void failsWithTheErrorOfAnEngineThatFindsNoMemory() {
        OutOfMemoryError full = new OutOfMemoryError("no memory for this model");
        assertThatThrownBy(() -> load(DEMO, () -> {
                    throw full;
                }))
                .isSameAs(full);
    }

    private static ModelSettings settled(Map<String, String> flags, StepSize usual) {
        StepEngineProvider provider = provider(ModelLoaderTest::engine, usual);
        return new ModelLoader(new Engines(List.of(provider)), Duration.ofSeconds(1))
                .settle(
                        DEMO,
                        new ConfigurationLoader(Map.of()).flags(flags).load().model(DEMO.toString(), "model"));
    }

    @Test
    void leavesTheSizeOfStepsToTheEngineWhereNothingIsSaid() {
        StepSize usual = new StepSize(7, 70, Duration.ofMillis(9));
        ModelSettings settings = settled(Map.of(), usual);
        assertThat(new StepSize(settings.maxSequences(), settings.maxBatchedTokens(), settings.stepTarget()))
                .isEqualTo(usual);
    }

    @Test
    void keepsTheSizeOfStepsThatIsSaid() {
        ModelSettings settings = settled(
                Map.of(
                        "engine.max-num-seqs", "3",
                        "engine.max-batched-tokens", "300",
                        "engine.step-target", "30ms"),
                StepSize.GPU);
        assertThat(new StepSize(settings.maxSequences(), settings.maxBatchedTokens(), settings.stepTarget()))
                .isEqualTo(new StepSize(3, 300, Duration.ofMillis(30)));
    }

    private static ReplyEngine engine() {
        return new ReplyEngine(64, 8, 2, 32, prompt -> prompt);
    }

    private static StepEngineProvider provider(Supplier<Engine> engine, StepSize usual) {
        return new StepEngineProvider() {
            @Override
            public String name() {
                return "cpu";
            }

            @Override
            public String missing() {
                return "";
            }

            @Override
            public EngineSupport support() {
                return new EngineSupport("", List.of(), List.of(), Set.of());
            }

            @Override
            public String refusal(Path model) {
                return "";
            }

            @Override
            public StepSize stepSize(DeviceOptions device) {
                return usual;
            }

            @Override
            public Engine open(Path model, EngineOptions options) {
                return engine.get();
            }
        };
    }

    private static void load(Path from, Supplier<Engine> engine) {
        StepEngineProvider provider = provider(engine, StepSize.PROCESSOR);
        new ModelLoader(new Engines(List.of(provider)), Duration.ofSeconds(1))
                .load(
                        "model",
                        from,
                        new ConfigurationLoader(Map.of())
                                .load()
                                .model(from.toString(), "model")
                                .on("cpu", StepSize.PROCESSOR),
                        StepListener.NONE);
    }
}
