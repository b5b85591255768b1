package dev.jeton.server;

import dev.jeton.models.ModelException;
import dev.jeton.models.engine.AdapterMemoryException;
import dev.jeton.models.engine.EngineException;
import dev.jeton.models.engine.PreparedAdapter;
import dev.jeton.scheduler.RejectedException;
import dev.jeton.server.admin.AdapterHost;
import dev.jeton.server.admin.AdapterPolicy;
import dev.jeton.server.api.ApiException;
import dev.jeton.server.api.ServedModel;
import dev.jeton.server.api.ServedModels;
import dev.jeton.server.config.Configuration.AdminSettings;
import dev.jeton.server.metrics.AdapterStats;
import dev.jeton.server.metrics.ServerMetrics;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Adapters that come and go while the server runs, each served as a model of its own name on its model's engine.
 *
 * <p>How many there are, and their memory, is bounded; so is how many names there ever were in a run, since metrics of
 * each are kept.
 */
final class LoadedAdapters implements AdapterHost {

    private static final Logger LOG = LoggerFactory.getLogger(LoadedAdapters.class);
    private static final int MOST_NAMES = 1_000;

    private record Loaded(ServedModel model, String folder, PreparedAdapter memory) {

        int number() {
            return model.adapter().map(ServedModel.Adapter::number).orElse(0);
        }
    }

    private final AdminSettings settings;
    private final AdapterRoot root;
    private final List<ServedModel> configured;
    private final Set<String> ofFile;
    private final ServedModels served;
    private final ServerMetrics metrics;
    /** Under this object's monitor, as all below. */
    private final Map<String, Loaded> loaded = new LinkedHashMap<>();
    /** Unloaded, and their engines have not given them up yet. */
    private final List<PreparedAdapter> leaving = new ArrayList<>();

    private final Set<String> names = new HashSet<>();

    /**
     * Without any yet.
     *
     * @param configured models and adapters of the configuration
     * @param served where adapters are served from now on
     */
    LoadedAdapters(AdminSettings settings, List<ServedModel> configured, ServedModels served, ServerMetrics metrics) {
        this.settings = settings;
        this.configured = List.copyOf(configured);
        this.served = served;
        this.metrics = metrics;
        root = new AdapterRoot(settings.adapterRoot());
        ofFile = configured.stream().map(ServedModel::name).collect(Collectors.toSet());
        tellNames();
    }

    @Override
    public boolean ofFile(String name) {
        return ofFile.contains(name);
    }

    @Override
    public synchronized List<Served> served() {
        List<Served> all = new ArrayList<>();
        configured.forEach(model -> model.adapter()
                .ifPresent(of -> all.add(new Served(new AdapterPolicy(model.name(), of.base(), ""), true, 0))));
        loaded.forEach((name, each) -> all.add(
                new Served(new AdapterPolicy(name, each.model.base(), each.folder), false, each.memory.bytes())));
        return all;
    }

    /** Gauges. Any thread. */
    synchronized AdapterStats stats() {
        return new AdapterStats(loaded.size(), settings.maxAdapters(), bytes(), settings.adapterBytes());
    }

    private long bytes() {
        leaving.removeIf(each -> each.bytes() == 0);
        return loaded.values().stream().mapToLong(each -> each.memory.bytes()).sum()
                + leaving.stream().mapToLong(PreparedAdapter::bytes).sum();
    }

    @Override
    public Reading read(String name, Optional<String> model, String folder) {
        Path place = root.below(folder);
        ServedModel base = base(model);
        requireRoom(name, root.weights(place));
        return new Read(new AdapterPolicy(name, base.name(), folder), base, prepare(base, place, room()));
    }

    /** Whatever the files are, or become while they are read, is the failure of this adapter alone. */
    private PreparedAdapter prepare(ServedModel base, Path place, long room) {
        try {
            return aside(() -> base.dispatcher().prepareAdapter(place, room));
        } catch (RejectedException e) {
            throw ApiException.of(e);
        } catch (AdapterMemoryException e) {
            throw noMemory("more than %,d bytes in memory".formatted(room), settings.adapterBytes() - room);
        } catch (EngineException e) {
            throw refused("unsupported_by_model", e);
        } catch (ModelException e) {
            throw refused("invalid_adapter", e);
        } catch (RuntimeException | StackOverflowError | OutOfMemoryError | InternalError e) {
            // the last is what becomes of a mapped file that somebody cuts short
            LOG.error("an adapter of '{}' could not be read", base.name(), e);
            throw ApiException.internal("The server failed to read the adapter; its log says why");
        }
    }

