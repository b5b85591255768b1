package dev.jeton.server.api;

import dev.jeton.server.json.JsonObject;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Fields that mean something to OpenAI or to other servers and nothing here yet: refused, never silently ignored. */
final class Unsupported {

    private static final List<String> FIELDS = List.of(
            "audio",
            "functions",
            "function_call",
            "web_search_options",
            "regex",
            "json_schema",
            "allowed_token_ids",
            "bad_words",
            "logits_processors",
            "truncate_prompt_tokens",
            "prompt_embeds",
            "chat_template",
            "documents",
            "lora_request",
            "prompt_logprobs");

    private static final List<String> FLAGS =
            List.of("use_beam_search", "include_stop_str_in_output", "return_token_ids", "return_tokens_as_token_ids");

    private Unsupported() {}

    /** Checks what both APIs have. */
    static void check(JsonObject body) {
        for (String field : FIELDS) {
            if (body.has(field)) {
                throw ApiException.unsupported(field, "'%s' is not supported yet".formatted(field));
            }
        }
        for (@Nullable Object modality : body.list("modalities").orElse(List.of())) {
            if (!"text".equals(modality)) {
                throw ApiException.unsupported("modalities", "'modalities' other than 'text' are not supported yet");
            }
        }
        for (String flag : FLAGS) {
            if (body.flag(flag, false)) {
                throw ApiException.unsupported(flag, "'%s' is not supported yet".formatted(flag));
            }
        }
    }
}
