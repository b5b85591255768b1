package dev.jeton.models;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads the header of one GGUF file: metadata, then what tensors there are and where. Nothing in it is believed before
 * it is checked against what is left of the file; large arrays are stepped over and read when they are asked for.
 *
 * <p>The format (ggml-org/ggml, docs/gguf.md), little-endian: "GGUF"; version; tensors; entries of metadata; each entry
 * a string (eight bytes of length, UTF-8), a type, a value; each tensor a string, dimensions (innermost first), an
 * element type, and an offset into the data, which begins at the next multiple of the alignment.
 */
final class GgufHeader {

    private static final int MAGIC = 0x46554747;
    private static final long MOST_ENTRIES = 1 << 16;
    private static final long MOST_TENSORS = 1 << 17;
    private static final long MOST_NAME_BYTES = 1 << 16;
    private static final long MOST_STRING_BYTES = 16 << 20;
    private static final int MOST_DIMENSIONS = 4;
    private static final int MOST_NESTING = 4;
    private static final int MOST_ALIGNMENT = 1 << 20;

    /** Numbers of types of values. */
    private static final int STRING = 8;

    private static final int ARRAY = 9;

    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** A tensor as the header has it; {@code type} is ggml's number, {@code shape} is outermost first. */
    record TensorInfo(String name, int type, List<Long> shape, long offset) {}

    /** An array that has been stepped over. */
    private record Stepped(int type, long count, long at) {}

    private final Path file;
    private final MemorySegment bytes;
    private final Map<String, Object> values = new LinkedHashMap<>();
    private final List<TensorInfo> tensors = new ArrayList<>();
    private long at;
    private long dataStart;
    private int alignment;

    private GgufHeader(Path file, MemorySegment bytes) {
        this.file = file;
        this.bytes = bytes;
    }

    /**
     * Reads a header.
     *
     * @throws ModelException naming what is wrong with the file
     */
    static GgufHeader read(Path file, MemorySegment bytes) {
        GgufHeader header = new GgufHeader(file, bytes);
        header.read();
        return header;
    }

    /** Where tensors' offsets count from. */
    long dataStart() {
        return dataStart;
    }

    /** What offsets are multiples of. */
    int alignment() {
        return alignment;
    }

    List<TensorInfo> tensors() {
        return tensors;
    }

    /** Metadata as a JSON object has it: numbers, strings, truth values, lists; lists of strings or numbers only. */
    JsonObject metadata() {
        return JsonObject.of(file.toString(), values);
    }

    /** A list that was stepped over; empty where there is none of that name. */
    List<Object> list(String key) {
        if (!(values.get(key) instanceof Stepped stepped)) {
            return List.of();
        }
        List<Object> list = new ArrayList<>();
        at = stepped.at;
        for (long i = 0; i < stepped.count; i++) {
            list.add(value(key, stepped.type, 0));
        }
        return list;
    }

    private void read() {
        if (bytes.byteSize() < 24 || bytes.get(INT, 0) != MAGIC) {
            throw new ModelException("%s is not a GGUF file: it does not begin with \"GGUF\"".formatted(file));
        }
        at = 4;
        int version = (int) number(4, "version");
        if (version != 2 && version != 3) {
            boolean swapped = Integer.reverseBytes(version) > 0 && Integer.reverseBytes(version) < 16;
            throw new ModelException(
                    swapped
                            ? file + " is big-endian; convert it with --outtype of a little-endian machine"
                            : "%s is of GGUF version %s; 2 and 3 are read, convert it again with a newer llama.cpp"
                                    .formatted(file, Integer.toUnsignedString(version)));
        }
        long tensorCount = count("tensors", MOST_TENSORS, 24);
        long entryCount = count("entries of metadata", MOST_ENTRIES, 13);
        for (long i = 0; i < entryCount; i++) {
            String key = string("a metadata key", MOST_NAME_BYTES);
            int type = (int) number(4, "the type of \"" + key + "\"");
            if (values.put(key, value(key, type, 0)) != null) {
                throw new ModelException("%s has the metadata key \"%s\" twice".formatted(file, key));
            }
        }
        for (long i = 0; i < tensorCount; i++) {
            tensors.add(tensor());
        }
        alignment = checkedAlignment();
        dataStart = (at + alignment - 1) / alignment * alignment;
    }

    private int checkedAlignment() {
        Object given = values.getOrDefault("general.alignment", 32L);
        if (!(given instanceof Long value) || value < 1 || value > MOST_ALIGNMENT || Long.bitCount(value) != 1) {
            throw new ModelException(
                    "%s: general.alignment is %s; powers of two up to %d are".formatted(file, given, MOST_ALIGNMENT));
        }
        return value.intValue();
    }

