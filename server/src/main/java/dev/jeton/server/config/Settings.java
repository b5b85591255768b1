package dev.jeton.server.config;

import dev.jeton.accounting.Budget;
import dev.jeton.server.config.Configuration.AdminSettings;
import dev.jeton.server.config.Configuration.BatchSettings;
import dev.jeton.server.config.Configuration.BooksSettings;
import dev.jeton.server.config.Configuration.HttpSettings;
import dev.jeton.server.config.Configuration.IdempotencySettings;
import dev.jeton.server.config.Configuration.LimitSettings;
import dev.jeton.server.config.Configuration.LogSettings;
import dev.jeton.server.config.Configuration.MetricsSettings;
import dev.jeton.server.config.Configuration.ModelSettings;
import dev.jeton.server.config.Configuration.ResponseSettings;
import dev.jeton.server.config.Configuration.ServerSettings;
import dev.jeton.server.config.Configuration.StreamSettings;
import dev.jeton.server.config.Configuration.TaskSettings;
import dev.jeton.server.config.Configuration.TlsSettings;
import dev.jeton.server.config.Configuration.ToolLimits;
import dev.jeton.server.config.Configuration.TracingSettings;
import dev.jeton.server.config.Configuration.WebhookSettings;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * The values of all settings with their origin, checked.
 *
 * @param values by key, every known key in the schema's order
 * @param models one map per served model, by the names of {@link Schema#MODEL_SETTINGS}
 * @param tenants who pays
 * @param budgets limits on what they may spend
 */
public record Settings(
        Map<String, Resolved> values, List<Map<String, Resolved>> models, List<Tenant> tenants, List<Budget> budgets) {

    /** What the rest of the server is given. */
    public Configuration configuration() {
        return new Configuration(
                new ServerSettings(
                        text("server.host"),
                        whole("server.port"),
                        texts("server.api-keys"),
                        texts("server.hosts"),
                        texts("server.allowed-origins"),
                        time("server.drain-timeout"),
                        whole("server.max-requests")),
                tls(),
                new HttpSettings(
                        whole("http.max-connections"),
                        whole("http.max-streams"),
                        whole("http.max-pipelined"),
                        (int) size("http.max-body"),
                        size("http.max-buffered"),
                        whole("http.max-uri"),
                        whole("http.max-header"),
                        time("http.header-timeout"),
                        time("http.body-timeout"),
                        time("http.idle-timeout"),
                        (int) size("http.write-buffer"),
                        (int) size("http.send-buffer"),
                        whole("http.event-loops")),
                new StreamSettings(time("stream.stall-timeout")),
                new LimitSettings(
                        whole("limits.max-n"),
                        whole("limits.max-prompts"),
                        whole("limits.max-inputs"),
                        whole("limits.max-stop-strings"),
                        whole("limits.max-stop-length"),
                        whole("limits.max-stop-tokens"),
                        whole("limits.max-logit-bias"),
                        whole("limits.max-messages"),
                        (int) size("limits.max-schema"),
                        size("limits.grammar-memory"),
                        new ToolLimits(
                                whole("limits.max-tools"),
                                (int) size("limits.max-tool-schema"),
                                whole("limits.max-tool-calls"),
                                (int) size("limits.max-tool-call")),
                        time("limits.request-timeout")),
                new MetricsSettings(
                        text("metrics.vllm-names").equals("true"),
                        texts("metrics.tenants"),
                        text("metrics.gpu").equals("true"),
                        text("metrics.nvml"),
                        text("metrics.dcgm-names").equals("true"),
                        text("metrics.endpoint"),
                        time("metrics.interval")),
                new LogSettings(text("log.level"), text("log.format")),
                new TracingSettings(text("tracing.endpoint"), text("tracing.service"), whole("tracing.percent")),
                new BooksSettings(
                        text("books.enabled").equals("true"),
                        text("books.folder"),
                        text("books.node"),
                        text("books.ledger"),
                        text("books.user"),
                        text("books.password"),
                        text("books.prices"),
                        text("books.zone"),
                        text("books.aborted"),
                        text("books.energy"),
                        size("books.journal-size"),
                        time("books.lease"),
                        whole("books.max-questions"),
                        time("books.question-timeout")),
                admin(),
                new WebhookSettings(
                        text("webhooks.url"),
                        text("webhooks.secret"),
                        time("webhooks.timeout"),
                        whole("webhooks.max-attempts"),
                        whole("webhooks.queue")),
                new TaskSettings(
                        whole("tasks.max-open"),
                        whole("tasks.max-open-per-tenant"),
                        whole("tasks.max-steps"),
                        whole("tasks.max-kept-steps"),
                        time("tasks.max-idle"),
                        time("tasks.late")),
                new IdempotencySettings(
                        whole("idempotency.max-entries"),
                        size("idempotency.max-size"),
                        (int) size("idempotency.max-answer"),
                        time("idempotency.time-to-live")),
                new ResponseSettings(
                        text("responses.store").equals("true"),
                        whole("responses.max-entries"),
                        size("responses.max-size"),
                        time("responses.time-to-live"),
                        whole("responses.max-background")),
                new BatchSettings(
                        text("batches.folder"),
                        size("batches.max-file"),
                        whole("batches.max-files"),
                        size("batches.max-size"),
                        whole("batches.max-open"),
                        whole("batches.max-requests"),
                        whole("batches.parallel"),
                        time("batches.time-to-live")),
                models.stream().map(this::model).toList(),
                tenants,
                budgets);
    }

    private TlsSettings tls() {
        String certificate = text("tls.certificate");
        String key = text("tls.key");
        if (certificate.isEmpty() != key.isEmpty()) {
            throw new ConfigException("tls.certificate and tls.key go together; '%s' is not given"
                    .formatted(certificate.isEmpty() ? "tls.certificate" : "tls.key"));
        }
        if (certificate.isEmpty() && !text("tls.client-ca").isEmpty()) {
            throw new ConfigException(
                    "tls.client-ca asks clients for certificates, which only TLS has; give tls.certificate and tls.key");
        }
        return new TlsSettings(certificate, key, text("tls.client-ca"), time("tls.reload-interval"));
    }

    private AdminSettings admin() {
        Map<String, String> keys = new LinkedHashMap<>();
        for (String entry : texts("admin.keys")) {
            int colon = entry.indexOf(':');
            if (keys.put(entry.substring(colon + 1), entry.substring(0, colon)) != null) {
                throw new ConfigException(
                        "'admin.keys' has the digest of '%s' twice".formatted(entry.substring(0, colon)));
            }
        }
        return new AdminSettings(
                text("admin.host"),
                whole("admin.port"),
                keys,
                size("admin.log-size"),
                whole("admin.grace-percent"),
                time("admin.grace-time"),
                text("admin.adapter-root"),
                whole("admin.max-adapters"),
                size("admin.adapter-memory"));
    }

    /** A model at {@code path} under the settings of the {@code engine} section. */
    public ModelSettings model(String path, String name) {
        return model(Map.of("path", new Resolved(path, "default"), "name", new Resolved(name, "default")));
    }

    private ModelSettings model(Map<String, Resolved> entry) {
        return new ModelSettings(
                of(entry, "path"),
                of(entry, "name"),
                of(entry, "chat-template"),
                of(entry, "tool-call-parser"),
                of(entry, "reasoning-parser"),
                of(entry, "engine"),
                Integer.parseInt(of(entry, "max-model-len")),
                Units.size(of(entry, "kv-memory")),
                Units.size(of(entry, "kv-host-memory")),
                Integer.parseInt(of(entry, "max-num-seqs")),
                Integer.parseInt(of(entry, "max-batched-tokens")),
                Units.duration(of(entry, "step-target")),
                Integer.parseInt(of(entry, "max-drafts")),
                Integer.parseInt(of(entry, "max-waiting")),
                Integer.parseInt(of(entry, "max-waiting-tokens")),
                Integer.parseInt(of(entry, "block-size")),
                Integer.parseInt(of(entry, "threads")),
                of(entry, "quantize"),
                of(entry, "device"),
                Integer.parseInt(of(entry, "tensor-parallel-size")),
                of(entry, "deterministic").equals("true"),
                of(entry, "kv-cache-dtype"),
                Units.duration(of(entry, "search-time")),
                of(entry, "programmatic-launches").equals("true"),
                of(entry, "fp8-fast-accumulation").equals("true"),
                Setting.Adapters.read(of(entry, "adapters")));
    }

    private String of(Map<String, Resolved> entry, String name) {
        Resolved own = entry.get(name);
        if (own != null) {
            return own.value();
        }
        Resolved common = values.get("engine." + name);
        return common == null ? "" : common.value();
    }

    private String text(String key) {
        return Objects.requireNonNull(values.get(key), key).value();
    }

    private List<String> texts(String key) {
        return Stream.of(text(key).split(","))
                .map(String::strip)
                .filter(part -> !part.isEmpty())
                .toList();
    }

    private int whole(String key) {
        return Integer.parseInt(text(key));
    }

    private long size(String key) {
        return Units.size(text(key));
    }

    private Duration time(String key) {
        return Units.duration(text(key));
    }
}
