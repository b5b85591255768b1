package dev.jeton.models.onnx;

import dev.jeton.models.ModelException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * What must be known of an ONNX file before ONNX Runtime loads it: which operators it has, whether it and its external
 * data are whole, and how much memory its weights take. Read from the protobuf encoding (onnx.proto: ModelProto,
 * GraphProto, NodeProto, TensorProto); weights are skipped, not read.
 *
 * @param path of the file
 * @param bytes of the file and its external data
 * @param operators names of all operators, those of subgraphs included; with the domain before a colon unless it is
 *     ONNX's
 * @param attentions the GroupQueryAttention nodes of the main graph
 */
record OnnxFile(Path path, long bytes, Set<String> operators, List<SharedAttention> attentions) {

    /** The operator of onnxruntime-genai's exports that reads and appends to one buffer. */
    static final String GROUP_QUERY = "com.microsoft:GroupQueryAttention";

    /** Names of the values through which a GroupQueryAttention node takes and gives keys and values. */
    record SharedAttention(List<String> inputs, List<String> outputs) {
        SharedAttention {
            inputs = List.copyOf(inputs);
            outputs = List.copyOf(outputs);
        }
    }

    OnnxFile {
        operators = Set.copyOf(operators);
        attentions = List.copyOf(attentions);
    }

    /**
     * Reads a file.
     *
     * @throws ModelException where it ends early, is no ONNX file, or external data is missing or too short
     */
    static OnnxFile read(Path path) {
        try (Arena arena = Arena.ofConfined();
                FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            long size = channel.size();
            if (size == 0) {
                throw new ModelException(path + " is empty; is the export or download complete?");
            }
            Reader reader = new Reader(path, channel.map(FileChannel.MapMode.READ_ONLY, 0, size, arena));
            reader.model();
            return new OnnxFile(path, size + reader.externalBytes(), reader.operators, reader.attentions);
        } catch (IOException e) {
            throw new ModelException("%s cannot be read: %s".formatted(path, e.getMessage()), e);
        }
    }

    /** Walks the encoding; every length is checked against the message that holds it. */
    private static final class Reader {

        private static final int MAX_DEPTH = 16;
        private static final int MAX_NAME = 1 << 16;

        private final Path path;
        private final MemorySegment data;
        private final Set<String> operators = new HashSet<>();
        private final List<SharedAttention> attentions = new ArrayList<>();
        private final Set<String> files = new HashSet<>();
        private long at;

        Reader(Path path, MemorySegment data) {
            this.path = path;
            this.data = data;
        }

        void model() {
            boolean graph = false;
            while (at < data.byteSize()) {
                int tag = tag(data.byteSize());
                if (tag >>> 3 == 7 && (tag & 7) == 2) {
                    graph(length(data.byteSize()), 0);
                    graph = true;
                } else {
                    skip(tag, data.byteSize());
                }
            }
            if (!graph) {
                throw new ModelException(path + " holds no graph; it is not an ONNX model");
            }
        }

        private void graph(long end, int depth) {
            if (depth > MAX_DEPTH) {
                throw new ModelException("%s: subgraphs are nested deeper than %d".formatted(path, MAX_DEPTH));
            }
            while (at < end) {
                int tag = tag(end);
                switch (tag) {
                    case 1 << 3 | 2 -> node(length(end), depth);
                    case 5 << 3 | 2 -> tensor(length(end));
                    default -> skip(tag, end);
                }
            }
        }

        private void node(long end, int depth) {
            List<String> inputs = new ArrayList<>();
            List<String> outputs = new ArrayList<>();
            String operator = "";
            String domain = "";
            while (at < end) {
                int tag = tag(end);
                switch (tag) {
                    case 1 << 3 | 2 -> inputs.add(text(end));
                    case 2 << 3 | 2 -> outputs.add(text(end));
                    case 4 << 3 | 2 -> operator = text(end);
                    case 7 << 3 | 2 -> domain = text(end);
                    case 5 << 3 | 2 -> attribute(length(end), depth);
                    default -> skip(tag, end);
                }
            }
            String name = domain.isEmpty() || domain.equals("ai.onnx") ? operator : domain + ":" + operator;
            operators.add(name);
            if (name.equals(GROUP_QUERY) && depth == 0) {
                attentions.add(new SharedAttention(inputs, outputs));
            }
        }

