package dev.jeton.models;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * What a folder with an encoder as a TorchScript file says beside the module itself: in DJL's serving.properties, or in
 * the files of transformers and sentence-transformers.
 *
 * @param module the TorchScript file
 * @param encoder what comes out of it
 * @param inputs how it is called; empty where only its own signature says so
 */
public record TorchScriptFolder(Path module, VectorSpec encoder, Optional<Inputs> inputs) {

    /**
     * How DJL's translators call a module: token ids, attention mask and perhaps token types, in this order.
     *
     * @param tokenTypes whether these are given, too
     * @param narrow whether all are of 32 bits, not 64
     */
    public record Inputs(boolean tokenTypes, boolean narrow) {}

    private static final int MOST_FILES = 10_000;

    /** Whether a folder holds an encoder and a TorchScript file. */
    public static boolean describes(Path folder) {
        return VectorSpec.describes(folder) && !files(folder).isEmpty();
    }

    /**
     * Reads a folder.
     *
     * @throws ModelException naming the file and what is missing or wrong
     */
    public static TorchScriptFolder read(Path folder) {
        ServingProperties properties = ServingProperties.read(folder);
        Optional<String> engine = properties.text("engine").filter(name -> !name.equals("PyTorch"));
        if (engine.isPresent()) {
            throw properties.wrong("engine", "PyTorch");
        }
        Path module = module(folder, properties.text("option.modelName"));
        return new TorchScriptFolder(
                module,
                VectorSpec.read(folder),
                DjlTranslator.read(folder).map(named -> new Inputs(named.tokenTypes(), named.narrow())));
    }

    /** As DJL looks for it: by the name that is given, the folder's, or model.pt; else the only one that there is. */
    private static Path module(Path folder, Optional<String> given) {
        List<Path> files = files(folder);
        Set<String> names = new LinkedHashSet<>();
        given.ifPresent(name -> names.add(name.endsWith(".pt") ? name : name + ".pt"));
        names.add(folder.toAbsolutePath().normalize().getFileName() + ".pt");
        names.add("model.pt");
        for (String name : names) {
            for (Path file : files) {
                if (file.getFileName().toString().equals(name)) {
                    return file;
                }
            }
        }
        if (files.size() != 1) {
            throw new ModelException("%s holds %d TorchScript files (%s), and none of them is called %s"
                    .formatted(
                            folder,
                            files.size(),
                            files.stream()
                                    .limit(5)
                                    .map(file -> file.getFileName().toString())
                                    .collect(Collectors.joining(", ")),
                            String.join(" or ", names)));
        }
        return files.getFirst();
    }

    private static List<Path> files(Path folder) {
        try (Stream<Path> all = Files.list(folder)) {
            return all.filter(file -> file.getFileName().toString().endsWith(".pt") && Files.isRegularFile(file))
                    .limit(MOST_FILES)
                    .sorted()
                    .toList();
        } catch (IOException e) {
            throw new ModelException("%s cannot be listed: %s".formatted(folder, e.getMessage()), e);
        }
    }
}
