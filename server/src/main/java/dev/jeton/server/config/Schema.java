package dev.jeton.server.config;

import dev.jeton.models.Engines;
import dev.jeton.models.reasoning.ReasoningFormat;
import dev.jeton.models.tools.ToolFormat;
import dev.jeton.server.config.Setting.Choice;
import dev.jeton.server.config.Setting.Flag;
import dev.jeton.server.config.Setting.Kind;
import dev.jeton.server.config.Setting.Name;
import dev.jeton.server.config.Setting.Size;
import dev.jeton.server.config.Setting.Text;
import dev.jeton.server.config.Setting.Texts;
import dev.jeton.server.config.Setting.Time;
import dev.jeton.server.config.Setting.Whole;
import java.time.Duration;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Every known setting. The {@code engine} section holds what each entry of {@code models} may set for itself; beside
 * those an entry has {@code path}, {@code name} and {@code chat-template}.
 */
final class Schema {

    private static final Kind TEXT = new Text();
    private static final Kind DAYS = new Time(Duration.ofSeconds(1), Duration.ofDays(30));
    private static final Kind TIMEOUT = new Time(Duration.ofMillis(1), Duration.ofHours(24));

    /** Settings, in the order in which they are shown. */
    static final List<Setting> SETTINGS = List.of(
            new Setting("server.host", TEXT, "127.0.0.1", "address listened on; 0.0.0.0 for every interface"),
            new Setting("server.port", new Whole(0, 65_535), "8000", "port listened on; 0 takes a free one"),
            new Setting("server.api-keys", new Texts(), "", "accepted keys; none: no key is asked for"),
            new Setting(
                    "server.hosts",
                    new Texts(),
                    "",
                    "names under which it may be asked on its own machine where it asks for no key, beside localhost and"
                            + " addresses; *: any"),
            new Setting(
                    "server.allowed-origins",
                    new Setting.Origins(),
                    "",
                    "origins of web pages that may read answers (CORS), as https://ui.example.org; *: all"),
            new Setting("server.drain-timeout", TIMEOUT, "30s", "how long running requests may go on after SIGTERM"),
            new Setting(
                    "server.max-requests",
                    new Whole(1, 1_000_000),
                    "2048",
                    "requests at once, three quarters of a tenant; more get 429"),
            new Setting(
                    "tls.certificate",
                    TEXT,
                    "",
                    "PEM file of the server's certificate and those who issued it; empty: plain text. The admin API has"
                            + " it, too"),
            new Setting("tls.key", TEXT, "", "PEM file of its private key, without a password"),
            new Setting(
                    "tls.client-ca",
                    TEXT,
                    "",
                    "PEM file of authorities; clients must show a certificate that one of them has issued"),
            new Setting(
                    "tls.reload-interval",
                    new Time(Duration.ofSeconds(1), Duration.ofDays(1)),
                    "30s",
                    "how often the files are looked at; renewed ones are taken without a restart"),
            new Setting("http.max-connections", new Whole(1, 1_000_000), "4096", "connections at once"),
            new Setting("http.max-streams", new Whole(1, 65_536), "256", "HTTP/2 streams of one connection"),
            new Setting("http.max-pipelined", new Whole(1, 1_024), "16", "waiting requests of one connection"),
            new Setting("http.max-body", new Size(1_024, 1 << 30), "16MiB", "bytes of a body; more get 413"),
            new Setting(
                    "http.max-buffered",
                    new Size(1 << 20, 1L << 40),
                    "256MiB",
                    "bytes of all bodies held at once; as many of answers that clients leave unread"),
            new Setting("http.max-uri", new Whole(64, 65_536), "4096", "bytes of a request line; more get 414"),
            new Setting("http.max-header", new Whole(256, 1 << 20), "16384", "bytes of header fields; more get 431"),
            new Setting("http.header-timeout", TIMEOUT, "10s", "from a request's first byte to its head's end"),
            new Setting("http.body-timeout", TIMEOUT, "60s", "from a request's head to its body's end"),
            new Setting("http.idle-timeout", TIMEOUT, "75s", "how long a connection may stay without a request"),
            new Setting("http.write-buffer", new Size(1_024, 1 << 30), "64KiB", "unsent bytes at which a writer waits"),
            new Setting("http.send-buffer", new Size(4_096, 1 << 30), "256KiB", "kernel's send buffer of a connection"),
            new Setting("http.event-loops", new Whole(0, 256), "0", "0: one up to four cores, else cores / 4"),
            new Setting("stream.stall-timeout", TIMEOUT, "30s", "how long a client may leave its stream unread"),
            new Setting("limits.max-n", new Whole(1, 4_096), "128", "continuations of one prompt"),
            new Setting("limits.max-prompts", new Whole(1, 4_096), "128", "prompts in a list"),
            new Setting(
                    "limits.max-inputs", new Whole(1, 65_536), "2048", "texts to embed, rank or classify in a list"),
            new Setting("limits.max-stop-strings", new Whole(1, 1_024), "16", "stop strings of a request"),
            new Setting("limits.max-stop-length", new Whole(1, 65_536), "1024", "characters of a stop string"),
            new Setting("limits.max-stop-tokens", new Whole(1, 65_536), "1024", "stop token ids of a request"),
            new Setting("limits.max-logit-bias", new Whole(1, 65_536), "1024", "tokens with a bias in a request"),
            new Setting(
                    "limits.request-timeout",
                    new Time(Duration.ZERO, Duration.ofHours(24)),
                    "0s",
                    "how long a request may take, waiting included; then 504. 0s: no bound"),
            new Setting("limits.max-messages", new Whole(1, 65_536), "4096", "messages of a conversation"),
            new Setting(
                    "limits.max-schema", new Size(16, 16 << 20), "128KiB", "bytes of a schema, expression or choices"),
            new Setting(
                    "limits.grammar-memory",
                    new Size(0, 1L << 40),
                    "128MiB",
                    "bytes of grammars compiled, in use or kept"),
            new Setting("limits.max-tools", new Whole(1, 65_536), "128", "tools of a request"),
            new Setting("limits.max-tool-schema", new Size(1, 1 << 30), "256KiB", "bytes of them all, as JSON"),
            new Setting(
                    "limits.max-tool-calls",
                    new Whole(1, 65_536),
                    "128",
                    "tool calls of a continuation; one more ends it with 'length'"),
            new Setting(
                    "limits.max-tool-call",
                    new Size(16, 1 << 30),
                    "1MiB",
                    "bytes of a tool call; a longer one ends it with 'length'"),
            new Setting("metrics.vllm-names", new Flag(), "false", "also export metrics under vLLM's names"),
            new Setting("metrics.gpu", new Flag(), "true", "watch GPUs, where NVML is there"),
            new Setting("metrics.nvml", TEXT, "", "NVML's file; empty: looked for in the usual places"),
            new Setting("metrics.dcgm-names", new Flag(), "false", "also export GPUs under dcgm-exporter's names"),
            new Setting("metrics.tenants", new Texts(), "", "tenants named in metrics of cost; others are one"),
            new Setting(
                    "metrics.endpoint", new Setting.Url(), "", "a collector's OTLP/HTTP URL for metrics; empty: none"),
            new Setting("metrics.interval", TIMEOUT, "60s", "between two reports to it"),
            new Setting("log.level", new Choice(List.of("error", "warn", "info", "debug")), "info", "what is logged"),
            new Setting("log.format", new Choice(List.of("auto", "json", "console")), "auto", "auto: by terminal"),
            new Setting(
                    "tracing.endpoint", new Setting.Url(), "", "a collector's OTLP/HTTP URL for traces; empty: none"),
            new Setting("tracing.service", TEXT, "jeton", "this service's name in traces and OTLP metrics"),
            new Setting("tracing.percent", new Whole(0, 100), "100", "requests traced without a context of their own"),
            new Setting("books.enabled", new Flag(), "true", "keep books of what every request costs"),
            new Setting("books.folder", TEXT, "", "journal and embedded ledger; empty: temporary, lost at the end"),
            new Setting("books.node", TEXT, "", "this process's name in the ledger; empty: the host's name"),
            new Setting("books.ledger", TEXT, "", "JDBC URL of the ledger; empty: SQLite in the folder"),
            new Setting("books.user", TEXT, "", "user of the ledger's database"),
            new Setting("books.password", TEXT, "", "password of the ledger's database"),
            new Setting("books.prices", TEXT, "", "price book, a YAML file; empty: everything is free"),
            new Setting("books.zone", new Name(), "", "zone this process is in, to price bytes; empty: unknown"),
            new Setting(
                    "books.aborted",
                    new Choice(List.of("nothing", "confirmed", "granted")),
                    "nothing",
                    "what is billed of requests that a crash cut off"),
            new Setting(
                    "books.energy",
                    new Choice(List.of("measured", "modelled")),
                    "measured",
                    "joules: measured where a counter can be read, or by the price book's watts"),
            new Setting(
                    "books.journal-size", new Size(1 << 20, 1L << 40), "2GiB", "facts that the ledger has not taken"),
            new Setting(
                    "books.lease",
                    new Time(Duration.ofSeconds(1), Duration.ofHours(24)),
                    "60s",
                    "how long shared budgets are spent while the ledger's database is away"),
            new Setting("books.max-questions", new Whole(1, 1_024), "16", "who asks /v1/books at once; more get 503"),
            new Setting(
                    "books.question-timeout",
                    new Time(Duration.ofSeconds(1), Duration.ofHours(1)),
                    "30s",
                    "how long the ledger's database may work on a question"),
            new Setting("admin.host", TEXT, "127.0.0.1", "address that the admin API listens on"),
            new Setting("admin.port", new Whole(0, 65_535), "0", "port of the admin API, one of its own; 0: none"),
            new Setting("admin.keys", new Setting.Digests(), "", "ID:SHA256 of keys that may administer"),
            new Setting("admin.log-size", new Size(1 << 20, 1L << 40), "256MiB", "bytes of the audit log"),
            new Setting("admin.grace-percent", new Whole(0, 1_000), "20", "most grace of a budget, of its limit"),
            new Setting(
                    "admin.grace-time",
                    new Time(Duration.ofMinutes(1), Duration.ofDays(31)),
                    "24h",
                    "how long grace may last"),
            new Setting(
                    "admin.adapter-root",
                    TEXT,
                    "",
                    "folder below which the admin API may load adapters; empty: it loads none"),
            new Setting(
                    "admin.max-adapters", new Whole(1, 256), "16", "adapters that the admin API has loaded at most"),
            new Setting("admin.adapter-memory", new Size(1 << 20, 1L << 40), "2GiB", "bytes of memory of them all"),
            new Setting("webhooks.url", new Setting.Url(), "", "where events of budgets are sent; empty: nowhere"),
            new Setting("webhooks.secret", new Setting.Secret(), "", "what signs them, Base64"),
            new Setting("webhooks.timeout", TIMEOUT, "10s", "how long a receiver may take to answer"),
            new Setting("webhooks.max-attempts", new Whole(1, 100), "12", "attempts before an event is given up"),
            new Setting("webhooks.queue", new Whole(1, 100_000), "1000", "events that wait; more are dropped"),
            new Setting("tasks.max-open", new Whole(1, 1_000_000), "50000", "open tasks, and ended ones remembered"),
            new Setting("tasks.max-open-per-tenant", new Whole(1, 1_000_000), "10000", "the same of one tenant"),
            new Setting("tasks.max-steps", new Whole(1, 100_000), "1000", "steps of a task; more get 429"),
            new Setting("tasks.max-kept-steps", new Whole(1, 1_000_000), "200000", "steps kept; a quarter a tenant"),
            new Setting("tasks.max-idle", DAYS, "24h", "after which an unused task ends as expired"),
            new Setting("tasks.late", DAYS, "24h", "how long a task takes steps after its end"),
            new Setting(
                    "idempotency.max-entries", new Whole(1, 1_000_000), "10000", "answers kept for Idempotency-Key"),
            new Setting(
                    "idempotency.max-size", new Size(1_024, 1L << 40), "64MiB", "bytes of them; a quarter a tenant"),
            new Setting(
                    "idempotency.max-answer", new Size(1, 1 << 30), "1MiB", "bytes of one; a longer one is not kept"),
            new Setting("idempotency.time-to-live", DAYS, "24h", "how long an answer is kept"),
            new Setting(
                    "responses.store",
                    new Flag(),
                    "true",
                    "store responses in memory, unless a request says otherwise; false: none, whatever it says"),
            new Setting(
                    "responses.max-entries", new Whole(1, 1_000_000), "10000", "responses stored; a quarter a tenant"),
            new Setting(
                    "responses.max-size",
                    new Size(1_024, 1L << 40),
                    "64MiB",
                    "bytes of them, inputs included; a quarter a tenant"),
            new Setting("responses.time-to-live", DAYS, "24h", "how long a response is stored"),
            new Setting(
                    "responses.max-background",
                    new Whole(1, 100_000),
                    "256",
                    "responses made in the background at once; a quarter a tenant"),
            new Setting("batches.folder", TEXT, "", "files and batches of /v1/files and /v1/batches; empty: none"),
            new Setting("batches.max-file", new Size(1_024, 1L << 32), "200MiB", "bytes of a file; more get 413"),
            new Setting(
                    "batches.max-files", new Whole(4, 1_000_000), "10000", "files, and batches; a quarter a tenant"),
            new Setting(
                    "batches.max-size", new Size(1 << 20, 1L << 50), "20GiB", "bytes of all files; a quarter a tenant"),
            new Setting(
                    "batches.max-open", new Whole(1, 10_000), "100", "batches not at their end; a quarter a tenant"),
            new Setting("batches.max-requests", new Whole(1, 2_000_000), "50000", "requests of a batch"),
            new Setting(
                    "batches.parallel",
                    new Whole(1, 100_000),
                    "64",
                    "requests of batches answered at once, three quarters of a tenant"),
            new Setting("batches.time-to-live", DAYS, "720h", "how long results and batches are kept"),
            new Setting(
                    "engine.engine",
                    TEXT,
                    Engines.AUTO,
                    "name, see jeton engines; auto: the first that reads the model"),
            new Setting(
                    "engine.tool-call-parser",
                    new Choice(ToolFormat.choices()),
                    ToolFormat.AUTO,
                    "how models write tool calls; auto: as the chat template tells; none: calls stay text"),
            new Setting(
                    "engine.reasoning-parser",
                    new Choice(ReasoningFormat.choices()),
                    ReasoningFormat.AUTO,
                    "how models mark what they think; auto: as the chat template tells; none: it stays in the content"),
            new Setting(
                    "engine.adapters",
                    new Setting.Adapters(),
                    "",
                    "NAME=FOLDER of low-rank adapters as PEFT writes them, each served as a model of that name"),
            new Setting("engine.max-model-len", new Whole(0, 1 << 24), "0", "tokens of a sequence; 0: the model's own"),
            new Setting(
                    "engine.kv-memory",
                    new Size(0, 1L << 50),
                    "0",
                    "bytes of KV memory, of each GPU where several share a model; 0: the engine chooses"),
            new Setting(
                    "engine.kv-host-memory",
                    new Size(0, 1L << 50),
                    "0",
                    "bytes of the host's memory, pinned, where K and V that a GPU evicts are kept; 0: none"),
            new Setting(
                    "engine.max-num-seqs",
                    new Whole(0, 65_536),
                    "0",
                    "sequences in a batch; 0: 64 on processors, 256 on GPUs"),
            new Setting(
                    "engine.max-batched-tokens",
                    new Whole(0, 1 << 20),
                    "0",
                    "tokens in a step; 0: 512 on processors, 4096 on GPUs"),
            new Setting(
                    "engine.step-target",
                    new Time(Duration.ZERO, Duration.ofHours(1)),
                    "0s",
                    "while sequences decode, prompts are cut so that a step is predicted to take no longer; 0: not on"
                            + " processors, 50ms on GPUs (1h is as good as never)"),
            new Setting(
                    "engine.max-drafts",
                    new Whole(-1, 64),
                    "-1",
                    "tokens computed in advance for a sequence in a step, where they are worth it; 0: none; -1: 8 on"
                            + " processors, none on GPUs"),
            new Setting(
                    "engine.max-waiting",
                    new Whole(1, 1 << 20),
                    "1024",
                    "requests waiting, three quarters of a tenant; more get 429"),
            new Setting(
                    "engine.max-waiting-tokens",
                    new Whole(1, Integer.MAX_VALUE),
                    "16777216",
                    "tokens of prompts and predictions waiting, some ten bytes each; more get 429"),
            new Setting("engine.block-size", new Whole(1, 1_024), "16", "tokens of a block, a power of two"),
            new Setting("engine.threads", new Whole(0, 1_024), "0", "compute threads; 0: the machine's cores"),
            new Setting(
                    "engine.quantize",
                    new Choice(List.of("none", "q8_0", "int8", "fp8")),
                    "none",
                    "quantisation of weights at load: q8_0 on the cpu engine, int8 or fp8 on the cuda engine"),
            new Setting(
                    "engine.device",
                    TEXT,
                    "",
                    "GPU: its number, or its UUID or that one's beginning; several: with commas between; empty: the first"),
            new Setting(
                    "engine.tensor-parallel-size",
                    new Whole(1, 64),
                    "1",
                    "GPUs that share a model on the cuda engine, each with a part of every matrix; needs NCCL from 2 on"),
            new Setting("engine.deterministic", new Flag(), "false", "only algorithms whose sums have one order"),
            new Setting(
                    "engine.kv-cache-dtype",
                    new Choice(List.of("auto", "f32", "bf16", "fp8", "int8")),
                    "auto",
                    "type of K and V: f32 or bf16 on the cpu engine (auto: bf16 if weights are bf16 or quantised), fp8"
                            + " or int8 on the cuda engine (auto: as activations)"),
            new Setting(
                    "engine.search-time",
                    new Time(Duration.ZERO, Duration.ofHours(1)),
                    "20s",
                    "how long a load may time algorithms for products on a GPU; what is found is kept on disk"),
            new Setting(
                    "engine.programmatic-launches",
                    new Flag(),
                    "true",
                    "on GPUs from the H100 on, a kernel may come onto the GPU while the one before it ends"),
            new Setting(
                    "engine.fp8-fast-accumulation",
                    new Flag(),
                    "false",
                    "products of fp8 may keep their sums in fewer bits, which some GPUs (H100) do faster"));

