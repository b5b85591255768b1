package dev.jeton.server.batch;

import dev.jeton.server.config.Configuration.BatchSettings;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Looks through a batch's file before anything of it is answered.
 *
 * @param requests their names
 * @param problems the first that are wrong; none where all are right
 */
record BatchCheck(Set<String> requests, List<BatchProblem> problems) {

    private static final int MOST_PROBLEMS = 100;

    /**
     * Reads a file through.
     *
     * @param endpoint that all requests must be for
     * @param mostBody most bytes of a request
     */
    static BatchCheck of(Path file, String tier, String endpoint, BatchSettings settings, int mostBody) {
        Set<String> ids = new HashSet<>();
        List<BatchProblem> problems = new ArrayList<>();
        try (BatchFile lines = new BatchFile(file, tier)) {
            boolean more = true;
            while (more && problems.size() < MOST_PROBLEMS) {
                try {
                    Optional<BatchLine> line = lines.next();
                    more = line.isPresent();
                    line.flatMap(found -> problem(found, ids, endpoint, mostBody))
                            .ifPresent(problems::add);
                } catch (BatchException e) {
                    problems.add(new BatchProblem("invalid_line", lines.number(), String.valueOf(e.getMessage())));
                }
                if (ids.size() > settings.maxRequests()) {
                    problems.add(new BatchProblem(
                            "too_many_requests",
                            0,
                            "The file has more than the %d requests that a batch may have; divide it"
                                    .formatted(settings.maxRequests())));
                    more = false;
                }
            }
        }
        if (ids.isEmpty() && problems.isEmpty()) {
            problems.add(new BatchProblem("empty_file", 0, "The file has no requests"));
        }
        return new BatchCheck(ids, problems);
    }

    private static Optional<BatchProblem> problem(BatchLine line, Set<String> ids, String endpoint, int mostBody) {
        if (!ids.add(line.customId())) {
            return Optional.of(new BatchProblem(
                    "duplicate_custom_id",
                    line.number(),
                    "The custom_id '%s' was there before".formatted(line.customId())));
        }
        if (!line.path().equals(endpoint)) {
            return Optional.of(new BatchProblem(
                    "mismatched_endpoint",
                    line.number(),
                    "'url' is '%s', the batch is for '%s'".formatted(line.path(), endpoint)));
        }
        return line.body().length > mostBody
                ? Optional.of(new BatchProblem(
                        "too_large",
                        line.number(),
                        "'body' has %d bytes, at most %d are accepted".formatted(line.body().length, mostBody)))
                : Optional.empty();
    }
}
