package dev.jeton.server.admin;

import dev.jeton.accounting.AccountingException;
import dev.jeton.accounting.Budget;
import dev.jeton.accounting.Budget.Grace;
import dev.jeton.accounting.Budget.TopUp;
import dev.jeton.accounting.PriceBook;
import dev.jeton.server.config.BudgetFormat;
import dev.jeton.server.config.Tenant;
import dev.jeton.server.config.Tenant.Key;
import dev.jeton.server.json.JsonObject;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What all changes so far come to, over what the configuration's files say. Confined to one thread at a time.
 *
 * <p>The files win: a tenant, a key or a budget that stands there now is what it is there, whatever the admin API had
 * made of the same name. Prices are whichever were decided last: the admin API's follow one version of the file, and
 * are given up once that has another.
 */
final class PolicyState {

    private static final Logger LOG = LoggerFactory.getLogger(PolicyState.class);

    /** What was added to a tenant, and the tenant itself where the admin API made it. */
    private static final class Added {
        private Optional<JsonObject> own = Optional.empty();
        private final Set<String> projects = new LinkedHashSet<>();
        private final Map<String, Key> keys = new LinkedHashMap<>();
    }

    /** What was done to a budget, whoever made it. */
    private record Done(boolean killed, Grace grace, List<TopUp> topUps) {
        static final Done NOTHING = new Done(false, Grace.NONE, List.of());
    }

    /** Prices in place of the file's. */
    private record Prices(String content, String file) {}

    private final PolicyFiles files;
    private final Map<String, Added> tenants = new LinkedHashMap<>();
    private final Map<String, Budget> budgets = new LinkedHashMap<>();
    private final Map<String, Done> done = new LinkedHashMap<>();
    private final Map<String, AdapterPolicy> adapters = new LinkedHashMap<>();
    private Optional<Prices> prices = Optional.empty();
    /** The prices that hold, once they were read. */
    private Optional<PriceBook> book = Optional.empty();

    private String filesDigest = "";

    PolicyState(PolicyFiles files) {
        this.files = files;
    }

    /** Takes a change; they come in their order. */
    void apply(AuditEntry entry) {
        String[] target = entry.target().split("/", 2);
        if (entry.action().equals("tenant.create")) {
            tenants.remove(target[0]);
        } else if (entry.action().equals("budget.create")) {
            done.remove(target[0]);
        }
        switch (entry.kind()) {
            case "tenant" -> tenant(target[0], entry.content());
            case "project" ->
                entry.content()
                        .ifPresentOrElse(
                                content -> added(target[0]).projects.add(target[1]),
                                () -> added(target[0]).projects.remove(target[1]));
            case "key" ->
                entry.content()
                        .ifPresentOrElse(
                                content -> added(target[0]).keys.put(target[1], KeyFormat.read(target[1], content)),
                                () -> added(target[0]).keys.remove(target[1]));
            case "budget" ->
                entry.content().ifPresentOrElse(content -> budget(target[0], content), () -> {
                    budgets.remove(target[0]);
                    done.remove(target[0]);
                });
            case "prices" -> {
                prices = entry.content().map(content -> new Prices(content.text("yaml"), content.text("file")));
                book = Optional.empty();
            }
            case "adapter" ->
                entry.content()
                        .ifPresentOrElse(
                                content -> adapters.put(target[0], AdapterPolicy.read(target[0], content)),
                                () -> adapters.remove(target[0]));
            case "files" ->
                filesDigest =
                        entry.content().map(content -> content.text("digest")).orElse("");
            default ->
                throw new PolicyException(
                        ("line %d of the audit log has the action '%s', which this version does not know;"
                                        + " start the version that wrote it, or a newer one")
                                .formatted(entry.sequence(), entry.action()));
        }
    }

    private Added added(String tenant) {
        return tenants.computeIfAbsent(tenant, id -> new Added());
    }

    private void tenant(String id, Optional<JsonObject> content) {
        if (content.isEmpty()) {
            tenants.remove(id);
            return;
        }
        Added added = added(id);
        added.own = content;
        content.get()
                .list("projects")
                .orElse(List.of())
                .forEach(project -> added.projects.add(String.valueOf(project)));
    }

    private void budget(String id, JsonObject content) {
        content.object("definition").ifPresent(definition -> budgets.put(id, BudgetFormat.read(definition)));
        Done before = done.getOrDefault(id, Done.NOTHING);
        List<TopUp> topUps = content.object("top_up")
                .map(given -> {
                    List<TopUp> all = new ArrayList<>(before.topUps());
                    all.add(new TopUp(
                            given.text("id"),
                            whole(given, "amount", 0),
                            whole(given, "at", 0),
                            whole(given, "expires", Long.MAX_VALUE)));
                    return List.copyOf(all);
                })
                .orElse(before.topUps());
        Grace grace = content.object("grace")
                .map(given -> new Grace(whole(given, "amount", 0), whole(given, "until", 0)))
                .orElse(before.grace());
        done.put(id, new Done(content.flag("killed", before.killed()), grace, topUps));
    }

