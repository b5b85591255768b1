package dev.jeton.server.cli;

import dev.jeton.accounting.Bookkeeper;
import dev.jeton.models.Engines;
import dev.jeton.models.ModelException;
import dev.jeton.models.ModelFolders;
import dev.jeton.scheduler.StepListener;
import dev.jeton.server.DeviceGroup;
import dev.jeton.server.ModelLoader;
import dev.jeton.server.OpenBooks;
import dev.jeton.server.Server;
import dev.jeton.server.api.ServedModel;
import dev.jeton.server.config.ConfigException;
import dev.jeton.server.config.Configuration;
import dev.jeton.server.config.Configuration.ModelSettings;
import dev.jeton.server.config.ConfigurationLoader;
import dev.jeton.server.config.Settings;
import dev.jeton.server.logging.Logging;
import dev.jeton.server.metrics.ServerMetrics;
import dev.jeton.server.tls.Tls;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code jeton serve}. */
@Command(
        name = "serve",
        description = "Serves models through the OpenAI API; without --model the demo models.",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        footer = {
            "",
            "Example: jeton serve --model path/to/model --served-model-name my-model --port 8000",
            "Then:    curl localhost:8000/v1/models"
        })
final class ServeCommand implements Callable<Integer> {

    private static final Logger LOG = LoggerFactory.getLogger(ServeCommand.class);

    /** Served where no model is named: folders of the distribution's {@code models/demo}. */
    private static final List<String> DEMO_MODELS = List.of("jeton-demo", "jeton-demo-small");

    @Mixin
    private ConfigOptions config = new ConfigOptions();

    @Option(
            names = "--model",
            paramLabel = "MODEL",
            description = "Model folder, GGUF file, or ORG/NAME in the local Hugging Face"
                    + " cache. Repeatable: several models are served by one process.")
    private List<String> models = new ArrayList<>();

    @Option(names = "--served-model-name", paramLabel = "NAME", description = "Name in requests, one per --model.")
    private List<String> names = new ArrayList<>();

    @Option(names = "--chat-template", paramLabel = "FILE", description = "Chat template in place of the model's own.")
    private List<String> templates = new ArrayList<>();

    private final Map<String, String> flags = new LinkedHashMap<>();

    @Option(names = "--host", paramLabel = "ADDRESS", description = "Address to listen on (default: 127.0.0.1).")
    void host(String value) {
        flags.put("server.host --host", value);
    }

    @Option(names = "--port", paramLabel = "PORT", description = "Port to listen on (default: 8000).")
    void port(String value) {
        flags.put("server.port --port", value);
    }

    @Option(
            names = "--tls-certificate",
            paramLabel = "FILE",
            description = "PEM file of the server's certificate and those who issued it (default: none, plain text).")
    void tlsCertificate(String value) {
        flags.put("tls.certificate --tls-certificate", value);
    }

    @Option(names = "--tls-key", paramLabel = "FILE", description = "PEM file of the certificate's private key.")
    void tlsKey(String value) {
        flags.put("tls.key --tls-key", value);
    }

    @Option(names = "--api-key", paramLabel = "KEY", description = "Key that clients must send. Repeatable.")
    void apiKey(List<String> values) {
        flags.put("server.api-keys --api-key", String.join(",", values));
    }

    @Option(
            names = "--engine",
            paramLabel = "NAME",
            description = "Engine (default: auto, the first of 'jeton engines' that reads the model).")
    void engine(String value) {
        flags.put("engine.engine --engine", value);
    }

    @Option(
            names = "--adapter",
            paramLabel = "NAME=FOLDER",
            description = "Low-rank adapter of the one --model, as PEFT writes it, served as a model of that name."
                    + " Repeatable. Where there are several models, each names its own in the configuration.")
    void adapter(List<String> values) {
        flags.put("engine.adapters --adapter", String.join(",", values));
    }

    @Option(
            names = "--tool-call-parser",
            paramLabel = "FORMAT",
            description = "How models write tool calls (default: auto, as the chat template tells; none: calls stay"
                    + " text).")
    void toolCallParser(String value) {
        flags.put("engine.tool-call-parser --tool-call-parser", value);
    }

    @Option(
            names = "--reasoning-parser",
            paramLabel = "FORMAT",
            description =
                    "How models mark what they think before they answer (default: auto, as the chat template tells;"
                            + " none: it stays in the content).")
    void reasoningParser(String value) {
        flags.put("engine.reasoning-parser --reasoning-parser", value);
    }

