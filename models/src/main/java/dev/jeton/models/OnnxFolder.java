package dev.jeton.models;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * What a folder with an ONNX export says beside the graph itself, in config.json (as Optimum leaves it) or
 * genai_config.json (as onnxruntime-genai's model builder writes it).
 *
 * @param graph the ONNX file
 * @param encoder what kind of encoder it is; empty for a decoder
 * @param context most positions
 * @param vocabulary as the configuration says; the graph's logits may be wider
 * @param keyValueHeads as the configuration says; 0 where it does not
 * @param headDim elements of a head, as the configuration says; 0 where it does not
 * @param names of the graph's inputs and outputs
 */
public record OnnxFolder(
        Path graph,
        Optional<VectorSpec> encoder,
        int context,
        int vocabulary,
        int keyValueHeads,
        int headDim,
        Names names) {

    /**
     * Names of a decoder's inputs and outputs; {@code %d} stands for the layer.
     *
     * @param tokens [batch, inputs]
     * @param mask [batch, past and inputs], 1 where a token is
     * @param positions [batch, inputs]; not every graph has it
     * @param pastKey [batch, heads, past, head's elements]
     * @param pastValue as {@code pastKey}
     * @param logits [batch, inputs or 1, vocabulary]
     * @param presentKey as {@code pastKey}, with the inputs appended
     * @param presentValue as {@code presentKey}
     */
    public record Names(
            String tokens,
            String mask,
            String positions,
            String pastKey,
            String pastValue,
            String logits,
            String presentKey,
            String presentValue) {

        /** As Optimum names them. */
        public static final Names OPTIMUM = new Names(
                "input_ids",
                "attention_mask",
                "position_ids",
                "past_key_values.%d.key",
                "past_key_values.%d.value",
                "logits",
                "present.%d.key",
                "present.%d.value");

        /** The input or output of a layer. */
        public static String of(String pattern, int layer) {
            return pattern.replace("%d", String.valueOf(layer));
        }
    }

    /** Places of the graph, the first that is there counts. */
    private static final List<String> GRAPHS = List.of(
            "model.onnx",
            "onnx/model.onnx",
            "decoder_model_merged.onnx",
            "onnx/decoder_model_merged.onnx",
            "decoder_with_past_model.onnx",
            "onnx/decoder_with_past_model.onnx",
            "decoder_model.onnx",
            "onnx/decoder_model.onnx");

    private static final String GENAI = "genai_config.json";

    /** The ONNX file of a folder, if it has one. */
    public static Optional<Path> graph(Path folder) {
        return GRAPHS.stream().map(folder::resolve).filter(Files::isRegularFile).findFirst();
    }

    /** Whether a folder holds an ONNX export. */
    public static boolean describes(Path folder) {
        boolean described =
                Files.isRegularFile(folder.resolve("config.json")) || Files.isRegularFile(folder.resolve(GENAI));
        return described && (graph(folder).isPresent() || Files.isRegularFile(folder.resolve(GENAI)));
    }

    /**
     * Reads a folder.
     *
     * @throws ModelException naming the file and what is missing or wrong
     */
    public static OnnxFolder read(Path folder) {
        if (Files.isRegularFile(folder.resolve(GENAI))) {
            return genai(folder);
        }
        Path graph = graph(folder)
                .orElseThrow(() -> new ModelException(
                        "%s holds no ONNX file; looked for %s".formatted(folder, String.join(", ", GRAPHS))));
        if (VectorSpec.describes(folder)) {
            VectorSpec spec = VectorSpec.read(folder);
            return new OnnxFolder(graph, Optional.of(spec), spec.maxTokens(), spec.vocabulary(), 0, 0, Names.OPTIMUM);
        }
        JsonObject config = JsonObject.read(folder.resolve("config.json"));
        int context = config.optionalInteger("max_position_embeddings", 1, 1 << 28)
                .or(() -> config.optionalInteger("n_positions", 1, 1 << 28))
                .orElse(2048);
        int heads = config.optionalInteger("num_attention_heads", 1, 1 << 14).orElse(0);
        int hidden = config.optionalInteger("hidden_size", 1, 1 << 20).orElse(0);
        return new OnnxFolder(
                graph,
                Optional.empty(),
                context,
                config.integer("vocab_size", 1, 1 << 24),
                config.optionalInteger("num_key_value_heads", 1, 1 << 14).orElse(heads),
                config.optionalInteger("head_dim", 1, 1 << 14).orElse(heads == 0 ? 0 : hidden / heads),
                Names.OPTIMUM);
    }

    private static OnnxFolder genai(Path folder) {
        JsonObject file = JsonObject.read(folder.resolve(GENAI));
        JsonObject model =
                file.object("model").orElseThrow(() -> new ModelException(file.source() + ": \"model\" is missing"));
        JsonObject decoder = model.object("decoder")
                .orElseThrow(() -> new ModelException(
                        model.source() + ": \"decoder\" is missing; only decoders are read from " + GENAI));
        String name = decoder.string("filename").orElse("model.onnx");
        Path graph = folder.resolve(name);
        if (name.contains("/") || name.contains("\\") || !Files.isRegularFile(graph)) {
            throw new ModelException("%s: the ONNX file \"%s\" is not beside it; is the download complete?"
                    .formatted(decoder.source(), name));
        }
        Optional<JsonObject> inputs = decoder.object("inputs");
        Optional<JsonObject> outputs = decoder.object("outputs");
        Names usual = Names.OPTIMUM;
        Names names = new Names(
                named(inputs, "input_ids", usual.tokens),
                named(inputs, "attention_mask", usual.mask),
                named(inputs, "position_ids", usual.positions),
                named(inputs, "past_key_names", usual.pastKey),
                named(inputs, "past_value_names", usual.pastValue),
                named(outputs, "logits", usual.logits),
                named(outputs, "present_key_names", usual.presentKey),
                named(outputs, "present_value_names", usual.presentValue));
        return new OnnxFolder(
                graph,
                Optional.empty(),
                model.integer("context_length", 1, 1 << 28),
                model.integer("vocab_size", 1, 1 << 24),
                decoder.optionalInteger("num_key_value_heads", 1, 1 << 14).orElse(0),
                decoder.optionalInteger("head_size", 1, 1 << 14).orElse(0),
                names);
    }

    private static String named(Optional<JsonObject> object, String key, String otherwise) {
        return object.flatMap(o -> o.string(key)).orElse(otherwise);
    }
}
