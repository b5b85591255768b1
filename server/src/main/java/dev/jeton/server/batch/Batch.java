package dev.jeton.server.batch;

import java.math.BigDecimal;
import java.util.Collections;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Requests of a file that the server answers by and by, as far as they are.
 *
 * @param id its name in the API
 * @param owner who pays
 * @param asked what is to be done
 * @param status how far it is
 * @param since when it came to each status that it had, seconds since 1970
 * @param outputs names of the files with answers and with errors, which are there once it has ended, where they have a
 *     line
 * @param counts requests
 * @param used what was used for them, where it has ended
 * @param problems what is wrong with its file, or why it could not go on
 */
public record Batch(
        String id,
        BatchOwner owner,
        Asked asked,
        BatchStatus status,
        Map<BatchStatus, Long> since,
        Outputs outputs,
        Counts counts,
        Used used,
        List<BatchProblem> problems) {

    /**
     * What is to be done.
     *
     * @param inputFile name of the file with the requests
     * @param endpoint that all of them are for
     * @param window as it was asked for
     * @param seconds the same
     * @param outputSeconds for which files of results are kept
     * @param metadata the owner's notes
     * @param headers of HTTP, by names in small letters, that each request is sent with
     */
    public record Asked(
            String inputFile,
            String endpoint,
            String window,
            long seconds,
            long outputSeconds,
            Map<String, String> metadata,
            Map<String, String> headers) {
        /** Copies, in an order of their own. */
        public Asked {
            metadata = Collections.unmodifiableMap(new TreeMap<>(metadata));
            headers = Collections.unmodifiableMap(new TreeMap<>(headers));
        }
    }

    /**
     * Files of results.
     *
     * @param answers with those that are answered
     * @param errors with the others
     * @param hasAnswers whether there is such a file
     * @param hasErrors whether there is
     */
    public record Outputs(String answers, String errors, boolean hasAnswers, boolean hasErrors) {}

    /** Requests: all, those answered, those that were not, and how many of these were not even tried. */
    public record Counts(int total, int completed, int failed, int unsent) {}

    /**
     * What answers say was used.
     *
     * @param inputTokens of prompts
     * @param cachedTokens of those, that were not computed
     * @param outputTokens of answers
     * @param reasoningTokens of those, that were thinking
     * @param costs list prices by currency
     */
    public record Used(
            long inputTokens,
            long cachedTokens,
            long outputTokens,
            long reasoningTokens,
            Map<String, BigDecimal> costs) {

        /** Nothing. */
        public static final Used NOTHING = new Used(0, 0, 0, 0, Map.of());

        /** Copies, in an order of their own. */
        public Used {
            costs = Collections.unmodifiableMap(new TreeMap<>(costs));
        }
    }

    /** Copies. */
    public Batch {
        since = Collections.unmodifiableMap(copy(since));
        problems = List.copyOf(problems);
    }

    /** How far it is to who asks: a cancelled batch whose files are being made is still being cancelled. */
    public BatchStatus shown() {
        return status == BatchStatus.FINALIZING && since.containsKey(BatchStatus.CANCELLING)
                ? BatchStatus.CANCELLING
                : status;
    }

    /** Seconds since 1970. */
    public long created() {
        return since.getOrDefault(BatchStatus.VALIDATING, 0L);
    }

    /** When its time is over, seconds since 1970. */
    public long expires() {
        return created() + asked.seconds();
    }

    private static Map<BatchStatus, Long> copy(Map<BatchStatus, Long> since) {
        Map<BatchStatus, Long> all = new EnumMap<>(BatchStatus.class);
        all.putAll(since);
        return all;
    }

    Batch at(BatchStatus next, long now) {
        Map<BatchStatus, Long> all = copy(since);
        all.put(next, now);
        return new Batch(id, owner, asked, next, all, outputs, counts, used, problems);
    }

    Batch with(Counts now) {
        return new Batch(id, owner, asked, status, since, outputs, now, used, problems);
    }

    Batch with(Outputs now, Used total) {
        return new Batch(id, owner, asked, status, since, now, counts, total, problems);
    }

    Batch with(List<BatchProblem> found) {
        return new Batch(id, owner, asked, status, since, outputs, counts, used, found);
    }
}
