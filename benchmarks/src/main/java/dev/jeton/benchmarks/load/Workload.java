package dev.jeton.benchmarks.load;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/**
 * What is asked: for each request its prompt as token ids and how many tokens to generate. The k-th request depends on
 * the seed and k alone, so two servers get the same load.
 *
 * @param lengths prompt and output lengths, used in turn; one entry for a fixed length
 * @param sharedPrefix tokens at the beginning that requests share
 * @param sharedShare share of the requests that have the shared prefix, in [0, 1]
 * @param lowToken smallest token id used
 * @param highToken token ids used are below this
 * @param seed seeds everything random
 */
public record Workload(
        List<Length> lengths, int sharedPrefix, double sharedShare, int lowToken, int highToken, long seed) {

    private static final int MAX_ROWS = 1_000_000;

    /**
     * Tokens of one request.
     *
     * @param input tokens of its prompt beside the shared prefix
     * @param output tokens to generate
     */
    public record Length(int input, int output) {

        /** Checks that they are no less than 0. */
        public Length {
            if (input < 0 || output < 0) {
                throw new IllegalArgumentException("a request of %d tokens in and %d out".formatted(input, output));
            }
        }
    }

    /** Checks the bounds named above. */
    public Workload {
        lengths = List.copyOf(lengths);
        if (lengths.isEmpty()
                || highToken <= lowToken
                || lowToken < 0
                || sharedPrefix < 0
                || sharedShare < 0
                || sharedShare > 1) {
            throw new IllegalArgumentException("a workload needs lengths, a range of token ids and a share in [0, 1]");
        }
    }

    /**
     * Reads lengths from a CSV file whose header names the columns, as the Azure LLM inference traces have them
     * ({@code TIMESTAMP,ContextTokens,GeneratedTokens}); other files need columns {@code input} and {@code output}.
     */
    public static List<Length> read(Path csv) throws IOException {
        List<String> lines = Files.readAllLines(csv);
        if (lines.isEmpty()) {
            throw new IllegalArgumentException(csv + " is empty");
        }
        String[] header = lines.getFirst().split(",");
        int input = column(header, "ContextTokens", "input");
        int output = column(header, "GeneratedTokens", "output");
        List<Length> lengths = new ArrayList<>();
        for (String line : lines.subList(1, Math.min(lines.size(), MAX_ROWS))) {
            String[] cells = line.split(",");
            if (cells.length > Math.max(input, output)) {
                lengths.add(
                        new Length(Integer.parseInt(cells[input].strip()), Integer.parseInt(cells[output].strip())));
            }
        }
        return lengths;
    }

    private static int column(String[] header, String... names) {
        for (int i = 0; i < header.length; i++) {
            for (String name : names) {
                if (header[i].strip().equalsIgnoreCase(name)) {
                    return i;
                }
            }
        }
        throw new IllegalArgumentException("the CSV file has no column " + String.join(" or ", names));
    }

    /** The k-th request's lengths. */
    public Length length(int k) {
        return lengths.get(k % lengths.size());
    }

    /** The k-th request's prompt. */
    public int[] prompt(int k) {
        // not java.util.Random: its first draws from seeds that follow one another are nearly the same
        SplittableRandom random = new SplittableRandom(new SplittableRandom(seed).nextLong() + k);
        Length length = length(k);
        boolean shares = sharedPrefix > 0 && random.nextDouble() < sharedShare;
        int[] prompt = new int[(shares ? sharedPrefix : 0) + length.input()];
        int at = 0;
        if (shares) {
            SplittableRandom common = new SplittableRandom(seed);
            for (; at < sharedPrefix; at++) {
                prompt[at] = common.nextInt(lowToken, highToken);
            }
        }
        for (; at < prompt.length; at++) {
            prompt[at] = random.nextInt(lowToken, highToken);
        }
        return prompt;
    }
}
