package dev.jeton.models.onnx;

import static dev.jeton.models.onnx.OnnxGraph.FLOAT;
import static dev.jeton.models.onnx.OnnxGraph.INT32;
import static dev.jeton.models.onnx.OnnxGraph.INT64;

import dev.jeton.models.DecoderSpec;
import dev.jeton.models.Safetensors;
import dev.jeton.models.onnx.OnnxGraph.Attribute;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Exports a tiny decoder to ONNX as the exporters in use do. */
public final class DecoderExport {

    /** How keys and values go in and out. */
    public enum Style {
        /** Concatenated by the graph. */
        OPTIMUM,
        /** Appended in place by GroupQueryAttention. */
        GENAI
    }

    private final Path folder;
    private final DecoderSpec spec;
    private final Map<String, double[]> weights;
    private final Style style;
    private final double[] frequencies;
    private final double factor;
    private OnnxGraph graph = new OnnxGraph();
    private int kvType = FLOAT;
    private int logitsType = FLOAT;
    private boolean positions = true;
    private boolean merged;
    private boolean ordered = true;
    private boolean last;
    private boolean lengths;
    private String unknownInput = "";
    private int opset = 17;

    /** Exports a folder's safetensors. */
    public DecoderExport(Path folder, Style style) {
        this.folder = folder;
        this.spec = DecoderSpec.read(folder);
        this.style = style;
        frequencies = spec.rotary().frequencies();
        factor = spec.rotary().attentionFactor();
        weights = new HashMap<>();
        try (Safetensors file = Safetensors.open(folder)) {
            for (String name : file.names()) {
                float[] values = file.find(name).orElseThrow().toFloats();
                double[] wide = new double[values.length];
                for (int i = 0; i < values.length; i++) {
                    wide[i] = values[i];
                }
                weights.put(name, wide);
            }
        }
    }

    /** With weights in a file beside the graph. */
    public DecoderExport external(String name) {
        graph = new OnnxGraph(name);
        return this;
    }

    public DecoderExport types(int kv, int logits) {
        kvType = kv;
        logitsType = logits;
        return this;
    }

    /** Positions follow from the past's length. */
    public DecoderExport withoutPositions() {
        positions = false;
        return this;
    }

    /** In two branches; without order, that for a past sees all its inputs at once, as early exports did. */
    public DecoderExport merged(boolean withOrder) {
        merged = true;
        ordered = withOrder;
        return this;
    }

    /** Logits of the last input only. */
    public DecoderExport lastLogits() {
        last = true;
        return this;
    }

    /** Lengths are inputs in the place of an attention mask. */
    public DecoderExport lengths() {
        lengths = true;
        return this;
    }

    public DecoderExport opset(int version) {
        opset = version;
        return this;
    }

    public DecoderExport unknownInput(String name) {
        unknownInput = name;
        return this;
    }

    /** Writes model.onnx (or decoder_model_merged.onnx) into the model's folder. */
    public Path write() throws IOException {
        build();
        Files.deleteIfExists(folder.resolve("model.safetensors"));
        graph.write(folder.resolve(merged ? "decoder_model_merged.onnx" : "model.onnx"), opset);
        return folder;
    }

    private void build() {
        graph.input("input_ids", INT64, "batch", "inputs");
        if (lengths) {
            graph.input("seqlens_k", INT32, "batch");
            graph.input("total_sequence_length", INT32);
        } else {
            graph.input("attention_mask", INT64, "batch", "total");
        }
        if (positions && style == Style.OPTIMUM) {
            graph.input("position_ids", INT64, "batch", "inputs");
        }
        if (!unknownInput.isEmpty()) {
            graph.input(unknownInput, FLOAT, "batch", 1);
        }
        for (int i = 0; i < spec.layers(); i++) {
            for (String part : List.of("key", "value")) {
                graph.input(
                        "past_key_values." + i + "." + part,
                        kvType,
                        "batch",
                        spec.keyValueHeads(),
                        "past",
                        spec.headDim());
                graph.output("present." + i + "." + part, kvType, "batch", spec.keyValueHeads(), "all", spec.headDim());
            }
        }
        if (last) {
            graph.output("logits", logitsType, "batch", 1, spec.vocabulary());
        } else {
            graph.output("logits", logitsType, "batch", "inputs", spec.vocabulary());
        }
        if (!merged) {
            new Body(graph, true, true).outputs("");
            return;
        }
        graph.input("use_cache_branch", OnnxGraph.BOOL, 1);
        OnnxGraph after = graph.branch();
        OnnxGraph first = graph.branch();
        new Body(after, true, ordered).outputs("a_");
        new Body(first, false, true).outputs("f_");
        List<String> names = new ArrayList<>(List.of("logits"));
        for (int i = 0; i < spec.layers(); i++) {
            names.add("present." + i + ".key");
            names.add("present." + i + ".value");
        }
        graph.add(
                "",
                "If",
                List.of("use_cache_branch"),
                names,
                Attribute.of("then_branch", after),
                Attribute.of("else_branch", first));
    }

