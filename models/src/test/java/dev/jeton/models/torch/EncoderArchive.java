package dev.jeton.models.torch;

import dev.jeton.models.reference.TinyEncoder;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/**
 * An encoder as a TorchScript file, as {@code torch.jit.save} writes one: code, and weights as tensors in files of
 * their own that the pickled module refers to.
 */
public final class EncoderArchive {

    /** What the module's forward takes. */
    public enum Inputs {
        /** Ids, mask and, of a BERT, types, by position under names that say nothing. */
        POSITIONS,
        /** The same in another order, under the names of transformers. */
        NAMES,
        /** A dictionary, as modules of sentence-transformers do. */
        DICTIONARY,
        /** Ids, mask, and pixels. */
        PIXELS,
        /** Ids alone. */
        IDS
    }

    /** What it returns. */
    public enum Output {
        /** A tensor. */
        TENSOR,
        /** A tuple that begins with it. */
        TUPLE,
        /** A dictionary, as transformers' modules do. */
        DICTIONARY,
        /** A dictionary under names that nobody knows. */
        STRANGE,
        /** One of the mean of all tokens, as sentence-transformers' modules do. */
        SENTENCE,
        /** A whole number. */
        NUMBER
    }

    private static final String NAME = "Encoder";

    private final TinyEncoder encoder;
    private final TinyEncoder.Shape shape;
    private Inputs inputs = Inputs.POSITIONS;
    private Output output = Output.DICTIONARY;
    private int type = 6;
    private String known = "";
    private String unknown = "";
    private final List<float[]> values = new ArrayList<>();
    private final List<long[]> shapes = new ArrayList<>();
    private final StringBuilder body = new StringBuilder();

    public EncoderArchive(TinyEncoder encoder) {
        this.encoder = encoder;
        shape = encoder.shape;
    }

    /** With other inputs. */
    public EncoderArchive inputs(Inputs other) {
        inputs = other;
        return this;
    }

    /** With another output. */
    public EncoderArchive output(Output other) {
        output = other;
        return this;
    }

    /** With an output of the type that libtorch numbers so; 6 is float32. */
    public EncoderArchive type(int number) {
        type = number;
        return this;
    }

    /** With another operator in place of one. */
    public EncoderArchive operator(String right, String wrong) {
        known = right;
        unknown = wrong;
        return this;
    }

    /** Writes config.json and the module. */
    public void write(Path folder, String name, String architecture, String more) throws IOException {
        encoder.config(folder, architecture, more);
        Files.write(folder.resolve(name), bytes());
    }

