package dev.jeton.models.onnx;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Writes small ONNX files: nodes in the order in which they are added, weights inside or in a file beside. */
public final class OnnxGraph {

    public static final int FLOAT = 1;
    public static final int INT32 = 6;
    public static final int INT64 = 7;
    public static final int BOOL = 9;
    public static final int FLOAT16 = 10;
    public static final int BFLOAT16 = 16;

    /** An attribute of a node. */
    public record Attribute(Protobuf encoded) {
        public static Attribute of(String name, long value) {
            return new Attribute(new Protobuf().text(1, name).number(3, value).number(20, 2));
        }

        public static Attribute of(String name, float value) {
            return new Attribute(new Protobuf().text(1, name).real(2, value).number(20, 1));
        }

        public static Attribute of(String name, long... values) {
            Protobuf encoded = new Protobuf().text(1, name);
            for (long value : values) {
                encoded.number(8, value);
            }
            return new Attribute(encoded.number(20, 7));
        }

        public static Attribute of(String name, OnnxGraph graph) {
            return new Attribute(
                    new Protobuf().text(1, name).message(6, graph.encoded()).number(20, 5));
        }
    }

    private final Protobuf nodes = new Protobuf();
    private final Protobuf initializers;
    private final Protobuf inputs = new Protobuf();
    private final Protobuf outputs = new Protobuf();
    private final ByteArrayOutputStream external;
    private final String externalName;
    private final int[] counter;

    private OnnxGraph(Protobuf initializers, ByteArrayOutputStream external, String externalName, int[] counter) {
        this.initializers = initializers;
        this.external = external;
        this.externalName = externalName;
        this.counter = counter;
    }

    /** A graph with its weights inside. */
    public OnnxGraph() {
        this("");
    }

    /** A graph with weights in a file beside it. */
    public OnnxGraph(String externalName) {
        this(new Protobuf(), new ByteArrayOutputStream(), externalName, new int[1]);
    }

    /** A graph for a branch of this one, which has its values and shares its weights. */
    public OnnxGraph branch() {
        return new OnnxGraph(initializers, external, externalName, counter);
    }

    /** Weights in float32. */
    public String weights(float[] values, int... shape) {
        ByteBuffer bytes = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
        for (float value : values) {
            bytes.putFloat(value);
        }
        return tensor(FLOAT, bytes.array(), !externalName.isEmpty(), shape);
    }

    /** A constant list of whole numbers. */
    public String numbers(long... values) {
        return tensor(INT64, longs(values), false, values.length);
    }

    /** A constant whole number. */
    public String number(long value) {
        return tensor(INT64, longs(value), false);
    }

    /** A constant real number. */
    public String real(float value) {
        return tensor(
                FLOAT,
                ByteBuffer.allocate(4)
                        .order(ByteOrder.LITTLE_ENDIAN)
                        .putFloat(value)
                        .array(),
                false);
    }

    private static byte[] longs(long... values) {
        ByteBuffer bytes = ByteBuffer.allocate(8 * values.length).order(ByteOrder.LITTLE_ENDIAN);
        for (long value : values) {
            bytes.putLong(value);
        }
        return bytes.array();
    }

    private String tensor(int type, byte[] data, boolean outside, int... shape) {
        String name = fresh();
        Protobuf tensor = new Protobuf();
        for (int size : shape) {
            tensor.number(1, size);
        }
        tensor.number(2, type).text(8, name);
        if (outside) {
            tensor.message(13, entry("location", externalName))
                    .message(13, entry("offset", String.valueOf(external.size())))
                    .message(13, entry("length", String.valueOf(data.length)))
                    .number(14, 1);
            external.writeBytes(data);
        } else {
            tensor.bytes(9, data);
        }
        initializers.message(5, tensor);
        return name;
    }

    private static Protobuf entry(String key, String value) {
        return new Protobuf().text(1, key).text(2, value);
    }

    private String fresh() {
        return "v" + counter[0]++;
    }

    /** Adds a node of ONNX's own operators with one output. */
    public String node(String operator, List<String> in, Attribute... attributes) {
        String out = fresh();
        add("", operator, in, List.of(out), attributes);
        return out;
    }

    public void add(String domain, String operator, List<String> in, List<String> out, Attribute... attributes) {
        Protobuf node = new Protobuf();
        in.forEach(name -> node.text(1, name));
        out.forEach(name -> node.text(2, name));
        node.text(3, fresh()).text(4, operator);
        for (Attribute attribute : attributes) {
            node.message(5, attribute.encoded());
        }
        if (!domain.isEmpty()) {
            node.text(7, domain);
        }
        nodes.message(1, node);
    }

    /** The same value under a name that was promised. */
    public void name(String value, String name) {
        add("", "Identity", List.of(value), List.of(name));
    }

    public String cast(String value, int type) {
        return node("Cast", List.of(value), Attribute.of("to", (long) type));
    }

    /** Adds an input; a dimension is a number or a name. */
    public void input(String name, int type, Object... shape) {
        inputs.message(11, value(name, type, shape));
    }

    public void output(String name, int type, Object... shape) {
        outputs.message(12, value(name, type, shape));
    }

    private static Protobuf value(String name, int type, Object... shape) {
        Protobuf dimensions = new Protobuf();
        for (Object size : shape) {
            dimensions.message(
                    1,
                    size instanceof Integer known
                            ? new Protobuf().number(1, known)
                            : new Protobuf().text(2, String.valueOf(size)));
        }
        Protobuf tensor = new Protobuf().number(1, type).message(2, dimensions);
        return new Protobuf().text(1, name).message(2, new Protobuf().message(1, tensor));
    }

    private Protobuf encoded() {
        return new Raw(nodes.toBytes(), new Protobuf().text(2, "g").toBytes(), inputs.toBytes(), outputs.toBytes())
                .joined();
    }

    /** Fields of one message that were encoded apart. */
    private record Raw(byte[]... parts) {
        Protobuf joined() {
            Protobuf all = new Protobuf();
            for (byte[] part : parts) {
                all.raw(part);
            }
            return all;
        }
    }

    /** The file's bytes. */
    public byte[] bytes(int opset) {
        Protobuf graph = encoded().raw(initializers.toBytes());
        return new Protobuf()
                .number(1, 8)
                .message(7, graph)
                .message(8, new Protobuf().text(1, "").number(2, opset))
                .message(8, new Protobuf().text(1, "com.microsoft").number(2, 1))
                .toBytes();
    }

    public void write(Path file) throws IOException {
        write(file, 17);
    }

    public void write(Path file, int opset) throws IOException {
        Files.write(file, bytes(opset));
        if (!externalName.isEmpty()) {
            Files.write(file.resolveSibling(externalName), external.toByteArray());
        }
    }
}