    @Option(names = "--max-model-len", paramLabel = "TOKENS", description = "Most tokens of prompt and answer.")
    void maxModelLength(String value) {
        flags.put("engine.max-model-len --max-model-len", value);
    }

    @Option(names = "--kv-memory", paramLabel = "SIZE", description = "KV memory of each model, as in 2GiB.")
    void kvMemory(String value) {
        flags.put("engine.kv-memory --kv-memory", value);
    }

    @Option(
            names = "--kv-host-memory",
            paramLabel = "SIZE",
            description =
                    "Host memory of each model for K and V that the GPU evicts, as in 64GiB (cuda) (default: none).")
    void kvHostMemory(String value) {
        flags.put("engine.kv-host-memory --kv-host-memory", value);
    }

    @Option(
            names = "--max-num-seqs",
            paramLabel = "N",
            description = "Most sequences in a batch (default: 64 on processors, 256 on GPUs).")
    void maxSequences(String value) {
        flags.put("engine.max-num-seqs --max-num-seqs", value);
    }

    @Option(
            names = "--max-batched-tokens",
            paramLabel = "N",
            description = "Most tokens in a step (default: 512 on processors, 4096 on GPUs).")
    void maxBatchedTokens(String value) {
        flags.put("engine.max-batched-tokens --max-batched-tokens", value);
    }

    @Option(
            names = "--step-target",
            paramLabel = "TIME",
            description = "While sequences decode, prompts are cut so that a step takes no longer, as in 30ms"
                    + " (default: 50ms on GPUs, else off).")
    void stepTarget(String value) {
        flags.put("engine.step-target --step-target", value);
    }

    @Option(
            names = "--max-drafts",
            paramLabel = "N",
            description =
                    "Most tokens computed in advance for a sequence in a step, where they are worth it; 0 for none"
                            + " (default: 8 on processors, none on GPUs).")
    void maxDrafts(String value) {
        flags.put("engine.max-drafts --max-drafts", value);
    }

    @Option(
            names = "--quantize",
            paramLabel = "FORMAT",
            description = "none, q8_0 (cpu), int8 or fp8 (cuda) (default: none).")
    void quantize(String value) {
        flags.put("engine.quantize --quantize", value);
    }

    @Option(
            names = "--device",
            paramLabel = "GPU",
            description = "GPU by number or UUID, several with commas, or cpu (torch) (default: the first).")
    void device(String value) {
        flags.put("engine.device --device", value);
    }

    @Option(
            names = "--tensor-parallel-size",
            paramLabel = "N",
            description = "GPUs that share a model on the cuda engine (default: 1).")
    void tensorParallelSize(String value) {
        flags.put("engine.tensor-parallel-size --tensor-parallel-size", value);
    }

    @Option(names = "--deterministic", description = "Take only algorithms whose sums have one order.")
    void deterministic(boolean value) {
        flags.put("engine.deterministic --deterministic", Boolean.toString(value));
    }

    @Option(
            names = "--kv-cache-dtype",
            paramLabel = "TYPE",
            description =
                    "K and V in memory: auto, f32 or bf16 on the cpu engine, fp8 or int8 on a GPU (default: auto).")
    void kvType(String value) {
        flags.put("engine.kv-cache-dtype --kv-cache-dtype", value);
    }

    @Option(names = "--threads", paramLabel = "N", description = "Compute threads (default: the machine's cores).")
    void threads(String value) {
        flags.put("engine.threads --threads", value);
    }

    @Option(
            names = "--books",
            paramLabel = "FOLDER",
            description = "Where books are kept (default: a temporary folder).")
    void books(String value) {
        flags.put("books.folder --books", value);
    }

    @Option(names = "--prices", paramLabel = "FILE", description = "Price book, YAML (default: everything is free).")
    void prices(String value) {
        flags.put("books.prices --prices", value);
    }

    @Option(names = "--trial", hidden = true, description = "Answer a few requests of one's own, then end.")
    private boolean trial = false;

