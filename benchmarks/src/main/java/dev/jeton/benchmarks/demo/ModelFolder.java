package dev.jeton.benchmarks.demo;

import static dev.jeton.benchmarks.demo.TokenizerFiles.ordered;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Writes a model as a Hugging Face folder that any Llama engine loads. */
final class ModelFolder {
    private ModelFolder() {}

    static void write(Path folder, ModelShape shape, BytePairTokenizer tokenizer, Weights weights) {
        try {
            Files.createDirectories(folder);
            Files.writeString(folder.resolve("config.json"), config(shape, tokenizer));
            Files.writeString(folder.resolve("generation_config.json"), generationConfig(tokenizer));
            Files.writeString(folder.resolve("tokenizer.json"), TokenizerFiles.tokenizerJson(tokenizer));
            Files.writeString(folder.resolve("tokenizer_config.json"), TokenizerFiles.tokenizerConfig(shape));
        } catch (IOException e) {
            throw new UncheckedIOException("cannot write the model folder " + folder, e);
        }
        Safetensors.write(folder.resolve("model.safetensors"), weights);
    }

    private static String config(ModelShape shape, BytePairTokenizer tokenizer) {
        return Json.write(ordered(
                "architectures", List.of("LlamaForCausalLM"),
                "model_type", "llama",
                "vocab_size", shape.vocabulary(),
                "hidden_size", shape.hidden(),
                "intermediate_size", shape.intermediate(),
                "num_hidden_layers", shape.layers(),
                "num_attention_heads", shape.heads(),
                "num_key_value_heads", shape.keyValueHeads(),
                "head_dim", shape.headDim(),
                "hidden_act", "silu",
                "max_position_embeddings", shape.context(),
                "rms_norm_eps", 1e-5,
                "rope_theta", ModelShape.ROPE_THETA,
                "rope_scaling", Json.Null.NULL,
                "attention_bias", false,
                "mlp_bias", false,
                "tie_word_embeddings", true,
                "bos_token_id", tokenizer.id(SpecialToken.BOS),
                "eos_token_id", tokenizer.id(SpecialToken.END),
                "pad_token_id", tokenizer.id(SpecialToken.PAD),
                "torch_dtype", "bfloat16"));
    }

    private static String generationConfig(BytePairTokenizer tokenizer) {
        return Json.write(ordered(
                "bos_token_id",
                tokenizer.id(SpecialToken.BOS),
                "eos_token_id",
                List.of(tokenizer.id(SpecialToken.END)),
                "pad_token_id",
                tokenizer.id(SpecialToken.PAD),
                "do_sample",
                true,
                "temperature",
                0.3,
                "top_p",
                0.9));
    }
}
