package dev.jeton.server;

import dev.jeton.models.ChatTemplate;
import dev.jeton.models.ChatTemplates;
import dev.jeton.models.DeviceOptions;
import dev.jeton.models.EngineOptions;
import dev.jeton.models.EngineProvider;
import dev.jeton.models.Engines;
import dev.jeton.models.FolderTokenizer;
import dev.jeton.models.GenerationDefaults;
import dev.jeton.models.ModelException;
import dev.jeton.models.SequenceEngineProvider;
import dev.jeton.models.StepEngineProvider;
import dev.jeton.models.VectorSpec;
import dev.jeton.models.engine.Capability;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.SequenceEngine;
import dev.jeton.models.reasoning.ReasoningDialect;
import dev.jeton.scheduler.Dispatcher;
import dev.jeton.scheduler.SchedulerConfig;
import dev.jeton.scheduler.SequenceLoop;
import dev.jeton.scheduler.StepListener;
import dev.jeton.scheduler.StepLoop;
import dev.jeton.server.api.ModelDialects;
import dev.jeton.server.api.ModelTools;
import dev.jeton.server.api.SamplingDefaults;
import dev.jeton.server.api.ServedModel;
import dev.jeton.server.api.SystemRoles;
import dev.jeton.server.api.VectorModel;
import dev.jeton.server.config.Configuration.ModelSettings;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.stream.IntStream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Loads models from folders: text parts, engine, step loop. */
public final class ModelLoader {

    private static final Logger LOG = LoggerFactory.getLogger(ModelLoader.class);

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
     * @return the settings, with an engine that runs here and reads the model, and sizes of its steps
     * @throws ModelException where there is none
     */
    public ModelSettings settle(Path folder, ModelSettings settings) {
        EngineProvider engine = engines.choose(settings.engine(), folder);
        return settings.on(engine.name(), engine.stepSize(device(settings)));
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
        CompletableFuture<Opened> opening = open(name, engines.named(settings.engine()), folder, options(settings));
        TextParts texts;
        try {
            texts = TextParts.load(folder, settings);
        } catch (RuntimeException | Error e) {
            opening.thenAccept(Opened::close);
            throw e;
        }
        Opened engine;
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
        Optional<VectorModel> vectors = vectors(engine, texts, folder);
        Dispatcher loop = engine.loop(name, scheduling(settings), since, listener);
        warn(name, loop.contextLength(), loop.engine().contextLength(), settings.maxModelLength());
        ModelTools tools = texts.dialects().tools();
        tools.dialect()
                .ifPresent(dialect -> LOG.info(
                        "model '{}' writes tool calls as {}",
                        name,
                        dialect.format().name()));
        Optional<ReasoningDialect> reasoning = texts.dialects().reasoning();
        reasoning.ifPresent(dialect -> LOG.info(
                "model '{}' marks its thinking as {}", name, dialect.format().text()));
        return new ServedModel(
                name,
                folder,
                texts.tokenizer(),
                texts.template(),
                texts.template().map(SystemRoles::of).orElse(SystemRoles.USUAL),
                endTokens(texts, loop.engine().vocabulary()),
                loop.contextLength(),
                sampling(texts.generation()),
                loop,
                texts.longestToken(),
                vectors,
                tools,
                reasoning,
                Optional.empty());
    }

    /** What an engine gives that generates nothing; the engine is closed where that cannot be asked for. */
    private static Optional<VectorModel> vectors(Opened engine, TextParts texts, Path folder) {
        try {
            return engine.vectors(folder).map(spec -> VectorModel.of(spec, texts.template()));
        } catch (RuntimeException | Error e) {
            engine.close();
            texts.tokenizer().close();
            throw e;
        }
    }

    /** A model's adapters, each as a model of its own name on the same engine. */
    public List<ServedModel> adapters(ServedModel model, ModelSettings settings) {
        List<ServedModel> adapters = new ArrayList<>();
        for (String name : settings.adapters().keySet()) {
            adapters.add(model.through(name, adapters.size() + 1));
            LOG.info(
                    "model '{}' is '{}' through the adapter in {}",
                    name,
                    model.name(),
                    settings.adapters().get(name));
        }
        return adapters;
    }

    /** Those that a model can give at all: an engine refuses a sequence that is to end with any other. */
    private static int[] endTokens(TextParts texts, int vocabulary) {
        int[] named = texts.generation().endTokens().stream()
                .mapToInt(Integer::intValue)
                .toArray();
        return IntStream.of(texts.dialects().ends(named))
                .filter(token -> token < vocabulary)
                .toArray();
    }