    /** The decoder's nodes. */
    private final class Body {
        private final OnnxGraph g;
        private final boolean past;
        private final boolean causal;
        private final List<String> presents = new ArrayList<>();
        private String cos = "";
        private String sin = "";
        private String keys = "";
        private String queries = "";
        private String allowed = "";
        private String seqlens = "seqlens_k";
        private String total = "total_sequence_length";

        Body(OnnxGraph g, boolean past, boolean causal) {
            this.g = g;
            this.past = past;
            this.causal = causal;
        }

        void outputs(String prefix) {
            String logits = logits();
            if (prefix.isEmpty()) {
                g.name(logits, "logits");
                return;
            }
            g.name(logits, prefix + "logits");
            g.output(prefix + "logits", logitsType, "batch", "inputs", spec.vocabulary());
            for (int i = 0; i < presents.size(); i++) {
                String name = prefix + "present" + i;
                g.name(presents.get(i), name);
                g.output(name, kvType, "batch", spec.keyValueHeads(), "all", spec.headDim());
            }
        }

        private String logits() {
            rotaryTables();
            if (style == Style.GENAI) {
                genaiLengths();
            } else {
                mask();
            }
            String x =
                    g.node("Gather", List.of(matrix("model.embed_tokens.weight", spec.hidden(), false), "input_ids"));
            for (int i = 0; i < spec.layers(); i++) {
                x = layer(i, x);
            }
            x = norm(x, vector("model.norm.weight"));
            if (last) {
                x = g.node("Slice", List.of(x, g.numbers(-1), g.numbers(Long.MAX_VALUE), g.numbers(1)));
            }
            String head = spec.tiedEmbedding() ? "model.embed_tokens.weight" : "lm_head.weight";
            String logits = g.node("MatMul", List.of(x, matrix(head, spec.hidden(), true)));
            return logitsType == FLOAT ? logits : g.cast(logits, logitsType);
        }

        private void rotaryTables() {
            int half = spec.headDim() / 2;
            float[] cosines = new float[spec.context() * half];
            float[] sines = new float[spec.context() * half];
            for (int p = 0; p < spec.context(); p++) {
                for (int i = 0; i < half; i++) {
                    cosines[p * half + i] = (float) (Math.cos(p * frequencies[i]) * factor);
                    sines[p * half + i] = (float) (Math.sin(p * frequencies[i]) * factor);
                }
            }
            cos = g.weights(cosines, spec.context(), half);
            sin = g.weights(sines, spec.context(), half);
        }

        private void genaiLengths() {
            if (!lengths) {
                String sum = g.node("ReduceSum", List.of("attention_mask", g.numbers(1)), Attribute.of("keepdims", 0L));
                seqlens = g.cast(g.node("Sub", List.of(sum, g.number(1))), INT32);
                String shape = g.node("Shape", List.of("attention_mask"));
                total = g.cast(g.node("Gather", List.of(shape, g.number(1))), INT32);
            }
            if (kvType != FLOAT) {
                cos = g.cast(cos, kvType);
                sin = g.cast(sin, kvType);
            }
        }

