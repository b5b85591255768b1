package dev.jeton.server.batch;

import dev.jeton.server.json.Json;
import dev.jeton.server.json.JsonException;
import java.io.BufferedReader;
import java.io.IOException;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * What the lines of a file of results add up to.
 *
 * @param lines how many there are
 * @param unsent how many of them are of requests that were not tried
 * @param used what they say was used
 */
record BatchSums(int lines, int unsent, Batch.Used used) {

    /** Names of what a prompt takes, and of what an answer does, in the APIs' words. */
    private static final List<String> INPUT = List.of("prompt_tokens", "input_tokens");

    private static final List<String> OUTPUT = List.of("completion_tokens", "output_tokens");
    private static final List<String> INPUT_DETAILS = List.of("prompt_tokens_details", "input_tokens_details");
    private static final List<String> OUTPUT_DETAILS = List.of("completion_tokens_details", "output_tokens_details");

    /** Reads a file through; one that is not there has no lines. */
    static BatchSums of(Path file) {
        int lines = 0;
        int unsent = 0;
        long[] sums = new long[4];
        Map<String, BigDecimal> costs = new TreeMap<>();
        if (Files.exists(file)) {
            try (BufferedReader in = Files.newBufferedReader(file)) {
                for (String line = in.readLine(); line != null; line = in.readLine()) {
                    lines++;
                    Map<?, ?> result =
                            Json.object(line.getBytes(StandardCharsets.UTF_8)).fields();
                    unsent += result.get("response") == null ? 1 : 0;
                    add(usage(result), sums);
                    String[] cost = String.valueOf(result.get("cost")).split(" ", -1);
                    if (cost.length == 2) {
                        costs.merge(cost[1], new BigDecimal(cost[0]), BigDecimal::add);
                    }
                }
            } catch (IOException | JsonException e) {
                throw new BatchException("results cannot be read in %s: %s".formatted(file, e.getMessage()), e);
            }
        }
        return new BatchSums(lines, unsent, new Batch.Used(sums[0], sums[1], sums[2], sums[3], costs));
    }

    private static Map<?, ?> usage(Map<?, ?> result) {
        return result.get("response") instanceof Map<?, ?> response
                        && response.get("body") instanceof Map<?, ?> body
                        && body.get("usage") instanceof Map<?, ?> usage
                ? usage
                : Map.of();
    }

    private static void add(Map<?, ?> usage, long[] sums) {
        INPUT.forEach(name -> sums[0] += count(usage, name));
        INPUT_DETAILS.forEach(name ->
                sums[1] += usage.get(name) instanceof Map<?, ?> d ? count(d, "cached_tokens") : 0);
        sums[1] += count(usage, "cache_read_input_tokens");
        OUTPUT.forEach(name -> sums[2] += count(usage, name));
        OUTPUT_DETAILS.forEach(name ->
                sums[3] += usage.get(name) instanceof Map<?, ?> d ? count(d, "reasoning_tokens") : 0);
    }

    private static long count(Map<?, ?> counts, String name) {
        return counts.get(name) instanceof Long count ? count : 0;
    }

    /** Both together. */
    Batch.Used and(BatchSums other) {
        Map<String, BigDecimal> costs = new TreeMap<>(used.costs());
        other.used.costs().forEach((currency, cost) -> costs.merge(currency, cost, BigDecimal::add));
        return new Batch.Used(
                used.inputTokens() + other.used.inputTokens(),
                used.cachedTokens() + other.used.cachedTokens(),
                used.outputTokens() + other.used.outputTokens(),
                used.reasoningTokens() + other.used.reasoningTokens(),
                costs);
    }
}
