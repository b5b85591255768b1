package dev.jeton.benchmarks.demo;

import java.nio.file.Path;

/**
 * What the command line asks for.
 *
 * @param corpus folder of the corpus
 * @param out folder that gets one folder for each model
 * @param largeSteps steps of the large model, zero to leave it out
 * @param smallSteps steps of the small model's first stage, zero to leave it out
 * @param finishingSteps steps of the small model's second stage, zero for none
 * @param seed of everything random
 * @param mode what to do
 */
public record Options(Path corpus, Path out, int largeSteps, int smallSteps, int finishingSteps, long seed, Mode mode) {

    /** What to do with the models. */
    public enum Mode {
        /** Train from scratch. */
        TRAIN,
        /** Print the figures of the folders that are there. */
        EVALUATE
    }

    /** What can be said on the command line. */
    public static final String USAGE = """
            usage: DemoModels [--corpus FOLDER] [--out FOLDER] [--large-steps N] [--small-steps N]
                              [--finishing-steps N] [--seed N] [--evaluate]
              --corpus           the corpus (models/demo/corpus)
              --out              where the model folders go (models/demo)
              --large-steps      steps of jeton-demo, 0 to leave it out (4500)
              --small-steps      steps of jeton-demo-small, 0 to leave it out (1000)
              --finishing-steps  steps of jeton-demo-small's finishing stage, 0 for none (400)
              --seed             of the weights and the samples (1)
              --evaluate         print the figures of the models that are there, train nothing""";

    private static final Options DEFAULTS =
            new Options(Path.of("models/demo/corpus"), Path.of("models/demo"), 4_500, 1_000, 400, 1, Mode.TRAIN);

    /** Reads the arguments; an unknown one is an IllegalArgumentException that names it. */
    public static Options parse(String... arguments) {
        Options options = DEFAULTS;
        for (int i = 0; i < arguments.length; i++) {
            switch (arguments[i]) {
                case "--evaluate" -> options = options.with(Mode.EVALUATE);
                default -> {
                    if (i + 1 == arguments.length) {
                        throw new IllegalArgumentException(arguments[i] + " needs a value, or is not an option");
                    }
                    options = options.with(arguments[i], arguments[i + 1]);
                    i++;
                }
            }
        }
        return options;
    }

    private Options with(Mode chosen) {
        return new Options(corpus, out, largeSteps, smallSteps, finishingSteps, seed, chosen);
    }

    private Options with(String option, String value) {
        return switch (option) {
            case "--corpus" -> new Options(Path.of(value), out, largeSteps, smallSteps, finishingSteps, seed, mode);
            case "--out" -> new Options(corpus, Path.of(value), largeSteps, smallSteps, finishingSteps, seed, mode);
            case "--large-steps" -> new Options(corpus, out, steps(value), smallSteps, finishingSteps, seed, mode);
            case "--small-steps" -> new Options(corpus, out, largeSteps, steps(value), finishingSteps, seed, mode);
            case "--finishing-steps" -> new Options(corpus, out, largeSteps, smallSteps, steps(value), seed, mode);
            case "--seed" ->
                new Options(corpus, out, largeSteps, smallSteps, finishingSteps, Long.parseLong(value), mode);
            default -> throw new IllegalArgumentException("unknown option " + option);
        };
    }

    private static int steps(String value) {
        int steps = Integer.parseInt(value);
        if (steps < 0 || steps > 1_000_000) {
            throw new IllegalArgumentException("steps must be 0 to 1,000,000, not " + value);
        }
        return steps;
    }
}
