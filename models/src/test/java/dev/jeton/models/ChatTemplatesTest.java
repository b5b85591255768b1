package dev.jeton.models;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ChatTemplatesTest {

    private static final List<Map<String, Object>> TOOLS =
            List.of(Map.of("type", "function", "function", Map.of("name", "f")));

    @TempDir
    private Path folder;

    private void check() {
        ChatTemplate template = ChatTemplates.ofModel(folder, Clock.systemUTC()).orElseThrow();
        assertThat(template.render(List.of(), List.of(), true, Map.of())).isEqualTo("plain");
        assertThat(template.render(List.of(), TOOLS, true, Map.of())).isEqualTo("tools: f");
        assertThat(template.source()).isEqualTo("tools: {{ tools[0].function.name }}");
    }

    @Test
    void takesTheTemplateNamedForToolsWhereThereAreTools() throws IOException {
        Files.writeString(folder.resolve("tokenizer_config.json"), """
                {"chat_template": [{"name": "default", "template": "plain"},
                 {"name": "tool_use", "template": "tools: {{ tools[0].function.name }}"}]}""");
        check();
    }

    @Test
    void takesTheFileForToolsWhereThereAreTools() throws IOException {
        Files.writeString(folder.resolve("chat_template.jinja"), "plain");
        Files.createDirectory(folder.resolve("additional_chat_templates"));
        Files.writeString(
                folder.resolve("additional_chat_templates").resolve("tool_use.jinja"),
                "tools: {{ tools[0].function.name }}");
        check();
    }
}
