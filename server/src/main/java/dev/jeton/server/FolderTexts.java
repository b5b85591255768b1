package dev.jeton.server;

import dev.jeton.models.ChatTemplate;
import dev.jeton.models.ChatTemplates;
import dev.jeton.models.FolderTokenizer;
import dev.jeton.models.ModelException;
import dev.jeton.models.TemplateException;
import dev.jeton.models.template.JinjaTemplate;
import dev.jeton.server.api.GenerationDefaults;
import java.nio.file.Path;
import java.time.Clock;
import java.util.Optional;

/** Reads the text parts of a Hugging Face model folder. */
public final class FolderTexts implements ModelTexts {

    private final Clock clock;

    /** @param clock what chat templates see as the time */
    public FolderTexts(Clock clock) {
        this.clock = clock;
    }

    @Override
    public Text read(Path folder, String chatTemplate) {
        Optional<JinjaTemplate> template = template(folder, chatTemplate);
        dev.jeton.models.GenerationDefaults given = dev.jeton.models.GenerationDefaults.read(folder);
        GenerationDefaults openai = GenerationDefaults.OPENAI;
        return new Text(
                FolderTokenizer.load(folder),
                template.map(ChatTemplate.class::cast),
                template.map(t -> t.namesRole("developer")).orElse(false),
                given.endTokens().stream().mapToInt(Integer::intValue).toArray(),
                new GenerationDefaults(
                        given.temperature().orElse(openai.temperature()),
                        given.topK().orElse(openai.topK()),
                        given.topP().orElse(openai.topP()),
                        given.minP().orElse(openai.minP()),
                        given.repetitionPenalty().orElse(openai.repetitionPenalty())));
    }

    private Optional<JinjaTemplate> template(Path folder, String file) {
        try {
            return file.isEmpty()
                    ? ChatTemplates.ofFolder(folder, clock)
                    : Optional.of(ChatTemplates.ofFile(Path.of(file), folder, clock));
        } catch (TemplateException e) {
            String where = file.isEmpty() ? folder.toString() : file;
            throw new ModelException(
                    "the chat template of %s cannot be used: %s; another can be given with --chat-template"
                            .formatted(where, e.getMessage()),
                    e);
        }
    }
}
