package dev.jeton.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import dev.jeton.models.DeviceOptions;
import dev.jeton.models.EngineOptions;
import dev.jeton.models.EngineSupport;
import dev.jeton.models.Engines;
import dev.jeton.models.GenerationDefaults;
import dev.jeton.models.ModelException;
import dev.jeton.models.StepEngineProvider;
import dev.jeton.models.StepSize;
import dev.jeton.models.engine.Engine;
import dev.jeton.scheduler.StepListener;
import dev.jeton.server.api.ServedModel;
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
import org.slf4j.LoggerFactory;

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

    private static StepSize stepSize(ModelSettings settings) {
        return new StepSize(
                settings.maxSequences(), settings.maxBatchedTokens(), settings.stepTarget(), settings.maxDrafts());
    }

    @Test
    void leavesTheSizeOfStepsToTheEngineWhereNothingIsSaid() {
        StepSize usual = new StepSize(7, 70, Duration.ofMillis(9), 5);
        ModelSettings settings = settled(Map.of(), usual);
        assertThat(stepSize(settings)).isEqualTo(usual);
    }

    @Test
    void keepsTheSizeOfStepsThatIsSaid() {
        ModelSettings settings = settled(
                Map.of(
                        "engine.max-num-seqs", "3",
                        "engine.max-batched-tokens", "300",
                        "engine.step-target", "30ms",
                        "engine.max-drafts", "0"),
                StepSize.PROCESSOR);
        assertThat(stepSize(settings)).isEqualTo(new StepSize(3, 300, Duration.ofMillis(30), 0));
    }

    /** What is warned of while a model is loaded. */
    private static List<String> warnings(String maxModelLength, Engine engine) {
        if (!(LoggerFactory.getLogger(ModelLoader.class) instanceof Logger logger)) {
            throw new IllegalStateException("another logging library than Logback is on the class path");
        }
        ListAppender<ILoggingEvent> heard = new ListAppender<>();
        heard.start();
        logger.addAppender(heard);
        try {
            load(DEMO, () -> engine, Map.of("engine.max-model-len", maxModelLength))
                    .dispatcher()
                    .close();
        } finally {
            logger.detachAppender(heard);
        }
        return heard.list.stream().map(ILoggingEvent::getFormattedMessage).toList();
    }

    @Test
    void saysThatAModelTakesFewerTokensThanWereAskedFor() {
        assertThat(warnings("1000", engine()))
                .containsExactly("model 'model' takes 64 tokens of prompt and answer, not the 1000 that --max-model-len"
                        + " asks for: the model has no more");
    }

    @Test
    void saysThatMemoryHoldsFewerTokensThanTheModelTakes() {
        assertThat(warnings("0", new ReplyEngine(512, 8, 2, 32, prompt -> prompt)))
                .singleElement()
                .asString()
                .startsWith("model 'model' takes 128 tokens of prompt and answer, not its 512")
                .contains("--kv-memory");
    }

    @Test
    void saysNothingOfAModelThatTakesWhatItIsAskedFor() {
        assertThat(warnings("64", engine())).isEmpty();
    }

    @Test
    void leavesOutEndTokensThatTheModelHasNot() {
        ServedModel model = load(DEMO, ModelLoaderTest::engine, Map.of());
        model.dispatcher().close();
        assertThat(GenerationDefaults.read(DEMO).endTokens()).containsExactly(1531);
        assertThat(model.vocabulary()).isLessThan(1531);
        assertThat(model.eosTokens()).isEmpty();
    }

    @Test
    void keysTheHashesOfPrefixesAnew() {
        ModelSettings settings = settled(Map.of(), StepSize.PROCESSOR);
        ModelLoader loader = new ModelLoader(new Engines(List.of()), Duration.ofSeconds(1));
        assertThat(loader.scheduling(settings).seed())
                .isNotEqualTo(loader.scheduling(settings).seed());
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
        load(from, engine, Map.of());
    }

    private static ServedModel load(Path from, Supplier<Engine> engine, Map<String, String> flags) {
        StepEngineProvider provider = provider(engine, StepSize.PROCESSOR);
        return new ModelLoader(new Engines(List.of(provider)), Duration.ofSeconds(1))
                .load(
                        "model",
                        from,
                        new ConfigurationLoader(Map.of())
                                .flags(flags)
                                .load()
                                .model(from.toString(), "model")
                                .on("cpu", StepSize.PROCESSOR),
                        StepListener.NONE);
    }
}
