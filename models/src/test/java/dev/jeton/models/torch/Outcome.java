package dev.jeton.models.torch;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** How {@link Refusal} ended in a process of its own, and what it wrote. */
record Outcome(int code, String output) {

    /**
     * Runs it.
     *
     * @param folder where the process may leave something
     * @param arguments as {@link Refusal} takes them
     */
    static Outcome of(Path folder, Map<String, String> environment, String... arguments)
            throws IOException, InterruptedException {
        Path work = Files.createDirectories(folder.resolve("work"));
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx256m",
                "--add-modules",
                "jdk.incubator.vector",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path"),
                Refusal.class.getName()));
        command.addAll(List.of(arguments));
        ProcessBuilder builder = new ProcessBuilder(command)
                .directory(work.toFile())
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve("output").toFile());
        builder.environment().putAll(environment);
        int code = builder.start().waitFor();
        try (Stream<Path> left = Files.list(work)) {
            assertThat(left).as("what a dying JVM leaves").isEmpty();
        }
        return new Outcome(code, Files.readString(folder.resolve("output"), StandardCharsets.UTF_8));
    }

    /** That it ended as the command line does with a message, and no other way. */
    void refused(String message) {
        assertThat(output).contains(message).doesNotContain("\tat ");
        assertThat(code).isEqualTo(1);
    }
}
