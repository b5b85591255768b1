package dev.jeton.models.reference;

import dev.jeton.models.Experts;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;

/**
 * Which experts a token goes through, and with what shares, in float64 and as plainly as its definition.
 *
 * @param chosen their numbers
 * @param shares by place among those chosen
 * @param margin how far the router's logit of the last one chosen is above that of the first one not chosen, at least;
 *     infinite where nothing is left out
 */
@SuppressWarnings("ArrayRecordComponent") // never compared
record ReferenceRouting(List<Integer> chosen, double[] shares, double margin) {

    /** No sigmoid, and no probability, grows faster by its logit. */
    private static final double STEEPEST = 0.25;

    /** @param correction by expert; empty where there is none */
    static ReferenceRouting of(Experts experts, double[] logits, double[] correction) {
        Experts.Routing routing = experts.routing();
        boolean sigmoid = routing.scoring() == Experts.Scoring.SIGMOID;
        boolean bounded = sigmoid || correction.length > 0;
        double sum = Arrays.stream(logits).map(Math::exp).sum();
        double[] scores = Arrays.stream(logits)
                .map(x -> sigmoid ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / sum)
                .toArray();
        double[] keys = (bounded ? scores : logits).clone();
        for (int e = 0; e < correction.length; e++) {
            keys[e] += correction[e];
        }
        double margin = Double.POSITIVE_INFINITY;
        List<Integer> open = IntStream.range(0, keys.length).boxed().toList();
        int size = keys.length / routing.groups();
        if (routing.groups() > 1) {
            double[] groups = IntStream.range(0, routing.groups())
                    .mapToDouble(g -> IntStream.range(g * size, (g + 1) * size)
                            .mapToDouble(e -> -keys[e])
                            .sorted()
                            .limit(routing.groupBest())
                            .map(key -> -key)
                            .sum())
                    .toArray();
            List<Integer> best =
                    best(groups, IntStream.range(0, groups.length).boxed().toList());
            margin = gap(groups, best, routing.groupsTaken()) / routing.groupBest();
            List<Integer> taken = best.subList(0, routing.groupsTaken());
            open = open.stream().filter(e -> taken.contains(e / size)).toList();
        }
        List<Integer> ranked = best(keys, open);
        margin = Math.min(margin, gap(keys, ranked, experts.perToken()));
        List<Integer> chosen = ranked.subList(0, experts.perToken());
        double all = chosen.stream().mapToDouble(e -> scores[e]).sum();
        double[] shares = chosen.stream()
                .mapToDouble(e -> scores[e] / (routing.normalised() ? all : 1) * routing.scale())
                .toArray();
        return new ReferenceRouting(chosen, shares, bounded ? margin / STEEPEST : margin);
    }

    private static List<Integer> best(double[] values, List<Integer> of) {
        return of.stream().sorted(Comparator.comparing(e -> -values[e])).toList();
    }

    private static double gap(double[] values, List<Integer> ranked, int taken) {
        return taken == ranked.size()
                ? Double.POSITIVE_INFINITY
                : values[ranked.get(taken - 1)] - values[ranked.get(taken)];
    }

    /** What a token's experts give together. */
    double[] sum(List<double[]> given) {
        double[] out = new double[given.getFirst().length];
        for (int i = 0; i < out.length; i++) {
            int at = i;
            out[i] = IntStream.range(0, shares.length)
                    .mapToDouble(j -> shares[j] * given.get(j)[at])
                    .sum();
        }
        return out;
    }

    /** A vector times a number. */
    static double[] scaled(double[] x, double factor) {
        return DoubleStream.of(x).map(value -> value * factor).toArray();
    }
}
