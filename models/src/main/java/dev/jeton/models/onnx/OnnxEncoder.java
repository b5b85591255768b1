package dev.jeton.models.onnx;

import ai.onnxruntime.OnnxJavaType;
import ai.onnxruntime.OnnxTensor;
import dev.jeton.models.TensorType;
import dev.jeton.models.VectorSpec;
import dev.jeton.models.encoder.EncoderModel;
import dev.jeton.models.encoder.TextRun;
import dev.jeton.models.rows.Scratch;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;

/** An encoder's ONNX export, run by ONNX Runtime. */
final class OnnxEncoder implements EncoderModel {

    private final OrtModel model;
    private final int threads;
    private final EncoderGraph graph;
    private final Scratch tokens = new Scratch("token ids of a run");
    private final Scratch mask = new Scratch("the attention mask of a run");
    private final Scratch kinds = new Scratch("token types of a run");
    private final Scratch output = new Scratch("the output of a run");
    private final Map<String, OnnxTensor> given = new HashMap<>();

    /** Takes over a loaded graph, but not where this throws. */
    OnnxEncoder(OrtModel model, VectorSpec spec, int threads) {
        this.model = model;
        this.threads = threads;
        graph = EncoderGraph.read(model, spec);
    }

    @Override
    public String engine() {
        return "onnx";
    }

    @Override
    public String device() {
        return "%s, %d threads".formatted(model.device(), threads);
    }

    @Override
    public boolean byToken() {
        return graph.byToken();
    }

    @Override
    public boolean tokenTypes() {
        return graph.kinds().isPresent();
    }

    @Override
    public TensorType type() {
        return Elements.of(graph.type());
    }

    @Override
    public int width() {
        return graph.width();
    }

    @Override
    public MemorySegment run(TextRun texts) {
        int count = texts.count();
        int longest = texts.longest();
        try {
            MemorySegment ids = tokens.of(texts.places() * graph.tokens().size);
            texts.tokens(ids, wide(graph.tokens()));
            given.put(EncoderGraph.TOKENS, model.tensor(ids, graph.tokens(), count, longest));
            MemorySegment ones = mask.of(texts.places() * graph.mask().size);
            texts.mask(ones, wide(graph.mask()));
            given.put(EncoderGraph.MASK, model.tensor(ones, graph.mask(), count, longest));
            graph.kinds().ifPresent(type -> {
                MemorySegment memory = kinds.of(texts.places() * type.size);
                texts.types(memory, wide(type));
                given.put(EncoderGraph.KINDS, model.tensor(memory, type, count, longest));
            });
            long elements = (graph.byToken() ? texts.places() : count) * graph.width();
            MemorySegment memory = output.of(elements * graph.type().size);
            try (OnnxTensor tensor = graph.byToken()
                    ? model.tensor(memory, graph.type(), count, longest, graph.width())
                    : model.tensor(memory, graph.type(), count, graph.width())) {
                model.run(given, Map.of(graph.output(), tensor));
            }
            return memory;
        } finally {
            given.values().forEach(OnnxTensor::close);
            given.clear();
        }
    }

    private static boolean wide(OnnxJavaType type) {
        return type == OnnxJavaType.INT64;
    }

    @Override
    public void close() {
        tokens.close();
        mask.close();
        kinds.close();
        output.close();
        model.close();
    }
}