        private void attribute(long end, int depth) {
            while (at < end) {
                int tag = tag(end);
                switch (tag) {
                    case 6 << 3 | 2, 11 << 3 | 2 -> graph(length(end), depth + 1);
                    case 5 << 3 | 2 -> tensor(length(end));
                    default -> skip(tag, end);
                }
            }
        }

        private void tensor(long end) {
            String location = "";
            long offset = 0;
            long bytes = 0;
            while (at < end) {
                int tag = tag(end);
                if (tag != (13 << 3 | 2)) {
                    skip(tag, end);
                    continue;
                }
                String[] entry = entry(length(end));
                switch (entry[0]) {
                    case "location" -> location = entry[1];
                    case "offset" -> offset = number(entry);
                    case "length" -> bytes = number(entry);
                    default -> {
                        // checksums and what later versions add
                    }
                }
            }
            if (!location.isEmpty()) {
                external(location, offset, bytes);
            }
        }

        private long number(String[] entry) {
            try {
                long value = Long.parseLong(entry[1]);
                if (value >= 0) {
                    return value;
                }
            } catch (NumberFormatException e) {
                // said below
            }
            throw new ModelException("%s: external data has %s \"%s\"".formatted(path, entry[0], entry[1]));
        }

        private String[] entry(long end) {
            String[] entry = {"", ""};
            while (at < end) {
                int tag = tag(end);
                switch (tag) {
                    case 1 << 3 | 2 -> entry[0] = text(end);
                    case 2 << 3 | 2 -> entry[1] = text(end);
                    default -> skip(tag, end);
                }
            }
            return entry;
        }

        private void external(String location, long offset, long bytes) {
            Path file = beside(location);
            if (!file.startsWith(beside(""))) {
                throw new ModelException("%s names external data outside its folder: %s".formatted(path, location));
            }
            files.add(location);
            long size = size(location, file);
            if (offset > size || bytes > size - offset) {
                throw new ModelException(
                        "%s: external data %s ends at byte %d where bytes %d to %d are needed; is it whole?"
                                .formatted(path, location, size, offset, offset + bytes));
            }
        }

        private Path beside(String location) {
            return path.toAbsolutePath().normalize().resolveSibling(location).normalize();
        }

        private long size(String location, Path file) {
            try {
                return Files.size(file);
            } catch (IOException e) {
                throw new ModelException(
                        "%s needs its external data %s, which is not beside it; copy it there"
                                .formatted(path, location),
                        e);
            }
        }

        long externalBytes() {
            return files.stream().mapToLong(f -> size(f, beside(f))).sum();
        }

        private int tag(long end) {
            long tag = varint(end);
            if (tag <= 0 || tag > Integer.MAX_VALUE) {
                throw damaged();
            }
            return (int) tag;
        }

        private long varint(long end) {
            long value = 0;
            for (int shift = 0; shift < 64; shift += 7) {
                if (at >= end) {
                    throw damaged();
                }
                byte next = data.get(ValueLayout.JAVA_BYTE, at++);
                value |= (long) (next & 0x7F) << shift;
                if (next >= 0) {
                    return value;
                }
            }
            throw damaged();
        }

        /** Reads the length of a message and gives where it ends. */
        private long length(long end) {
            long length = varint(end);
            if (length < 0 || length > end - at) {
                throw damaged();
            }
            return at + length;
        }

        private String text(long end) {
            long until = length(end);
            if (until - at > MAX_NAME) {
                throw damaged();
            }
            byte[] bytes = data.asSlice(at, until - at).toArray(ValueLayout.JAVA_BYTE);
            at = until;
            return new String(bytes, StandardCharsets.UTF_8);
        }

        private void skip(int tag, long end) {
            switch (tag & 7) {
                case 0 -> varint(end);
                case 1 -> forward(8, end);
                case 2 -> at = length(end);
                case 5 -> forward(4, end);
                default -> throw damaged();
            }
        }

        private void forward(int bytes, long end) {
            if (bytes > end - at) {
                throw damaged();
            }
            at += bytes;
        }

        private ModelException damaged() {
            return new ModelException(
                    "%s ends early or is damaged at byte %d of %d; is the export or download complete?"
                            .formatted(path, at, data.byteSize()));
        }
    }
}
