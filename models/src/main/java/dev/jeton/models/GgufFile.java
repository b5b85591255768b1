package dev.jeton.models;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A GGUF model: one file, or all parts of one that was split ({@code NAME-00001-of-00003.gguf}), memory-mapped.
 * Metadata is the first part's. Tensors have the names of the file.
 *
 * <p>Every tensor is checked to lie within its file, at a multiple of the alignment, and over no other.
 *
 * <p>Thread-safe for reading tensors until {@link #close}; metadata is read by one thread.
 */
final class GgufFile implements AutoCloseable {

    private static final Pattern PART = Pattern.compile("(.+)-(\\d{5})-of-(\\d{5})\\.gguf");
    private static final int MOST_PARTS = 1000;

    /** The names of ggml's types by their numbers; only those of {@link TensorType} can be read. */
    private static final Map<Integer, String> TYPES = Map.ofEntries(
            Map.entry(0, "F32"),
            Map.entry(1, "F16"),
            Map.entry(2, "Q4_0"),
            Map.entry(3, "Q4_1"),
            Map.entry(6, "Q5_0"),
            Map.entry(7, "Q5_1"),
            Map.entry(8, "Q8_0"),
            Map.entry(9, "Q8_1"),
            Map.entry(10, "Q2_K"),
            Map.entry(11, "Q3_K"),
            Map.entry(12, "Q4_K"),
            Map.entry(13, "Q5_K"),
            Map.entry(14, "Q6_K"),
            Map.entry(15, "Q8_K"),
            Map.entry(16, "IQ2_XXS"),
            Map.entry(17, "IQ2_XS"),
            Map.entry(18, "IQ3_XXS"),
            Map.entry(19, "IQ1_S"),
            Map.entry(20, "IQ4_NL"),
            Map.entry(21, "IQ3_S"),
            Map.entry(22, "IQ2_S"),
            Map.entry(23, "IQ4_XS"),
            Map.entry(24, "I8"),
            Map.entry(25, "I16"),
            Map.entry(26, "I32"),
            Map.entry(27, "I64"),
            Map.entry(28, "F64"),
            Map.entry(29, "IQ1_M"),
            Map.entry(30, "BF16"),
            Map.entry(34, "TQ1_0"),
            Map.entry(35, "TQ2_0"),
            Map.entry(39, "MXFP4"));

    private record Placed(Path file, GgufHeader.TensorInfo info, MemorySegment data) {}

    private final Path path;
    private final Arena arena = Arena.ofShared();
    private final Map<String, Placed> tensors = new LinkedHashMap<>();
    private GgufHeader header;

    private GgufFile(Path path) {
        this.path = path;
        List<Path> parts = parts(path);
        try {
            header = map(parts.getFirst());
            int count = header.metadata()
                    .optionalInteger("split.count", 0, MOST_PARTS)
                    .orElse(1);
            if (Math.max(1, count) != parts.size()) {
                throw new ModelException(
                        "%s is one of %d parts; keep all of them in one folder, with their names as they were"
                                .formatted(parts.getFirst(), count));
            }
            for (Path part : parts.subList(1, parts.size())) {
                map(part);
            }
        } catch (RuntimeException | Error e) {
            arena.close();
            throw e;
        }
    }

    /** Whether a model's path is a file, which then is a GGUF file, and not a folder. */
    static boolean is(Path model) {
        return Files.isRegularFile(model);
    }

    /**
     * Maps a model.
     *
     * @param path the file, or one of the parts
     * @throws ModelException naming the file and what is wrong
     */
    static GgufFile open(Path path) {
        return new GgufFile(path);
    }

    /** The model's name: the file's without its ending and number. */
    static String name(Path path) {
        String file = path.getFileName().toString();
        Matcher part = PART.matcher(file);
        if (part.matches()) {
            return part.group(1);
        }
        return file.toLowerCase(Locale.ROOT).endsWith(".gguf") ? file.substring(0, file.length() - 5) : file;
    }

    /** All parts of the model that a file belongs to, in order. */
    static List<Path> parts(Path path) {
        Matcher part = PART.matcher(path.getFileName().toString());
        if (!part.matches() || Integer.parseInt(part.group(3)) == 1) {
            return List.of(path);
        }
        int count = Integer.parseInt(part.group(3));
        if (count < 1 || count > MOST_PARTS) {
            throw new ModelException("%s is one of %d parts; 1 to %d are read".formatted(path, count, MOST_PARTS));
        }
        List<Path> parts = new ArrayList<>();
        for (int i = 1; i <= count; i++) {
            Path file = path.resolveSibling("%s-%05d-of-%05d.gguf".formatted(part.group(1), i, count));
            if (!Files.isRegularFile(file)) {
                throw new ModelException(
                        "%s is missing, which %s needs; is the download complete?".formatted(file, path.getFileName()));
            }
            parts.add(file);
        }
        return parts;
    }

    /** The path as given. */
    Path path() {
        return path;
    }

    /** Metadata but lists. */
    JsonObject metadata() {
        return header.metadata();
    }

    /** A list of the metadata; empty where there is none. */
    List<Object> list(String key) {
        return header.list(key);
    }

    /** Names of all tensors. */
    Iterable<String> names() {
        return tensors.keySet();
    }

    boolean holds(String tensor) {
        return tensors.containsKey(tensor);
    }

    /** The element type of a tensor as ggml names it. */
    Optional<String> type(String tensor) {
        return Optional.ofNullable(tensors.get(tensor)).map(t -> typeName(t.info.type()));
    }

    /** The sizes of a tensor, outermost first; empty where there is no such tensor. */
    List<Long> shape(String tensor) {
        Placed placed = tensors.get(tensor);
        return placed == null ? List.of() : placed.info.shape();
    }

    /** A tensor under another name; an error where its element type cannot be read. */
    Optional<Tensor> find(String tensor, String name) {
        Placed placed = tensors.get(tensor);
        if (placed == null) {
            return Optional.empty();
        }
        TensorType type = type(placed.info.type())
                .orElseThrow(() -> new ModelException(
                        "%s: tensor \"%s\" has type %s, which is not supported; F32, F16, BF16, Q8_0, Q6_K, Q5_K, Q4_K, MXFP4"
                                        .formatted(placed.file, tensor, typeName(placed.info.type()))
                                + " and the older Q5 and Q4 are: take the Q4_K_M or Q8_0 file of this model"));
        return Optional.of(new Tensor(name, type, placed.info.shape(), placed.data));
    }

    private static String typeName(int number) {
        return TYPES.getOrDefault(number, "number " + number);
    }

    private static Optional<TensorType> type(int number) {
        String name = typeName(number);
        for (TensorType type : TensorType.values()) {
            if (type.name().equals(name)) {
                return Optional.of(type);
            }
        }
        return Optional.empty();
    }

    private GgufHeader map(Path file) {
        MemorySegment bytes;
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            bytes = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
        } catch (IOException e) {
            throw new ModelException("%s cannot be mapped: %s".formatted(file, e.getMessage()), e);
        }
        GgufHeader read = GgufHeader.read(file, bytes);
        List<GgufHeader.TensorInfo> sorted = new ArrayList<>(read.tensors());
        sorted.sort(Comparator.comparingLong(GgufHeader.TensorInfo::offset));
        long end = 0;
        for (GgufHeader.TensorInfo info : sorted) {
            if (info.offset() < end || info.offset() % read.alignment() != 0) {
                throw new ModelException(
                        "%s: tensor \"%s\" begins at %s, which lies within another or is no multiple of %d"
                                .formatted(file, info.name(), Long.toUnsignedString(info.offset()), read.alignment()));
            }
            MemorySegment data = data(file, info, read.dataStart(), bytes);
            end = info.offset() + data.byteSize();
            Placed before = tensors.put(info.name(), new Placed(file, info, data));
            if (before != null) {
                throw new ModelException(
                        "tensor \"%s\" is both in %s and in %s".formatted(info.name(), before.file, file));
            }
        }
        return read;
    }

    /** The bytes of a tensor; of a type that is not read, none. */
    private static MemorySegment data(Path file, GgufHeader.TensorInfo info, long dataStart, MemorySegment bytes) {
        Optional<TensorType> type = type(info.type());
        if (type.isEmpty()) {
            return MemorySegment.NULL;
        }
        int block = type.get().blockElements();
        long size = type.get().blockBytes();
        try {
            for (long n : info.shape()) {
                if (n < 0) {
                    throw new ArithmeticException();
                }
            }
            long row = info.shape().getLast();
            if (row % block != 0) {
                throw new ModelException("%s: tensor \"%s\" of type %s has rows of %d, no multiple of %d"
                        .formatted(file, info.name(), type.get(), row, block));
            }
            size = Math.multiplyExact(size, row / block);
            for (long n : info.shape().subList(0, info.shape().size() - 1)) {
                size = Math.multiplyExact(size, n);
            }
        } catch (ArithmeticException e) {
            throw new ModelException(
                    "%s: tensor \"%s\" has shape %s, which overflows".formatted(file, info.name(), info.shape()), e);
        }
        long left = bytes.byteSize() - dataStart;
        if (info.offset() > left || size > left - info.offset()) {
            throw new ModelException(
                    "%s: tensor \"%s\" ends past the end of the file, at byte %s of %d; is the download complete?"
                            .formatted(
                                    file,
                                    info.name(),
                                    Long.toUnsignedString(dataStart + info.offset() + size),
                                    bytes.byteSize()));
        }
        return bytes.asSlice(dataStart + info.offset(), size);
    }

    @Override
    public void close() {
        arena.close();
    }
}
