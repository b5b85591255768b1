package dev.jeton.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import picocli.CommandLine;

class CommandHelpTest {

    @ParameterizedTest
    @CsvSource({"serve", "books", "make-model"})
    void helpEndsWithAnExample(String name) {
        CommandLine command =
                new CommandLine(new BenchCommand()).getSubcommands().get(name);

        assertThat(command.getUsageMessage()).contains("Example: jeton bench " + name + " --");
    }
}
