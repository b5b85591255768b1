package dev.jeton.models;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Finds a model's folder or GGUF file: a path, or {@code ORG/NAME} in the local Hugging Face cache. Nothing is
 * downloaded.
 *
 * <p>The cache is {@code HF_HUB_CACHE}, else {@code HF_HOME/hub}, else {@code ~/.cache/huggingface/hub}; in it,
 * {@code models--ORG--NAME/refs/main} names the folder below {@code snapshots}.
 */
public final class ModelFolders {

    private static final Pattern REPOSITORY = Pattern.compile("[A-Za-z0-9][\\w.-]{0,95}/[A-Za-z0-9][\\w.-]{0,95}");
    private static final Pattern REVISION = Pattern.compile("[0-9a-fA-F]{7,64}");

    private static final int MOST_FILES = 10_000;

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
     * The folder of a model, or its GGUF file.
     *
     * @param model a path to a folder that holds config.json, to a GGUF file or a folder that holds one and no
     *     config.json, or ORG/NAME
     * @throws ModelException that says where was looked
     */
    public Path resolve(String model) {
        Path path = Path.of(model);
        if (Files.isRegularFile(path)) {
            return path;
        }
        if (Files.isRegularFile(path.resolve("config.json"))) {
            return path;
        }
        if (Files.isDirectory(path)) {
            return onlyGguf(path)
                    .orElseThrow(() -> new ModelException(
                            "%s holds neither config.json nor a .gguf file; it is no model folder".formatted(path)));
        }
        if (!REPOSITORY.matcher(model).matches()) {
            throw new ModelException(
                    "there is no model folder or file %s; give a folder, a GGUF file, or ORG/NAME".formatted(path));
        }
        Path repository = cache.resolve("models--" + model.replace("/", "--"));
        return revision(repository)
                .map(name -> repository.resolve("snapshots").resolve(name))
                .filter(Files::isDirectory)
                .flatMap(folder ->
                        Files.isRegularFile(folder.resolve("config.json")) ? Optional.of(folder) : onlyGguf(folder))
                .orElseThrow(() -> new ModelException(
                        "model %s is neither a folder nor in the cache %s; fetch it with: hf download %s"
                                .formatted(model, cache, model)));
    }

    /**
     * The name that a model is served by where none is given: ORG/NAME as it is, a folder's name, a GGUF file's without
     * its ending.
     */
    public static String servedName(String model) {
        Path path = Path.of(model);
        if (Files.isRegularFile(path)) {
            return GgufFile.name(path);
        }
        return Files.isDirectory(path)
                ? String.valueOf(path.toAbsolutePath().normalize().getFileName())
                : model;
    }

    /** The one GGUF model in a folder, by its first part. */
    private static Optional<Path> onlyGguf(Path folder) {
        List<Path> files;
        try (Stream<Path> all = Files.list(folder)) {
            files = all.filter(file -> file.getFileName().toString().endsWith(".gguf") && Files.isRegularFile(file))
                    .sorted()
                    .limit(MOST_FILES)
                    .toList();
        } catch (IOException e) {
            throw new ModelException("%s cannot be listed: %s".formatted(folder, e.getMessage()), e);
        }
        if (files.isEmpty()) {
            return Optional.empty();
        }
        if (files.stream().map(GgufFile::name).distinct().count() > 1) {
            throw new ModelException("%s holds several GGUF files (%s); name the one to serve"
                    .formatted(
                            folder,
                            files.stream()
                                    .limit(5)
                                    .map(file -> file.getFileName().toString())
                                    .collect(Collectors.joining(", "))));
        }
        return Optional.of(files.getFirst());
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
