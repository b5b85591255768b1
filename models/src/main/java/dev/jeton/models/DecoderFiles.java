package dev.jeton.models;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Consumer;

/** Whether a folder or file holds a decoder's weights in a form that {@link DecoderSpec} describes; nothing is loaded. */
public final class DecoderFiles {

    private DecoderFiles() {}

    /**
     * Why a model is none; empty where it is.
     *
     * @param spec reads what the engine needs of config.json, and refuses what it cannot do
     */
    public static String refusal(Path model, Consumer<Path> spec) {
        boolean gguf = GgufFile.is(model);
        if (!gguf && !Files.isRegularFile(model.resolve("config.json"))) {
            return "it is no GGUF file, and there is no config.json";
        }
        if (!gguf
                && !Files.isRegularFile(model.resolve("model.safetensors"))
                && !Files.isRegularFile(model.resolve("model.safetensors.index.json"))) {
            return "there is neither model.safetensors nor model.safetensors.index.json";
        }
        try {
            spec.accept(model);
            return "";
        } catch (ModelException e) {
            return String.valueOf(e.getMessage());
        }
    }
}
