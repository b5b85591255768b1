package dev.jeton.server.api;

import dev.jeton.models.VectorSpec;
import dev.jeton.models.VectorSpec.Kind;
import dev.jeton.server.api.Prompts.Prompt;
import dev.jeton.server.api.Prompts.TextPrompt;
import dev.jeton.server.api.Prompts.TokenPrompt;
import dev.jeton.server.json.JsonObject;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/** Texts whose vectors are wanted, as requests give them. What embeddings, ranks and classes share. */
final class Texts {

    private final PromptTokens promptTokens;
    private final int most;

    /** @param most texts in a list */
    Texts(PromptTokens promptTokens, int most) {
        this.promptTokens = promptTokens;
        this.most = most;
    }

    /**
     * What the model is, if it is of that kind.
     *
     * @throws ApiException 400 if not
     */
    static VectorSpec require(ServedModel model, Kind kind) {
        return model.vectors()
                .map(VectorModel::spec)
                .filter(spec -> spec.kind() == kind)
                .orElseThrow(() -> new ApiException(
                        400,
                        ApiException.INVALID_REQUEST,
                        "model",
                        "unsupported_by_model",
                        "The model '%s' does not do this; it is for %s".formatted(model.name(), model.purposes())));
    }

    /** The parameter {@code input}: a text, token ids, or a list of either. */
    Prepared input(JsonObject body, ServedModel model) throws InterruptedException {
        boolean truncate = body.flag("truncate", false);
        String before = model.vectors().map(of -> of.spec().prompt()).orElse("");
        List<int[]> tokens = new ArrayList<>();
        for (Prompt prompt : Prompts.read(body, "input", model, most)) {
            tokens.add(
                    switch (prompt) {
                        case TextPrompt text -> promptTokens.whole("input", before + text.text(), model, truncate);
                        case TokenPrompt given -> given.tokens();
                    });
        }
        return Prepared.pooled(ServiceTier.read(body), cut(tokens, model, truncate), model, "input");
    }

    /**
     * Pairs of one text with each of several.
     *
     * @param instruction by what a model that is asked in words is to judge; empty for its own
     */
    Prepared pairs(JsonObject body, String instruction, String first, List<String> seconds, ServedModel model)
            throws InterruptedException {
        boolean truncate = body.flag("truncate", false);
        VectorModel of = model.vectors().orElseThrow();
        String told = instruction.isEmpty() ? of.spec().prompt() : instruction;
        List<int[]> tokens = new ArrayList<>();
        for (String second : seconds) {
            tokens.add(
                    of.pairs().isPresent()
                            ? promptTokens.pair("documents", of.pairs().get(), told, first, second, model, truncate)
                            : promptTokens.pair("documents", told + first, second, model, truncate));
        }
        return Prepared.pooled(ServiceTier.read(body), cut(tokens, model, truncate), model, "documents");
    }

    /**
     * The parameter {@code documents}: a list of texts, or of objects with a {@code text}.
     *
     * @throws ApiException if there are none, or too many
     */
    List<String> documents(JsonObject body) {
        List<?> given = body.list("documents").orElse(List.of());
        if (given.isEmpty() || given.size() > most) {
            throw ApiException.invalid(
                    "documents",
                    "'documents' has %d entries; between 1 and %d are accepted".formatted(given.size(), most));
        }
        List<String> texts = new ArrayList<>();
        for (int i = 0; i < given.size(); i++) {
            String field = "documents[" + i + "]";
            String text = switch (given.get(i)) {
                case String plain -> plain;
                case Map<?, ?> object -> JsonObject.of(field, object).text("text");
                case null, default ->
                    throw ApiException.invalid(
                            field, "'%s' must be a string, or an object with a 'text'".formatted(field));
            };
            if (text.isEmpty()) {
                throw Prompts.empty(field);
            }
            texts.add(text);
        }
        return texts;
    }

    /** Cut to the model's context where that is asked for; a special token at the end stays there. */
    private static List<int[]> cut(List<int[]> tokens, ServedModel model, boolean truncate) {
        VectorSpec spec = model.vectors().orElseThrow().spec();
        return tokens.stream()
                .map(spec::read)
                .map(text -> truncate ? cut(text, model) : text)
                .toList();
    }

    private static int[] cut(int[] text, ServedModel model) {
        int room = model.contextLength();
        if (text.length <= room) {
            return text;
        }
        int[] shorter = Arrays.copyOf(text, room);
        int last = text[text.length - 1];
        if (model.tokenizer().special(last)) {
            shorter[room - 1] = last;
        }
        return shorter;
    }
}