    private static long whole(JsonObject given, String name, long otherwise) {
        return given.optionalWhole(name, 0, Long.MAX_VALUE).orElse(otherwise);
    }

    /** Digest of the files that were read last; empty before the first. */
    String filesDigest() {
        return filesDigest;
    }

    /** Whether prices in place of the file's were decided for another version of the file, and so are given up. */
    boolean pricesOutdated() {
        return prices.filter(own -> !own.file().equals(files.prices().version()))
                .isPresent();
    }

    /** All of it, now. */
    Policy policy(long version) {
        PriceBook holds = book.orElseGet(this::allPrices);
        book = Optional.of(holds);
        return new Policy(version, allTenants(), allBudgets(), holds, List.copyOf(adapters.values()));
    }

    private List<Tenant> allTenants() {
        Set<String> digests = new HashSet<>();
        files.tenants().forEach(tenant -> tenant.keys().forEach(key -> digests.add(key.sha256())));
        List<Tenant> all = new ArrayList<>();
        for (Tenant tenant : files.tenants()) {
            Added added = tenants.get(tenant.id());
            all.add(added == null ? tenant : together(tenant, added, digests));
        }
        tenants.forEach((id, added) -> {
            if (!files.hasTenant(id)) {
                added.own.ifPresent(own -> all.add(together(
                        new Tenant(
                                id,
                                own.optionalText("name").orElse(id),
                                own.optionalText("zone").orElse(""),
                                List.of(),
                                List.of(),
                                own.flag("disabled", false)),
                        added,
                        digests)));
            }
        });
        return all;
    }

    private static Tenant together(Tenant tenant, Added added, Set<String> digests) {
        Set<String> projects = new LinkedHashSet<>(tenant.projects());
        projects.addAll(added.projects);
        List<Key> keys = new ArrayList<>(tenant.keys());
        Set<String> ids = new HashSet<>();
        tenant.keys().forEach(key -> ids.add(key.id()));
        added.keys.forEach((id, key) -> {
            if (!ids.contains(id) && !digests.contains(key.sha256())) {
                keys.add(key);
            }
        });
        return new Tenant(tenant.id(), tenant.name(), tenant.zone(), List.copyOf(projects), keys, tenant.disabled());
    }

    private List<Budget> allBudgets() {
        List<Budget> all = new ArrayList<>();
        files.budgets().forEach(budget -> all.add(withDone(budget)));
        budgets.forEach((id, budget) -> {
            if (!files.hasBudget(id)) {
                all.add(withDone(budget));
            }
        });
        return all;
    }

    private Budget withDone(Budget budget) {
        Done what = done.getOrDefault(budget.id(), Done.NOTHING);
        return new Budget(
                budget.id(),
                budget.level(),
                budget.tenant(),
                budget.project(),
                budget.key(),
                budget.unit(),
                budget.window(),
                budget.limit(),
                budget.mode(),
                what.killed(),
                what.grace(),
                what.topUps(),
                budget.thresholds(),
                budget.ladder(),
                budget.currency(),
                budget.shared());
    }

    private PriceBook allPrices() {
        if (prices.isEmpty() || pricesOutdated()) {
            return files.prices();
        }
        try {
            return PriceBook.parse(
                    "the price book of the admin API", prices.get().content());
        } catch (AccountingException e) {
            LOG.error(
                    "the price book of the admin API cannot be read any more, so the file's holds: {}", e.getMessage());
            return files.prices();
        }
    }

    /** Says what the admin API made and the files now say otherwise. */
    void warn() {
        tenants.forEach((id, added) -> {
            if (added.own.isPresent() && files.hasTenant(id)) {
                LOG.warn("tenant '{}' of the admin API stands in jeton.yaml now, and is what it is there", id);
            } else if (added.own.isEmpty() && !files.hasTenant(id)) {
                LOG.warn(
                        "tenant '{}' is not in jeton.yaml any more: keys and projects of the admin API are gone with it",
                        id);
            }
            added.keys.keySet().stream()
                    .filter(key -> files.hasKey(id, key))
                    .forEach(key -> LOG.warn(
                            "key '{}' of tenant '{}' of the admin API stands in jeton.yaml now, and is what it is there",
                            key,
                            id));
        });
        budgets.keySet().stream()
                .filter(files::hasBudget)
                .forEach(id ->
                        LOG.warn("budget '{}' of the admin API stands in jeton.yaml now, and is what it is there", id));
    }
}
