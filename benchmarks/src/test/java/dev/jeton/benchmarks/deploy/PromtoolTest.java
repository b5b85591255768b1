package dev.jeton.benchmarks.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What {@code promtool} says of the rules, where it is installed. */
class PromtoolTest {

    @ParameterizedTest
    @CsvSource({"check rules, rules.yml", "check config, prometheus.yml", "test rules, rules-test.yml"})
    void findsNothingWrong(String command, String file) throws IOException, InterruptedException {
        Assumptions.assumeTrue(
                installed(), "promtool is not installed (Debian's package prometheus), so the rules are not tried");
        String[] words = command.split(" ");
        Process promtool = start(
                "promtool",
                words[0],
                words[1],
                DeployFiles.PROMETHEUS.resolve(file).toString());
        String said = new String(promtool.getInputStream().readAllBytes(), StandardCharsets.UTF_8);

        assertThat(promtool.waitFor()).as(said).isZero();
    }

    private static boolean installed() throws InterruptedException {
        try {
            Process version = start("promtool", "--version");
            try (var said = version.getInputStream()) {
                said.readAllBytes();
            }
            return version.waitFor() == 0;
        } catch (IOException e) {
            return false;
        }
    }

    private static Process start(String... command) throws IOException {
        return new ProcessBuilder(List.of(command)).redirectErrorStream(true).start();
    }
}