        private void mask() {
            String all = g.node("Gather", List.of(g.node("Shape", List.of("attention_mask")), g.number(1)));
            String inputs = g.node("Gather", List.of(g.node("Shape", List.of("input_ids")), g.number(1)));
            String before = g.node("Sub", List.of(all, inputs));
            keys = g.node("Range", List.of(g.number(0), all, g.number(1)));
            String own = g.node("Range", List.of(before, all, g.number(1)));
            queries = g.node("Unsqueeze", List.of(own, g.numbers(1)));
            String bool = g.cast("attention_mask", OnnxGraph.BOOL);
            allowed = g.node("Unsqueeze", List.of(bool, g.numbers(1, 2)));
            String at = positions ? "position_ids" : g.node("Unsqueeze", List.of(own, g.numbers(0)));
            cos = g.node("Unsqueeze", List.of(g.node("Gather", List.of(cos, at)), g.numbers(1)));
            sin = g.node("Unsqueeze", List.of(g.node("Gather", List.of(sin, at)), g.numbers(1)));
        }

        /** What is added to scores: [batch, 1, inputs, all]. */
        private String bias(int window) {
            String may = allowed;
            if (causal) {
                may = g.node("And", List.of(may, g.node("LessOrEqual", List.of(keys, queries))));
            }
            if (window > 0) {
                String bound = g.node("Sub", List.of(queries, g.number(window)));
                may = g.node("And", List.of(may, g.node("Greater", List.of(keys, bound))));
            }
            return g.node("Where", List.of(may, g.real(0), g.real(-Float.MAX_VALUE)));
        }

        private String layer(int i, String x) {
            String name = "model.layers." + i + ".";
            String attention = name + "self_attn.";
            String in = norm(x, vector(name + "input_layernorm.weight"));
            String q = linear(attention + "q_proj", in, spec.hidden());
            String k = linear(attention + "k_proj", in, spec.hidden());
            String v = linear(attention + "v_proj", in, spec.hidden());
            if (spec.queryNormWidth() > 0) {
                q = headNorm(q, spec.heads(), attention + "q_norm.weight");
                k = headNorm(k, spec.keyValueHeads(), attention + "k_norm.weight");
            }
            String mixed = style == Style.GENAI ? group(i, q, k, v) : attend(i, q, k, v);
            String y = g.node("Add", List.of(x, linear(attention + "o_proj", mixed, spec.queryWidth())));
            String middle = norm(y, vector(name + "post_attention_layernorm.weight"));
            String gate = linear(name + "mlp.gate_proj", middle, spec.hidden());
            String up = linear(name + "mlp.up_proj", middle, spec.hidden());
            String silu = g.node("Mul", List.of(gate, g.node("Sigmoid", List.of(gate))));
            String wide = g.node("Mul", List.of(silu, up));
            return g.node("Add", List.of(y, linear(name + "mlp.down_proj", wide, spec.intermediate())));
        }

        private String headNorm(String x, int heads, String weight) {
            String split = g.node("Reshape", List.of(x, g.numbers(0, 0, heads, spec.headDim())));
            return g.node(
                    "Reshape", List.of(norm(split, vector(weight)), g.numbers(0, 0, (long) heads * spec.headDim())));
        }

        private String group(int i, String q, String k, String v) {
            String out = "attended" + i;
            g.add(
                    "com.microsoft",
                    "GroupQueryAttention",
                    List.of(
                            typed(q),
                            typed(k),
                            typed(v),
                            "past_key_values." + i + ".key",
                            "past_key_values." + i + ".value",
                            seqlens,
                            total,
                            cos,
                            sin),
                    List.of(out, "present." + i + ".key", "present." + i + ".value"),
                    Attribute.of("num_heads", (long) spec.heads()),
                    Attribute.of("kv_num_heads", (long) spec.keyValueHeads()),
                    Attribute.of("do_rotary", 1L),
                    Attribute.of(
                            "local_window_size",
                            spec.windows().get(i) == 0 ? -1L : spec.windows().get(i)));
            return kvType == FLOAT ? out : g.cast(out, FLOAT);
        }

        private String typed(String x) {
            return kvType == FLOAT ? x : g.cast(x, kvType);
        }

