package dev.jeton.models.torch;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/**
 * Writes a TorchScript archive: one module whose only state are lists of tensors, empty at first.
 *
 * <p>The format (pytorch, torch/csrc/jit/docs/serialization.md): a ZIP of uncompressed entries under one folder;
 * {@code version} in decimal; {@code code/__torch__.py} with the classes; {@code data.pkl}, the module's attributes in
 * pickle protocol 2; {@code constants.pkl}, a tuple of tensors.
 */
final class ScriptArchive {

    /** Format of PyTorch 1.11 to 2.7 at least; it decides which operators' old meanings are kept. */
    private static final String VERSION = "10\n";

    private ScriptArchive() {}

    /**
     * The archive's bytes.
     *
     * @param name of the module's class
     * @param code the class in TorchScript
     * @param lists names of its attributes, each a {@code List[Tensor]}
     */
    static byte[] write(String name, String code, List<String> lists) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
            add(zip, "data.pkl", module(name, lists));
            add(zip, "code/__torch__.py", code.getBytes(StandardCharsets.UTF_8));
            add(zip, "constants.pkl", new Pickle().op(')').end());
            add(zip, "version", VERSION.getBytes(StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return bytes.toByteArray();
    }

    private static void add(ZipOutputStream zip, String name, byte[] content) throws IOException {
        ZipEntry entry = new ZipEntry("archive/" + name);
        entry.setMethod(ZipEntry.STORED);
        entry.setSize(content.length);
        CRC32 crc = new CRC32();
        crc.update(content);
        entry.setCrc(crc.getValue());
        zip.putNextEntry(entry);
        zip.write(content);
        zip.closeEntry();
    }

    /** An object of the class: made without arguments, then given its attributes. */
    private static byte[] module(String name, List<String> lists) {
        Pickle pickle = new Pickle();
        pickle.global("__torch__", name).op(')').op(0x81).op('}').op('(');
        pickle.string("training").op(0x89);
        for (String list : lists) {
            pickle.string(list);
            pickle.global("torch.jit._pickle", "restore_type_tag").op('(').op(']');
            pickle.string("List[Tensor]").op('t').op('R');
        }
        return pickle.op('u').op('b').end();
    }

    /** Opcodes of pickle protocol 2, as many as are needed. */
    private static final class Pickle {
        private final ByteArrayOutputStream out = new ByteArrayOutputStream();

        Pickle() {
            op(0x80).op(2);
        }

        Pickle op(int code) {
            out.write(code);
            return this;
        }

        Pickle global(String module, String name) {
            op('c');
            out.writeBytes((module + "\n" + name + "\n").getBytes(StandardCharsets.UTF_8));
            return this;
        }

        Pickle string(String text) {
            byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
            op('X');
            for (int shift = 0; shift < 32; shift += 8) {
                out.write(bytes.length >>> shift);
            }
            out.writeBytes(bytes);
            return this;
        }

        byte[] end() {
            return op('.').out.toByteArray();
        }
    }
}
