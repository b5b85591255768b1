package dev.jeton.models;

import dev.jeton.models.template.JinjaTemplate;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Finds a model's chat template and compiles it. */
public final class ChatTemplates {

    private static final List<String> TOKENS =
            List.of("bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token");

    private static final String TOOL_USE = "tool_use";

    private ChatTemplates() {}

    /**
     * The template of a model: of a GGUF file the one in its metadata, of a folder {@code chat_template.jinja}, or
     * {@code chat_template} of tokenizer_config.json (of several, the one named {@code default}). Where there is one
     * named {@code tool_use} beside it (or as {@code additional_chat_templates/tool_use.jinja}), that is for chats with
     * tools. Empty for a model without one.
     *
     * @throws ModelException if a file cannot be read
     * @throws TemplateException if the template is broken or uses what is not supported
     */
    public static Optional<ChatTemplate> ofModel(Path model, Clock clock) {
        Map<String, String> tokens = tokens(model);
        Path jinja = model.resolve("chat_template.jinja");
        if (Files.isRegularFile(jinja)) {
            Path tools = model.resolve("additional_chat_templates").resolve(TOOL_USE + ".jinja");
            ChatTemplate usual = ofFile(jinja, model, clock);
            return Optional.of(
                    Files.isRegularFile(tools) ? new ToolUseTemplate(usual, ofFile(tools, model, clock)) : usual);
        }
        Optional<JsonObject> config = ModelFiles.tokenizerConfig(model);
        Optional<ChatTemplate> usual =
                config.flatMap(ChatTemplates::source).map(source -> new JinjaTemplate(source, tokens, clock));
        Optional<ChatTemplate> tools =
                config.flatMap(ChatTemplates::toolSource).map(source -> new JinjaTemplate(source, tokens, clock));
        return tools.isEmpty() ? usual : usual.map(template -> new ToolUseTemplate(template, tools.get()));
    }

    /** The template in a file of its own ({@code --chat-template}), for a model's special tokens. */
    public static ChatTemplate ofFile(Path file, Path model, Clock clock) {
        try {
            if (Files.size(file) > 4L * JinjaTemplate.MAX_SOURCE) {
                throw new ModelException("chat template %s is too large".formatted(file));
            }
            return new JinjaTemplate(Files.readString(file), tokens(model), clock);
        } catch (IOException e) {
            throw new ModelException("chat template %s cannot be read: %s".formatted(file, e.getMessage()), e);
        }
    }

    private static Optional<String> source(JsonObject config) {
        Object value = config.value("chat_template").orElse("");
        if (value instanceof List<?> named) {
            for (Object entry : named) {
                if (entry instanceof Map<?, ?> map
                        && (named.size() == 1 || "default".equals(map.get("name")))
                        && map.get("template") instanceof String source) {
                    return Optional.of(source);
                }
            }
            throw new ModelException(config.source() + ": none of the chat templates is named \"default\"");
        }
        return value instanceof String source && !source.isEmpty() ? Optional.of(source) : Optional.empty();
    }

    private static Optional<String> toolSource(JsonObject config) {
        if (config.value("chat_template").orElse("") instanceof List<?> named) {
            for (Object entry : named) {
                if (entry instanceof Map<?, ?> map
                        && TOOL_USE.equals(map.get("name"))
                        && map.get("template") instanceof String source) {
                    return Optional.of(source);
                }
            }
        }
        return Optional.empty();
    }

    /** A token is written as a string or as an object with its content. */
    private static Optional<String> content(Object token) {
        if (token instanceof Map<?, ?> map && map.get("content") instanceof String content) {
            return Optional.of(content);
        }
        return token instanceof String content ? Optional.of(content) : Optional.empty();
    }

    private static Map<String, String> tokens(Path model) {
        Map<String, String> tokens = new LinkedHashMap<>();
        ModelFiles.tokenizerConfig(model).ifPresent(json -> {
            for (String name : TOKENS) {
                json.value(name).flatMap(ChatTemplates::content).ifPresent(content -> tokens.put(name, content));
            }
        });
        return tokens;
    }
}