        private String attend(int i, String q, String k, String v) {
            int groups = spec.keyValueHeads();
            String keysNow = join(i, "key", rotated(heads(k, groups)));
            String valuesNow = join(i, "value", heads(v, groups));
            String folded = g.node(
                    "Reshape", List.of(rotated(heads(q, spec.heads())), g.numbers(0, groups, -1, spec.headDim())));
            String turned = g.node("Transpose", List.of(keysNow), Attribute.of("perm", 0, 1, 3, 2));
            String scores = g.node("MatMul", List.of(folded, turned));
            scores = g.node("Mul", List.of(scores, g.real((float) (1 / Math.sqrt(spec.headDim())))));
            scores = g.node("Reshape", List.of(scores, g.numbers(0, spec.heads(), -1, 0)));
            scores = g.node("Add", List.of(scores, bias(spec.windows().get(i))));
            String shares = g.node("Softmax", List.of(scores), Attribute.of("axis", -1L));
            shares = g.node("Reshape", List.of(shares, g.numbers(0, groups, -1, 0)));
            String mixed = g.node("MatMul", List.of(shares, valuesNow));
            mixed = g.node("Reshape", List.of(mixed, g.numbers(0, spec.heads(), -1, spec.headDim())));
            mixed = g.node("Transpose", List.of(mixed), Attribute.of("perm", 0, 2, 1, 3));
            return g.node("Reshape", List.of(mixed, g.numbers(0, 0, spec.queryWidth())));
        }

        private String heads(String x, int heads) {
            String split = g.node("Reshape", List.of(x, g.numbers(0, 0, heads, spec.headDim())));
            return g.node("Transpose", List.of(split), Attribute.of("perm", 0, 2, 1, 3));
        }

        private String rotated(String x) {
            int half = spec.headDim() / 2;
            String low = g.node("Slice", List.of(x, g.numbers(0), g.numbers(half), g.numbers(3)));
            String high = g.node("Slice", List.of(x, g.numbers(half), g.numbers(2L * half), g.numbers(3)));
            String a = g.node("Sub", List.of(g.node("Mul", List.of(low, cos)), g.node("Mul", List.of(high, sin))));
            String b = g.node("Add", List.of(g.node("Mul", List.of(high, cos)), g.node("Mul", List.of(low, sin))));
            return g.node("Concat", List.of(a, b), Attribute.of("axis", 3L));
        }

        /** Appends to the past, in its type, and gives all in float32. */
        private String join(int i, String part, String now) {
            String mine = kvType == FLOAT ? now : g.cast(now, kvType);
            String all = past
                    ? g.node("Concat", List.of("past_key_values." + i + "." + part, mine), Attribute.of("axis", 2L))
                    : mine;
            if (merged) {
                presents.add(all);
            } else {
                g.name(all, "present." + i + "." + part);
            }
            return kvType == FLOAT ? all : g.cast(all, FLOAT);
        }

        private String norm(String x, String weight) {
            String square = g.node("Mul", List.of(x, x));
            String mean = g.node(
                    "ReduceMean", List.of(square), Attribute.of("axes", new long[] {-1}), Attribute.of("keepdims", 1L));
            String root = g.node("Sqrt", List.of(g.node("Add", List.of(mean, g.real((float) spec.normEpsilon())))));
            return g.node("Mul", List.of(g.node("Div", List.of(x, root)), weight));
        }

        private String linear(String name, String x, int inputs) {
            String y = g.node("MatMul", List.of(x, matrix(name + ".weight", inputs, true)));
            return weights.containsKey(name + ".bias") ? g.node("Add", List.of(y, vector(name + ".bias"))) : y;
        }

        private String vector(String name) {
            double[] values = weights.get(name);
            float[] floats = new float[values.length];
            for (int i = 0; i < floats.length; i++) {
                floats[i] = (float) values[i];
            }
            return g.weights(floats, floats.length);
        }

        /** A matrix of [outputs][inputs], or the other way round. */
        private String matrix(String name, int inputs, boolean transposed) {
            double[] values = weights.get(name);
            int rows = values.length / inputs;
            float[] floats = new float[values.length];
            for (int r = 0; r < rows; r++) {
                for (int c = 0; c < inputs; c++) {
                    floats[transposed ? c * rows + r : r * inputs + c] = (float) values[r * inputs + c];
                }
            }
            return transposed ? g.weights(floats, inputs, rows) : g.weights(floats, rows, inputs);
        }
    }
}
