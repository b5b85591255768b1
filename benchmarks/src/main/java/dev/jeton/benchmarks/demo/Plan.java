package dev.jeton.benchmarks.demo;

import java.util.List;

/**
 * How one model is trained: on everything, and the small one then in a finishing stage with much arithmetic.
 *
 * <p>Sums are short and many, questions about servers long and few: in one mixture the sums get too few of the tokens
 * for the small model's short training. Each stage begins from the rounded weights of the one before, with a fresh
 * optimiser, so that a stage can also be run from an exported folder.
 *
 * @param shape its dimensions
 * @param stages in order
 * @param tokensPerBatch tokens a step, padding included
 * @param seed of the weights and of the order of samples
 */
public record Plan(ModelShape shape, List<Stage> stages, int tokensPerBatch, long seed) {
    private static final int TOKENS_PER_BATCH = 2_048;
    private static final double FINISHING_ARITHMETIC = 0.65;

    public Plan {
        stages = List.copyOf(stages);
    }

    /** The plan of the large model, in one stage. */
    public static Plan large(int vocabulary, int steps, long seed) {
        Stage main = new Stage(steps, 2e-3f, Sampler.ARITHMETIC);
        return new Plan(ModelShape.large(vocabulary), List.of(main), TOKENS_PER_BATCH, seed);
    }

    /** The plan of the small model, which takes larger steps; without finishing steps it has one stage. */
    public static Plan small(int vocabulary, int steps, int finishingSteps, long seed) {
        Stage main = new Stage(steps, 3e-3f, Sampler.ARITHMETIC);
        List<Stage> stages = finishingSteps == 0
                ? List.of(main)
                : List.of(main, new Stage(finishingSteps, 1e-3f, FINISHING_ARITHMETIC));
        return new Plan(ModelShape.small(vocabulary), stages, TOKENS_PER_BATCH, seed);
    }
}
