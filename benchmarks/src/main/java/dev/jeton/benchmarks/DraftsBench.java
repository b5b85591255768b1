package dev.jeton.benchmarks;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.Engines;
import dev.jeton.models.FolderTokenizer;
import dev.jeton.models.StepEngineProvider;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.LogitBias;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.grammar.Grammar;
import dev.jeton.models.grammar.GrammarSpec;
import dev.jeton.scheduler.Allowance;
import dev.jeton.scheduler.Generation;
import dev.jeton.scheduler.GenerationEvent;
import dev.jeton.scheduler.GenerationRequest;
import dev.jeton.scheduler.Scheduler;
import dev.jeton.scheduler.SchedulerConfig;
import dev.jeton.scheduler.StepListener;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Random;
import java.util.stream.IntStream;
import tools.jackson.databind.json.JsonMapper;

/**
 * What drafts bring: the production scheduler on an engine, with and without them by turns, where a client's prediction
 * of the answers is right in a share of its tokens. Answers are sampled at temperature 1, so that a model of random
 * weights does not repeat itself, and each is checked to be what it is without drafts. Where the folder has a
 * tokenizer, answers that are JSON of a schema come last, with nothing predicted: only a model that was trained spells
 * them as one would expect.
 *
 * <p>Arguments: folder, quantize (none), engine (cpu), threads (0), rounds (5), drafts (8). One line for each number of
 * sequences and share: medians of tokens per second.
 */
public final class DraftsBench {

    private static final int PROMPT = 128;
    private static final int OUTPUT = 128;
    private static final int[] SEQUENCES = {1, 4, 16};
    /** Shares of a prediction that are right; less than 0 where nothing is predicted. */
    private static final double[] RIGHT = {1, 0.95, 0.8, 0.5, 0, -1};

    private static final String ORDER = """
            {"type": "object", "required": ["first_name", "last_name", "shipping_address", "quantity", "confirmed"],
             "additionalProperties": false, "properties": {
               "first_name": {"type": "string", "maxLength": 20}, "last_name": {"type": "string", "maxLength": 20},
               "shipping_address": {"type": "object", "required": ["street", "postal_code", "country"],
                 "additionalProperties": false, "properties": {"street": {"type": "string", "maxLength": 20},
                 "postal_code": {"type": "string", "maxLength": 6},
                 "country": {"enum": ["Germany", "France", "Sweden"]}}},
               "quantity": {"type": "integer", "minimum": 0, "maximum": 150}, "confirmed": {"type": "boolean"}}}""";

    private final Engine engine;
    private final int rounds;
    private final int drafts;

    private DraftsBench(Engine engine, int rounds, int drafts) {
        this.engine = engine;
        this.rounds = rounds;
        this.drafts = drafts;
    }

    /** What a run brought. */
    private record Run(List<int[]> answers, double tokensPerSecond, int computed, int accepted) {}

    private GenerationRequest request(int k) {
        int[] prompt = new Random(k).ints(PROMPT, 5, engine.info().vocabulary()).toArray();
        SamplingParameters sampling = new SamplingParameters(1, 0, 1, 0, 1, 0, 0, LogitBias.NONE, k, 0, new int[0], -1);
        return new GenerationRequest(
                "r" + k, prompt, 1, OUTPUT, sampling, new int[0], false, 0, Long.MAX_VALUE, 0, Allowance.UNLIMITED);
    }

    private Run run(List<GenerationRequest> requests, int mostDrafts) {
        SchedulerConfig config =
                new SchedulerConfig(64, 512, 64, 1_024, Long.MAX_VALUE / 4, 0, false, 1).drafting(mostDrafts);
        Scheduler scheduler = new Scheduler(engine, config, System::nanoTime, System.nanoTime(), StepListener.NONE);
        List<Generation> generations = requests.stream().map(scheduler::submit).toList();
        while (!scheduler.idle()) {
            scheduler.turn();
        }
        List<int[]> answers = new ArrayList<>();
        long decode = 0;
        int decoded = 0;
        int computed = 0;
        int accepted = 0;
        for (Generation generation : generations) {
            answers.add(answer(generation));
            decode = Math.max(decode, generation.usage().decodeNanos());
            decoded += answers.getLast().length - 1;
            computed += generation.usage().drafts().computed();
            accepted += generation.usage().drafts().accepted();
        }
        return new Run(answers, decoded * 1e9 / decode, computed, accepted);
    }

