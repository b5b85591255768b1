package dev.jeton.server.api;

import dev.jeton.accounting.Tags;
import dev.jeton.server.json.JsonObject;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * What a request says that it is for: its task, prompt version and route, in headers or in {@code metadata}, and
 * whether it stands in for another.
 */
final class RequestTags {

    /** The header that names the task. */
    static final String TASK = "x-jeton-task";

    /** The header that names the version of a prompt. */
    static final String PROMPT_VERSION = "x-jeton-prompt-version";
    /** The header that names a route. */
    static final String ROUTE = "x-jeton-route";

    /** The header by which a request says that it stands in for another. */
    static final String FALLBACK = "x-jeton-fallback";

    private static final Pattern ID = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._:-]{0,127}");
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,127}");

    private RequestTags() {}

    /**
     * Reads them; labels stay as they are.
     *
     * @throws ApiException 400, naming header or field
     */
    static Tags of(Call call, JsonObject body) {
        Optional<JsonObject> metadata = body.object("metadata");
        return new Tags(
                call.tags().labels(),
                text(call, metadata, TASK, "X-Jeton-Task", "task", ID),
                text(call, metadata, PROMPT_VERSION, "X-Jeton-Prompt-Version", "prompt_version", NAME),
                text(call, metadata, ROUTE, "X-Jeton-Route", "route", NAME),
                fallback(call));
    }

    /** Whether a task, or a step of one, may be called so. */
    static boolean isId(String text) {
        return ID.matcher(text).matches();
    }

    private static String text(
            Call call, Optional<JsonObject> metadata, String header, String title, String field, Pattern pattern) {
        Optional<String> given = call.exchange().header(header);
        Optional<String> inBody = metadata.flatMap(object -> object.optionalText(field));
        given.ifPresent(value -> check(title, value, pattern));
        inBody.ifPresent(value -> check("metadata." + field, value, pattern));
        if (given.isPresent() && inBody.isPresent() && !given.equals(inBody)) {
            throw ApiException.invalid(
                    "metadata." + field,
                    "'metadata.%s' is '%s', the header %s is '%s'; say it once, or the same twice"
                            .formatted(field, inBody.get(), title, given.get()));
        }
        return given.or(() -> inBody).orElse("");
    }

    private static void check(String name, String value, Pattern pattern) {
        if (!pattern.matcher(value).matches()) {
            throw ApiException.invalid(
                    name,
                    "'%s' has 1 to 128 letters, digits, %s, the first a letter or digit; it is '%s'"
                            .formatted(
                                    name,
                                    pattern == ID ? "'.', '_', ':' and '-'" : "'.', '_', ':', '/', '@', '+' and '-'",
                                    ApiException.shown(value)));
        }
    }

    private static boolean fallback(Call call) {
        return call.exchange()
                .header(FALLBACK)
                .map(value -> switch (value) {
                    case "true" -> true;
                    case "false" -> false;
                    default ->
                        throw ApiException.invalid(
                                "X-Jeton-Fallback",
                                "The header X-Jeton-Fallback is true or false, not '%s'"
                                        .formatted(ApiException.shown(value)));
                })
                .orElse(false);
    }
}
