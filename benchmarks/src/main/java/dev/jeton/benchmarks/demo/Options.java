package dev.jeton.benchmarks.demo;

import java.nio.file.Path;

/**
 * What the command line asks for.
 *
 * @param corpus folder of the corpus
 * @param out folder that gets one folder for each model
 * @param largeSteps optimiser steps of the large model, zero to leave it out
 * @param smallSteps optimiser steps of the small model, zero to leave it out
 * @param seed of everything random
 * @param evaluateOnly whether to read the models instead of training them
 */
public record Options(Path corpus, Path out, int largeSteps, int smallSteps, long seed, boolean evaluateOnly) {
    /** What can be said on the command line. */
    public static final String USAGE = """
            usage: DemoModels [--corpus FOLDER] [--out FOLDER] [--large-steps N] [--small-steps N] [--seed N] [--evaluate]
              --corpus       the corpus (models/demo/corpus)
              --out          where the model folders go (models/demo)
              --large-steps  optimiser steps of jeton-demo, 0 to leave it out (5000)
              --small-steps  optimiser steps of jeton-demo-small, 0 to leave it out (3000)
              --seed         of the weights and the samples (1)
              --evaluate     print the figures of the models that are there, train nothing""";

    private static final Options DEFAULTS =
            new Options(Path.of("models/demo/corpus"), Path.of("models/demo"), 5_000, 3_000, 1, false);

    /** Reads the arguments; an unknown one is an IllegalArgumentException that names it. */
    public static Options parse(String... arguments) {
        Options options = DEFAULTS;
        for (int i = 0; i < arguments.length; i++) {
            if (arguments[i].equals("--evaluate")) {
                options = new Options(
                        options.corpus, options.out, options.largeSteps, options.smallSteps, options.seed, true);
                continue;
            }
            if (i + 1 == arguments.length) {
                throw new IllegalArgumentException(arguments[i] + " needs a value, or is not an option");
            }
            options = options.with(arguments[i], arguments[++i]);
        }
        return options;
    }

    private Options with(String option, String value) {
        return switch (option) {
            case "--corpus" -> new Options(Path.of(value), out, largeSteps, smallSteps, seed, evaluateOnly);
            case "--out" -> new Options(corpus, Path.of(value), largeSteps, smallSteps, seed, evaluateOnly);
            case "--large-steps" -> new Options(corpus, out, steps(value), smallSteps, seed, evaluateOnly);
            case "--small-steps" -> new Options(corpus, out, largeSteps, steps(value), seed, evaluateOnly);
            case "--seed" -> new Options(corpus, out, largeSteps, smallSteps, Long.parseLong(value), evaluateOnly);
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
