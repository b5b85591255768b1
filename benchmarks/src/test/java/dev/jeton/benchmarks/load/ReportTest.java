package dev.jeton.benchmarks.load;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class ReportTest {

    private static final long MILLI = 1_000_000;
    private static final Report.Limits NONE = new Report.Limits(0, 0, 0);

    @Test
    void percentilesAreTheNearestRanks() {
        Report report = hundred();

        assertThat(report.percentile(Sample::firstNanos, 50)).isEqualTo(50);
        assertThat(report.percentile(Sample::firstNanos, 95)).isEqualTo(95);
        assertThat(report.percentile(Sample::firstNanos, 99)).isEqualTo(99);
        assertThat(report.percentile(Sample::firstNanos, 100)).isEqualTo(100);
        assertThat(report.percentile(Sample::firstNanos, 0)).isEqualTo(1);
    }

    @Test
    void goodputCountsWhatKeepsEveryLimit() {
        Report report = hundred();

        assertThat(report.json(NONE)).contains("\"goodput_requests_per_second\": 50.0000");
        assertThat(report.json(new Report.Limits(0.02, 0, 0))).contains("\"goodput_requests_per_second\": 10.0000");
        assertThat(report.json(new Report.Limits(0.02, 0, 0.110))).contains("\"goodput_requests_per_second\": 5.0000");
        assertThat(report.json(new Report.Limits(0, 0.001, 0))).contains("\"goodput_requests_per_second\": 0.0000");
    }

    @Test
    void failedRequestsCountNowhereButAmongErrors() {
        List<Sample> samples = new ArrayList<>(hundred().samples());
        samples.add(new Sample("HTTP 500", 0, 0, 9_000 * MILLI, 0, 0, new long[0]));
        samples.add(new Sample("HTTP 500", 0, 0, 9_000 * MILLI, 0, 0, new long[0]));
        Report report = new Report(samples, 2_000 * MILLI, 0.1);

        assertThat(report.requestsPerSecond()).isEqualTo(50);
        assertThat(report.outputTokensPerSecond()).isCloseTo(550, within(1e-9));
        assertThat(report.percentile(Sample::totalNanos, 100)).isEqualTo(200);
        assertThat(report.text(NONE)).contains("100 well, 2 failed").contains("2 times: HTTP 500");
    }

    @Test
    void answersOfOneTokenHaveNoTimePerToken() {
        Report report = new Report(
                List.of(
                        new Sample("", 0, MILLI, MILLI, 1, 1, new long[0]),
                        new Sample("", 0, MILLI, MILLI, 1, 1, new long[0]),
                        new Sample("", 0, MILLI, 5 * MILLI, 1, 3, new long[] {2 * MILLI, 2 * MILLI})),
                1_000 * MILLI,
                0);

        assertThat(report.json(NONE)).contains("\"per_output_token_ms\": {\"p50\": 2.0000");
    }

    @Test
    void nothingWellIsNoNumber() {
        Report report = new Report(List.of(new Sample("x", 0, 0, 1, 0, 0, new long[0])), MILLI, 0);

        assertThat(report.json(NONE)).contains("\"first_token_ms\": {\"p50\": null");
    }

    /** First tokens after 1 to 100 ms, ends 100 ms later, 11 tokens each, in two seconds. */
    private static Report hundred() {
        List<Sample> samples = new ArrayList<>();
        for (int i = 100; i >= 1; i--) {
            samples.add(new Sample("", 0, i * MILLI, (100 + i) * MILLI, 5, 11, new long[] {10 * MILLI}));
        }
        return new Report(samples, 2_000 * MILLI, 0.1);
    }
}
