package dev.jeton.models;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * Finds a model's folder: a path, or {@code ORG/NAME} in the local Hugging Face cache. Nothing is downloaded.
 *
 * <p>The cache is {@code HF_HUB_CACHE}, else {@code HF_HOME/hub}, else {@code ~/.cache/huggingface/hub}; in it, {@code
 * models--ORG--NAME/refs/main} names the folder below {@code snapshots}.
 */
public final class ModelFolders {

    private static final Pattern REPOSITORY = Pattern.compile("[A-Za-z0-9][\\w.-]{0,95}/[A-Za-z0-9][\\w.-]{0,95}");
    private static final Pattern REVISION = Pattern.compile("[0-9a-fA-F]{7,64}");

    private final Path cache;

    private ModelFolders(Path cache) {
        this.cache = cache;
    }

    /** With the cache that these environment variables and this home folder give. */
    public static ModelFolders of(Map<String, String> environment, Path home) {
        String hub = environment.getOrDefault("HF_HUB_CACHE", "");
        if (!hub.isBlank()) {
            return new ModelFolders(Path.of(hub));
        }
        String base = environment.getOrDefault("HF_HOME", "");
        Path root = base.isBlank() ? home.resolve(".cache").resolve("huggingface") : Path.of(base);
        return new ModelFolders(root.resolve("hub"));
    }

    /**
     * The folder of a model.
     *
     * @param model a path to a folder that holds config.json, or ORG/NAME
     * @throws ModelException that says where was looked
     */
    public Path resolve(String model) {
        Path path = Path.of(model);
        if (Files.isRegularFile(path.resolve("config.json"))) {
            return path;
        }
        if (Files.isDirectory(path)) {
            throw new ModelException("%s holds no config.json; it is not a Hugging Face model folder".formatted(path));
        }
        if (!REPOSITORY.matcher(model).matches()) {
            throw new ModelException("there is no model folder %s; give a folder or ORG/NAME".formatted(path));
        }
        Path repository = cache.resolve("models--" + model.replace("/", "--"));
        return revision(repository)
                .map(name -> repository.resolve("snapshots").resolve(name))
                .filter(folder -> Files.isRegularFile(folder.resolve("config.json")))
                .orElseThrow(() -> new ModelException(
                        "model %s is neither a folder nor in the cache %s; fetch it with: hf download %s"
                                .formatted(model, cache, model)));
    }

    private static Optional<String> revision(Path repository) {
        Path ref = repository.resolve("refs").resolve("main");
        try {
            if (!Files.isRegularFile(ref) || Files.size(ref) > 100) {
                return Optional.empty();
            }
            return Optional.of(Files.readString(ref).strip())
                    .filter(s -> REVISION.matcher(s).matches());
        } catch (IOException e) {
            throw new ModelException("%s cannot be read: %s".formatted(ref, e.getMessage()), e);
        }
    }
}
