package dev.jeton.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GenerationDefaultsTest {

    @TempDir
    private Path model;

    private GenerationDefaults read(String generation) throws IOException {
        Files.writeString(model.resolve("config.json"), "{\"model_type\": \"llama\"}");
        Files.writeString(model.resolve("generation_config.json"), generation);
        return GenerationDefaults.read(model);
    }

    @Test
    void takesTheWayInWhichFilesTurnTopKOff() throws IOException {
        assertThat(read("{\"top_k\": -1}").topK()).hasValue(0);
    }

    @ParameterizedTest
    @ValueSource(strings = {"top_p", "repetition_penalty"})
    void refusesADefaultWithWhichNoRequestCouldBeServed(String key) {
        assertThatThrownBy(() -> read("{\"%s\": 0}".formatted(key)))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("generation_config.json")
                .hasMessageContaining(key);
    }
}
