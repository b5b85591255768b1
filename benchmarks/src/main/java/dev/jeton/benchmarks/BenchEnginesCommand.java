package dev.jeton.benchmarks;

import dev.jeton.models.EngineProvider;
import dev.jeton.models.Engines;
import dev.jeton.models.ModelException;
import dev.jeton.models.ModelFolders;
import dev.jeton.models.SequenceEngineProvider;
import dev.jeton.models.StepEngineProvider;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.PrintWriter;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Option;

/** {@code jeton bench engines}: the engines at hand side by side on one model. */
@CommandLine.Command(
        name = "engines",
        description =
                "Measures the engines that read a model side by side, each in a process of its own: load time, memory,"
                        + " prefill, decode, and how far their log-probabilities are from the first one's.",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        footer = {
            "",
            "Example: jeton bench engines --model models/110m --engines cpu,cpu:q8_0,torch --svg engines.svg",
            "Figures are the best of what was seen; the distance is the largest of 127 positions. Prompts are of 512 tokens for",
            "prefill and of 128 for decode, or what the model's context holds."
        })
final class BenchEnginesCommand implements Callable<Integer> {

    @CommandLine.Spec
    private CommandLine.Model.CommandSpec spec = CommandLine.Model.CommandSpec.create();

    @Option(
            names = "--model",
            required = true,
            description = "Model folder, GGUF file, or ORG/NAME in the local Hugging Face cache.")
    private String model = "";

    @Option(
            names = "--engines",
            split = ",",
            paramLabel = "NAME[:QUANTIZE]",
            description = "Which, in this order (default: all that read it, each with all that --quantize may be).")
    private List<String> engines = new ArrayList<>();

    @Option(names = "--threads", description = "Compute threads; 0 for the engine's own choice (default: 0).")
    private int threads = 0;

    @Option(names = "--seconds", description = "Seconds for each figure (default: ${DEFAULT-VALUE}).")
    private double seconds = 3;

    @Option(
            names = "--together",
            split = ",",
            paramLabel = "N",
            description = "Sequences that decode together (default: 1,8,32).")
    private List<Integer> together = new ArrayList<>(List.of(1, 8, 32));

    @Option(names = "--svg", paramLabel = "FILE", description = "Write a picture, too.")
    private @Nullable Path svg;

    /** Exit code 1 where no engine ran, with what each of them said. */
    @Override
    public Integer call() throws IOException, InterruptedException {
        PrintWriter out = spec.commandLine().getOut();
        PrintWriter err = spec.commandLine().getErr();
        if (threads < 0 || !(seconds > 0) || together.stream().anyMatch(n -> n < 1 || n > 256)) {
            throw new CommandLine.ParameterException(
                    spec.commandLine(), "--threads is 0 or more, --seconds more than 0, --together 1 to 256");
        }
        Path folder = ModelFolders.of(System.getenv(), Path.of(System.getProperty("user.home", ".")))
                .resolve(model);
        List<String> wanted = engines.isEmpty() ? all(folder) : engines;
        if (wanted.isEmpty()) {
            throw new ModelException("no engine here reads " + folder + "; 'jeton engines --model' says why");
        }
        List<EngineFigures> figures = new ArrayList<>();
        for (String each : wanted) {
            err.printf("measuring %s ...%n", each);
            err.flush();
            figures.add(trial(folder, each));
        }
        if (figures.stream().noneMatch(EngineFigures::ran)) {
            throw new ModelException(figures.stream()
                    .map(each -> "%n  %s: %s".formatted(each.name(), each.refused()))
                    .collect(Collectors.joining("", "no engine ran " + folder + ":", "")));
        }
        out.print(EngineFigures.table(figures, together));
        out.flush();
        if (svg != null) {
            Files.writeString(svg, EngineFigures.picture("Engines on " + folder.getFileName(), figures, together));
        }
        return CommandLine.ExitCode.OK;
    }

    private static List<String> all(Path folder) {
        List<String> found = new ArrayList<>();
        for (EngineProvider provider : Engines.found().providers()) {
            if (provider.missing().isEmpty() && provider.refusal(folder).isEmpty()) {
                switch (provider) {
                    case StepEngineProvider steps -> {
                        found.add(steps.name());
                        steps.support().quantizations().forEach(format -> found.add(steps.name() + ":" + format));
                    }
                    case SequenceEngineProvider _ -> {} // runs whole sequences: jeton bench serve measures it
                }
            }
        }
        return found;
    }

    private EngineFigures trial(Path folder, String each) throws IOException, InterruptedException {
        String[] parts = each.split(":", 2);
        List<String> command = new ArrayList<>();
        command.add(ProcessHandle.current().info().command().orElse("java"));
        command.addAll(ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
                .filter(argument -> !argument.startsWith("-XX:AOT") && !argument.startsWith("-XX:StartFlight"))
                .toList());
        command.addAll(Arrays.asList(
                "-cp",
                System.getProperty("java.class.path", ""),
                EngineTrial.class.getName(),
                folder.toString(),
                parts[0],
                parts.length > 1 ? parts[1] : "none",
                Integer.toString(threads),
                Double.toString(seconds),
                together.stream().map(String::valueOf).collect(Collectors.joining(","))));
        Process process = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        List<String> lines;
        try (BufferedReader reader = process.inputReader(StandardCharsets.UTF_8)) {
            lines = reader.lines()
                    .filter(line -> line.startsWith(EngineTrial.MARK))
                    .map(line -> line.substring(EngineTrial.MARK.length()))
                    .toList();
        }
        int code = process.waitFor();
        EngineFigures figures = EngineFigures.of(each, lines);
        return code == 0 ? figures : new EngineFigures(each, figures.figures(), List.of(), failed(code, lines));
    }

    private static String failed(int code, List<String> lines) {
        Optional<String> said =
                lines.stream().filter(line -> line.startsWith("refused")).findFirst();
        return said.orElse("its process ended with " + code);
    }
}
