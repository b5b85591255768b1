package dev.jeton.server.admin;

import dev.jeton.server.json.JsonObject;
import dev.jeton.server.json.JsonWriter;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;

/**
 * {@code /admin/v1/adapters}: adapters that come and go while the server runs. An adapter is read first, then written
 * down, and then served, so that what the log has could be loaded when it was written.
 */
final class AdapterRoutes {

    private static final List<String> FIELDS = List.of("name", "model", "folder", "replace");
    private static final String OBJECT = "adapter";
    private static final int MAX_FOLDER = 1_000;

    private final PolicyStore store;
    private final AdapterHost host;
    /** One load or unload at a time. */
    private final ReentrantLock lock = new ReentrantLock();

    AdapterRoutes(PolicyStore store, AdapterHost host) {
        this.store = store;
        this.host = host;
    }

    void addTo(AdminRoutes routes) {
        routes.add("GET", "adapters", this::list)
                .add("POST", "adapters", this::load)
                .add("GET", "adapters/{adapter}", this::get)
                .add("DELETE", "adapters/{adapter}", this::unload);
    }

    private AdminReply list(AdminCall call) {
        call.parameters(List.of());
        Policy policy = store.policy();
        JsonWriter out = new JsonWriter()
                .beginObject()
                .name("object")
                .value("list")
                .name("data")
                .beginArray();
        List<AdapterHost.Served> served = host.served();
        served.forEach(each -> write(out, each.what(), each.ofFile(), true, each.bytes()));
        policy.adapters().stream()
                .filter(each ->
                        served.stream().noneMatch(other -> other.what().name().equals(each.name())))
                .forEach(each -> write(out, each, false, false, 0));
        return AdminReply.json(200, policy.version(), out.endArray().endObject());
    }

    private AdminReply get(AdminCall call) {
        call.parameters(List.of());
        return one(200, store.policy(), call.at(OBJECT));
    }

    private AdminReply one(int status, Policy policy, String name) {
        JsonWriter out = new JsonWriter();
        Optional<AdapterHost.Served> served = host.served().stream()
                .filter(each -> each.what().name().equals(name))
                .findFirst();
        if (served.isPresent()) {
            write(
                    out,
                    served.get().what(),
                    served.get().ofFile(),
                    true,
                    served.get().bytes());
        } else {
            write(out, known(policy, name), false, false, 0);
        }
        return AdminReply.json(status, policy.version(), out);
    }

    private static AdapterPolicy known(Policy policy, String name) {
        return policy.adapter(name)
                .orElseThrow(() -> Rules.notFound(
                        OBJECT,
                        name,
                        policy.adapters().stream().map(AdapterPolicy::name).toList()));
    }

    private static void write(JsonWriter out, AdapterPolicy what, boolean ofFile, boolean loaded, long bytes) {
        out.beginObject();
        out.name("object").value(OBJECT);
        out.name("name").value(what.name());
        out.name("model").value(what.model());
        out.name("folder").value(what.folder());
        out.name("loaded").value(loaded);
        out.name("bytes").value(bytes);
        out.name("source").value(ofFile ? "file" : "admin");
        out.endObject();
    }

    private AdminReply load(AdminCall call) {
        JsonObject body = call.body(FIELDS, "an adapter");
        String name = Rules.id(body, "name");
        Optional<String> model = body.optionalText("model");
        String folder = body.text("folder");
        if (folder.isBlank() || folder.length() > MAX_FOLDER || folder.chars().anyMatch(Character::isISOControl)) {
            throw body.wrong("folder", "'folder' must be 1 to %d printable characters".formatted(MAX_FOLDER));
        }
        boolean replace = body.flag("replace", false);
        lock.lock();
        try {
            requireFree(store.policy(), name, replace);
            try (AdapterHost.Reading reading = host.read(name, model, folder)) {
                Policy after = store.change(call.author(body), before -> {
                    requireFree(before, name, replace);
                    return Optional.of(
                            Change.set("adapter.load", name, reading.what().write()));
                });
                reading.serve();
                return one(201, after, name);
            }
        } finally {
            lock.unlock();
        }
    }

    private void requireFree(Policy policy, String name, boolean replace) {
        if (host.ofFile(name)) {
            throw Rules.ofFile("model", name);
        }
        if (!replace && policy.adapter(name).isPresent()) {
            throw Rules.conflict(
                    "already_exists",
                    "There is an adapter '%s' already: say 'replace' to have its folder read again, or another"
                            .formatted(name));
        }
    }

    private AdminReply unload(AdminCall call) {
        call.parameters(List.of(AdminCall.REASON));
        String name = call.at(OBJECT);
        lock.lock();
        try {
            if (host.ofFile(name)) {
                throw Rules.ofFile("model", name);
            }
            Policy after = store.change(call.author(), before -> {
                known(before, name);
                return Optional.of(Change.gone("adapter.unload", name));
            });
            host.unload(name);
            return TenantRoutes.deleted(after, OBJECT, name);
        } finally {
            lock.unlock();
        }
    }
}
