package dev.jeton.accounting;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.CRC32C;

/**
 * What is known beside the journal up to one of its facts, so that only those after it need to be read again. Replaced
 * whole: a new file is forced before the old one is deleted, so at any loss of power one of them is whole.
 *
 * <p>File {@code NAME-n.state}, n growing: magic, format, the fact's number, length and CRC-32C of what follows, all
 * big endian.
 *
 * <p>Used by one thread.
 */
final class StateFile {

    /** Up to which fact it is, and what was known then. */
    record Stored(long sequence, byte[] content) {}

    private static final byte[] MAGIC = "jetonstate".getBytes(StandardCharsets.US_ASCII);
    private static final int FORMAT = 1;
    private static final int HEADER = MAGIC.length + Integer.BYTES + Long.BYTES + Integer.BYTES + Integer.BYTES;
    private static final int MAX_CONTENT = 1 << 28;

    private final JournalDisk disk;
    private final Pattern pattern;
    private final String name;
    private long number;

    StateFile(JournalDisk disk, String name) {
        this.disk = disk;
        this.name = name;
        pattern = Pattern.compile(Pattern.quote(name) + "-([0-9]{1,18})\\.state");
    }

    /**
     * The newest that is whole.
     *
     * @return empty where none was ever written whole
     * @throws AccountingException if there are some and all are damaged, or the disk fails
     */
    Optional<Stored> load() {
        try {
            List<Long> numbers = numbers();
            number = numbers.stream().mapToLong(Long::longValue).max().orElse(0);
            for (long n : numbers.reversed()) {
                Optional<Stored> stored = read(n);
                if (stored.isPresent()) {
                    return stored;
                }
            }
            // the first one is written before anything is admitted, so where its writing was cut off nothing is lost
            if (number > 1) {
                throw new AccountingException(
                        ("%s in %s is damaged, and there is no older one; restore it from a backup, or delete the files"
                                        + " %s-*.state to begin with nothing spent and no open tasks")
                                .formatted(file(number), disk, name));
            }
            return Optional.empty();
        } catch (IOException e) {
            throw failed("read", e);
        }
    }

    private List<Long> numbers() throws IOException {
        List<Long> numbers = new ArrayList<>();
        for (String found : disk.list()) {
            Matcher matcher = pattern.matcher(found);
            if (matcher.matches()) {
                numbers.add(Long.parseLong(matcher.group(1)));
            }
        }
        numbers.sort(null);
        return numbers;
    }

    private Optional<Stored> read(long n) throws IOException {
        try (JournalDisk.File file = disk.open(file(n))) {
            long size = file.size();
            if (size < HEADER || size > HEADER + (long) MAX_CONTENT) {
                return Optional.empty();
            }
            ByteBuffer bytes = ByteBuffer.allocate((int) size);
            if (file.read(bytes, 0) < size) {
                return Optional.empty();
            }
            bytes.flip();
            byte[] magic = new byte[MAGIC.length];
            bytes.get(magic);
            int format = bytes.getInt();
            long sequence = bytes.getLong();
            int length = bytes.getInt();
            int sum = bytes.getInt();
            if (!java.util.Arrays.equals(magic, MAGIC) || length != bytes.remaining()) {
                return Optional.empty();
            }
            byte[] content = new byte[length];
            bytes.get(content);
            if (sum != sum(format, sequence, content)) {
                return Optional.empty();
            }
            if (format != FORMAT) {
                throw new AccountingException(
                        "%s in %s has format %d, this program knows %d; use the version that wrote it"
                                .formatted(file(n), disk, format, FORMAT));
            }
            return Optional.of(new Stored(sequence, content));
        }
    }

    /**
     * Writes the next one and deletes those before it.
     *
     * @param sequence the journal's fact up to which it holds; durable
     * @throws AccountingException if the disk fails: the one before is still there
     */
    void store(long sequence, byte[] content) {
        try {
            ByteBuffer bytes = ByteBuffer.allocate(HEADER + content.length);
            bytes.put(MAGIC)
                    .putInt(FORMAT)
                    .putLong(sequence)
                    .putInt(content.length)
                    .putInt(sum(FORMAT, sequence, content))
                    .put(content)
                    .flip();
            long next = ++number;
            try (JournalDisk.File file = disk.create(file(next))) {
                file.write(bytes, 0);
                file.force();
            }
            disk.sync();
            for (long old : numbers()) {
                if (old < next) {
                    disk.delete(file(old));
                }
            }
        } catch (IOException e) {
            throw failed("written", e);
        }
    }

    private static int sum(int format, long sequence, byte[] content) {
        CRC32C crc = new CRC32C();
        crc.update(ByteBuffer.allocate(Integer.BYTES + Long.BYTES)
                .putInt(format)
                .putLong(sequence)
                .flip());
        crc.update(content);
        return (int) crc.getValue();
    }

    private String file(long n) {
        return name + "-" + n + ".state";
    }

    private AccountingException failed(String what, IOException e) {
        return new AccountingException(
                "%s-*.state in %s cannot be %s (%s); see to the disk and its permissions"
                        .formatted(name, disk, what, e),
                e);
    }
}
