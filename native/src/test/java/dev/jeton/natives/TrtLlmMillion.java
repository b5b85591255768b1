package dev.jeton.natives;

import java.io.IOException;
import java.nio.LongBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/**
 * A million requests through the shim; prints by how many kilobytes the process has grown after the first tenth of
 * them.
 */
final class TrtLlmMillion {

    private static final int REQUESTS = 1_000_000;
    private static final int WINDOW = 500;

    private TrtLlmMillion() {}

    public static void main(String[] args) throws IOException {
        TrtLlm.load(Optional.of(Path.of(args[0])));
        TrtLlm.Sampling greedy = new TrtLlm.Sampling(0, 1, 1, 0, 1, 0, 0, 0, 0, false, 35, 0.5f);
        int[] prompt = {1};
        int[] none = {};
        long after = 0;
        try (TrtLlm executor = TrtLlm.open(new TrtLlm.Settings(Path.of(args[1]), 0, 0, 0, 0, true), 1 << 16)) {
            for (int from = 0; from < REQUESTS; from += WINDOW) {
                for (int i = 0; i < WINDOW; i++) {
                    executor.enqueue(from + i, prompt, 1, 1, none, greedy);
                }
                for (int over = 0; over < WINDOW; ) {
                    over += ended(executor.await(1_000));
                }
                if (from == REQUESTS / 10) {
                    after = resident();
                }
            }
            System.out.println("grown " + (resident() - after));
        }
    }

    private static int ended(LongBuffer words) {
        int ended = 0;
        while (words.hasRemaining()) {
            long kind = words.get();
            int at = words.position();
            if (kind == TrtLlm.TOKENS) {
                ended += (words.get(at + 2) & TrtLlm.LAST) != 0 ? 1 : 0;
                words.position(at + 3 + 2 * (int) words.get(at + 1));
            } else if (kind == TrtLlm.ITERATION) {
                words.position(at + 3 + 4 * (int) words.get(at + 2));
            } else {
                words.position(at + 5);
            }
        }
        return ended;
    }

    private static long resident() throws IOException {
        System.gc();
        return Files.readAllLines(Path.of("/proc/self/status")).stream()
                .filter(line -> line.startsWith("VmRSS:"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("[^0-9]", "")))
                .findFirst()
                .orElse(0);
    }
}
