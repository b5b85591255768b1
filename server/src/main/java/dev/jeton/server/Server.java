package dev.jeton.server;

import dev.jeton.accounting.Bookkeeper;
import dev.jeton.models.Tokenizer;
import dev.jeton.scheduler.Dispatcher;
import dev.jeton.server.admin.Administration;
import dev.jeton.server.api.Api;
import dev.jeton.server.api.Route;
import dev.jeton.server.api.ServedModel;
import dev.jeton.server.api.ServedModels;
import dev.jeton.server.config.Configuration;
import dev.jeton.server.config.Configuration.TracingSettings;
import dev.jeton.server.http.HttpListener;
import dev.jeton.server.metrics.OtlpMetrics;
import dev.jeton.server.metrics.ServerMetrics;
import dev.jeton.server.tls.Tls;
import dev.jeton.server.tracing.Tracing;
import dev.jeton.server.webhooks.WebhookEvent;
import dev.jeton.server.webhooks.Webhooks;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;

/**
 * The whole server: listens from construction until {@link #close}. Owns the models it was given: their dispatchers and
 * tokenizers are closed with it.
 */
public final class Server implements AutoCloseable {

    /** For the last words to those who still wait; nobody who does not read them is waited for any longer. */
    private static final Duration GOODBYE = Duration.ofSeconds(1);

    private final Configuration configuration;
    private final List<ServedModel> models;
    private final ServerMetrics metrics;
    private final Optional<Bookkeeper> books;
    private final Tracing tracing;
    private final Api api;
    private final Webhooks webhooks;
    private final Optional<Tls> tls;
    private final Administration administration;
    private final HttpListener listener;
    private final Optional<GpuTelemetry> gpus;

    /**
     * Starts a server.
     *
     * @param models at least one, each name once
     * @param metrics where it records; closed with it
     * @param books where requests are booked, closed with it; empty keeps none
     */
    public Server(
            Configuration configuration, List<ServedModel> models, ServerMetrics metrics, Optional<Bookkeeper> books) {
        this.books = books;
        this.configuration = configuration;
        this.models = List.copyOf(models);
        this.metrics = metrics;
        this.tracing = tracing(configuration.tracing());
        ServedModels served = new ServedModels(models);
        models.forEach(model -> model.adapter()
                .ifPresentOrElse(
                        of -> metrics.addAdapter(model.name(), of.base()),
                        () -> metrics.addModel(model.name(), model.dispatcher())));
        LoadedAdapters adapters = new LoadedAdapters(configuration.admin(), models, served, metrics);
        this.api = new Api(configuration, served, metrics, tracing, books, Version.text());
        this.webhooks = new Webhooks(
                configuration.webhooks(),
                books.map(Bookkeeper::folder),
                () -> TimeUnit.MILLISECONDS.toMicros(System.currentTimeMillis()),
                new SecureRandom());
        books.ifPresent(open -> open.onBudgetEvent(event -> webhooks.send(WebhookEvent.of(event))));
        this.tls = Tls.of(configuration.tls());
        this.administration = new Administration(
                configuration,
                tls,
                books,
                OpenBooks.prices(configuration.books()),
                models.stream().map(ServedModel::name).collect(Collectors.toSet()),
                new LivePolicy(api, books, webhooks),
                adapters,
                webhooks::write);
        this.listener = new HttpListener(
                configuration.server().host(),
                configuration.server().port(),
                configuration.http(),
                configuration.stream().stallTimeout(),
                tls,
                api);
        metrics.connections(listener::stats);
        tls.ifPresent(certificate -> metrics.certificate(certificate::stats));
        metrics.loadedAdapters(adapters::stats);
        metrics.policy(administration.store()::stats);
        metrics.webhooks(webhooks::stats);
        metrics.tenants(configuration.metrics().tenants());
        if (!configuration.metrics().endpoint().isEmpty()) {
            metrics.export(OtlpMetrics.to(
                    configuration.metrics().endpoint(),
                    configuration.tracing().service(),
                    configuration.metrics().interval()));
        }
        books.ifPresent(metrics::books);
        this.gpus = GpuTelemetry.start(configuration.metrics(), metrics);
        api.start();
    }

    private static Tracing tracing(TracingSettings settings) {
        return settings.endpoint().isEmpty()
                ? Tracing.off()
                : Tracing.to(settings.endpoint(), settings.service(), settings.percent());
    }

    /** What it answers. */
    public List<Route> routes() {
        return api.routes();
    }

    /** The port listened on. */
    public int port() {
        return listener.port();
    }

    /** What the admin API answers; nothing where there is none. */
    public List<Route> adminRoutes() {
        return administration.routes();
    }

    /** The port of the admin API; empty where there is none. */
    public Optional<Integer> adminPort() {
        return administration.port();
    }

    /**
     * Refuses new requests (503) and waits until those running have ended, at most {@code server.drain-timeout}.
     *
     * @return whether all ended by themselves; the others end with {@link #close}
     */
    public boolean drain() throws InterruptedException {
        api.drain();
        boolean idle = api.awaitIdle(configuration.server().drainTimeout());
        // Only now: a request that was let in and is still being tokenized is one of those that may finish.
        models.stream().map(ServedModel::dispatcher).distinct().forEach(Dispatcher::drain);
        return idle;
    }

    private void awaitAnswers() {
        try {
            api.awaitIdle(GOODBYE);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Ends what still runs, closes every connection, and lets go of the models. */
    @Override
    public void close() {
        api.drain();
        // Before connections close: who still waits is told why, and is not booked as somebody who hung up.
        models.stream().map(ServedModel::dispatcher).distinct().forEach(Dispatcher::close);
        awaitAnswers();
        listener.close();
        administration.close();
        tls.ifPresent(Tls::close);
        models.stream().map(ServedModel::tokenizer).distinct().forEach(Tokenizer::close);
        api.close();
        books.ifPresent(open -> {
            open.close();
            webhooks.close();
            OpenBooks.forget(open.folder());
        });
        webhooks.close();
        tracing.close();
        gpus.ifPresent(GpuTelemetry::close);
        metrics.close();
    }
}
