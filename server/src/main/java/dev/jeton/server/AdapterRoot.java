package dev.jeton.server;

import dev.jeton.models.AdapterFolder;
import dev.jeton.server.api.ApiException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;

/**
 * The folder below which adapters may be loaded. A path comes over the network, so neither it nor a link on its way may
 * lead out of there, and of what is outside nothing is told, not even whether it exists.
 *
 * @param configured empty where no adapters may be loaded
 */
record AdapterRoot(String configured) {

    /**
     * Where an adapter is.
     *
     * @param folder relative to the root, or absolute
     * @throws ApiException 409 without a root, 400 where the folder is not below it, or no adapter
     */
    Path below(String folder) {
        if (configured.isEmpty()) {
            throw new ApiException(
                    409,
                    ApiException.INVALID_REQUEST,
                    "",
                    "adapter_loading_off",
                    "Adapters are loaded only from below the folder that admin.adapter-root names, and it names none");
        }
        Path root = Path.of(configured).toAbsolutePath().normalize();
        Path place;
        try {
            place = root.resolve(folder).normalize();
        } catch (InvalidPathException e) {
            throw outside();
        }
        if (!place.startsWith(root) || place.equals(root)) {
            throw outside();
        }
        try {
            Path real = root.toRealPath();
            for (Path each :
                    new Path[] {place, place.resolve(AdapterFolder.CONFIG), place.resolve(AdapterFolder.WEIGHTS)}) {
                if (!each.toRealPath().startsWith(real)) {
                    throw outside();
                }
            }
        } catch (IOException e) {
            throw invalid("There is no adapter in 'folder': it needs %s and %s, as PEFT's save_pretrained writes them"
                    .formatted(AdapterFolder.CONFIG, AdapterFolder.WEIGHTS));
        }
        return place;
    }

    /** Bytes of an adapter's weights, as they are in its file. */
    long weights(Path folder) {
        try {
            return Files.size(folder.resolve(AdapterFolder.WEIGHTS));
        } catch (IOException e) {
            throw invalid("The adapter's weights cannot be read");
        }
    }

    private static ApiException outside() {
        return invalid("'folder' must be below admin.adapter-root, by name and by every link in it");
    }

    private static ApiException invalid(String message) {
        return new ApiException(400, ApiException.INVALID_REQUEST, "folder", "invalid_adapter", message);
    }
}
