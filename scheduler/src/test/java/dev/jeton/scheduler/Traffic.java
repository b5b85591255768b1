package dev.jeton.scheduler;

import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.sim.SimEngine;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** Random requests: few families of prompts that share prefixes, some with forks, some guided, of three priorities. */
final class Traffic {

    private Traffic() {}

    static GenerationRequest request(Random random, int id) {
        int length = 1 + random.nextInt(60);
        int[] prompt = new int[length];
        int shared = random.nextInt(length + 1);
        int family = random.nextInt(3);
        for (int i = 0; i < length; i++) {
            prompt[i] = i < shared ? 100 * family + i : random.nextInt(Simulation.VOCABULARY);
        }
        int n = random.nextInt(6) == 0 ? 1 + random.nextInt(4) : 1;
        int[] stops = random.nextBoolean()
                ? new int[0]
                : random.ints(60, 0, Simulation.VOCABULARY).toArray();
        SamplingParameters sampling = random.nextBoolean()
                ? SamplingParameters.GREEDY
                : new SamplingParameters(
                        1, 0, 1, 0, 1, 0, 0, SamplingParameters.GREEDY.bias(), random.nextInt(50), 0, new int[0], -1);
        GenerationRequest request = new GenerationRequest(
                        "r" + id,
                        prompt,
                        n,
                        1 + random.nextInt(40),
                        sampling,
                        stops,
                        false,
                        random.nextInt(3),
                        Long.MAX_VALUE,
                        random.nextInt(2),
                        Allowance.UNLIMITED)
                .through(random.nextInt(SimEngine.ADAPTERS + 1));
        int least = random.nextInt(20);
        return random.nextInt(3) > 0
                ? request
                : request.guided(new StepGrammar(Simulation.VOCABULARY, least, least + 1 + random.nextInt(30)));
    }

    /** The same, where the client predicts what the request gets alone, but for some tokens changed, lost or added. */
    static GenerationRequest predicted(Random random, GenerationRequest request, int window) {
        List<Integer> right = Simulation.alone(request, window).tokens.get(random.nextInt(request.sequences()));
        List<Integer> predicted = new ArrayList<>();
        int oneIn = 2 + random.nextInt(30);
        for (int token : right) {
            boolean wrong = random.nextInt(oneIn) == 0;
            if (!wrong || random.nextBoolean()) {
                predicted.add(wrong ? random.nextInt(Simulation.VOCABULARY) : token);
            }
            if (wrong && random.nextBoolean()) {
                predicted.add(token);
            }
        }
        return request.predicting(predicted.stream().mapToInt(Integer::intValue).toArray());
    }
}
