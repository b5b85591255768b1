package dev.jeton.server;

import dev.jeton.models.ChatTemplate;
import dev.jeton.models.ChatTemplates;
import dev.jeton.models.DeviceOptions;
import dev.jeton.models.EncoderSpec;
import dev.jeton.models.EngineOptions;
import dev.jeton.models.Engines;
import dev.jeton.models.FolderTokenizer;
import dev.jeton.models.GenerationDefaults;
import dev.jeton.models.ModelException;
import dev.jeton.models.SequenceEngineProvider;
import dev.jeton.models.StepEngineProvider;
import dev.jeton.models.engine.Capability;
import dev.jeton.models.engine.Engine;
import dev.jeton.scheduler.SchedulerConfig;
import dev.jeton.scheduler.StepListener;
import dev.jeton.scheduler.StepLoop;
import dev.jeton.server.api.SamplingDefaults;
import dev.jeton.server.api.ServedModel;
import dev.jeton.server.config.Configuration.ModelSettings;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/** Loads models from folders: text parts, engine, step loop. */
public final class ModelLoader {

    private final Engines engines;
    private final Duration stallTimeout;

    /**
     * @param engines all that this distribution has
     * @param stallTimeout how long a reader may leave its tokens unread
     */
    public ModelLoader(Engines engines, Duration stallTimeout) {
        this.engines = engines;
        this.stallTimeout = stallTimeout;
    }

    /**
     * Says which engine a model's settings come to.
     *
     * @return the settings, with an engine that runs here and reads the model
     * @throws ModelException where there is none
     */
    public ModelSettings settle(Path folder, ModelSettings settings) {
        return settings.on(engines.choose(settings.engine(), folder).name());
    }

    /**
     * Loads a model and starts its step loop.
     *
     * @param name served name
     * @param settings whose engine is {@linkplain #settle settled}
     * @throws ModelException naming what is missing or wrong and what to do
     */
    public ServedModel load(String name, Path folder, ModelSettings settings, StepListener listener) {
        long since = System.nanoTime();
        StepEngineProvider provider = engine(settings.engine());
        CompletableFuture<Engine> opening = open(name, provider, folder, options(settings));
        TextParts texts;
        try {
            texts = TextParts.load(folder, settings.chatTemplate());
        } catch (RuntimeException | Error e) {
            opening.thenAccept(Engine::close);
            throw e;
        }
        Engine engine;
        try {
            engine = opening.join();
        } catch (CompletionException e) {
            texts.tokenizer().close();
            switch (e.getCause()) {
                case RuntimeException cause -> throw cause;
                case Error cause -> throw cause;
                case null, default -> throw e;
            }
        }
        StepLoop loop = new StepLoop(name, engine, scheduling(settings), System::nanoTime, since, listener);
        return new ServedModel(
                name,
                folder,
                texts.tokenizer(),
                texts.template(),
                texts.template().filter(DeveloperRole::known).isPresent(),
                texts.generation().endTokens().stream()
                        .mapToInt(Integer::intValue)
                        .toArray(),
                loop.contextLength(),
                sampling(texts.generation()),
                loop,
                texts.longestToken(),
                engine.info().supports(Capability.WHOLE_PROMPTS)
                        ? Optional.of(EncoderSpec.read(folder))
                        : Optional.empty());
    }

    /** What a model has beside its engine; read while the engine opens, since neither needs the other. */
    private record TextParts(
            FolderTokenizer tokenizer,
            Optional<ChatTemplate> template,
            GenerationDefaults generation,
            int longestToken) {

        static TextParts load(Path folder, String chatTemplate) {
            FolderTokenizer tokenizer = FolderTokenizer.load(folder);
            try {
                return new TextParts(
                        tokenizer,
                        ModelLoader.template(folder, chatTemplate),
                        GenerationDefaults.read(folder),
                        ServedModel.longestToken(tokenizer));
            } catch (RuntimeException | Error e) {
                tokenizer.close();
                throw e;
            }
        }
    }

    /** Opens an engine on a thread of its own; the step loop's is the next that has it, and never both. */
    private static CompletableFuture<Engine> open(
            String name, StepEngineProvider provider, Path folder, EngineOptions options) {
        CompletableFuture<Engine> opening = new CompletableFuture<>();
        Thread.ofPlatform().name("load-" + name).daemon(true).start(() -> {
            try {
                opening.complete(provider.open(folder, options));
            } catch (Throwable e) {
                opening.completeExceptionally(e);
            }
        });
        return opening;
    }

    private static EngineOptions options(ModelSettings settings) {
        return new EngineOptions(
                settings.maxModelLength(),
                settings.kvBytes(),
                settings.maxSequences(),
                settings.maxBatchedTokens(),
                settings.blockSize(),
                settings.threads(),
                settings.quantize(),
                new DeviceOptions(
                        settings.device(), settings.deterministic(), settings.kvType(), settings.searchTime()));
    }

    private SchedulerConfig scheduling(ModelSettings settings) {
        SchedulerConfig defaults = SchedulerConfig.DEFAULT;
        return new SchedulerConfig(
                settings.maxSequences(),
                settings.maxBatchedTokens(),
                settings.maxWaiting(),
                defaults.ringCapacity(),
                stallTimeout.toNanos(),
                defaults.stepTargetNanos(),
                defaults.prefixCaching(),
                defaults.seed());
    }

    private static Optional<ChatTemplate> template(Path folder, String file) {
        return file.isEmpty()
                ? ChatTemplates.ofFolder(folder, Clock.systemDefaultZone())
                : Optional.of(ChatTemplates.ofFile(Path.of(file), folder, Clock.systemDefaultZone()));
    }

    private static SamplingDefaults sampling(GenerationDefaults generation) {
        SamplingDefaults otherwise = SamplingDefaults.OPENAI;
        return new SamplingDefaults(
                generation.temperature().orElse(otherwise.temperature()),
                generation.topK().orElse(otherwise.topK()),
                generation.topP().orElse(otherwise.topP()),
                generation.minP().orElse(otherwise.minP()),
                generation.repetitionPenalty().orElse(otherwise.repetitionPenalty()));
    }

    private StepEngineProvider engine(String name) {
        return switch (engines.named(name)) {
            case StepEngineProvider steps -> steps;
            case SequenceEngineProvider sequences ->
                throw new ModelException("the engine '%s' is none of this server's".formatted(sequences.name()));
        };
    }
}
