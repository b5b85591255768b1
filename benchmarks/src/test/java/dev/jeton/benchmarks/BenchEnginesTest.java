package dev.jeton.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.TensorType;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.TinyModel;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

class BenchEnginesTest {

    @TempDir
    Path folder;

    private record Outcome(int code, String output) {}

    private static String run(String... args) {
        return outcome(args).output;
    }

    private static Outcome outcome(String... args) {
        StringWriter out = new StringWriter();
        CommandLine line = new CommandLine(new BenchEnginesCommand());
        line.setOut(new PrintWriter(out));
        line.setErr(new PrintWriter(new StringWriter()));
        line.setExecutionExceptionHandler((e, command, result) -> {
            out.append(e.getMessage());
            return 1;
        });
        return new Outcome(line.execute(args), out.toString());
    }

    @Test
    void measuresEachInAProcessOfItsOwnAndSaysWhichCannot() throws Exception {
        Path svg = folder.resolve("engines.svg");
        String table = run(
                "--model",
                "../models/demo/jeton-demo-small",
                "--engines",
                "cpu,cpu:q8_0,cpu:fp8",
                "--seconds",
                "0.1",
                "--together",
                "1,2",
                "--svg",
                svg.toString());
        List<String> lines = table.lines().toList();
        assertThat(lines).hasSize(5);
        assertThat(lines.get(2)).startsWith("| cpu | ").endsWith("| 0.0 |");
        assertThat(lines.get(3)).startsWith("| cpu:q8_0 | ").doesNotContain(" - ");
        assertThat(lines.get(4)).contains("quantize \"fp8\" is not known to the cpu engine");
        assertThat(DocumentBuilderFactory.newInstance()
                        .newDocumentBuilder()
                        .parse(Files.newInputStream(svg))
                        .getElementsByTagName("rect")
                        .getLength())
                .isEqualTo(1 + 3 * 2);
    }

    @Test
    void endsWithAnErrorAndTheReasonsWhereNoneRan() {
        Outcome outcome = outcome(
                "--model", "../models/demo/jeton-demo-small", "--engines", "cpu:fp8,cpu:int4", "--seconds", "0.1");
        assertThat(outcome.code).isEqualTo(1);
        assertThat(outcome.output)
                .contains("no engine ran")
                .contains("cpu:fp8: quantize \"fp8\" is not known to the cpu engine")
                .contains("cpu:int4: quantize \"int4\" is not known to the cpu engine");
    }

    @Test
    void measuresAModelWhoseContextIsShorterThanItsPrompts() throws IOException {
        for (int context : new int[] {2, 50, 200}) {
            Path model = new TinyModel(
                            folder.resolve("of" + context),
                            Configs.llama("").replace(": 1024", ": " + context),
                            TensorType.F32,
                            1)
                    .folder;
            Outcome outcome =
                    outcome("--model", model.toString(), "--engines", "cpu", "--seconds", "0.02", "--together", "1,3");
            assertThat(outcome.code).as(outcome.output).isZero();
            assertThat(outcome.output.lines().toList().get(2))
                    .startsWith("| cpu | ")
                    .endsWith("| 0.0 |");
        }
    }

    @Test
    void saysThatNoEngineReadsAFolder() throws Exception {
        Files.writeString(folder.resolve("config.json"), "{}");
        assertThat(run("--model", folder.toString())).contains("no engine here reads");
    }

    @Test
    void distanceIsTheLargestDifference() {
        EngineFigures first = EngineFigures.of("a", List.of("scores -1.0 -2.0 -3.0"));
        EngineFigures second = EngineFigures.of("b", List.of("prefill 10.5", "scores -1.0 -2.5 -2.75"));
        assertThat(second.distance(first)).hasValue(0.5);
        assertThat(EngineFigures.of("c", List.of("scores ")).distance(first)).isEmpty();
    }
}