    private static int[] answer(Generation generation) {
        int[] tokens = new int[OUTPUT];
        int count = 0;
        GenerationEvent event = new GenerationEvent();
        while (generation.poll(event)) {
            if (!event.finished) {
                tokens[count++] = event.token;
            }
        }
        return Arrays.copyOf(tokens, count);
    }

    private int[] predicted(int[] answer, double right, Random random) {
        return Arrays.stream(answer)
                .map(token -> random.nextDouble() < right
                        ? token
                        : random.nextInt(5, engine.info().vocabulary()))
                .toArray();
    }

    private List<GenerationRequest> requests(int sequences) {
        return IntStream.range(0, sequences).mapToObj(this::request).toList();
    }

    private void measure(int sequences, double right) {
        measure(
                right < 0 ? "nothing predicted" : Math.round(100 * right) + "% of the prediction right",
                requests(sequences),
                right);
    }

    private void measureOrders(int sequences, Grammar grammar) {
        List<GenerationRequest> orders = requests(sequences).stream()
                .map(request -> request.guided(grammar))
                .toList();
        measure("JSON of a schema", orders, -1);
    }

    private void measure(String what, List<GenerationRequest> plain, double right) {
        int sequences = plain.size();
        List<int[]> answers = run(plain, 0).answers();
        double[] without = new double[rounds];
        double[] with = new double[rounds];
        int computed = 0;
        int accepted = 0;
        for (int round = 0; round < rounds; round++) {
            Random random = new Random(31L * sequences + round);
            List<GenerationRequest> asked = new ArrayList<>();
            for (int k = 0; k < sequences; k++) {
                asked.add(right < 0 ? plain.get(k) : plain.get(k).predicting(predicted(answers.get(k), right, random)));
            }
            without[round] = run(plain, 0).tokensPerSecond();
            Run run = run(asked, drafts);
            with[round] = run.tokensPerSecond();
            computed += run.computed();
            accepted += run.accepted();
            for (int k = 0; k < sequences; k++) {
                if (!Arrays.equals(run.answers().get(k), answers.get(k))) {
                    System.out.println("answer " + k + " is another one with drafts");
                }
            }
        }
        Arrays.sort(without);
        Arrays.sort(with);
        double before = without[rounds / 2];
        double after = with[rounds / 2];
        System.out.printf(
                Locale.ROOT,
                "%2d sequences, %s: %7.1f tok/s without drafts, %7.1f with, %.2fx; %d drafts, %d right%n",
                sequences,
                what,
                before,
                after,
                after / before,
                computed / rounds,
                accepted / rounds);
    }

    /** Prints the lines. */
    public static void main(String[] args) {
        String quantize = args.length > 1 ? args[1] : "none";
        String name = args.length > 2 ? args[2] : "cpu";
        int threads = args.length > 3 ? Integer.parseInt(args[3]) : 0;
        int rounds = args.length > 4 ? Integer.parseInt(args[4]) : 5;
        int drafts = args.length > 5 ? Integer.parseInt(args[5]) : 8;
        StepEngineProvider provider = (StepEngineProvider) Engines.found().named(name);
        EngineOptions options = new EngineOptions(1_024, 1L << 30, 64, 512, 16, threads, quantize);
        try (Engine engine = provider.open(Path.of(args[0]), options)) {
            System.out.println(engine.info().devices() + ", " + quantize);
            DraftsBench bench = new DraftsBench(engine, rounds, drafts);
            Optional<Grammar> orders = orders(Path.of(args[0]), engine.info().vocabulary());
            bench.run(List.of(bench.request(0)), 0);
            for (int sequences : SEQUENCES) {
                for (double right : RIGHT) {
                    bench.measure(sequences, right);
                }
                orders.ifPresent(grammar -> bench.measureOrders(sequences, grammar));
            }
        }
    }

    private static Optional<Grammar> orders(Path folder, int vocabulary) {
        if (!Files.exists(folder.resolve("tokenizer.json"))) {
            return Optional.empty();
        }
        Object schema = JsonMapper.shared().readValue(ORDER, Object.class);
        try (FolderTokenizer tokenizer = FolderTokenizer.load(folder)) {
            return tokenizer
                    .grammarVocabulary(vocabulary)
                    .map(tokens -> Grammar.compile(new GrammarSpec.JsonSchema(schema, true), tokens, true));
        }
    }
}
