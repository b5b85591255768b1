package dev.jeton.server.config;

import dev.jeton.accounting.Budget;
import dev.jeton.models.StepSize;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;

/**
 * Everything that can be configured, checked against its bounds. Keys, defaults and meanings: {@link Schema}.
 *
 * @param server the process
 * @param tls what connections are encrypted by
 * @param http connections
 * @param stream answers under way
 * @param limits what one request may ask for
 * @param metrics what is exported
 * @param log what is logged
 * @param tracing where spans go
 * @param books what books are kept, and where
 * @param admin who may change tenants, keys, budgets and prices, and where
 * @param webhooks where events go
 * @param tasks how much is kept of tasks
 * @param idempotency which answers are kept to be given again
 * @param responses which responses are stored
 * @param batches which files and batches are kept
 * @param models what is served; empty takes the demo models
 * @param tenants who pays; empty books everything on one tenant, {@code default}
 * @param budgets limits on what they may spend
 */
public record Configuration(
        ServerSettings server,
        TlsSettings tls,
        HttpSettings http,
        StreamSettings stream,
        LimitSettings limits,
        MetricsSettings metrics,
        LogSettings log,
        TracingSettings tracing,
        BooksSettings books,
        AdminSettings admin,
        WebhookSettings webhooks,
        TaskSettings tasks,
        IdempotencySettings idempotency,
        ResponseSettings responses,
        BatchSettings batches,
        List<ModelSettings> models,
        List<Tenant> tenants,
        List<Budget> budgets) {

    /** With a list of its own. */
    public Configuration {
        models = List.copyOf(models);
        tenants = List.copyOf(tenants);
        budgets = List.copyOf(budgets);
    }

    /** The defaults, with some settings by key, for tests and embedding. */
    public static Configuration of(Map<String, String> settings) {
        return new ConfigurationLoader(Map.of()).flags(settings).load().configuration();
    }

    /**
     * The process.
     *
     * @param host address listened on
     * @param port port listened on; 0 takes a free one
     * @param apiKeys accepted keys; empty asks for none
     * @param hosts names under which it may be asked where it asks for no key and listens on its own machine only
     * @param allowedOrigins of web pages that may read answers; {@code *}: of all
     * @param drainTimeout how long running requests may go on after SIGTERM
     * @param maxRequests most requests handled at once; more get 429
     */
    public record ServerSettings(
            String host,
            int port,
            List<String> apiKeys,
            List<String> hosts,
            List<String> allowedOrigins,
            Duration drainTimeout,
            int maxRequests) {
        /** With lists of its own. */
        public ServerSettings {
            apiKeys = List.copyOf(apiKeys);
            hosts = List.copyOf(hosts);
            allowedOrigins = List.copyOf(allowedOrigins);
        }

        @Override
        public String toString() {
            return "ServerSettings[host=%s, port=%d, apiKeys=%d]".formatted(host, port, apiKeys.size());
        }
    }

    /**
     * What connections are encrypted by, the admin API's, too. All files are in PEM.
     *
     * @param certificate the server's certificate, and those who issued it behind it; empty for plain text
     * @param key its private key, without a password
     * @param clientCa authorities by one of which each client's certificate must be issued; empty asks for none
     * @param reloadInterval how often the files are looked at
     */
    public record TlsSettings(String certificate, String key, String clientCa, Duration reloadInterval) {}

    /**
     * Connections.
     *
     * @param maxConnections most connections at once; more are told 503 and closed
     * @param maxStreams most HTTP/2 streams of one connection
     * @param maxPipelined most requests of one connection that wait for the one being answered
     * @param maxBody most bytes of a request's body; more get 413
     * @param maxBuffered most bytes of all bodies being received or waiting; more get 503. As many of answers' ends
     *     that are not sent; past it the one that waited longest is dropped
     * @param maxUri most bytes of a request line; more get 414
     * @param maxHeader most bytes of all header fields; more get 431
     * @param headerTimeout longest time from a request's first byte to the end of its head
     * @param bodyTimeout longest time from there to the end of its body
     * @param idleTimeout how long a connection may stay without a request
     * @param writeBuffer bytes waiting to be sent on a connection past which its writer waits
     * @param sendBuffer the kernel's send buffer per connection, in bytes
     * @param eventLoops event loops; 0 takes one up to four cores, else a quarter of the cores
     */
    public record HttpSettings(
            int maxConnections,
            int maxStreams,
            int maxPipelined,
            int maxBody,
            long maxBuffered,
            int maxUri,
            int maxHeader,
            Duration headerTimeout,
            Duration bodyTimeout,
            Duration idleTimeout,
            int writeBuffer,
            int sendBuffer,
            int eventLoops) {}

    /**
     * Answers under way.
     *
     * @param stallTimeout how long a client may leave its stream unread before the request is cancelled
     */
    public record StreamSettings(Duration stallTimeout) {}

    /**
     * What one request may ask for.
     *
     * @param maxN most continuations of a prompt
     * @param maxPrompts most prompts in a list
     * @param maxInputs most texts in a list whose vectors are wanted
     * @param maxStopStrings most stop strings
     * @param maxStopLength most characters of a stop string
     * @param maxStopTokens most stop token ids
     * @param maxLogitBias most tokens with a bias
     * @param maxMessages most messages of a conversation
     * @param maxSchema most bytes of what an answer must be: a schema, an expression, a list of choices
     * @param grammarMemory most bytes of those that are kept compiled, of all models
     * @param tools and of tools
     * @param requestTimeout how long it may take from its arrival to its end; zero for no bound
     */
    public record LimitSettings(
            int maxN,
            int maxPrompts,
            int maxInputs,
            int maxStopStrings,
            int maxStopLength,
            int maxStopTokens,
            int maxLogitBias,
            int maxMessages,
            int maxSchema,
            long grammarMemory,
            ToolLimits tools,
            Duration requestTimeout) {}

    /**
     * What one request may ask for of tools.
     *
     * @param maxTools most tools
     * @param maxSchema most bytes of them all, as JSON
     * @param maxCalls most calls of one continuation, which ends where there are more
     * @param maxCall most bytes of one call, which ends the continuation where it is longer
     */
    public record ToolLimits(int maxTools, int maxSchema, int maxCalls, int maxCall) {}

    /**
     * What is exported.
     *
     * @param vllmNames whether the compatibility set under vLLM's names is exported too
     * @param tenants tenants that are labels of their own in metrics of cost; others are one
     * @param gpu whether GPUs are watched, where NVML is there
     * @param nvml NVML's file; empty to look in the usual places
     * @param dcgmNames whether GPUs are exported under dcgm-exporter's names, too
     * @param endpoint a collector's OTLP/HTTP URL for metrics; empty for none
     * @param interval between two reports to it
     */
    public record MetricsSettings(
            boolean vllmNames,
            List<String> tenants,
            boolean gpu,
            String nvml,
            boolean dcgmNames,
            String endpoint,
            Duration interval) {
        /** With a list of its own. */
        public MetricsSettings {
            tenants = List.copyOf(tenants);
        }
    }

    /**
     * What is logged.
     *
     * @param level {@code error}, {@code warn}, {@code info} or {@code debug}
     * @param format {@code json}, {@code console}, or {@code auto}: console on a terminal
     */
    public record LogSettings(String level, String format) {}

    /**
     * Where spans go.
     *
     * @param endpoint a collector's OTLP/HTTP URL for traces; empty sends none
     * @param service this service's name in traces
     * @param percent how many of a hundred requests without a trace context are recorded
     */
    public record TracingSettings(String endpoint, String service, int percent) {}

    /**
     * What books are kept, and where.
     *
     * @param enabled whether requests are booked
     * @param folder of the journal and the embedded ledger; empty takes a temporary one, lost at the end
     * @param node this process's name in the ledger; empty takes the host's
     * @param ledger JDBC URL; empty takes SQLite in the folder
     * @param user of the ledger's database
     * @param password of the ledger's database
     * @param prices file with the price book; empty takes one in which everything is free
     * @param zone that this process is in; empty where it is not known
     * @param aborted what is billed of requests that a crash cut off: {@code nothing}, {@code confirmed} or
     *     {@code granted}
     * @param energy {@code measured} where a counter can be read, or always {@code modelled}
     * @param journalBytes most bytes of facts that the ledger has not taken
     * @param lease how long what was allotted of a shared budget is spent while the ledger's database is away
     * @param maxQuestions most callers who ask the ledger over HTTP at once, waiting included
     * @param questionTimeout how long the ledger's database may work on a question over HTTP
     */
    public record BooksSettings(
            boolean enabled,
            String folder,
            String node,
            String ledger,
            String user,
            String password,
            String prices,
            String zone,
            String aborted,
            String energy,
            long journalBytes,
            Duration lease,
            int maxQuestions,
            Duration questionTimeout) {

        @Override
        public String toString() {
            return "BooksSettings[folder=%s, node=%s, ledger=%s]".formatted(folder, node, ledger);
        }
    }

    /**
     * Who may change tenants, keys, budgets and prices, and where.
     *
     * @param host address listened on
     * @param port port listened on, one of its own; 0 for no admin API
     * @param keys who may, by digest of the key
     * @param logBytes most bytes of the audit log
     * @param gracePercent most grace of a budget, of its limit
     * @param graceTime how long grace may last
     * @param adapterRoot folder below which adapters may be loaded; empty where none may be
     * @param maxAdapters most adapters loaded at a time
     * @param adapterBytes most bytes of memory of them
     */
    public record AdminSettings(
            String host,
            int port,
            Map<String, String> keys,
            long logBytes,
            int gracePercent,
            Duration graceTime,
            String adapterRoot,
            int maxAdapters,
            long adapterBytes) {
        /** With a map of its own. */
        public AdminSettings {
            keys = Map.copyOf(keys);
        }

        @Override
        public String toString() {
            return "AdminSettings[host=%s, port=%d, keys=%s]".formatted(host, port, keys.values());
        }
    }

    /**
     * Where events go.
     *
     * @param url of the receiver; empty for none
     * @param secret what signs them, in Base64; never empty where there is a receiver
     * @param timeout how long a receiver may take to answer
     * @param maxAttempts attempts before an event is given up
     * @param queue most events that wait
     */
    public record WebhookSettings(String url, String secret, Duration timeout, int maxAttempts, int queue) {

        /** The secret's bytes. */
        public byte[] key() {
            return Setting.Secret.bytes(secret);
        }

        @Override
        public String toString() {
            return "WebhookSettings[url=%s, timeout=%s, maxAttempts=%d, queue=%d]"
                    .formatted(url, timeout, maxAttempts, queue);
        }
    }

    /**
     * How much is kept of tasks in memory.
     *
     * @param maxOpen most open tasks, and most that have ended and are remembered
     * @param maxOpenPerTenant the same of one tenant
     * @param maxSteps most steps of one task
     * @param maxKeptSteps most steps of all tasks that are kept, a quarter of them of one tenant
     * @param maxIdle after which a task that nobody uses ends as expired
     * @param late how long a task takes steps after its end
     */
    public record TaskSettings(
            int maxOpen, int maxOpenPerTenant, int maxSteps, int maxKeptSteps, Duration maxIdle, Duration late) {}

    /**
     * Which answers are kept, in memory, to be given again to who repeats a request under its {@code Idempotency-Key}.
     *
     * @param maxEntries most answers; a quarter of them of one tenant
     * @param maxBytes most bytes of them all; a quarter of them of one tenant
     * @param maxAnswer most bytes of one
     * @param timeToLive how long one is kept
     */
    public record IdempotencySettings(int maxEntries, long maxBytes, int maxAnswer, Duration timeToLive) {}

    /**
     * Which responses are stored, in memory, to be asked for and gone on from by their ids.
     *
     * @param store whether any are
     * @param maxEntries most responses; a quarter of them of one tenant
     * @param maxBytes most bytes of them all, inputs included; a quarter of them of one tenant
     * @param timeToLive how long one is stored
     * @param maxBackground most that are made in the background at once; a quarter of them of one tenant
     */
    public record ResponseSettings(
            boolean store, int maxEntries, long maxBytes, Duration timeToLive, int maxBackground) {}

    /**
     * Files and batches that are kept, and how batches are worked through.
     *
     * @param folder of them; empty keeps none
     * @param maxFile most bytes of a file that is sent
     * @param maxFiles most files, and most batches that are remembered; a quarter of them of one tenant
     * @param maxBytes most bytes of all files; a quarter of them of one tenant
     * @param maxOpen most batches that are not at their end; a quarter of them of one tenant
     * @param maxRequests most requests of a batch
     * @param parallel most of their requests that are answered at once, three quarters of them of one tenant
     * @param timeToLive how long results are kept, and batches remembered
     */
    public record BatchSettings(
            String folder,
            long maxFile,
            int maxFiles,
            long maxBytes,
            int maxOpen,
            int maxRequests,
            int parallel,
            Duration timeToLive) {}

    /**
     * A model to serve.
     *
     * @param path folder, or ORG/NAME in the local Hugging Face cache
     * @param name served name; empty takes the folder's
     * @param chatTemplate file with a chat template; empty takes the model's own
     * @param toolCallParser how it writes tool calls: {@code auto}, {@code none} or a format's name
     * @param reasoningParser how it marks its thinking: {@code auto}, {@code none} or a format's name
     * @param engine engine's name
     * @param maxModelLength most tokens of a sequence; 0 takes the model's own
     * @param kvBytes bytes of KV memory; 0 lets the engine choose
     * @param hostKvBytes bytes of the host's memory to which K and V are offloaded; 0 for none
     * @param maxSequences most sequences in a batch; 0 is the engine's own
     * @param maxBatchedTokens most tokens in a step; 0 is the engine's own
     * @param stepTarget what a step with prompts may be predicted to take while others decode; zero is the engine's own
     * @param maxDrafts most tokens drafted for a sequence in a step; -1 is the engine's own
     * @param maxWaiting most sequences waiting; more get 429
     * @param maxWaitingTokens most tokens of prompts and predictions waiting; more get 429
     * @param blockSize tokens of a block
     * @param threads compute threads; 0 takes the machine's cores
     * @param quantize {@code none}, {@code q8_0}, {@code int8} or {@code fp8}
     * @param device which GPU, by number or UUID, or several with commas between; empty for the first
     * @param tensorParallel GPUs that share the model
     * @param deterministic whether only algorithms are taken whose sums have one order
     * @param kvType of K and V in memory: {@code auto}, {@code f32}, {@code bf16}, {@code fp8} or {@code int8}
     * @param searchTime how long a load may time algorithms on a GPU
     * @param programmaticLaunches whether a kernel may come onto a GPU while the one before it ends
     * @param fastFp8 whether products of fp8 may keep their sums in fewer bits
     * @param adapters folders of its adapters by their served names, in order
     */
    public record ModelSettings(
            String path,
            String name,
            String chatTemplate,
            String toolCallParser,
            String reasoningParser,
            String engine,
            int maxModelLength,
            long kvBytes,
            long hostKvBytes,
            int maxSequences,
            int maxBatchedTokens,
            Duration stepTarget,
            int maxDrafts,
            int maxWaiting,
            int maxWaitingTokens,
            int blockSize,
            int threads,
            String quantize,
            String device,
            int tensorParallel,
            boolean deterministic,
            String kvType,
            Duration searchTime,
            boolean programmaticLaunches,
            boolean fastFp8,
            SequencedMap<String, String> adapters) {

        /**
         * The same on an engine of this name.
         *
         * @param usual sizes of its steps where these settings leave them to it
         */
        public ModelSettings on(String other, StepSize usual) {
            return new ModelSettings(
                    path,
                    name,
                    chatTemplate,
                    toolCallParser,
                    reasoningParser,
                    other,
                    maxModelLength,
                    kvBytes,
                    hostKvBytes,
                    maxSequences == 0 ? usual.maxSequences() : maxSequences,
                    maxBatchedTokens == 0 ? usual.maxBatchedTokens() : maxBatchedTokens,
                    stepTarget.isZero() ? usual.target() : stepTarget,
                    maxDrafts < 0 ? usual.maxDrafts() : maxDrafts,
                    maxWaiting,
                    maxWaitingTokens,
                    blockSize,
                    threads,
                    quantize,
                    device,
                    tensorParallel,
                    deterministic,
                    kvType,
                    searchTime,
                    programmaticLaunches,
                    fastFp8,
                    adapters);
        }
    }
}
