package dev.jeton.models.torch;

import dev.jeton.models.ModelException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;

/**
 * A TorchScript file as a ZIP of parts, looked through before libtorch has it: so what is cut off, damaged or something
 * else is said in words, and never read by native code. (A file whose sums are right is trusted: it is a program.)
 */
final class ScriptFile {

    private static final int MOST_PARTS = 1 << 20;

    private ScriptFile() {}

    /**
     * Looks through a file.
     *
     * @param most bytes that there is room for
     * @throws ModelException naming what is wrong with it
     */
    static void check(Path file, long most) {
        try (ZipFile zip = new ZipFile(file.toFile())) {
            List<? extends ZipEntry> parts = Collections.list(zip.entries());
            if (parts.size() > MOST_PARTS) {
                throw new ModelException(
                        "%s has %d parts; at most %d are read".formatted(file, parts.size(), MOST_PARTS));
            }
            List<String> names = new ArrayList<>();
            long bytes = 0;
            for (ZipEntry part : parts) {
                names.add(part.getName().substring(part.getName().indexOf('/') + 1));
                bytes += part.getSize();
            }
            boolean weights = names.contains("data.pkl");
            if (weights && names.stream().noneMatch(name -> name.startsWith("code/"))) {
                throw new ModelException(
                        ("%s holds weights and no code, as torch.save writes them; a module of torch.jit.trace or"
                                        + " torch.jit.script, saved by torch.jit.save, is needed")
                                .formatted(file));
            }
            if (!weights) {
                throw new ModelException("%s is a ZIP file, but no module of torch.jit.save".formatted(file));
            }
            if (bytes > most) {
                throw new ModelException("%s has %d MB of weights, where this machine has %d MB free"
                        .formatted(file, bytes >> 20, most >> 20));
            }
            byte[] buffer = new byte[1 << 16];
            for (ZipEntry part : parts) {
                sum(file, zip, part, buffer);
            }
        } catch (IOException | IllegalArgumentException e) {
            throw new ModelException(
                    "%s is no TorchScript file, or is not whole: %s".formatted(file, e.getMessage()), e);
        }
    }

    private static void sum(Path file, ZipFile zip, ZipEntry part, byte[] buffer) throws IOException {
        CRC32 sum = new CRC32();
        long size = 0;
        try (InputStream in = zip.getInputStream(part)) {
            for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
                sum.update(buffer, 0, n);
                size += n;
            }
        }
        if (size != part.getSize() || sum.getValue() != part.getCrc()) {
            throw new ModelException(
                    "%s is damaged: the sum of its part %s is another".formatted(file, part.getName()));
        }
    }
}
