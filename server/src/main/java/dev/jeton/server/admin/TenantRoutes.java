package dev.jeton.server.admin;

import dev.jeton.accounting.Budget;
import dev.jeton.server.config.Names;
import dev.jeton.server.config.Tenant;
import dev.jeton.server.json.JsonObject;
import dev.jeton.server.json.JsonWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;

/** {@code /admin/v1/tenants} and the projects under them. */
final class TenantRoutes {

    private static final List<String> NEW_FIELDS = List.of("id", "name", "zone", "projects");
    private static final List<String> FIELDS = List.of("name", "zone", "disabled");

    private final PolicyStore store;

    TenantRoutes(PolicyStore store) {
        this.store = store;
    }

    void addTo(AdminRoutes routes) {
        routes.add("GET", "tenants", this::list)
                .add("POST", "tenants", this::create)
                .add("GET", "tenants/{tenant}", this::get)
                .add("PATCH", "tenants/{tenant}", this::update)
                .add("DELETE", "tenants/{tenant}", this::delete)
                .add("GET", "tenants/{tenant}/projects", this::projects)
                .add("POST", "tenants/{tenant}/projects", this::addProject)
                .add("DELETE", "tenants/{tenant}/projects/{project}", this::deleteProject);
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
        policy.tenants().forEach(tenant -> write(out, tenant));
        return AdminReply.json(200, policy.version(), out.endArray().endObject());
    }

    private AdminReply get(AdminCall call) {
        call.parameters(List.of());
        Policy policy = store.policy();
        return one(200, policy, Rules.tenant(policy, call.at("tenant")).id());
    }

    private AdminReply one(int status, Policy policy, String id) {
        JsonWriter out = new JsonWriter();
        write(out, Rules.tenant(policy, id));
        return AdminReply.json(status, policy.version(), out);
    }

    private void write(JsonWriter out, Tenant tenant) {
        out.beginObject();
        out.name("object").value("tenant");
        out.name("id").value(tenant.id());
        out.name("name").value(tenant.name());
        out.name("zone").value(tenant.zone());
        out.name("disabled").value(tenant.disabled());
        out.name("projects").tree(tenant.projects());
        out.name("keys").value(tenant.keys().size());
        out.name("source").value(store.files().hasTenant(tenant.id()) ? "file" : "admin");
        out.endObject();
    }

    private AdminReply create(AdminCall call) {
        JsonObject body = call.body(NEW_FIELDS, "a tenant");
        String id = Rules.id(body, "id");
        List<String> projects = projects(body);
        JsonObject content = AuditEntry.object(
                "name", Rules.name(body, id), "zone", Rules.zone(body, ""), "disabled", false, "projects", projects);
        Policy after = store.change(call.author(body), before -> {
            if (before.tenant(id).isPresent()) {
                throw Rules.exists("tenant", id);
            }
            Rules.bound(before.tenants().size(), Rules.MAX_TENANTS, "tenants");
            return Optional.of(Change.set("tenant.create", id, content));
        });
        return one(201, after, id);
    }

    private static List<String> projects(JsonObject body) {
        List<String> projects = new ArrayList<>();
        for (Object item : body.list("projects").orElse(List.of())) {
            if (!(item instanceof String project) || !Names.fits(project) || projects.contains(project)) {
                throw body.wrong("projects", "'projects' must be a list of different names: " + Names.EXPECTED);
            }
            projects.add(project);
        }
        if (projects.size() > Rules.MAX_PROJECTS) {
            throw body.wrong("projects", "'projects' has more than %d names".formatted(Rules.MAX_PROJECTS));
        }
        return projects;
    }

    private AdminReply update(AdminCall call) {
        JsonObject body = call.body(FIELDS, "a tenant");
        String id = call.at("tenant");
        Policy after = store.change(call.author(body), before -> {
            Tenant tenant = own(before, id);
            JsonObject content = AuditEntry.object(
                    "name",
                    Rules.name(body, tenant.name()),
                    "zone",
                    Rules.zone(body, tenant.zone()),
                    "disabled",
                    body.flag("disabled", tenant.disabled()));
            return Optional.of(Change.set("tenant.update", id, content));
        });
        return one(200, after, id);
    }

