package dev.jeton.models.cpu;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.ModelException;
import dev.jeton.models.reference.Configs;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What latent attention has of each token and head is the widest of a step. */
class LatentMemoryTest {

    @TempDir
    Path folder;

    /** 128 heads of 576 are 73,728 numbers a token: more than an array holds from 29,128 tokens on. */
    @Test
    void refusesStepsOfMoreTokensThanArraysHold() throws IOException {
        String config = Configs.deepSeekV3("")
                .replace("\"num_attention_heads\": 11, \"num_key_value_heads\": 11", "\"num_attention_heads\": 128")
                .replace("\"kv_lora_rank\": 64", "\"kv_lora_rank\": 512")
                .replace("\"qk_rope_head_dim\": 16", "\"qk_rope_head_dim\": 64");
        Files.writeString(folder.resolve("config.json"), config);
        EngineOptions options = KvTypes.precise(new EngineOptions(0, 1 << 22, 4, 32_768, 16, 2, "none"));
        assertThatThrownBy(() -> CpuEngine.load(folder, options))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("lower --max-batched-tokens");
    }
}