    /** The file. */
    public byte[] bytes() throws IOException {
        values.clear();
        shapes.clear();
        body.setLength(0);
        forward();
        StringBuilder text = new StringBuilder("class Encoder(Module):\n  __parameters__ = [");
        for (int i = 0; i < values.size(); i++) {
            text.append("\"w").append(i).append("\", ");
        }
        text.append("]\n  __buffers__ = []\n");
        for (int i = 0; i < values.size(); i++) {
            text.append("  w").append(i).append(" : Tensor\n");
        }
        text.append("  training : bool\n").append(body);
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
            add(zip, "data.pkl", module());
            String code = known.isEmpty() ? text.toString() : text.toString().replace(known, unknown);
            add(zip, "code/__torch__.py", code.getBytes(StandardCharsets.UTF_8));
            for (int i = 0; i < values.size(); i++) {
                ByteBuffer data = ByteBuffer.allocate(4 * values.get(i).length).order(ByteOrder.LITTLE_ENDIAN);
                data.asFloatBuffer().put(values.get(i));
                add(zip, "data/" + i, data.array());
            }
            add(zip, "constants.pkl", new byte[] {(byte) 0x80, 2, ')', '.'});
            add(zip, "version", "3\n".getBytes(StandardCharsets.UTF_8));
            add(zip, "byteorder", "little".getBytes(StandardCharsets.UTF_8));
        }
        return bytes.toByteArray();
    }

    private static void add(ZipOutputStream zip, String name, byte[] content) throws IOException {
        ZipEntry entry = new ZipEntry("encoder/" + name);
        entry.setMethod(ZipEntry.STORED);
        entry.setSize(content.length);
        CRC32 crc = new CRC32();
        crc.update(content);
        entry.setCrc(crc.getValue());
        zip.putNextEntry(entry);
        zip.write(content);
        zip.closeEntry();
    }

    private String weight(float[] elements, long... sizes) {
        values.add(elements);
        shapes.add(sizes);
        return "self.w" + (values.size() - 1);
    }

    private void line(String format, Object... arguments) {
        body.append("    ").append(format.formatted(arguments)).append('\n');
    }

    private List<String> names() {
        List<String> all = switch (inputs) {
            case POSITIONS -> List.of("input", "argument_2", "argument_3");
            case NAMES -> List.of("token_type_ids", "attention_mask", "input_ids");
            case PIXELS -> List.of("input_ids", "attention_mask", "pixel_values");
            case IDS -> List.of("input_ids");
            case DICTIONARY -> List.of();
        };
        return all.stream()
                .filter(name -> shape.types() || !name.equals("argument_3") && !name.equals("token_type_ids"))
                .toList();
    }

    private void forward() {
        String arguments = inputs == Inputs.DICTIONARY
                ? "features: Dict[str, Tensor]"
                : names().stream().map(name -> name + ": Tensor").collect(Collectors.joining(", "));
        String returned = switch (output) {
            case TENSOR -> "Tensor";
            case TUPLE -> "Tuple[Tensor, Tensor]";
            case DICTIONARY, STRANGE, SENTENCE -> "Dict[str, Tensor]";
            case NUMBER -> "int";
        };
        body.append("  def forward(self: __torch__.Encoder, %s) -> %s:%n".formatted(arguments, returned));
        switch (inputs) {
            case DICTIONARY -> {
                line("ids = features[\"input_ids\"]");
                line("ones = features[\"attention_mask\"]");
                if (shape.types()) {
                    line("kinds = features[\"token_type_ids\"]");
                }
            }
            case IDS -> {
                line("ids = input_ids");
                line("ones = torch.ones_like(input_ids)");
                line("kinds = torch.zeros_like(input_ids)");
            }
            default -> {
                line("ids = %s", names().contains("input") ? "input" : "input_ids");
                line("ones = %s", names().contains("input") ? "argument_2" : "attention_mask");
                if (shape.types()) {
                    line("kinds = %s", names().getLast().equals("input_ids") ? "token_type_ids" : names().getLast());
                }
            }
        }
        layers();
        end();
    }

    private void layers() {
        int hidden = shape.hidden();
        line("n = torch.size(ids, 0)");
        line("t = torch.size(ids, 1)");
        line("mask = torch.unsqueeze(torch.unsqueeze(torch.ne(ones, 0), 1), 1)");
        line("x = torch.embedding(%s, ids)", weight(encoder.words, shape.vocabulary(), hidden));
        if (shape.types()) {
            line("places = torch.arange(t)");
            line("x = torch.add(x, torch.embedding(%s, kinds))", weight(encoder.types, 2, hidden));
        } else {
            line("real = torch.to(torch.ne(ids, %d), 4)", shape.shift() - 1);
            line("places = torch.add(torch.mul(torch.cumsum(real, 1), real), %d)", shape.shift() - 1);
        }
        line("x = torch.add(x, torch.embedding(%s, places))", weight(encoder.places, shape.positions(), hidden));
        norm(encoder.norm);
        for (TinyEncoder.Layer layer : encoder.layers) {
            for (String head : List.of("q", "k", "v")) {
                TinyEncoder.Linear linear =
                        head.equals("q") ? layer.query() : head.equals("k") ? layer.key() : layer.value();
                line(
                        "%s = torch.transpose(torch.view(%s, [n, t, %d, %d]), 1, 2)",
                        head, apply("x", linear), shape.heads(), hidden / shape.heads());
            }
            line("a = torch.scaled_dot_product_attention(q, k, v, mask)");
            line("a = torch.reshape(torch.transpose(a, 1, 2), [n, t, %d])", hidden);
            line("x = torch.add(x, %s)", apply("a", layer.out()));
            norm(layer.first());
            line("x = torch.add(x, %s)", apply("torch.gelu(" + apply("x", layer.up()) + ")", layer.down()));
            norm(layer.second());
        }
    }

    private String apply(String x, TinyEncoder.Linear linear) {
        return "torch.add(torch.matmul(%s, %s), %s)"
                .formatted(
                        x,
                        weight(linear.weight(), linear.inputs(), linear.outputs()),
                        weight(linear.bias(), linear.outputs()));
    }

    private void norm(TinyEncoder.Norm norm) {
        int width = norm.weight().length;
        line(
                "x = torch.layer_norm(x, [%d], %s, %s, 9.9999999999999998e-13)",
                width, weight(norm.weight(), width), weight(norm.bias(), width));
    }

    private void end() {
        String name = "last_hidden_state";
        if (shape.labels() > 0) {
            name = "logits";
            line("x = torch.tanh(%s)", apply("torch.select(x, 1, 0)", encoder.pooler));
            line("x = %s", apply("x", encoder.classifier));
        }
        line("y = torch.to(x, %d)", type);
        switch (output) {
            case TENSOR -> line("return y");
            case TUPLE -> line("return (y, torch.zeros([3]))");
            case DICTIONARY -> {
                String others = shape.labels() > 0 ? "" : "\"pooler_output\": torch.zeros([3]), ";
                line("return {%s\"%s\": y}", others, name);
            }
            case STRANGE -> line("return {\"first\": y, \"second\": y}");
            case SENTENCE -> {
                line("m = torch.unsqueeze(torch.to(ones, 6), 2)");
                line("s = torch.div(torch.sum(torch.mul(x, m), [1]), torch.sum(m, [1]))");
                line("return {\"token_embeddings\": x, \"sentence_embedding\": s}");
            }
            case NUMBER -> line("return n");
        }
    }

    /** The module in pickle protocol 2; each tensor is rebuilt of a storage that lies beside it. */
    private byte[] module() {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        put(out, "\u0080\u0002c__torch__\n" + NAME + "\n)\u0081}(");
        string(out, "training");
        put(out, "\u0089");
        for (int i = 0; i < values.size(); i++) {
            string(out, "w" + i);
            put(out, "ctorch._utils\n_rebuild_tensor_v2\n((");
            string(out, "storage");
            put(out, "ctorch\nFloatStorage\n");
            string(out, String.valueOf(i));
            string(out, "cpu");
            number(out, values.get(i).length);
            put(out, "tQ");
            number(out, 0);
            long[] sizes = shapes.get(i);
            put(out, "(");
            for (long size : sizes) {
                number(out, (int) size);
            }
            put(out, "t(");
            for (int d = 0; d < sizes.length; d++) {
                int stride = 1;
                for (int e = d + 1; e < sizes.length; e++) {
                    stride *= (int) sizes[e];
                }
                number(out, stride);
            }
            put(out, "t\u0089ccollections\nOrderedDict\n)RtR");
        }
        put(out, "ub.");
        return out.toByteArray();
    }

    private static void put(ByteArrayOutputStream out, String opcodes) {
        out.writeBytes(opcodes.getBytes(StandardCharsets.ISO_8859_1));
    }

    private static void string(ByteArrayOutputStream out, String text) {
        out.write('X');
        word(out, text.length());
        put(out, text);
    }

    private static void number(ByteArrayOutputStream out, int value) {
        out.write('J');
        word(out, value);
    }

    private static void word(ByteArrayOutputStream out, int value) {
        for (int shift = 0; shift < 32; shift += 8) {
            out.write(value >>> shift);
        }
    }
}
