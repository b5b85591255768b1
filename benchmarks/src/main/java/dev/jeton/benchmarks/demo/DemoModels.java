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
 * <p>Run by {@code models/demo/README.md}'s one command. With {@code --evaluate} nothing is trained and the figures of
 * the folders that are there are printed.
 */
public final class DemoModels {
    private static final int VOCABULARY = 1_536;
    private static final int TOKENIZER_SAMPLES = 40_000;
    private static final int TOKENS_PER_BATCH = 2_048;
    private static final float LARGE_RATE = 2e-3f;
    private static final float SMALL_RATE = 3e-3f;

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
            if (options.evaluateOnly()) {
                Weights weights = Safetensors.read(weightsFile(options, plan.shape()), plan.shape());
                print(plan.shape(), evaluate(plan.shape(), weights, tokenizer, corpus));
            } else {
                train(plan, options, corpus, tokenizer);
            }
        }
    }

    private static List<Plan> plans(Options options, BytePairTokenizer tokenizer) {
        List<Plan> plans = new ArrayList<>();
        if (options.largeSteps() > 0) {
            ModelShape shape = ModelShape.large(tokenizer.size());
            plans.add(new Plan(shape, options.largeSteps(), TOKENS_PER_BATCH, LARGE_RATE, options.seed()));
        }
        if (options.smallSteps() > 0) {
            ModelShape shape = ModelShape.small(tokenizer.size());
            plans.add(new Plan(shape, options.smallSteps(), TOKENS_PER_BATCH, SMALL_RATE, options.seed()));
        }
        return plans;
    }

    private static void train(Plan plan, Options options, Corpus corpus, BytePairTokenizer tokenizer) {
        ModelShape shape = plan.shape();
        Path folder = options.out().resolve(shape.name());
        System.out.printf("%s: %d parameters, %d steps%n", shape.name(), shape.parameters(), plan.steps());
        var trainer =
                new Trainer(plan, corpus, tokenizer, weights -> ModelFolder.write(folder, shape, tokenizer, weights));
        Trainer.Outcome outcome = trainer.train();
        ModelFolder.write(folder, shape, tokenizer, outcome.weights());
        Weights exported = Safetensors.read(weightsFile(options, shape), shape);
        Evaluation evaluation = evaluate(shape, exported, tokenizer, corpus);
        print(shape, evaluation);
        try {
            Files.writeString(folder.resolve("README.md"), new ModelCard(plan, corpus, outcome, evaluation).markdown());
        } catch (IOException e) {
            throw new UncheckedIOException("cannot write the model card in " + folder, e);
        }
    }

    private static Path weightsFile(Options options, ModelShape shape) {
        return options.out().resolve(shape.name()).resolve("model.safetensors");
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
