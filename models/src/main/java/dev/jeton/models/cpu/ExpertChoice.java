package dev.jeton.models.cpu;

import dev.jeton.models.Experts;
import dev.jeton.models.Experts.Routing;
import dev.jeton.models.Experts.Scoring;
import java.util.Arrays;

/**
 * Which experts a token goes through, by its router's logits ({@link Routing}), and with what shares. A choice hangs on
 * the token's own logits alone; of equals the lower number comes first, and numbers that are none count as the least.
 *
 * <p>Owned by the step; tokens are chosen for by several threads, each of which writes what is of its token.
 */
final class ExpertChoice {

    /** What keeps a sum of scores that are all 0 from dividing by it, as DeepSeek-V3's model has it. */
    private static final double LEAST_SUM = 1e-20;

    private final Experts experts;
    private final Routing routing;
    private final int stride;
    private final float[] logits;
    /** By token and expert: what the choice goes by, where that is not the logit. */
    private final float[] keys;

    /** Room for so many tokens. */
    ExpertChoice(Experts experts, int maxTokens) {
        this.experts = experts;
        routing = experts.routing();
        stride = PackedMatrix.panelsFor(experts.logits()) * Kernels.PANEL;
        logits = new float[maxTokens * stride];
        keys = new float[routing.isPlain() ? 0 : maxTokens * stride];
    }

    /** Where the router's logits go: {@code [token][stride]}. */
    float[] logits() {
        return logits;
    }

    int stride() {
        return stride;
    }

    /** The sigmoid of the logit behind those of the experts. */
    float gate(int token) {
        return (float) sigmoid(logits[token * stride + experts.count()]);
    }

    /**
     * Chooses a token's experts, the best first.
     *
     * @param correction by expert: what is added to its score for the choice; empty where nothing is
     * @param chosen where their numbers go, from {@code to} on
     * @param shares where what each counts goes
     */
    void choose(int token, float[] correction, int[] chosen, float[] shares, int to) {
        int at = token * stride;
        float[] by = routing.isPlain() ? logits : keys;
        if (!routing.isPlain()) {
            rank(at, correction);
        }
        int end = to + experts.perToken();
        for (int i = to; i < end; i++) {
            chosen[i] = best(by, at, chosen, to, i);
        }
        share(at, chosen, shares, to, end);
    }

    /** Logits order as their probabilities do, but not with something added. */
    private void rank(int at, float[] correction) {
        boolean sigmoid = routing.scoring() == Scoring.SIGMOID;
        boolean probable = !sigmoid && routing.corrected();
        float most = probable ? most(at) : 0;
        double all = probable ? all(at, most) : 0;
        for (int e = 0; e < experts.count(); e++) {
            float logit = logits[at + e];
            float score =
                    sigmoid ? (float) sigmoid(logit) : probable ? (float) (score(false, at + e, most) / all) : logit;
            keys[at + e] = correction.length == 0 ? score : score + correction[e];
        }
        if (routing.groupsTaken() < routing.groups()) {
            leaveGroups(at);
        }
    }

    /** Makes what is not in the best groups the least: one after the other the worst group that is left goes. */
    private void leaveGroups(int at) {
        int size = experts.count() / routing.groups();
        for (int left = routing.groups(); left > routing.groupsTaken(); left--) {
            int worst = -1;
            double least = 0;
            for (int g = 0; g < routing.groups(); g++) {
                double score = groupScore(at + g * size, size);
                boolean gone = keys[at + g * size] == Float.NEGATIVE_INFINITY && score == Double.NEGATIVE_INFINITY;
                if (!gone && (worst < 0 || score <= least)) {
                    worst = g;
                    least = score;
                }
            }
            if (worst < 0) {
                return;
            }
            Arrays.fill(keys, at + worst * size, at + (worst + 1) * size, Float.NEGATIVE_INFINITY);
        }
    }

    /** The sum of a group's best keys. */
    private double groupScore(int from, int size) {
        double sum = 0;
        double above = Double.POSITIVE_INFINITY;
        int taken = 0;
        while (taken < routing.groupBest()) {
            double best = Double.NEGATIVE_INFINITY;
            int equals = 0;
            for (int e = from; e < from + size; e++) {
                if (keys[e] < above && keys[e] >= best) {
                    equals = keys[e] == best ? equals + 1 : 1;
                    best = keys[e];
                }
            }
            if (equals == 0) {
                return Double.NEGATIVE_INFINITY;
            }
            int count = Math.min(equals, routing.groupBest() - taken);
            sum += count * best;
            taken += count;
            above = best;
        }
        return sum;
    }

    /** The best expert that is not among those chosen before; one in any case, also of numbers that are none. */
    private int best(float[] by, int at, int[] chosen, int from, int to) {
        int best = -1;
        for (int e = 0; e < experts.count(); e++) {
            if ((best < 0 || isBetter(by[at + e], by[at + best])) && !isChosen(e, chosen, from, to)) {
                best = e;
            }
        }
        return best;
    }

    private static boolean isBetter(float key, float than) {
        return key > than || Float.isNaN(than) && !Float.isNaN(key);
    }

    private static boolean isChosen(int expert, int[] chosen, int from, int to) {
        for (int i = from; i < to; i++) {
            if (chosen[i] == expert) {
                return true;
            }
        }
        return false;
    }

    private void share(int at, int[] chosen, float[] shares, int from, int to) {
        boolean sigmoid = routing.scoring() == Scoring.SIGMOID;
        float most = sigmoid ? 0 : most(at);
        double taken = 0;
        for (int i = from; i < to; i++) {
            taken += score(sigmoid, at + chosen[i], most);
        }
        double all = 1;
        if (routing.normalised()) {
            all = sigmoid ? taken + LEAST_SUM : taken;
        } else if (!sigmoid) {
            all = all(at, most);
        }
        for (int i = from; i < to; i++) {
            shares[i] = (float) (score(sigmoid, at + chosen[i], most) / all * routing.scale());
        }
    }

    private double all(int at, float most) {
        double all = 0;
        for (int e = 0; e < experts.count(); e++) {
            all += score(false, at + e, most);
        }
        return all;
    }

    private float most(int at) {
        float most = Float.NEGATIVE_INFINITY;
        for (int e = 0; e < experts.count(); e++) {
            most = Math.max(most, logits[at + e]);
        }
        return most;
    }

    /** What is proportional to a share. */
    private double score(boolean sigmoid, int at, float most) {
        return sigmoid ? sigmoid(logits[at]) : Math.exp((double) logits[at] - most);
    }

    private static double sigmoid(double x) {
        return 1 / (1 + Math.exp(-x));
    }
}
