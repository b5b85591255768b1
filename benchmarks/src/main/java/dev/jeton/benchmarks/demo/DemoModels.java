package dev.jeton.benchmarks.demo;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.Stream;

/**
 * Makes the demo models: learns the tokenizer, trains each model, writes its folder and its card.
 *
 * <p>Run by {@code models/demo/README.md}'s one command. See {@link Options#USAGE}.
 */
public final class DemoModels {
    private static final int VOCABULARY = 1_536;
    private static final int TOKENIZER_SAMPLES = 40_000;

    private DemoModels() {}

    /** The command line; see {@link Options#USAGE}. */
    public static void main(String[] arguments) {
        Options options;
        try {
            options = Options.parse(arguments);
        } catch (IllegalArgumentException e) {
            System.err.println(e.getMessage());
            System.err.println(Options.USAGE);
            System.exit(2);
            return;
        }
        Corpus corpus = CorpusReader.read(options.corpus());
        BytePairTokenizer tokenizer = tokenizer(corpus, options.seed());
        System.out.printf(
                "%d topics, %d held-out questions, %d tokens in the vocabulary%n",
                corpus.topics().size(), corpus.heldOut().size(), tokenizer.size());
        for (Plan plan : plans(options, tokenizer)) {
            ModelShape shape = plan.shape();
            switch (options.mode()) {
                case EVALUATE -> print(shape, evaluate(shape, exported(options, shape), tokenizer, corpus));
                case TRAIN -> train(plan, Weights.initial(shape, plan.seed()), options, corpus, tokenizer);
            }
        }
    }

    private static List<Plan> plans(Options options, BytePairTokenizer tokenizer) {
        List<Plan> plans = new ArrayList<>();
        if (options.largeSteps() > 0) {
            plans.add(Plan.large(tokenizer.size(), options.largeSteps(), options.seed()));
        }
        if (options.smallSteps() > 0) {
            plans.add(Plan.small(tokenizer.size(), options.smallSteps(), options.finishingSteps(), options.seed()));
        }
        return plans;
    }

    private static void train(Plan plan, Weights start, Options options, Corpus corpus, BytePairTokenizer tokenizer) {
        ModelShape shape = plan.shape();
        Path folder = options.out().resolve(shape.name());
        System.out.printf("%s: %d parameters%n", shape.name(), shape.parameters());
        var trainer =
                new Trainer(plan, corpus, tokenizer, weights -> ModelFolder.write(folder, shape, tokenizer, weights));
        Trainer.Outcome outcome = trainer.train(start);
        Evaluation evaluation = evaluate(shape, exported(options, shape), tokenizer, corpus);
        print(shape, evaluation);
        try {
            Files.writeString(folder.resolve("README.md"), new ModelCard(plan, corpus, outcome, evaluation).markdown());
        } catch (IOException e) {
            throw new UncheckedIOException("cannot write the model card in " + folder, e);
        }
    }

    private static Weights exported(Options options, ModelShape shape) {
        return Safetensors.read(options.out().resolve(shape.name()).resolve("model.safetensors"), shape);
    }

    private static Evaluation evaluate(ModelShape shape, Weights weights, BytePairTokenizer tokenizer, Corpus corpus) {
        return Evaluation.of(new ReferenceModel(shape, weights), tokenizer, corpus);
    }

    private static void print(ModelShape shape, Evaluation evaluation) {
        evaluation
                .mistakes()
                .forEach(mistake -> System.out.printf("  wrong: %s -> %s%n", mistake.question(), mistake.reply()));
        Map<String, Evaluation.Score> kinds = new HashMap<>(evaluation.byKind());
        System.out.printf(
                "%s: held-out loss %.4f, %d of %d held-out questions right (%.1f%%) %s%n",
                shape.name(),
                evaluation.loss(),
                evaluation.right(),
                evaluation.asked(),
                100 * evaluation.share(),
                kinds);
    }

    /** The tokenizer of both models, learned from samples of what they are trained on. */
    static BytePairTokenizer tokenizer(Corpus corpus, long seed) {
        var sampler = new Sampler(corpus);
        var random = new SplittableRandom(seed);
        Stream<String> conversations = Stream.generate(() -> sampler.conversation(random))
                .limit(TOKENIZER_SAMPLES)
                .flatMap(List::stream)
                .map(Turn::text);
        return BytePairTrainer.train(Stream.concat(conversations, corpus.sentences().stream()), VOCABULARY);
    }
}
