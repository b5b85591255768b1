package dev.jeton.server;

import dev.jeton.models.ModelException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

/** Finds model folders: by path, by ORG/NAME in the local Hugging Face cache, and the demo models. */
public final class ModelFolders {

    /** The demo models' served names, which are their folders' too. */
    public static final List<String> DEMO = List.of("jeton-demo", "jeton-demo-small");

    private static final Pattern REPOSITORY = Pattern.compile("[A-Za-z0-9._-]+/[A-Za-z0-9._-]+");

    private final Map<String, String> environment;
    private final Path home;

    /**
     * @param environment environment variables: {@code HF_HUB_CACHE}, {@code HF_HOME}, {@code HOME}
     * @param home the distribution's folder, with {@code models/demo} in it
     */
    public ModelFolders(Map<String, String> environment, Path home) {
        this.environment = environment;
        this.home = home;
    }

    /**
     * The folder that {@code --model} names.
     *
     * @throws ModelException if there is none, naming where it was looked for
     */
    public Path find(String model) {
        Path folder = Path.of(model);
        if (Files.isDirectory(folder)) {
            return folder;
        }
        if (!REPOSITORY.matcher(model).matches()) {
            throw new ModelException("there is no model folder " + folder.toAbsolutePath());
        }
        Path repository = cache().resolve("models--" + model.replace("/", "--"));
        return snapshot(repository)
                .orElseThrow(() -> new ModelException(
                        "there is neither a folder %s nor a download of %s in %s; fetch it first, for example with 'hf download %s'"
                                .formatted(folder.toAbsolutePath(), model, repository, model)));
    }

    /**
     * A demo model's folder.
     *
     * @throws ModelException if the distribution came without it
     */
    public Path demo(String name) {
        Path folder = home.resolve("models").resolve("demo").resolve(name);
        if (!Files.isDirectory(folder)) {
            throw new ModelException("no --model was given and the demo model is not there: %s; name a model folder"
                    .formatted(folder.toAbsolutePath()));
        }
        return folder;
    }

    private Path cache() {
        String hub = environment.get("HF_HUB_CACHE");
        if (hub != null) {
            return Path.of(hub);
        }
        String hugging = environment.get("HF_HOME");
        return hugging != null
                ? Path.of(hugging, "hub")
                : Path.of(environment.getOrDefault("HOME", "."), ".cache", "huggingface", "hub");
    }

    private static Optional<Path> snapshot(Path repository) {
        Path main = repository.resolve("refs").resolve("main");
        if (!Files.isRegularFile(main)) {
            return Optional.empty();
        }
        try {
            Path snapshot = repository
                    .resolve("snapshots")
                    .resolve(Files.readString(main).strip());
            return Optional.of(snapshot).filter(Files::isDirectory);
        } catch (IOException e) {
            throw new ModelException("cannot read " + main, e);
        }
    }
}
