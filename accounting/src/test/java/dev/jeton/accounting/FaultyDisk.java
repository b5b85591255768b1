package dev.jeton.accounting;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * A disk in memory with every fault of a real one: it keeps apart what was written and what was forced, and at a loss
 * of power any of what was not forced may be there, in any part. A force that fails leaves what it should have written
 * clean: a later one that succeeds does not write it.
 */
final class FaultyDisk implements JournalDisk {

    private static final int SECTOR = 64;

    /** One change of a file that is not durable: bytes at a place, or a cut. */
    private record Change(long position, byte @Nullable [] bytes) {}

    private static final class Content {
        byte[] seen = new byte[0];
        byte[] stored = new byte[0];
        List<Change> changes = new ArrayList<>();
    }

    /** A name that was made (or deleted, without content) and is not durable. */
    private record Naming(String name, @Nullable Content content) {}

    private final Random random;
    private Map<String, Content> names = new TreeMap<>();
    private Map<String, Content> storedNames = new TreeMap<>();
    private List<Naming> namings = new ArrayList<>();
    private boolean locked;
    private long operationsLeft = Long.MAX_VALUE;
    private long capacity = Long.MAX_VALUE;
    private int forcesToFail;
    private int forces;
    private boolean held;
    private int waitingForces;
    private int generation;

    FaultyDisk(long seed) {
        random = Facts.random(seed);
    }

    /** After so many more operations, the last one done in part, the power is lost. */
    synchronized void losePowerAfter(long operations) {
        operationsLeft = operations;
    }

    synchronized boolean hasPower() {
        return operationsLeft > 0;
    }

    /** The next forces fail. */
    synchronized void failForces(int count) {
        forcesToFail = count;
    }

    /** Most bytes of all files. */
    synchronized void capacity(long bytes) {
        capacity = bytes;
    }

    /** Forces wait from now on. */
    synchronized void hold() {
        held = true;
    }

    synchronized void release() {
        held = false;
        notifyAll();
    }

    /** Waits until a force is being held. */
    synchronized void awaitHeldForce() throws InterruptedException {
        while (waitingForces == 0) {
            wait();
        }
    }

    synchronized int forces() {
        return forces;
    }

    /** Power is back: what was not forced is there in part; whoever had files open has them no more. */
    synchronized void powerOn() {
        Map<String, Content> left = new TreeMap<>(storedNames);
        for (Naming naming : namings) {
            if (random.nextBoolean()) {
                apply(left, naming);
            }
        }
        for (Content content : left.values()) {
            byte[] bytes = content.stored;
            for (Change change : content.changes) {
                bytes = applyPart(bytes, change, random);
            }
            content.stored = bytes;
            content.seen = bytes.clone();
            content.changes = new ArrayList<>();
        }
        names = left;
        storedNames = new TreeMap<>(left);
        namings = new ArrayList<>();
        locked = false;
        operationsLeft = Long.MAX_VALUE;
        forcesToFail = 0;
        generation++;
    }

    private static void apply(Map<String, Content> to, Naming naming) {
        Content content = naming.content();
        if (content == null) {
            to.remove(naming.name());
        } else {
            to.put(naming.name(), content);
        }
    }

    /** All of a change, none of it, a prefix, or any of its sectors. */
    private static byte[] applyPart(byte[] to, Change change, Random random) {
        byte[] bytes = change.bytes();
        int kind = random.nextInt(4);
        if (kind == 0) {
            return to;
        }
        if (bytes == null) {
            return Arrays.copyOf(to, (int) Math.min(to.length, change.position()));
        }
        if (kind == 1) {
            return write(to, change.position(), bytes, 0, bytes.length);
        }
        if (kind == 2) {
            return write(to, change.position(), bytes, 0, random.nextInt(bytes.length + 1));
        }
        byte[] result = to;
        for (int from = 0; from < bytes.length; from += SECTOR) {
            if (random.nextBoolean()) {
                result = write(result, change.position(), bytes, from, Math.min(bytes.length, from + SECTOR));
            }
        }
        return result;
    }

    private static byte[] write(byte[] to, long position, byte[] bytes, int from, int until) {
        int end = (int) position + until;
        byte[] result = to.length < end ? Arrays.copyOf(to, end) : to.clone();
        System.arraycopy(bytes, from, result, (int) position + from, until - from);
        return result;
    }

    /** Changes a byte of what is stored, as a disk does that goes bad. */
    synchronized void damage(String name, long position) {
        Content content = content(name);
        content.stored[(int) position] ^= 0x10;
        content.seen[(int) position] ^= 0x10;
    }

    synchronized long size(String name) {
        return content(name).seen.length;
    }

