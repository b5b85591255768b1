package dev.jeton.models;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The weights of a model folder: {@code model.safetensors}, or the files that {@code model.safetensors.index.json}
 * names, memory-mapped.
 *
 * <p>The format (huggingface/safetensors): eight bytes N, little-endian; N bytes of JSON that give each tensor's dtype,
 * shape and [begin, end) within the data that follows; the data. Nothing in a header is believed before it is checked:
 * N lies within the file and its bound; offsets ascend, touch, and cover exactly the rest of the file; shape times
 * element size is the tensor's length. A file that breaks a rule is a {@link ModelException}.
 *
 * <p>Thread-safe for reading until {@link #close}, after which tensors must not be touched.
 */
public final class Safetensors implements WeightFiles {

    private static final long MAX_HEADER_BYTES = 100_000_000;
    private static final int MAX_DIMENSIONS = 8;
    private static final int MAX_FILES = 10_000;
    private static final String METADATA = "__metadata__";
    private static final String SINGLE = "model.safetensors";
    private static final String INDEX = "model.safetensors.index.json";

    /** Bytes per element of every dtype the format names; only those of {@link TensorType} can be read. */
    private static final Map<String, Integer> ELEMENT_BYTES = Map.ofEntries(
            Map.entry("BOOL", 1),
            Map.entry("U8", 1),
            Map.entry("I8", 1),
            Map.entry("F8_E5M2", 1),
            Map.entry("F8_E4M3", 1),
            Map.entry("F8_E8M0", 1),
            Map.entry("I16", 2),
            Map.entry("U16", 2),
            Map.entry("F16", 2),
            Map.entry("BF16", 2),
            Map.entry("I32", 4),
            Map.entry("U32", 4),
            Map.entry("F32", 4),
            Map.entry("F64", 8),
            Map.entry("I64", 8),
            Map.entry("U64", 8),
            Map.entry("C64", 8));

    private record Entry(
            String name,
            String type,
            List<Long> shape,
            long begin,
            long end,
            Path file,
            long offset,
            MemorySegment data) {}

    private final Arena arena;
    private final Path folder;
    private final long mostHeader;
    private final Map<String, Entry> entries = new LinkedHashMap<>();

    private Safetensors(Path folder, long mostHeader) {
        this.folder = folder;
        this.mostHeader = mostHeader;
        this.arena = Arena.ofShared();
    }

    /** Maps the weights of a model folder, or one file. */
    public static Safetensors open(Path folder) {
        return open(folder, MAX_HEADER_BYTES);
    }

    /**
     * The same.
     *
     * @param mostHeader bytes of a file's header that are read: a long one of small tensors takes ten times as many
     */
    static Safetensors open(Path folder, long mostHeader) {
        Safetensors weights = new Safetensors(folder, mostHeader);
        try {
            Path index = folder.resolve(INDEX);
            if (Files.isRegularFile(folder)) {
                weights.map(folder);
            } else if (Files.exists(folder.resolve(SINGLE))) {
                weights.map(folder.resolve(SINGLE));
            } else if (Files.exists(index)) {
                weights.mapShards(JsonObject.read(index));
            } else {
                throw new ModelException("%s holds neither %s nor %s; convert the weights to safetensors"
                        .formatted(folder, SINGLE, INDEX));
            }
            return weights;
        } catch (RuntimeException | Error e) {
            weights.close();
            throw e;
        }
    }

    @Override
    public Set<String> names() {
        return Set.copyOf(entries.keySet());
    }

    @Override
    public Optional<Tensor> find(String name) {
        return Optional.ofNullable(entries.get(name)).map(Safetensors::tensor);
    }

    @Override
    public Optional<String> type(String name) {
        return Optional.ofNullable(entries.get(name)).map(Entry::type);
    }

    @Override
    public MemorySegment bytes(String name, String type, long... shape) {
        Entry entry = entries.get(name);
        if (entry == null) {
            throw missing(name);
        }
        WeightFiles.requireShape(folder, name, entry.shape, shape);
        if (!entry.type.equals(type)) {
            throw new ModelException(
                    "%s: tensor \"%s\" has type %s where %s is expected".formatted(entry.file, name, entry.type, type));
        }
        return entry.data;
    }

    @Override
    public Optional<FilePlace> place(String name) {
        return Optional.ofNullable(entries.get(name)).map(entry -> new FilePlace(entry.file, entry.offset));
    }

    private ModelException missing(String name) {
        return new ModelException("%s: tensor \"%s\" is missing; is the download complete?".formatted(folder, name));
    }

    @Override
    public Path source() {
        return folder;
    }

    @Override
    public void close() {
        arena.close();
    }

    private static Tensor tensor(Entry entry) {
        for (TensorType type : TensorType.values()) {
            if (!type.quantized() && type.name().equals(entry.type)) {
                return new Tensor(entry.name, type, entry.shape, entry.data);
            }
        }
        throw new ModelException("%s: tensor \"%s\" has type %s; F32, F16 and BF16 are supported"
                .formatted(entry.file, entry.name, entry.type));
    }

    private void mapShards(JsonObject index) {
        JsonObject map = index.object("weight_map")
                .orElseThrow(() -> new ModelException(index.source() + ": \"weight_map\" is missing"));
        Map<String, String> wanted = new HashMap<>();
        Set<String> files = new java.util.TreeSet<>();
        for (String name : map.keys()) {
            String file = map.string(name).orElseThrow();
            if (file.isEmpty()
                    || file.contains("/")
                    || file.contains("\\")
                    || file.indexOf('\0') >= 0
                    || file.startsWith(".")) {
                throw new ModelException(
                        "%s: \"%s\" is not the name of a file beside it".formatted(index.source(), file));
            }
            wanted.put(name, file);
            files.add(file);
        }
        if (files.isEmpty() || files.size() > MAX_FILES) {
            throw new ModelException(
                    "%s names %d files; 1 to %d are read".formatted(index.source(), files.size(), MAX_FILES));
        }
        files.forEach(file -> map(folder.resolve(file)));
        wanted.forEach((name, file) -> {
            Entry entry = entries.get(name);
            if (entry == null || !entry.file.equals(folder.resolve(file))) {
                throw new ModelException("%s says that tensor \"%s\" is in %s, which does not hold it"
                        .formatted(index.source(), name, file));
            }
        });
    }

    private void map(Path file) {
        MemorySegment bytes;
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            bytes = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
        } catch (IOException e) {
            throw new ModelException("%s cannot be mapped: %s".formatted(file, e.getMessage()), e);
        }
        if (bytes.byteSize() < 8) {
            throw new ModelException("%s is %d bytes long, too short for a header".formatted(file, bytes.byteSize()));
        }
        long length = bytes.get(ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN), 0);
        if (length < 2 || length > mostHeader || length > bytes.byteSize() - 8) {
            throw new ModelException(
                    ("%s says that its header is %s bytes, in a file of %d, and at most %d are read; it is truncated or"
                                    + " not safetensors")
                            .formatted(file, Long.toUnsignedString(length), bytes.byteSize(), mostHeader));
        }
        byte[] json = bytes.asSlice(8, length).toArray(ValueLayout.JAVA_BYTE);
        MemorySegment data = bytes.asSlice(8 + length);
        List<Entry> inFile = new ArrayList<>();
        JsonObject header = JsonObject.parse(file + " (header)", json);
        for (String name : header.keys()) {
            if (!name.equals(METADATA)) {
                inFile.add(entry(file, 8 + length, name, header.object(name).orElseThrow(), data));
            }
        }
        checkCover(file, inFile, data.byteSize());
        for (Entry entry : inFile) {
            Entry before = entries.put(entry.name, entry);
            if (before != null) {
                throw new ModelException(
                        "tensor \"%s\" is both in %s and in %s".formatted(entry.name, before.file, file));
            }
        }
    }

    private static Entry entry(Path file, long dataOffset, String name, JsonObject json, MemorySegment data) {
        String type = json.string("dtype").orElseThrow(() -> new ModelException(json.source() + ": no dtype"));
        List<Object> sizes = json.list("shape");
        List<Object> offsets = json.list("data_offsets");
        if (sizes.size() > MAX_DIMENSIONS || offsets.size() != 2) {
            throw new ModelException(
                    "%s: %d dimensions, %d offsets".formatted(json.source(), sizes.size(), offsets.size()));
        }
        long begin = json.checked("data_offsets", offsets.get(0), 0, data.byteSize());
        long end = json.checked("data_offsets", offsets.get(1), begin, data.byteSize());
        List<Long> shape = new ArrayList<>();
        Integer width = ELEMENT_BYTES.get(type);
        try {
            long length = width == null ? 1 : width;
            for (Object size : sizes) {
                long n = json.checked("shape", size, 0, Long.MAX_VALUE);
                shape.add(n);
                length = Math.multiplyExact(length, n);
            }
            if (width != null && length != end - begin) {
                throw new ModelException("%s: %s %s is %d bytes, its offsets say %d"
                        .formatted(json.source(), type, shape, length, end - begin));
            }
        } catch (ArithmeticException e) {
            throw new ModelException("%s: shape %s overflows".formatted(json.source(), shape), e);
        }
        return new Entry(name, type, shape, begin, end, file, dataOffset + begin, data.asSlice(begin, end - begin));
    }

    /** Tensors must lie one after the other and fill the data exactly, as the format demands. */
    private static void checkCover(Path file, List<Entry> inFile, long bytes) {
        List<Entry> sorted = new ArrayList<>(inFile);
        sorted.sort(Comparator.comparingLong(Entry::begin).thenComparingLong(Entry::end));
        long at = 0;
        for (Entry entry : sorted) {
            if (entry.begin != at) {
                throw new ModelException(
                        "%s: tensor \"%s\" begins at %d where %d was expected: it overlaps another or leaves a hole"
                                .formatted(file, entry.name, entry.begin, at));
            }
            at = entry.end;
        }
        if (at != bytes) {
            throw new ModelException(
                    "%s: its tensors end at byte %d of %d; is the download complete?".formatted(file, at, bytes));
        }
    }
}
