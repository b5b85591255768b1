package dev.jeton.server.api;

import dev.jeton.models.ChatTemplate;
import dev.jeton.models.ModelException;
import dev.jeton.models.VectorSpec;
import dev.jeton.models.VectorStage;
import java.util.Optional;

/**
 * What comes out of a model that generates nothing, and how it is shown pairs of texts.
 *
 * @param pairs how; empty where the tokenizer joins them
 */
public record VectorModel(VectorSpec spec, Optional<PairTemplate> pairs) {

    /**
     * Of a model.
     *
     * @throws ModelException where it ranks by what a decoder would say, and is not to be asked
     */
    public static VectorModel of(VectorSpec spec, Optional<ChatTemplate> template) {
        boolean asked = spec.stages().stream().anyMatch(VectorStage.TokenLogit.class::isInstance);
        boolean labelled = spec.stages().stream().anyMatch(VectorStage.LabelLogits.class::isInstance);
        Optional<PairTemplate> pairs = asked || labelled && spec.kind() == VectorSpec.Kind.RERANKER
                ? template.flatMap(PairTemplate::of)
                : Optional.empty();
        if (asked && pairs.isEmpty()) {
            throw new ModelException("a decoder that ranks by what it would say next needs a chat template that shows"
                    + " messages of the roles query and document, and this model's does not; give one with"
                    + " --chat-template");
        }
        return new VectorModel(spec, pairs);
    }
}