    /** Appends to a file, durably. */
    synchronized void append(String name, byte[] bytes) {
        Content content = content(name);
        content.stored = write(content.stored, content.stored.length, bytes, 0, bytes.length);
        content.seen = content.stored.clone();
    }

    private Content content(String name) {
        Content content = names.get(name);
        if (content == null) {
            throw new IllegalArgumentException("no file " + name);
        }
        return content;
    }

    private void operate() throws IOException {
        if (operationsLeft <= 0) {
            throw new IOException("no power");
        }
        operationsLeft--;
    }

    @Override
    public synchronized Optional<Closeable> lock() throws IOException {
        operate();
        if (locked) {
            return Optional.empty();
        }
        locked = true;
        int mine = generation;
        return Optional.of(() -> unlock(mine));
    }

    private synchronized void unlock(int of) {
        if (of == generation) {
            locked = false;
        }
    }

    @Override
    public synchronized List<String> list() throws IOException {
        operate();
        return List.copyOf(names.keySet());
    }

    @Override
    public synchronized File create(String name) throws IOException {
        operate();
        if (names.containsKey(name)) {
            throw new IOException(name + " exists");
        }
        Content content = new Content();
        names.put(name, content);
        namings.add(new Naming(name, content));
        return new OpenFile(content, generation);
    }

    @Override
    public synchronized File open(String name) throws IOException {
        operate();
        Content content = names.get(name);
        if (content == null) {
            throw new IOException("no file " + name);
        }
        return new OpenFile(content, generation);
    }

    @Override
    public synchronized void delete(String name) throws IOException {
        operate();
        if (names.remove(name) != null) {
            namings.add(new Naming(name, null));
        }
    }

    @Override
    public synchronized void sync() throws IOException {
        operate();
        namings.forEach(naming -> apply(storedNames, naming));
        namings.clear();
    }

    private void operate(int of) throws IOException {
        if (of != generation) {
            throw new IOException("the file is of before the power was lost");
        }
        operate();
    }

    private final class OpenFile implements File {
        private final Content content;
        private final int mine;

        OpenFile(Content content, int mine) {
            this.content = content;
            this.mine = mine;
        }

        @Override
        public long size() throws IOException {
            synchronized (FaultyDisk.this) {
                operate(mine);
                return content.seen.length;
            }
        }

        @Override
        public int read(ByteBuffer into, long position) throws IOException {
            synchronized (FaultyDisk.this) {
                operate(mine);
                int count = (int) Math.clamp(content.seen.length - position, 0, into.remaining());
                into.put(content.seen, (int) Math.min(position, content.seen.length), count);
                return count;
            }
        }

        @Override
        public void write(ByteBuffer from, long position) throws IOException {
            synchronized (FaultyDisk.this) {
                long used =
                        names.values().stream().mapToLong(c -> c.seen.length).sum();
                boolean full = used + from.remaining() > capacity;
                boolean lost = operationsLeft <= 1;
                operate(mine);
                byte[] bytes = new byte[full || lost ? random.nextInt(from.remaining() + 1) : from.remaining()];
                from.get(bytes);
                content.seen = FaultyDisk.write(content.seen, position, bytes, 0, bytes.length);
                content.changes.add(new Change(position, bytes));
                if (full) {
                    throw new IOException("no space left");
                }
                if (lost) {
                    throw new IOException("no power");
                }
            }
        }

        @Override
        public void force() throws IOException {
            synchronized (FaultyDisk.this) {
                awaitRelease();
                operate(mine);
                forces++;
                if (operationsLeft == 0) {
                    throw new IOException("no power");
                }
                if (forcesToFail > 0) {
                    forcesToFail--;
                    for (Change change : content.changes) {
                        content.stored = applyPart(content.stored, change, random);
                    }
                    content.changes.clear();
                    throw new IOException("force failed");
                }
                for (Change change : content.changes) {
                    byte[] bytes = change.bytes();
                    content.stored = bytes == null
                            ? Arrays.copyOf(content.stored, (int) Math.min(content.stored.length, change.position()))
                            : FaultyDisk.write(content.stored, change.position(), bytes, 0, bytes.length);
                }
                content.changes.clear();
            }
        }

        private void awaitRelease() throws IOException {
            waitingForces++;
            FaultyDisk.this.notifyAll();
            try {
                while (held) {
                    FaultyDisk.this.wait();
                }
            } catch (InterruptedException e) {
                throw new IOException(e);
            } finally {
                waitingForces--;
            }
        }

        @Override
        public void truncate(long size) throws IOException {
            synchronized (FaultyDisk.this) {
                operate(mine);
                content.seen = Arrays.copyOf(content.seen, (int) Math.min(size, content.seen.length));
                content.changes.add(new Change(size, null));
            }
        }

        @Override
        public void close() {}
    }
}