    private Tenant own(Policy policy, String id) {
        Tenant tenant = Rules.tenant(policy, id);
        if (store.files().hasTenant(id)) {
            throw Rules.ofFile("tenant", id);
        }
        return tenant;
    }

    private AdminReply delete(AdminCall call) {
        call.parameters(List.of(AdminCall.REASON));
        String id = call.at("tenant");
        Policy after = store.change(call.author(), before -> {
            own(before, id);
            requireUnused(before, "tenant", id, budget -> budget.tenant().equals(id));
            return Optional.of(Change.gone("tenant.delete", id));
        });
        return deleted(after, "tenant", id);
    }

    /** Says that something is gone. */
    static AdminReply deleted(Policy after, String object, String id) {
        JsonWriter out = new JsonWriter().beginObject();
        out.name("object").value(object);
        out.name("id").value(id);
        out.name("deleted").value(true);
        return AdminReply.json(200, after.version(), out.endObject());
    }

    private static void requireUnused(Policy policy, String kind, String id, Predicate<Budget> uses) {
        policy.budgets().stream().filter(uses).findFirst().ifPresent(budget -> {
            throw Rules.conflict(
                    "in_use", "The %s '%s' has the budget '%s'; delete that first".formatted(kind, id, budget.id()));
        });
    }

    private AdminReply projects(AdminCall call) {
        call.parameters(List.of());
        Policy policy = store.policy();
        return projects(200, policy, call.at("tenant"));
    }

    private AdminReply projects(int status, Policy policy, String id) {
        JsonWriter out = new JsonWriter()
                .beginObject()
                .name("object")
                .value("list")
                .name("data")
                .beginArray();
        for (String project : Rules.tenant(policy, id).projects()) {
            out.beginObject();
            out.name("object").value("project");
            out.name("id").value(project);
            out.name("source").value(store.files().hasProject(id, project) ? "file" : "admin");
            out.endObject();
        }
        return AdminReply.json(status, policy.version(), out.endArray().endObject());
    }

    private AdminReply addProject(AdminCall call) {
        JsonObject body = call.body(List.of("id"), "a project");
        String tenant = call.at("tenant");
        String project = Rules.id(body, "id");
        Policy after = store.change(call.author(body), before -> {
            List<String> projects = Rules.tenant(before, tenant).projects();
            if (projects.contains(project)) {
                throw Rules.exists("project", project);
            }
            Rules.bound(projects.size(), Rules.MAX_PROJECTS, "projects of the tenant");
            return Optional.of(Change.set("project.create", tenant + "/" + project, AuditEntry.object()));
        });
        return projects(201, after, tenant);
    }

    private AdminReply deleteProject(AdminCall call) {
        call.parameters(List.of(AdminCall.REASON));
        String tenant = call.at("tenant");
        String project = call.at("project");
        Policy after = store.change(call.author(), before -> {
            Tenant found = Rules.tenant(before, tenant);
            if (!found.projects().contains(project)) {
                throw Rules.notFound("project", project, found.projects());
            }
            if (store.files().hasProject(tenant, project)) {
                throw Rules.ofFile("project", project);
            }
            found.keys().stream()
                    .filter(key -> key.project().equals(project))
                    .findFirst()
                    .ifPresent(key -> {
                        throw Rules.conflict(
                                "in_use",
                                "The key '%s' works for the project '%s'; change or delete it first"
                                        .formatted(key.id(), project));
                    });
            requireUnused(
                    before,
                    "project",
                    project,
                    budget -> budget.tenant().equals(tenant) && budget.project().equals(project));
            return Optional.of(Change.gone("project.delete", tenant + "/" + project));
        });
        return deleted(after, "project", project);
    }
}
