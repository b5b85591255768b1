package dev.jeton.models.onnx;

import ai.onnxruntime.OnnxJavaType;
import ai.onnxruntime.TensorInfo;
import dev.jeton.models.ModelException;
import dev.jeton.models.OnnxFolder;
import dev.jeton.models.OnnxFolder.Names;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;

/**
 * A decoder's graph as this engine uses it.
 *
 * @param names of inputs and outputs
 * @param layers with keys and values
 * @param heads key and value heads
 * @param headDim elements of one
 * @param kvType of keys and values
 * @param logitsType of logits
 * @param vocabulary logits of a position
 * @param lastLogits whether logits come for the last input only
 * @param shared whether past and present are one buffer, into which the graph appends (GroupQueryAttention)
 * @param merged whether {@code use_cache_branch} chooses between a graph for prompts and one for what follows
 * @param unsure whether it must be tried if several inputs can follow a past: exports in two parts were once traced
 *     with one
 * @param tokens type of token ids
 * @param mask type of the attention mask, where there is one
 * @param positions type of positions, where there are some
 */
record DecoderGraph(
        Names names,
        int layers,
        int heads,
        int headDim,
        OnnxJavaType kvType,
        OnnxJavaType logitsType,
        int vocabulary,
        boolean lastLogits,
        boolean shared,
        boolean merged,
        boolean unsure,
        OnnxJavaType tokens,
        Optional<OnnxJavaType> mask,
        Optional<OnnxJavaType> positions) {

    static final String BRANCH = "use_cache_branch";
    static final String LENGTHS = "seqlens_k";
    static final String TOTAL = "total_sequence_length";

    private static final int MAX_LAYERS = 4096;

    /** Planes of a block: keys and values of each layer. */
    int planes() {
        return 2 * layers;
    }

    /** Bytes of one head's key or value of one token. */
    long headBytes() {
        return (long) headDim * kvType.size;
    }

    /** The input of a plane. */
    String past(int plane) {
        return Names.of(plane % 2 == 0 ? names.pastKey() : names.pastValue(), plane / 2);
    }

    /** The output of a plane. */
    String present(int plane) {
        return Names.of(plane % 2 == 0 ? names.presentKey() : names.presentValue(), plane / 2);
    }

    /**
     * Reads what ONNX Runtime says of the graph.
     *
     * @throws ModelException naming the input or output that is missing, not known, or of another shape
     */
    static DecoderGraph read(OrtModel model, OnnxFolder folder, OnnxFile file) {
        return new Reader(model, folder, file).read();
    }

    private record Reader(OrtModel model, OnnxFolder folder, OnnxFile file) {

        DecoderGraph read() {
            Names names = folder.names();
            int layers = 0;
            while (layers < MAX_LAYERS && model.inputs().contains(Names.of(names.pastKey(), layers))) {
                layers++;
            }
            if (layers == 0) {
                throw new ModelException(
                        ("%s takes no past keys and values (\"%s\"), so each token would compute all text anew; export it"
                                        + " with them (optimum: --task text-generation-with-past). Its inputs are %s")
                                .formatted(file.path(), Names.of(names.pastKey(), 0), model.inputs()));
            }
            TensorInfo past = input(Names.of(names.pastKey(), 0));
            long[] shape = past.getShape();
            if (shape.length != 4) {
                throw new ModelException("%s: \"%s\" has shape %s; [batch, heads, past, head's elements] is supported"
                        .formatted(file.path(), Names.of(names.pastKey(), 0), Arrays.toString(shape)));
            }
            boolean shared = shared(layers);
            TensorInfo logits = output(names.logits());
            long[] logitsShape = logits.getShape();
            if (logitsShape.length != 3) {
                throw new ModelException("%s: \"%s\" has shape %s; [batch, inputs, vocabulary] is supported"
                        .formatted(file.path(), names.logits(), Arrays.toString(logitsShape)));
            }
            boolean merged = model.inputs().contains(BRANCH);
            known(layers);
            String name = String.valueOf(file.path().getFileName());
            return new DecoderGraph(
                    names,
                    layers,
                    size(shape[1], folder.keyValueHeads(), "heads"),
                    size(shape[3], folder.headDim(), "elements of a head"),
                    floating(past.type, Names.of(names.pastKey(), 0)),
                    floating(logits.type, names.logits()),
                    size(logitsShape[2], folder.vocabulary(), "logits"),
                    logitsShape[1] == 1,
                    shared,
                    merged,
                    merged || name.startsWith("decoder_"),
                    whole(names.tokens()),
                    optional(names.mask()),
                    optional(names.positions()));
        }

        /** Whether all attention is GroupQueryAttention, straight from past inputs and to present outputs. */
        private boolean shared(int layers) {
            if (!file.operators().contains(OnnxFile.GROUP_QUERY)) {
                return false;
            }
            Set<String> direct = new HashSet<>();
            for (OnnxFile.SharedAttention node : file.attentions()) {
                if (node.inputs().size() > 4 && node.outputs().size() > 2) {
                    direct.add(node.inputs().get(3) + " " + node.outputs().get(1));
                    direct.add(node.inputs().get(4) + " " + node.outputs().get(2));
                }
            }
            for (int layer = 0; layer < layers; layer++) {
                Names names = folder.names();
                String key = Names.of(names.pastKey(), layer) + " " + Names.of(names.presentKey(), layer);
                String value = Names.of(names.pastValue(), layer) + " " + Names.of(names.presentValue(), layer);
                if (!direct.contains(key) || !direct.contains(value)) {
                    throw new ModelException(
                            ("%s: GroupQueryAttention of layer %d does not take and give the graph's own past,"
                                            + " so both cannot share a buffer; such graphs are not supported")
                                    .formatted(file.path(), layer));
                }
            }
            return true;
        }

        /** What the graph asks for and this engine does not know would be guessed, so it is refused. */
        private void known(int layers) {
            Names names = folder.names();
            Set<String> known =
                    new HashSet<>(Set.of(names.tokens(), names.mask(), names.positions(), BRANCH, LENGTHS, TOTAL));
            for (int layer = 0; layer < layers; layer++) {
                known.add(Names.of(names.pastKey(), layer));
                known.add(Names.of(names.pastValue(), layer));
                input(Names.of(names.pastValue(), layer));
                output(Names.of(names.presentKey(), layer));
                output(Names.of(names.presentValue(), layer));
            }
            for (String input : model.inputs()) {
                if (!known.contains(input)) {
                    throw new ModelException("%s: input \"%s\" is not known; %s are"
                            .formatted(
                                    file.path(), input, known.stream().sorted().toList()));
                }
            }
        }

        private TensorInfo input(String name) {
            return model.input(name)
                    .orElseThrow(() -> new ModelException(
                            "%s has no input \"%s\"; its inputs are %s".formatted(file.path(), name, model.inputs())));
        }

        private TensorInfo output(String name) {
            return model.output(name)
                    .orElseThrow(() -> new ModelException("%s has no output \"%s\"; its outputs are %s"
                            .formatted(file.path(), name, model.outputs())));
        }

        private OnnxJavaType whole(String name) {
            OnnxJavaType type = input(name).type;
            if (type != OnnxJavaType.INT64 && type != OnnxJavaType.INT32) {
                throw new ModelException("%s: input \"%s\" is of type %s; INT64 and INT32 are supported"
                        .formatted(file.path(), name, type));
            }
            return type;
        }

        private Optional<OnnxJavaType> optional(String name) {
            return model.inputs().contains(name) ? Optional.of(whole(name)) : Optional.empty();
        }

        private OnnxJavaType floating(OnnxJavaType type, String name) {
            return switch (type) {
                case FLOAT, FLOAT16, BFLOAT16 -> type;
                default ->
                    throw new ModelException("%s: \"%s\" is of type %s; FLOAT, FLOAT16 and BFLOAT16 are supported"
                            .formatted(file.path(), name, type));
            };
        }

        private int size(long inGraph, int inConfiguration, String what) {
            long size = inGraph > 0 ? inGraph : inConfiguration;
            if (size < 1 || size > 1 << 24) {
                throw new ModelException("%s: neither the graph nor the configuration says how many %s there are"
                        .formatted(file.path(), what));
            }
            return (int) size;
        }
    }
}
