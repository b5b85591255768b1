package dev.jeton.models.onnx;

import ai.onnxruntime.OnnxJavaType;
import ai.onnxruntime.TensorInfo;
import dev.jeton.models.ModelException;
import dev.jeton.models.VectorSpec;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * An encoder's graph as this engine uses it.
 *
 * @param output name of the output that is read
 * @param type of its elements
 * @param width elements of a vector of it
 * @param byToken whether it is a hidden state of each token, to be pooled; otherwise a vector of each text
 * @param tokens type of token ids
 * @param mask type of the attention mask
 * @param kinds type of token types, where the graph takes them
 */
record EncoderGraph(
        String output,
        OnnxJavaType type,
        int width,
        boolean byToken,
        OnnxJavaType tokens,
        OnnxJavaType mask,
        Optional<OnnxJavaType> kinds) {

    static final String TOKENS = "input_ids";
    static final String MASK = "attention_mask";
    static final String KINDS = "token_type_ids";

    /** What sentence-transformers exports pool by themselves, and hidden states as exports name them. */
    private static final String SENTENCE = "sentence_embedding";

    private static final List<String> HIDDEN = List.of("last_hidden_state", "token_embeddings");
    private static final String LOGITS = "logits";

    /**
     * Reads what ONNX Runtime says of the graph.
     *
     * @throws ModelException naming the input or output that is missing, not known, or of another shape
     */
    static EncoderGraph read(OrtModel model, VectorSpec spec) {
        Set<String> known = Set.of(TOKENS, MASK, KINDS);
        for (String input : model.inputs()) {
            if (!known.contains(input)) {
                throw new ModelException("the encoder's graph has an input \"%s\", which is not known; %s are"
                        .formatted(input, known.stream().sorted().toList()));
            }
        }
        String output = output(model, spec);
        TensorInfo info = model.output(output).orElseThrow();
        boolean byToken = HIDDEN.contains(output);
        long[] shape = info.getShape();
        int wanted = byToken ? spec.hidden() : spec.width();
        if (shape.length != (byToken ? 3 : 2) || (shape[shape.length - 1] > 0 && shape[shape.length - 1] != wanted)) {
            throw new ModelException("the encoder's output \"%s\" has shape %s, where vectors of %d are expected"
                    .formatted(output, Arrays.toString(shape), wanted));
        }
        switch (info.type) {
            case FLOAT, FLOAT16, BFLOAT16 -> {
                // read as they are
            }
            default ->
                throw new ModelException(
                        "the encoder's output \"%s\" is of type %s; FLOAT, FLOAT16 and BFLOAT16 are supported"
                                .formatted(output, info.type));
        }
        return new EncoderGraph(
                output,
                info.type,
                wanted,
                byToken,
                whole(model, TOKENS),
                whole(model, MASK),
                model.inputs().contains(KINDS) ? Optional.of(whole(model, KINDS)) : Optional.empty());
    }

    private static String output(OrtModel model, VectorSpec spec) {
        List<String> wanted = switch (spec.kind()) {
            case EMBEDDING -> List.of(SENTENCE, HIDDEN.get(0), HIDDEN.get(1));
            case RERANKER, CLASSIFIER -> List.of(LOGITS);
        };
        return wanted.stream()
                .filter(name -> model.output(name).isPresent())
                .findFirst()
                .orElseThrow(
                        () -> new ModelException("the encoder's graph has none of the outputs %s; its outputs are %s"
                                .formatted(wanted, model.outputs())));
    }

    private static OnnxJavaType whole(OrtModel model, String name) {
        OnnxJavaType type = model.input(name)
                .orElseThrow(() -> new ModelException(
                        "the encoder's graph has no input \"%s\"; its inputs are %s".formatted(name, model.inputs())))
                .type;
        if (type != OnnxJavaType.INT64 && type != OnnxJavaType.INT32) {
            throw new ModelException(
                    "the encoder's input \"%s\" is of type %s; INT64 and INT32 are supported".formatted(name, type));
        }
        return type;
    }
}
