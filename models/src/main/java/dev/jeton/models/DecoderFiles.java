package dev.jeton.models;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Consumer;
import java.util.stream.Stream;

/**
 * Whether a folder or file holds a decoder's weights in a form that {@link DecoderSpec} describes; nothing is loaded.
 */
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
            String none = "there is neither model.safetensors nor model.safetensors.index.json";
            return holdsGguf(model) ? none + "; to serve a GGUF file of the folder, name that file" : none;
        }
        try {
            spec.accept(model);
            return "";
        } catch (ModelException e) {
            return String.valueOf(e.getMessage());
        }
    }

    /** Whether a folder's architecture is that of a decoder that some engine computes. */
    public static boolean areOfDecoder(Path folder) {
        try {
            DecoderFamily.of(ModelFiles.config(folder));
            return true;
        } catch (ModelException e) {
            return false;
        }
    }

    /** Whether there are GGUF files beside a config.json, as many repositories of such files have it. */
    private static boolean holdsGguf(Path folder) {
        try (Stream<Path> files = Files.list(folder)) {
            return files.anyMatch(file -> file.getFileName().toString().endsWith(".gguf"));
        } catch (IOException e) {
            return false;
        }
    }
}
