package dev.jeton.server;

import dev.jeton.models.ChatTemplate;
import dev.jeton.models.Tokenizer;
import dev.jeton.server.api.GenerationDefaults;
import java.nio.file.Path;
import java.util.Optional;

/** Reads what a model folder says about text. */
public interface ModelTexts {

    /**
     * Reads a folder.
     *
     * @param chatTemplate file with a template, or empty for the folder's own
     * @throws dev.jeton.models.ModelException naming the file that is missing or wrong
     */
    Text read(Path folder, String chatTemplate);

    /**
     * What was read.
     *
     * @param tokenizer its tokenizer
     * @param template its chat template, if it has one
     * @param developerRole whether the template knows the role {@code developer}
     * @param eosTokens ids that end a sequence
     * @param defaults sampling parameters of requests that name none
     */
    record Text(
            Tokenizer tokenizer,
            Optional<ChatTemplate> template,
            boolean developerRole,
            int[] eosTokens,
            GenerationDefaults defaults) {}
}
