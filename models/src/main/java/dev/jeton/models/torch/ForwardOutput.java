package dev.jeton.models.torch;

import ai.djl.pytorch.jni.IValue;
import dev.jeton.models.VectorSpec;
import dev.jeton.models.engine.EngineException;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/**
 * Which of the tensors that a module returns is read: of a dictionary the first of the names, or its only one; of a
 * tuple or list the first.
 *
 * @param names in a dictionary, the first that is there counts
 * @param hiddenOnly whether only hidden states of tokens will do
 */
record ForwardOutput(List<String> names, boolean hiddenOnly) {

    private static final String SENTENCE = "sentence_embedding";
    private static final List<String> HIDDEN = List.of("last_hidden_state", "token_embeddings");
    private static final List<String> LOGITS = List.of("logits");

    /** Nested deeper than any encoder's. */
    private static final int DEEPEST = 4;

    /** Copies the list. */
    ForwardOutput {
        names = List.copyOf(names);
    }

    /**
     * What is read of an encoder's outputs.
     *
     * @param translated whether one of DJL's translators says how its hidden states are pooled
     */
    static ForwardOutput of(VectorSpec.Kind kind, boolean translated) {
        return switch (kind) {
            case EMBEDDING ->
                translated
                        ? new ForwardOutput(HIDDEN, true)
                        : new ForwardOutput(List.of(SENTENCE, HIDDEN.get(0), HIDDEN.get(1)), false);
            case RERANKER, CLASSIFIER -> new ForwardOutput(LOGITS, false);
        };
    }

    /**
     * Takes the tensor out of what was returned, which is closed.
     *
     * @throws EngineException if there is none, or it cannot be told which
     */
    IValue pick(IValue returned) {
        return pick(returned, DEEPEST);
    }

    private IValue pick(IValue value, int deep) {
        if (value.isTensor()) {
            return value;
        }
        try (value) {
            if (value.isMap() && value.getType().startsWith("Dict(str, ")) {
                return ofMap(value.toIValueMap());
            }
            if (deep > 0 && value.isTuple()) {
                return first(value.toIValueTuple(), deep);
            }
            if (deep > 0 && value.isTensorList()) {
                return first(value.toIValueArray(), deep);
            }
            throw new EngineException(
                    "forward returns %s, where a tensor, or several, are expected".formatted(value.getType()));
        }
    }

    private IValue first(IValue[] values, int deep) {
        for (int i = 1; i < values.length; i++) {
            values[i].close();
        }
        if (values.length == 0) {
            throw new EngineException("forward returns nothing, where a tensor is expected");
        }
        return pick(values[0], deep - 1);
    }

    private IValue ofMap(Map<String, IValue> map) {
        String wanted = names.stream()
                .filter(map::containsKey)
                .findFirst()
                .orElseGet(() -> map.size() == 1 ? map.keySet().iterator().next() : "");
        IValue found = map.remove(wanted);
        TreeSet<String> others = new TreeSet<>(map.keySet());
        map.values().forEach(IValue::close);
        if (found == null) {
            throw new EngineException(
                    "forward returns a dictionary with %s, where one of %s is expected".formatted(others, names));
        }
        return pick(found, 0);
    }
}
