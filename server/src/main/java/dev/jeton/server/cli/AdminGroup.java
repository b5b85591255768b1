package dev.jeton.server.cli;

import dev.jeton.server.json.JsonObject;
import java.io.PrintWriter;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** What the groups of {@code jeton admin} have in common: answers as tables. */
abstract class AdminGroup implements Runnable {

    @Spec
    private CommandSpec spec = CommandSpec.create();

    @Override
    public final void run() {
        spec.commandLine().usage(spec.commandLine().getOut());
    }

    final PrintWriter out() {
        return spec.commandLine().getOut();
    }

    /** Fields from names and values; those that are empty are left out. */
    static Map<String, @Nullable Object> fields(@Nullable Object... namesAndValues) {
        Map<String, @Nullable Object> fields = new LinkedHashMap<>();
        for (int i = 0; i < namesAndValues.length; i += 2) {
            Object value = namesAndValues[i + 1];
            boolean none = value == null || value.equals("") || value instanceof List<?> list && list.isEmpty();
            if (!none) {
                fields.put(String.valueOf(namesAndValues[i]), value);
            }
        }
        return fields;
    }

    /** Prints a list, some fields of each. */
    final int list(AdminOptions options, AdminOptions.Reply reply, String... columns) {
        if (options.json()) {
            return raw(reply);
        }
        Table.of(columns)
                .plus(reply.json().objects("data").stream()
                        .map(row -> List.of(columns).stream()
                                .map(column -> text(row.fields().get(column)))
                                .toList())
                        .toList())
                .align(out());
        out().flush();
        return ExitCode.OK;
    }

    /** Prints a thing, a field a line. */
    final int one(AdminOptions options, AdminOptions.Reply reply) {
        if (options.json()) {
            return raw(reply);
        }
        JsonObject json = reply.json();
        int width =
                json.fields().keySet().stream().mapToInt(String::length).max().orElse(0);
        json.fields().forEach((name, value) -> {
            if (!name.equals("object")) {
                String shown = name.equals("secret") ? text(value) + "   (shown this once)" : text(value);
                out().println((name + ":" + " ".repeat(width - name.length() + 1) + shown).stripTrailing());
            }
        });
        out().flush();
        return ExitCode.OK;
    }

    /** Prints an answer as it is. */
    final int raw(AdminOptions.Reply reply) {
        out().println(reply.body().stripTrailing());
        out().flush();
        return ExitCode.OK;
    }

    private static String text(@Nullable Object value) {
        return switch (value) {
            case null -> "";
            case List<?> list ->
                String.join(" ", list.stream().map(AdminGroup::text).toList());
            case Map<?, ?> map ->
                String.join(
                        ",",
                        map.entrySet().stream()
                                .map(entry -> entry.getKey() + "=" + text(entry.getValue()))
                                .toList());
            default -> value.toString();
        };
    }
}