    /** Where fewer tokens are served than somebody may count on, who sets it up should hear of it before clients do. */
    private static void warn(String name, int served, int engine, int asked) {
        if (served < engine) {
            LOG.warn(
                    "model '{}' takes {} tokens of prompt and answer, not its {}: KV memory holds no more; raise"
                            + " --kv-memory",
                    name,
                    served,
                    engine);
        } else if (served < asked) {
            LOG.warn(
                    "model '{}' takes {} tokens of prompt and answer, not the {} that --max-model-len asks for: the"
                            + " model has no more",
                    name,
                    served,
                    asked);
        }
    }

    /** An engine of either kind. */
    private sealed interface Opened {

        /** One that executes steps. */
        record Steps(Engine engine) implements Opened {}

        /** One that batches by itself. */
        record Sequences(SequenceEngine engine) implements Opened {}

        static Opened of(EngineProvider provider, Path folder, EngineOptions options) {
            return switch (provider) {
                case StepEngineProvider steps -> new Steps(steps.open(folder, options));
                case SequenceEngineProvider sequences -> new Sequences(sequences.open(folder, options));
            };
        }

        default Dispatcher loop(String name, SchedulerConfig config, long since, StepListener listener) {
            return switch (this) {
                case Steps(Engine engine) -> new StepLoop(name, engine, config, System::nanoTime, since, listener);
                case Sequences(SequenceEngine engine) ->
                    new SequenceLoop(name, engine, config, System::nanoTime, since, listener);
            };
        }

        default Optional<VectorSpec> vectors(Path folder) {
            Set<Capability> capabilities = switch (this) {
                case Steps(Engine engine) -> engine.info().capabilities();
                case Sequences _ -> Set.of();
            };
            if (!capabilities.contains(Capability.POOLING)) {
                return Optional.empty();
            }
            return capabilities.contains(Capability.WHOLE_PROMPTS)
                    ? Optional.of(VectorSpec.read(folder))
                    : VectorSpec.ofDecoder(folder);
        }

        default void close() {
            switch (this) {
                case Steps(Engine engine) -> engine.close();
                case Sequences(SequenceEngine engine) -> engine.close();
            }
        }
    }

    /** What a model has beside its engine; read while the engine opens, since neither needs the other. */
    private record TextParts(
            FolderTokenizer tokenizer,
            Optional<ChatTemplate> template,
            ModelDialects dialects,
            GenerationDefaults generation,
            int longestToken) {

        static TextParts load(Path folder, ModelSettings settings) {
            FolderTokenizer tokenizer = FolderTokenizer.load(folder);
            try {
                Optional<ChatTemplate> template = ModelLoader.template(folder, settings.chatTemplate());
                return new TextParts(
                        tokenizer,
                        template,
                        ModelDialects.of(settings.toolCallParser(), settings.reasoningParser(), template, tokenizer),
                        GenerationDefaults.read(folder),
                        ServedModel.longestToken(tokenizer));
            } catch (RuntimeException | Error e) {
                tokenizer.close();
                throw e;
            }
        }
    }

    /** Opens an engine on a thread of its own; the step loop's is the next that has it, and never both. */
    private static CompletableFuture<Opened> open(
            String name, EngineProvider provider, Path folder, EngineOptions options) {
        CompletableFuture<Opened> opening = new CompletableFuture<>();
        Thread.ofPlatform().name("load-" + name).daemon(true).start(() -> {
            try {
                opening.complete(Opened.of(provider, folder, options));
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
                device(settings),
                settings.hostKvBytes(),
                settings.adapters().values().stream().map(Path::of).toList());
    }

    private static DeviceOptions device(ModelSettings settings) {
        return new DeviceOptions(
                settings.device(),
                settings.deterministic(),
                settings.kvType(),
                settings.searchTime(),
                settings.tensorParallel(),
                settings.programmaticLaunches(),
                settings.fastFp8());
    }

    /**
     * How a model's requests are scheduled. What keys the hashes of prefixes is drawn anew: whoever knew it could make
     * a prompt that is taken for the beginning of another's.
     */
    SchedulerConfig scheduling(ModelSettings settings) {
        SchedulerConfig defaults = SchedulerConfig.DEFAULT;
        return new SchedulerConfig(
                settings.maxSequences(),
                settings.maxBatchedTokens(),
                settings.maxWaiting(),
                settings.maxWaitingTokens(),
                defaults.ringCapacity(),
                stallTimeout.toNanos(),
                settings.stepTarget().toNanos(),
                defaults.prefixCaching(),
                settings.maxDrafts(),
                new SecureRandom().nextLong());
    }

    private static Optional<ChatTemplate> template(Path folder, String file) {
        return file.isEmpty()
                ? ChatTemplates.ofModel(folder, Clock.systemDefaultZone())
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
}
