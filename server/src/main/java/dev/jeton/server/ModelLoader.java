package dev.jeton.server;

import dev.jeton.models.ChatTemplate;
import dev.jeton.models.ChatTemplates;
import dev.jeton.models.EngineOptions;
import dev.jeton.models.EngineProvider;
import dev.jeton.models.FolderTokenizer;
import dev.jeton.models.GenerationDefaults;
import dev.jeton.models.ModelException;
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
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/** Loads models from folders: text parts, engine, step loop. */
public final class ModelLoader {

    private final List<EngineProvider> engines;
    private final Duration stallTimeout;

    /**
     * @param engines all that this distribution has
     * @param stallTimeout how long a reader may leave its tokens unread
     */
    public ModelLoader(List<EngineProvider> engines, Duration stallTimeout) {
        this.engines = List.copyOf(engines);
        this.stallTimeout = stallTimeout;
    }

    /**
     * Loads a model and starts its step loop.
     *
     * @param name served name
     * @throws ModelException naming what is missing or wrong and what to do
     */
    public ServedModel load(String name, Path folder, ModelSettings settings, StepListener listener) {
        long since = System.nanoTime();
        EngineProvider provider = engine(settings.engine());
        FolderTokenizer tokenizer = FolderTokenizer.load(folder);
        Optional<ChatTemplate> template = template(folder, settings.chatTemplate());
        GenerationDefaults generation = GenerationDefaults.read(folder);
        Engine engine = provider.open(
                folder,
                new EngineOptions(
                        settings.maxModelLength(),
                        settings.kvBytes(),
                        settings.maxSequences(),
                        settings.maxBatchedTokens(),
                        settings.blockSize(),
                        settings.threads(),
                        settings.quantize()));
        SchedulerConfig defaults = SchedulerConfig.DEFAULT;
        SchedulerConfig config = new SchedulerConfig(
                settings.maxSequences(),
                settings.maxBatchedTokens(),
                settings.maxWaiting(),
                defaults.ringCapacity(),
                stallTimeout.toNanos(),
                defaults.stepTargetNanos(),
                defaults.prefixCaching(),
                defaults.seed());
        StepLoop loop = new StepLoop(name, engine, config, System::nanoTime, since, listener);
        return new ServedModel(
                name,
                folder,
                tokenizer,
                template,
                template.filter(DeveloperRole::known).isPresent(),
                generation.endTokens().stream().mapToInt(Integer::intValue).toArray(),
                loop.contextLength(),
                sampling(generation),
                loop,
                ServedModel.longestToken(tokenizer));
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

    private EngineProvider engine(String name) {
        EngineProvider provider = engines.stream()
                .filter(candidate -> candidate.name().equals(name))
                .findFirst()
                .orElseThrow(() -> new ModelException("there is no engine '%s'; this distribution has: %s"
                        .formatted(
                                name, engines.stream().map(EngineProvider::name).collect(Collectors.joining(", ")))));
        if (!provider.missing().isEmpty()) {
            throw new ModelException("the engine '%s' cannot run here: %s".formatted(name, provider.missing()));
        }
        return provider;
    }
}