    @Override
    public Integer call() throws InterruptedException, IOException {
        // A trial's requests are nobody's: they belong into no books, and would be refused where keys are asked for.
        Settings settings = settings(trial ? Map.of() : System.getenv());
        Configuration configuration = settings.configuration();
        Logging.configure(configuration.log());
        Tls.check(configuration.tls());
        ServerMetrics metrics = new ServerMetrics(configuration.metrics().vllmNames());
        ModelLoader loader =
                new ModelLoader(Engines.found(), configuration.stream().stallTimeout());
        Optional<Bookkeeper> books = OpenBooks.of(configuration);
        List<ServedModel> served = new ArrayList<>();
        Server server;
        try {
            load(settings, configuration, loader, metrics, books, served);
            server = new Server(configuration, served, metrics, books);
        } catch (RuntimeException | Error e) {
            served.forEach(model -> model.dispatcher().close());
            books.ifPresent(OpenBooks::close);
            throw e;
        }
        if (trial) {
            Trial.run(server.port(), served.getLast().name());
            server.close();
            return 0;
        }
        CountDownLatch forever = new CountDownLatch(1);
        Shutdown.drainOnSignal(server);
        LOG.atInfo()
                .addKeyValue("models", served.stream().map(ServedModel::name).toList())
                .addKeyValue(
                        "engines",
                        served.stream()
                                .map(model -> model.dispatcher().engine().name())
                                .toList())
                .addKeyValue(
                        "url",
                        "%s://%s:%d/v1"
                                .formatted(
                                        configuration.tls().certificate().isEmpty() ? "http" : "https",
                                        configuration.server().host(),
                                        server.port()))
                .log("ready");
        forever.await();
        return 0;
    }

    /** Settings of the file, the environment and the flags. */
    Settings settings(Map<String, String> environment) {
        ConfigurationLoader loader = config.loader(environment);
        flags.forEach((key, value) -> {
            String[] parts = key.split(" ");
            loader.flag(parts[0], value, parts[1]);
        });
        if (names.size() > models.size() || templates.size() > models.size()) {
            throw new ConfigException("every --served-model-name and every --chat-template needs its own --model");
        }
        if (flags.containsKey("engine.adapters --adapter") && models.size() != 1) {
            throw new ConfigException("--adapter is for the one --model that it changes; with %d of them, say adapters"
                            .formatted(models.size())
                    + " in the configuration, in each model's entry");
        }
        List<Map<String, String>> entries = new ArrayList<>();
        for (int i = 0; i < models.size(); i++) {
            Map<String, String> entry = new LinkedHashMap<>();
            entry.put("path", models.get(i));
            if (i < names.size()) {
                entry.put("name", names.get(i));
            }
            if (i < templates.size()) {
                entry.put("chat-template", templates.get(i));
            }
            entries.add(entry);
        }
        return loader.models(entries).load();
    }

    /** Adds each model as soon as it is loaded: where a later one cannot be, they are to be closed. */
    private static void load(
            Settings settings,
            Configuration configuration,
            ModelLoader loader,
            ServerMetrics metrics,
            Optional<Bookkeeper> books,
            List<ServedModel> served) {
        ModelFolders folders = ModelFolders.of(System.getenv(), Path.of(System.getProperty("user.home", ".")));
        Set<String> groups = new LinkedHashSet<>();
        if (configuration.models().isEmpty()) {
            for (String name : DEMO_MODELS) {
                Path folder = demoFolder(name);
                ModelSettings model = loader.settle(folder, settings.model(folder.toString(), name));
                ServedModel loaded = loader.load(name, folder, model, listener(name, model, groups, metrics, books));
                served.add(loaded);
                served.addAll(loader.adapters(loaded, model));
            }
        }
        for (ModelSettings wanted : configuration.models()) {
            Path folder = folders.resolve(wanted.path());
            ModelSettings model = loader.settle(folder, wanted);
            String name = model.name().isEmpty() ? ModelFolders.servedName(model.path()) : model.name();
            ServedModel loaded = loader.load(name, folder, model, listener(name, model, groups, metrics, books));
            served.add(loaded);
            served.addAll(loader.adapters(loaded, model));
        }
    }

    /** Metrics and the meter of the device group that the model's engine runs on. */
    private static StepListener listener(
            String name, ModelSettings model, Set<String> groups, ServerMetrics metrics, Optional<Bookkeeper> books) {
        StepListener steps = metrics.steps(name);
        if (books.isEmpty()) {
            return steps;
        }
        String group = DeviceGroup.of(model);
        groups.add(group);
        DeviceGroup.requireApart(groups);
        return StepListener.both(steps, books.get().meter(group).engine());
    }

    private static Path demoFolder(String name) {
        Path folder = Path.of(System.getProperty("jeton.home", "."))
                .resolve("models")
                .resolve("demo")
                .resolve(name);
        if (!Files.isDirectory(folder)) {
            throw new ModelException("no --model was given, and the demo model is not there: %s; name a model folder"
                    .formatted(folder.toAbsolutePath()));
        }
        return folder;
    }
}
