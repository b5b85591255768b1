package dev.jeton.server.admin;

import dev.jeton.accounting.Budget;
import dev.jeton.server.api.ApiException;
import dev.jeton.server.json.JsonObject;
import dev.jeton.server.metrics.PolicyStats;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What was decided, and the only way to decide otherwise. Reading takes what was published last; changes are made one
 * at a time: held against the policy of that moment, written to the audit log, and only once they are on disk published
 * and told to the listeners. What is decided is what the log's changes come to over the configuration's files, so a
 * restart finds the same.
 */
public final class PolicyStore implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(PolicyStore.class);

    private final PolicyFiles files;
    private final LongSupplier micros;
    private final ReentrantLock lock = new ReentrantLock();
    private final List<PolicyListener> listeners = new ArrayList<>();
    /** Under the lock, as the log is. */
    private final PolicyState state;

    private final Optional<AuditLog> log;
    private volatile Policy policy;
    private volatile PolicyStats stats;

    /**
     * Opens the store.
     *
     * @param folder of the books; empty where nothing is to be changed and nothing ever was
     * @param maxBytes of the audit log
     * @param micros the time, microseconds since 1970
     * @throws PolicyException where the log was changed by others, is used by another process, or cannot be read
     */
    public PolicyStore(Optional<Path> folder, PolicyFiles files, long maxBytes, LongSupplier micros) {
        this.files = files;
        this.micros = micros;
        state = new PolicyState(files);
        log = folder.map(place -> new AuditLog(place, maxBytes, state::apply));
        policy = state.policy(log.map(AuditLog::sequence).orElse(0L));
        stats = gauges();
        state.warn();
        log.ifPresent(written -> followFiles());
    }

    /** Whether the folder has a log, so that what it says must hold whether or not there is an admin API. */
    public static boolean exists(Path folder) {
        return Files.exists(folder.resolve(AuditLog.NAME)) || Files.exists(folder.resolve(AuditLog.HEAD));
    }

    /** What holds at a start with these files: the audit log is read, if there is one, and nothing else is done. */
    public static Policy read(Path folder, PolicyFiles files) {
        PolicyState state = new PolicyState(files);
        if (exists(folder)) {
            AuditLog.read(folder, state::apply);
        }
        if (state.pricesOutdated()) {
            LOG.warn(
                    "the file of books.prices has changed (it is {} now), so its prices hold and those that the admin API had"
                            + " put in place of the earlier ones do not; put them again where they are still meant",
                    files.prices().version());
        }
        return state.policy(0);
    }

    /** Writes down that the files are others than at the last start, which is a change like any other. */
    private void followFiles() {
        String digest = files.digest();
        if (digest.equals(state.filesDigest())) {
            return;
        }
        try {
            if (state.pricesOutdated()) {
                change(
                        Author.files("the file of books.prices has changed"),
                        before -> Optional.of(
                                Change.gone("prices.reset", files.prices().version())));
            }
            change(Author.files(""), before -> Optional.of(Change.set("files.load", "configuration", loaded(digest))));
        } catch (ApiException e) {
            LOG.warn("that the files have changed could not be written down: {}", e.getMessage());
        }
    }

    private JsonObject loaded(String digest) {
        return AuditEntry.object(
                "digest",
                digest,
                "tenants",
                files.tenants().size(),
                "budgets",
                files.budgets().size(),
                "prices",
                files.prices().version());
    }

    /** What is decided now. */
    public Policy policy() {
        return policy;
    }

    /** What is the files' and cannot be changed here. */
    PolicyFiles files() {
        return files;
    }

    /** The time, microseconds since 1970. */
    long now() {
        return micros.getAsLong();
    }

    /** Gauges. */
    public PolicyStats stats() {
        return stats;
    }

    /** Tells a listener what is decided now and every change from now on. */
    public void follow(PolicyListener listener) {
        lock.lock();
        try {
            listeners.add(listener);
            listener.tenants(policy.tenants());
            listener.budgets(policy.budgets());
            listener.prices(policy.prices());
        } finally {
            lock.unlock();
        }
    }

    /**
     * Changes something.
     *
     * @param decide what is to be done, from the policy of this moment; nothing where that is what is already so.
     *     Throws what is wrong with it
     * @return the policy as it then is
     * @throws ApiException 412 where the policy has another version than expected, 503 where the log is full or failing
     */
    public Policy change(Author author, Function<Policy, Optional<Change>> decide) {
        lock.lock();
        try {
            author.expected().ifPresent(this::requireVersion);
            Optional<Change> decided = decide.apply(policy);
            if (decided.isPresent()) {
                make(author, decided.get());
            }
            return policy;
        } finally {
            lock.unlock();
        }
    }

    private void requireVersion(long expected) {
        if (policy.version() != expected) {
            throw new ApiException(
                    412,
                    ApiException.INVALID_REQUEST,
                    "if-match",
                    "version_mismatch",
                    "The policy has version %d, not %d: somebody changed it meanwhile. Read it again, and ask again"
                            .formatted(policy.version(), expected));
        }
    }

    private void make(Author author, Change change) {
        AuditLog written = log.orElseThrow(
                () -> ApiException.unavailable("no_audit_log", "Nothing can be changed without a folder of books"));
        if (written.failed()) {
            throw ApiException.unavailable(
                    "audit_log_failed",
                    "The audit log's disk has failed, so nothing is changed until it is seen to and the server restarted");
        }
        AuditEntry entry = written.next(micros.getAsLong(), author, change);
        if (!written.fits(entry.line().length)) {
            throw ApiException.unavailable(
                    "audit_log_full",
                    "The audit log has %,d bytes of at most %,d and this change does not fit; raise admin.log-size and restart"
                            .formatted(written.bytes(), written.maxBytes()));
        }
        try {
            written.append(entry);
        } catch (PolicyException e) {
            stats = gauges();
            LOG.error("a change could not be written down", e);
            throw ApiException.unavailable("audit_log_failed", String.valueOf(e.getMessage()));
        }
        // As a restart would read it, so that what holds now is what will hold then.
        state.apply(AuditEntry.read(entry.line()));
        policy = state.policy(entry.sequence());
        stats = gauges();
        LOG.atInfo()
                .addKeyValue("version", entry.sequence())
                .addKeyValue("who", entry.who())
                .addKeyValue("action", entry.action())
                .addKeyValue("target", entry.target())
                .log("policy changed");
        listeners.forEach(listener -> tell(listener, entry));
    }

    private void tell(PolicyListener listener, AuditEntry entry) {
        switch (entry.kind()) {
            case "tenant", "project", "key" -> listener.tenants(policy.tenants());
            case "prices" -> listener.prices(policy.prices());
            case "budget" -> {
                listener.budgets(policy.budgets());
                policy.budget(entry.target()).ifPresent(budget -> tellOperation(listener, entry, budget));
            }
            default -> {}
        }
    }

    private static void tellOperation(PolicyListener listener, AuditEntry entry, Budget budget) {
        if (entry.action().equals("budget.kill")) {
            listener.killed(budget, entry);
        } else if (entry.action().equals("budget.grace") && budget.grace().amount() > 0) {
            listener.graceGiven(budget, entry);
        }
    }

    private PolicyStats gauges() {
        return log.map(written ->
                        new PolicyStats(written.sequence(), written.bytes(), written.maxBytes(), written.failed()))
                .orElse(new PolicyStats(0, 0, 0, false));
    }

    /**
     * Lines of the audit log, held against one another.
     *
     * @throws PolicyException where a line was changed since the start
     */
    List<byte[]> audit(long after, int limit, long maxBytes) {
        lock.lock();
        try {
            return log.map(written -> written.page(after, limit, maxBytes)).orElse(List.of());
        } finally {
            lock.unlock();
        }
    }

    /** Nothing can be changed any more. */
    @Override
    public void close() {
        lock.lock();
        try {
            log.ifPresent(AuditLog::close);
        } finally {
            lock.unlock();
        }
    }
}