    /**
     * On a platform thread: reading is seconds of computing and of waiting for pages of a mapped file, which would keep
     * a carrier of virtual threads from requests.
     */
    private static PreparedAdapter aside(Supplier<PreparedAdapter> reading) {
        try {
            return CompletableFuture.supplyAsync(
                            reading,
                            task -> Thread.ofPlatform()
                                    .name("load-adapter")
                                    .daemon(true)
                                    .start(task))
                    .join();
        } catch (CompletionException e) {
            switch (e.getCause()) {
                case RuntimeException cause -> throw cause;
                case Error cause -> throw cause;
                case null, default -> throw e;
            }
        }
    }

    private static ApiException refused(String code, RuntimeException e) {
        return new ApiException(400, ApiException.INVALID_REQUEST, "folder", code, String.valueOf(e.getMessage()));
    }

    private ServedModel base(Optional<String> model) {
        List<ServedModel> bases =
                configured.stream().filter(each -> each.adapter().isEmpty()).toList();
        if (model.isEmpty() && bases.size() > 1) {
            throw ApiException.invalid(
                    "model", "'model' must say whose adapter it is, of the %d models served".formatted(bases.size()));
        }
        return bases.stream()
                .filter(each -> model.isEmpty() || each.name().equals(model.get()))
                .findFirst()
                .orElseThrow(() -> ApiException.invalid(
                        "model",
                        "'model' is none that adapters could change; there are: "
                                + bases.stream().map(ServedModel::name).collect(Collectors.joining(", "))));
    }

    private synchronized void requireRoom(String name, long bytes) {
        if (!loaded.containsKey(name) && loaded.size() >= settings.maxAdapters()) {
            throw full(
                    "too_many",
                    "%d adapters are loaded, and no more may be: unload one, or raise admin.max-adapters"
                            .formatted(loaded.size()));
        }
        if (!names.contains(name) && names.size() >= MOST_NAMES) {
            throw full(
                    "too_many",
                    "There were adapters of %,d names since the start, and metrics of each are kept: take one of those"
                                    .formatted(MOST_NAMES)
                            + " names, or restart the server");
        }
        if (bytes() + bytes > settings.adapterBytes()) {
            throw noMemory("%,d bytes".formatted(bytes), bytes());
        }
    }

    private synchronized long room() {
        return settings.adapterBytes() - bytes();
    }

    private ApiException noMemory(String has, long others) {
        return full(
                "no_memory",
                ("The adapter has %s, those loaded (and unloaded, with requests) %,d, and together they may have %,d:"
                                + " unload one, or raise admin.adapter-memory")
                        .formatted(has, others, settings.adapterBytes()));
    }

    private static ApiException full(String code, String message) {
        return new ApiException(409, ApiException.INVALID_REQUEST, "", code, message);
    }

    private final class Read implements Reading {
        private final AdapterPolicy what;
        private final ServedModel base;
        private final PreparedAdapter memory;
        private boolean handedOver;

        Read(AdapterPolicy what, ServedModel base, PreparedAdapter memory) {
            this.what = what;
            this.base = base;
            this.memory = memory;
        }

        @Override
        public AdapterPolicy what() {
            return what;
        }

        @Override
        public void serve() {
            handedOver = true;
            try {
                int number = base.dispatcher().addAdapter(memory);
                publish(new Loaded(base.through(what.name(), number), what.folder(), memory));
            } catch (RejectedException e) {
                throw ApiException.of(e);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw ApiException.unavailable("shutting_down", "The server is shutting down");
            }
        }

        @Override
        public void close() {
            if (!handedOver) {
                memory.close();
            }
        }
    }

    private synchronized void publish(Loaded adapter) {
        String name = adapter.model.name();
        metrics.addAdapter(name, adapter.model.base());
        names.add(name);
        served.put(adapter.model);
        Optional.ofNullable(loaded.put(name, adapter)).ifPresent(this::leave);
        tellNames();
        LOG.info("model '{}' is '{}' through the adapter in {}", name, adapter.model.base(), adapter.folder);
    }

    @Override
    public synchronized void unload(String name) {
        served.remove(name);
        Optional.ofNullable(loaded.remove(name)).ifPresent(this::leave);
        tellNames();
    }

    private void leave(Loaded adapter) {
        adapter.model.dispatcher().removeAdapter(adapter.number());
        leaving.add(adapter.memory);
    }

    private void tellNames() {
        metrics.adapters(served.all().stream()
                .filter(model -> model.adapter().isPresent())
                .map(ServedModel::name)
                .toList());
    }

    @Override
    public void restore(List<AdapterPolicy> adapters) {
        for (AdapterPolicy each : adapters) {
            if (ofFile(each.name())) {
                LOG.warn(
                        "adapter '{}' of the admin API has the name of a model of jeton.yaml now, which is served",
                        each.name());
                continue;
            }
            try (Reading reading = read(each.name(), Optional.of(each.model()), each.folder())) {
                reading.serve();
            } catch (ApiException e) {
                LOG.error(
                        "adapter '{}', which the admin API had loaded, cannot be served: {}",
                        each.name(),
                        e.getMessage());
            }
        }
    }
}
