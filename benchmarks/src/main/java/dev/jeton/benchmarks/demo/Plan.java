package dev.jeton.benchmarks.demo;

import java.util.List;

/**
 * How one model is trained: on everything first, then a finishing stage with much arithmetic.
 *
 * <p>Sums are short and many, questions about servers long and few: in one mixture the sums get too few of the tokens
 * to be learned. Each stage begins from the rounded weights of the one before, with a fresh optimiser, so that a stage
 * can also be run from an exported folder.
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

    /** The plan of the large model. */
    public static Plan large(int vocabulary, int steps, int finishingSteps, long seed) {
        return of(ModelShape.large(vocabulary), steps, 2e-3f, finishingSteps, 6e-4f, seed);
    }

    /** The plan of the small model; being narrower it takes larger steps. */
    public static Plan small(int vocabulary, int steps, int finishingSteps, long seed) {
        return of(ModelShape.small(vocabulary), steps, 3e-3f, finishingSteps, 1e-3f, seed);
    }

    private static Plan of(
            ModelShape shape, int steps, float rate, int finishingSteps, float finishingRate, long seed) {
        Stage main = new Stage(steps, rate, Sampler.ARITHMETIC);
        List<Stage> stages = finishingSteps == 0
                ? List.of(main)
                : List.of(main, new Stage(finishingSteps, finishingRate, FINISHING_ARITHMETIC));
        return new Plan(shape, stages, TOKENS_PER_BATCH, seed);
    }

    /** The same plan without its stages but the last. */
    Plan lastStage() {
        return new Plan(shape, List.of(stages.getLast()), tokensPerBatch, seed);
    }
}
