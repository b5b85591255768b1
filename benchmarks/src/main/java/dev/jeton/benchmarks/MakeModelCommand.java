package dev.jeton.benchmarks;

import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Option;

/** {@code jeton bench make-model}: a folder of random weights in the shape of a real model. */
@CommandLine.Command(
        name = "make-model",
        description = "Writes a model of random weights with a working tokenizer, for measuring.",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        footer = {
            "",
            "Example: jeton bench make-model --shape 110m --dtype bf16 --out models/110m --adapter-rank 16",
            "         jeton serve --model models/110m --adapter sql=models/110m/adapter"
        })
final class MakeModelCommand implements Callable<Integer> {

    @CommandLine.Spec
    private CommandLine.Model.CommandSpec spec = CommandLine.Model.CommandSpec.create();

    @Option(names = "--shape", required = true, description = "15m, 110m, 8x110m, 1b or 8b.")
    private String shape = "";

    @Option(names = "--out", required = true, paramLabel = "FOLDER", description = "Folder to write.")
    private Path out = Path.of("");

    @Option(
            names = "--dtype",
            description = "f32 or bf16; as GGUF also f16, q8_0, q4_k_m and mxfp4 (default: ${DEFAULT-VALUE}).")
    private String type = "bf16";

    @Option(names = "--format", description = "safetensors or gguf (default: ${DEFAULT-VALUE}).")
    private String format = "safetensors";

    @Option(names = "--seed", description = "Same seed, same weights (default: ${DEFAULT-VALUE}).")
    private long seed = 1;

    @Option(
            names = "--adapter-rank",
            paramLabel = "RANK",
            description = "Also writes an adapter (LoRA) of random numbers and this rank, on all linear layers.")
    private Optional<Integer> adapterRank = Optional.empty();

    @Option(
            names = "--adapter-out",
            paramLabel = "FOLDER",
            description = "Folder of the adapter (default: adapter, in the model's).")
    private Optional<Path> adapterOut = Optional.empty();

    @Override
    public Integer call() {
        if (adapterOut.isPresent() && adapterRank.isEmpty()) {
            throw new IllegalArgumentException("--adapter-out without --adapter-rank writes nothing: say the rank");
        }
        spec.commandLine().getErr().printf("writing %s weights of shape %s to %s ...%n", type, shape, out);
        spec.commandLine().getErr().flush();
        ModelShape named = ModelShape.named(shape.toLowerCase(Locale.ROOT));
        switch (format) {
            case "safetensors" -> ModelMaker.make(new ModelMaker.Options(named, out, type, seed));
            case "gguf" -> GgufMaker.make(named, out, type, seed);
            default ->
                throw new IllegalArgumentException(
                        "format \"%s\" is not known; safetensors and gguf are".formatted(format));
        }
        adapterRank.ifPresent(rank -> AdapterMaker.make(new AdapterMaker.Options(
                named, adapterOut.orElse(out.resolve("adapter")), type.equals("f32") ? "f32" : "bf16", rank, seed)));
        return CommandLine.ExitCode.OK;
    }
}