    private TensorInfo tensor() {
        String name = string("a tensor's name", MOST_NAME_BYTES);
        long dimensions = number(4, "the dimensions of tensor \"" + name + "\"");
        if (dimensions < 1 || dimensions > MOST_DIMENSIONS) {
            throw new ModelException("%s: tensor \"%s\" has %d dimensions; 1 to %d are possible"
                    .formatted(file, name, dimensions, MOST_DIMENSIONS));
        }
        List<Long> shape = new ArrayList<>();
        for (long i = 0; i < dimensions; i++) {
            shape.addFirst(number(8, "a size of tensor \"" + name + "\""));
        }
        int type = (int) number(4, "the type of tensor \"" + name + "\"");
        return new TensorInfo(name, type, shape, number(8, "the offset of tensor \"" + name + "\""));
    }

    /** A number of things that take so many bytes each at least. */
    private long count(String what, long most, long bytesEach) {
        long count = number(8, "the number of " + what);
        if (count < 0 || count > most || count > (bytes.byteSize() - at) / bytesEach) {
            throw new ModelException("%s says that it has %s %s, in %d bytes; it is truncated or damaged"
                    .formatted(file, Long.toUnsignedString(count), what, bytes.byteSize()));
        }
        return count;
    }

    private void require(long count, String what) {
        if (count < 0 || count > bytes.byteSize() - at) {
            throw new ModelException("%s ends within %s, at byte %d of %d; is the download complete?"
                    .formatted(file, what, at, bytes.byteSize()));
        }
    }

    /** An unsigned number of one, two or four bytes, or eight bytes as they are. */
    private long number(int width, String what) {
        require(width, what);
        long value = switch (width) {
            case 1 -> Byte.toUnsignedLong(bytes.get(ValueLayout.JAVA_BYTE, at));
            case 2 -> Short.toUnsignedLong(bytes.get(SHORT, at));
            case 4 -> Integer.toUnsignedLong(bytes.get(INT, at));
            default -> bytes.get(LONG, at);
        };
        at += width;
        return value;
    }

    private long stringBytes(String what, long most) {
        long length = number(8, what);
        if (length < 0 || length > most) {
            throw new ModelException("%s: %s is %s bytes long, where at most %d are read; it is damaged"
                    .formatted(file, what, Long.toUnsignedString(length), most));
        }
        require(length, what);
        return length;
    }

    private String string(String what, long most) {
        int length = (int) stringBytes(what, most);
        byte[] utf8 = bytes.asSlice(at, length).toArray(ValueLayout.JAVA_BYTE);
        at += length;
        return new String(utf8, StandardCharsets.UTF_8);
    }

    private Object value(String key, int type, int depth) {
        String what = "the value of \"" + key + "\"";
        return switch (type) {
            case 0 -> number(1, what);
            case 1 -> (long) (byte) number(1, what);
            case 2 -> number(2, what);
            case 3 -> (long) (short) number(2, what);
            case 4 -> number(4, what);
            case 5 -> (long) (int) number(4, what);
            case 6 -> decimal(Float.intBitsToFloat((int) number(4, what)));
            case 7 -> number(1, what) != 0;
            case STRING -> string(what, MOST_STRING_BYTES);
            case ARRAY -> array(key, depth);
            case 10, 11 -> number(8, what);
            case 12 -> Double.longBitsToDouble(number(8, what));
            default ->
                throw new ModelException("%s: \"%s\" is of type %d, which GGUF does not have; the file is damaged"
                        .formatted(file, key, type));
        };
    }

    /** The double that is written as the float is: 1e-5 for the float that is nearest to it. */
    private static double decimal(float value) {
        return Double.parseDouble(Float.toString(value));
    }

    private Stepped array(String key, int depth) {
        if (depth == MOST_NESTING) {
            throw new ModelException(
                    "%s: \"%s\" has arrays nested more than %d deep".formatted(file, key, MOST_NESTING));
        }
        int type = (int) number(4, "the array \"" + key + "\"");
        int width = switch (type) {
            case 0, 1, 7 -> 1;
            case 2, 3 -> 2;
            case 4, 5, 6 -> 4;
            case STRING -> 8;
            case ARRAY -> 12;
            case 10, 11, 12 -> 8;
            default ->
                throw new ModelException(
                        "%s: \"%s\" is an array of type %d, which GGUF does not have; the file is damaged"
                                .formatted(file, key, type));
        };
        long count = count("elements of \"" + key + "\"", 1L << 32, width);
        Stepped array = new Stepped(type, count, at);
        if (type == STRING) {
            String element = "an element of \"" + key + "\"";
            for (long i = 0; i < count; i++) {
                long length = stringBytes(element, MOST_STRING_BYTES);
                at += length;
            }
        } else if (type == ARRAY) {
            for (long i = 0; i < count; i++) {
                array(key, depth + 1);
            }
        } else {
            at += count * width;
        }
        return array;
    }
}
