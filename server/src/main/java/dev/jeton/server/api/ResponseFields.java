package dev.jeton.server.api;

import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.server.json.JsonObject;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Checks what only {@code /v1/responses} has, and what goes by other names there. */
final class ResponseFields {

    /** What {@code include} may say for log-probabilities. */
    static final String LOG_PROBABILITIES = "message.output_text.logprobs";

    static final String BACKGROUND = "background";

    /**
     * The rest says what is shown of tools that nothing here calls, and of reasoning, which is shown as it is: there is
     * nothing to add, and nothing lost.
     */
    private static final Set<String> INCLUDED = Set.of(
            LOG_PROBABILITIES,
            "reasoning.encrypted_content",
            "file_search_call.results",
            "web_search_call.results",
            "web_search_call.action.sources",
            "message.input_image.image_url",
            "computer_call_output.output.image_url",
            "code_interpreter_call.outputs");

    /** What chats call otherwise. */
    private static final Map<String, String> MOVED = Map.of(
            "messages", "input",
            "max_tokens", "max_output_tokens",
            "max_completion_tokens", "max_output_tokens",
            "response_format", "text.format",
            "logprobs", "include",
            "reasoning_effort", "reasoning.effort",
            "verbosity", "text.verbosity");

    private static final Map<String, String> INSTEAD = Map.of(
            "prompt", "prompts are not kept here; send 'instructions' and 'input'",
            "conversation", "conversations are not kept here; send 'previous_response_id', or all of 'input'",
            "context_management", "nothing is compacted here; see 'truncation'",
            "moderation", "nothing is moderated here");

    private static final int MAX_METADATA = 16;
    private static final int MAX_METADATA_NAME = 64;
    private static final int MAX_METADATA_VALUE = 512;
    private static final int MAX_IDENTIFIER = 512;

    private ResponseFields() {}

    /**
     * Checks them.
     *
     * @throws ApiException 400, naming the parameter
     */
    static void check(JsonObject body) {
        refuse(body, MOVED, "'%s' is of /v1/chat/completions; here it is '%s'");
        refuse(body, INSTEAD, "'%s' is not supported: %s");
        body.whole("n", 1, 1, 1);
        metadata(body);
        include(body);
        for (String identifier : List.of("user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention")) {
            body.optionalText(identifier).ifPresent(text -> identifier(identifier, text));
        }
        body.optionalWhole("max_tool_calls", 1, Integer.MAX_VALUE);
        body.object("stream_options").ifPresent(options -> options.flag("include_obfuscation", false));
        body.object("text").ifPresent(text -> word(text, "verbosity", List.of("low", "medium", "high")));
        body.object("reasoning").ifPresent(reasoning -> {
            word(reasoning, "summary", List.of("auto", "concise", "detailed"));
            word(reasoning, "generate_summary", List.of("auto", "concise", "detailed"));
        });
        word(body, "truncation", List.of("disabled", "auto"));
    }

    /** In the order of the request, so that the same one is always answered alike. */
    private static void refuse(JsonObject body, Map<String, String> fields, String message) {
        for (String field : body.fields().keySet()) {
            String words = fields.get(field);
            if (words != null && body.has(field)) {
                throw ApiException.unsupported(field, message.formatted(field, words));
            }
        }
    }

    private static void word(JsonObject object, String field, List<String> words) {
        Optional<String> given = object.optionalText(field);
        if (given.isPresent() && !words.contains(given.get())) {
            throw object.wrong(
                    field,
                    "'%s' must be one of: %s; it is '%s'"
                            .formatted(object.path(field), String.join(", ", words), ApiException.shown(given.get())));
        }
    }

    private static void identifier(String field, String text) {
        if (text.length() > MAX_IDENTIFIER) {
            throw ApiException.invalid(
                    field,
                    "'%s' has %d characters, at most %d are accepted".formatted(field, text.length(), MAX_IDENTIFIER));
        }
    }

    private static void metadata(JsonObject body) {
        Optional<JsonObject> given = body.object("metadata");
        if (given.isEmpty()) {
            return;
        }
        JsonObject metadata = given.get();
        if (metadata.fields().size() > MAX_METADATA) {
            throw ApiException.invalid(
                    "metadata",
                    "'metadata' has %d pairs, at most %d are accepted"
                            .formatted(metadata.fields().size(), MAX_METADATA));
        }
        for (Map.Entry<String, @Nullable Object> pair : metadata.fields().entrySet()) {
            String name = pair.getKey();
            if (name.length() > MAX_METADATA_NAME) {
                throw ApiException.invalid(
                        "metadata",
                        "A name in 'metadata' has %d characters, at most %d are accepted"
                                .formatted(name.length(), MAX_METADATA_NAME));
            }
            if (!(pair.getValue() instanceof String text) || text.length() > MAX_METADATA_VALUE) {
                throw metadata.wrong(
                        name,
                        "'%s' must be a string of at most %d characters"
                                .formatted(metadata.path(name), MAX_METADATA_VALUE));
            }
        }
    }

    private static void include(JsonObject body) {
        List<@Nullable Object> included = body.list("include").orElse(List.of());
        for (int i = 0; i < included.size(); i++) {
            if (!(included.get(i) instanceof String word) || !INCLUDED.contains(word)) {
                throw ApiException.invalid(
                        "include[" + i + "]",
                        "'include[%d]' must be one of: %s"
                                .formatted(
                                        i,
                                        String.join(
                                                ", ", INCLUDED.stream().sorted().toList())));
            }
        }
    }

    /** As {@link SamplingParameters#logProbabilities}. */
    static int logProbabilities(JsonObject body) {
        boolean wanted = body.list("include").orElse(List.of()).contains(LOG_PROBABILITIES);
        int top = body.whole("top_logprobs", 0, 0, SamplingParameters.MAX_LOG_PROBABILITIES);
        if (top > 0 && !wanted) {
            throw ApiException.invalid(
                    "top_logprobs",
                    "'top_logprobs' is only allowed where 'include' has '%s'".formatted(LOG_PROBABILITIES));
        }
        return wanted ? top : -1;
    }
}
