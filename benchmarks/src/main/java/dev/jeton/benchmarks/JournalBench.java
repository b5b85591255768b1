package dev.jeton.benchmarks;

import dev.jeton.accounting.Fact;
import dev.jeton.accounting.Journal;
import dev.jeton.accounting.JournalConfig;
import dev.jeton.accounting.Payer;
import dev.jeton.accounting.Tokens;
import dev.jeton.accounting.Work;
import dev.jeton.accounting.Zones;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;

/**
 * Times the commit at the end of a response: how long {@link Fact.Closed} takes from append until it is durable, from
 * one and from many virtual threads whose requests were admitted before, beside what appending to a file and
 * {@code fdatasync} take alone. The books demand that the 95th percentile of one is at most twice that of the other
 * plus a millisecond.
 *
 * <p>Rounds of the two alternate, since a disk that others use changes from second to second.
 *
 * <p>Arguments: a folder that is made and deleted, requests per figure (2000), rounds (3).
 */
public final class JournalBench {

    /** About what an end takes with its header. */
    private static final int RECORD = 100;

    private JournalBench() {}

    /** Prints the figures. */
    public static void main(String[] args) throws Exception {
        Path folder = Files.createDirectories(Path.of(args[0]));
        int count = args.length > 1 ? Integer.parseInt(args[1]) : 2000;
        int rounds = args.length > 2 ? Integer.parseInt(args[2]) : 3;
        try {
            for (int threads : new int[] {1, 8, 32}) {
                journal(folder, threads, count / 4); // warms up
            }
            for (int round = 1; round <= rounds; round++) {
                System.out.printf(Locale.ROOT, "round %d%n", round);
                long[] raw = raw(folder.resolve("raw"), count);
                print("append + fdatasync", raw, raw, 0);
                for (int threads : new int[] {1, 8, 32}) {
                    journal(folder, threads, count).print(threads, raw);
                }
            }
        } finally {
            try (Stream<Path> files = Files.walk(folder)) {
                for (Path file : files.sorted((a, b) -> b.compareTo(a)).toList()) {
                    Files.delete(file);
                }
            }
        }
    }

    private record Figures(long[] nanos, long commits, long total) {
        void print(int threads, long[] raw) {
            String name = "journal, %d threads, %.0f requests/s, %.0f commits/s"
                    .formatted(threads, nanos.length * 1e9 / total, commits * 1e9 / total);
            JournalBench.print(name, nanos, raw, 2);
        }
    }

    /** Prints percentiles, and the bound of the 95th where there is one. */
    private static void print(String name, long[] nanos, long[] raw, int times) {
        Arrays.sort(nanos);
        Arrays.sort(raw);
        double bound = (times * (double) raw[raw.length * 95 / 100] + 1e6) / 1e6;
        System.out.printf(
                Locale.ROOT,
                "  %s: p50 %.2f ms, p95 %.2f ms%s%n",
                name,
                nanos[nanos.length / 2] / 1e6,
                nanos[nanos.length * 95 / 100] / 1e6,
                times == 0 ? "" : String.format(Locale.ROOT, " (bound %.2f)", bound));
    }

    private static long[] raw(Path file, int count) throws IOException {
        long[] nanos = new long[count];
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            ByteBuffer record = ByteBuffer.allocateDirect(RECORD);
            for (int i = 0; i < count; i++) {
                long start = System.nanoTime();
                channel.write(record.rewind());
                channel.force(false);
                nanos[i] = System.nanoTime() - start;
            }
        }
        Files.delete(file);
        return nanos;
    }

    private static Figures journal(Path folder, int threads, int count) throws Exception {
        try (Journal journal = Journal.open(folder.resolve("journal"), JournalConfig.of("bench"));
                ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor()) {
            long start = System.nanoTime();
            List<Future<long[]>> futures = new ArrayList<>();
            for (int t = 0; t < threads; t++) {
                String request = "chatcmpl-0123456789abcdef-" + t;
                futures.add(executor.submit((Callable<long[]>) () -> appendAll(journal, request, count / threads)));
            }
            long[] nanos = new long[count / threads * threads];
            int at = 0;
            for (Future<long[]> future : futures) {
                long[] some = future.get();
                System.arraycopy(some, 0, nanos, at, some.length);
                at += some.length;
            }
            return new Figures(nanos, journal.stats().commits(), System.nanoTime() - start);
        }
    }

    private static long[] appendAll(Journal journal, String request, int count) throws InterruptedException {
        long[] nanos = new long[count];
        for (int i = 0; i < count; i++) {
            String id = request + "-" + i;
            long at = System.nanoTime() / 1000;
            Fact.Opened opened = new Fact.Opened(
                    at, id, Payer.UNKNOWN, "model", Map.of(), "book", "policy", 1, Zones.UNKNOWN, Work.GENERATION);
            journal.awaitDurable(journal.admit(opened, new Fact.Granted(at, id, -1, 16, 0), 0));
            Fact.Closed closed =
                    new Fact.Closed(at, id, Fact.Outcome.COMPLETED, new Tokens(128, 0, 16), 0, 0, 0, 0, 0, 0, 0);
            long start = System.nanoTime();
            journal.awaitDurable(journal.append(closed));
            nanos[i] = System.nanoTime() - start;
        }
        return nanos;
    }
}
