package dev.jeton.benchmarks.demo;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import ai.djl.training.GradientCollector;
import java.time.Duration;
import java.util.List;
import java.util.function.Consumer;

/** The training loop of one model. */
final class Trainer {
    private static final int REPORT_STEPS = 50;
    private static final int CHECKPOINT_STEPS = 500;
    private static final float WEIGHT_DECAY = 0.05f;
    private static final float CLIP_NORM = 1f;

    /** Longer conversations are cut. */
    static final int MAX_TRAINED_LENGTH = 384;

    private final Plan plan;
    private final Corpus corpus;
    private final BytePairTokenizer tokenizer;
    private final Consumer<Weights> checkpoint;

    /** A loop that hands the weights to {@code checkpoint} now and then, so that an interrupted run is not lost. */
    Trainer(Plan plan, Corpus corpus, BytePairTokenizer tokenizer, Consumer<Weights> checkpoint) {
        this.plan = plan;
        this.corpus = corpus;
        this.tokenizer = tokenizer;
        this.checkpoint = checkpoint;
    }

    /**
     * What training gave.
     *
     * @param weights the final weights
     * @param tokens tokens computed, padding included
     * @param time wall time
     */
    record Outcome(Weights weights, long tokens, Duration time) {}

    /** Runs all stages, the first from the given weights. */
    Outcome train(Weights start) {
        Weights weights = start;
        long tokens = 0;
        Duration time = Duration.ZERO;
        for (int i = 0; i < plan.stages().size(); i++) {
            System.out.printf(
                    "%s: stage %d of %d%n",
                    plan.shape().name(), i + 1, plan.stages().size());
            Outcome outcome = train(weights, plan.stages().get(i));
            weights = outcome.weights().rounded();
            tokens += outcome.tokens();
            time = time.plus(outcome.time());
            checkpoint.accept(weights);
        }
        return new Outcome(weights, tokens, time);
    }

    private Outcome train(Weights weights, Stage stage) {
        var sampler = new Sampler(corpus, stage.arithmetic());
        var batches = new Batches(sampler, tokenizer, plan.tokensPerBatch(), MAX_TRAINED_LENGTH, plan.seed() + 1);
        List<Batch> heldOut = heldOut();
        long start = System.nanoTime();
        long tokens = 0;
        try (NDManager manager = NDManager.newBaseManager()) {
            var model = new DemoModel(manager, plan.shape(), weights);
            var optimiser = new AdamW(manager, model.parameters().values(), WEIGHT_DECAY, CLIP_NORM);
            double recent = 0;
            for (int step = 0; step < stage.steps(); step++) {
                Batch batch = batches.next();
                recent += step(manager, model, optimiser, batch, stage.rate(step));
                tokens += batch.tokens();
                int done = step + 1;
                if (done % REPORT_STEPS == 0) {
                    report(stage, done, recent / REPORT_STEPS, tokens, System.nanoTime() - start);
                    recent = 0;
                }
                if (done % CHECKPOINT_STEPS == 0) {
                    System.out.printf("%s held-out loss %.4f%n", plan.shape().name(), loss(manager, model, heldOut));
                    checkpoint.accept(model.weights());
                }
            }
            return new Outcome(model.weights(), tokens, Duration.ofNanos(System.nanoTime() - start));
        }
    }

    private static float step(NDManager manager, DemoModel model, AdamW optimiser, Batch batch, float rate) {
        // The scope frees what the operations leave with the long-lived managers of the weights.
        try (NDScope ignored = new NDScope();
                NDManager scratch = manager.newSubManager()) {
            float loss;
            try (GradientCollector gradients = Engine.getInstance().newGradientCollector()) {
                NDArray mean = model.loss(scratch, batch);
                gradients.backward(mean);
                loss = mean.getFloat();
            }
            optimiser.update(rate);
            return loss;
        }
    }

    private List<Batch> heldOut() {
        var format = new ChatFormat(tokenizer);
        List<ChatFormat.Sequence> sequences = corpus.heldOut().stream()
                .map(held -> format.sequence(List.of(
                        Turn.user(held.question()),
                        Turn.assistant(held.answers().getFirst()))))
                .map(Trainer::answersOnly)
                .toList();
        return Batches.cut(sequences, tokenizer.id(SpecialToken.PAD), plan.tokensPerBatch());
    }

    private static ChatFormat.Sequence answersOnly(ChatFormat.Sequence sequence) {
        float[] weights = sequence.weights().clone();
        for (int i = 0; i < weights.length; i++) {
            weights[i] = weights[i] == ChatFormat.SAID_WEIGHT ? 1f : 0f;
        }
        return new ChatFormat.Sequence(sequence.ids(), weights);
    }

    private static double loss(NDManager manager, DemoModel model, List<Batch> batches) {
        double sum = 0;
        double weight = 0;
        for (Batch batch : batches) {
            try (NDScope ignored = new NDScope();
                    NDManager scratch = manager.newSubManager()) {
                sum += model.loss(scratch, batch).getFloat() * batch.weightSum();
                weight += batch.weightSum();
            }
        }
        return sum / weight;
    }

    private void report(Stage stage, int step, double loss, long tokens, long nanos) {
        double seconds = nanos / 1e9;
        double left = seconds / step * (stage.steps() - step);
        System.out.printf(
                "%s step %d/%d loss %.4f %.0f tok/s %.0f s done, %.0f s left%n",
                plan.shape().name(), step, stage.steps(), loss, tokens / seconds, seconds, left);
    }
}