    /** What an entry of {@code models} has beside the engine's settings. */
    static final List<Setting> MODEL_SETTINGS = Stream.concat(
                    Stream.of(
                            new Setting("models.path", TEXT, "", "model folder, or ORG/NAME in the Hugging Face cache"),
                            new Setting("models.name", TEXT, "", "served name; empty: the folder's"),
                            new Setting("models.chat-template", TEXT, "", "template file; empty: the model's own")),
                    SETTINGS.stream().filter(setting -> setting.key().startsWith("engine.")))
            .toList();

    private static final Map<String, Setting> BY_KEY = new LinkedHashMap<>();

    static {
        SETTINGS.forEach(setting -> BY_KEY.put(setting.key(), setting));
    }

    private Schema() {}

    static Optional<Setting> find(String key) {
        return Optional.ofNullable(BY_KEY.get(key));
    }

    static List<String> keys() {
        return List.copyOf(BY_KEY.keySet());
    }

    /** What may stand at the top of a file: sections and lists. */
    static List<String> sections() {
        return Stream.concat(
                        Stream.of("models", "tenants", "budgets"),
                        SETTINGS.stream().map(Setting::section))
                .distinct()
                .toList();
    }

    /** The known word nearest to {@code word}, as a suggestion to append to an error; empty where none is near. */
    static String suggestion(String word, List<String> known) {
        return known.stream()
                .min(Comparator.comparingInt(candidate -> distance(word, candidate)))
                .filter(candidate -> distance(word, candidate) <= Math.max(3, word.length() / 3))
                .map(candidate -> "; did you mean '" + candidate + "'?")
                .orElse("");
    }

    /** Levenshtein's distance: insertions, deletions and replacements from one word to the other. */
    private static int distance(String from, String to) {
        int[] row = new int[to.length() + 1];
        for (int j = 0; j <= to.length(); j++) {
            row[j] = j;
        }
        for (int i = 1; i <= from.length(); i++) {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= to.length(); j++) {
                int replaced = diagonal + (from.charAt(i - 1) == to.charAt(j - 1) ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.min(replaced, Math.min(row[j], row[j - 1]) + 1);
            }
        }
        return row[to.length()];
    }
}
