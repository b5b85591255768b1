package dev.jeton.models.onnx;

import static dev.jeton.models.onnx.OnnxGraph.FLOAT;
import static dev.jeton.models.onnx.OnnxGraph.INT64;

import dev.jeton.models.onnx.OnnxGraph.Attribute;
import dev.jeton.models.reference.TinyEncoder;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** An encoder as an ONNX export. */
public final class EncoderExport {

    private final TinyEncoder encoder;
    private final TinyEncoder.Shape shape;

    public EncoderExport(TinyEncoder encoder) {
        this.encoder = encoder;
        shape = encoder.shape;
    }

    /** Writes config.json and model.onnx. */
    public void write(Path folder, String architecture, String more) throws IOException {
        encoder.config(folder, architecture, more);
        graph().write(folder.resolve("model.onnx"));
    }

    /** Writes the graph alone. */
    public void graphOnly(Path file) throws IOException {
        graph().write(file);
    }

    private OnnxGraph graph() {
        OnnxGraph g = new OnnxGraph();
        g.input("input_ids", INT64, "batch", "tokens");
        g.input("attention_mask", INT64, "batch", "tokens");
        if (shape.types()) {
            g.input("token_type_ids", INT64, "batch", "tokens");
        }
        String mask = g.node("Unsqueeze", List.of(g.cast("attention_mask", OnnxGraph.BOOL), g.numbers(1, 2)));
        String bias = g.node("Where", List.of(mask, g.real(0), g.real(-Float.MAX_VALUE)));
        String x = g.node("Gather", List.of(g.weights(encoder.words, shape.vocabulary(), shape.hidden()), "input_ids"));
        x = g.node(
                "Add",
                List.of(
                        x,
                        g.node(
                                "Gather",
                                List.of(g.weights(encoder.places, shape.positions(), shape.hidden()), place(g)))));
        if (shape.types()) {
            x = g.node(
                    "Add",
                    List.of(
                            x,
                            g.node("Gather", List.of(g.weights(encoder.types, 2, shape.hidden()), "token_type_ids"))));
        }
        x = norm(g, x, encoder.norm);
        for (TinyEncoder.Layer layer : encoder.layers) {
            x = norm(g, g.node("Add", List.of(x, apply(g, attend(g, layer, x, bias), layer.out()))), layer.first());
            String inner = apply(g, x, layer.up());
            String erf = g.node("Erf", List.of(g.node("Div", List.of(inner, g.real((float) Math.sqrt(2))))));
            String gelu = g.node(
                    "Mul",
                    List.of(g.node("Mul", List.of(inner, g.real(0.5f))), g.node("Add", List.of(erf, g.real(1)))));
            x = norm(g, g.node("Add", List.of(x, apply(g, gelu, layer.down()))), layer.second());
        }
        if (shape.labels() == 0) {
            g.name(x, "last_hidden_state");
            g.output("last_hidden_state", FLOAT, "batch", "tokens", shape.hidden());
        } else {
            String first = g.node("Gather", List.of(x, g.number(0)), Attribute.of("axis", 1L));
            String pooled = g.node("Tanh", List.of(apply(g, first, encoder.pooler)));
            g.name(apply(g, pooled, encoder.classifier), "logits");
            g.output("logits", FLOAT, "batch", shape.labels());
        }
        return g;
    }

    private String place(OnnxGraph g) {
        if (!shape.types()) {
            String real = g.cast(
                    g.node("Not", List.of(g.node("Equal", List.of("input_ids", g.number(shape.shift() - 1))))), INT64);
            String counted = g.node("Mul", List.of(g.node("CumSum", List.of(real, g.number(1))), real));
            return g.node("Add", List.of(counted, g.number(shape.shift() - 1)));
        }
        String count = g.node("Gather", List.of(g.node("Shape", List.of("input_ids")), g.number(1)));
        return g.node("Range", List.of(g.number(0), count, g.number(1)));
    }

    private String attend(OnnxGraph g, TinyEncoder.Layer layer, String x, String bias) {
        String q = heads(g, apply(g, x, layer.query()));
        String k = heads(g, apply(g, x, layer.key()));
        String v = heads(g, apply(g, x, layer.value()));
        String turned = g.node("Transpose", List.of(k), Attribute.of("perm", 0, 1, 3, 2));
        String scores = g.node("MatMul", List.of(q, turned));
        float scale = (float) Math.sqrt((double) shape.hidden() / shape.heads());
        scores = g.node("Add", List.of(g.node("Div", List.of(scores, g.real(scale))), bias));
        String mixed = g.node("MatMul", List.of(g.node("Softmax", List.of(scores), Attribute.of("axis", -1L)), v));
        mixed = g.node("Transpose", List.of(mixed), Attribute.of("perm", 0, 2, 1, 3));
        return g.node("Reshape", List.of(mixed, g.numbers(0, 0, shape.hidden())));
    }

    private String heads(OnnxGraph g, String x) {
        String split = g.node("Reshape", List.of(x, g.numbers(0, 0, shape.heads(), shape.hidden() / shape.heads())));
        return g.node("Transpose", List.of(split), Attribute.of("perm", 0, 2, 1, 3));
    }

    private static String apply(OnnxGraph g, String x, TinyEncoder.Linear linear) {
        String product = g.node("MatMul", List.of(x, g.weights(linear.weight(), linear.inputs(), linear.outputs())));
        return g.node("Add", List.of(product, g.weights(linear.bias(), linear.outputs())));
    }

    private static String norm(OnnxGraph g, String x, TinyEncoder.Norm norm) {
        int width = norm.weight().length;
        return g.node(
                "LayerNormalization",
                List.of(x, g.weights(norm.weight(), width), g.weights(norm.bias(), width)),
                Attribute.of("axis", -1L),
                Attribute.of("epsilon", 1e-12f));
    }
}
