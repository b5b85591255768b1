package dev.jeton.models;

import java.util.List;

/**
 * Layers whose feed-forward part is a choice of experts (Shazeer et al.: Outrageously Large Neural Networks): a
 * router's logits say which of them a token goes through, and with what share each counts in their sum.
 *
 * @param count experts of a layer to choose from; 0 where the model has none
 * @param perToken how many of them a token goes through
 * @param intermediate width of an expert
 * @param routing how they are chosen
 * @param biased whether the router and all three projections of each expert have biases
 * @param shared what all tokens go through beside them
 * @param layers by layer: whether it is of experts
 */
public record Experts(
        int count,
        int perToken,
        int intermediate,
        Routing routing,
        boolean biased,
        Shared shared,
        List<Boolean> layers) {

    /** A model without. */
    public static final Experts NONE = new Experts(0, 0, 0, Routing.softmax(false), false, Shared.NONE, List.of());

    /** What a router's logits become. */
    public enum Scoring {
        /** Probabilities over all experts. */
        SOFTMAX,
        /** 1 / (1 + e^-x), each by itself. */
        SIGMOID
    }

    /**
     * How experts are chosen: those with the highest scores, of equals the lower number. With groups, which are of
     * neighbours, only those of the best groups are there to be chosen (DeepSeek-AI: DeepSeek-V2, DeepSeek-V3).
     *
     * @param scoring of the logits
     * @param normalised whether the shares of those chosen are made to sum to one
     * @param corrected whether each expert has a number that is added to its score for the choice, and not in the sum
     *     (Wang et al.: Auxiliary-Loss-Free Load Balancing)
     * @param groups how many there are; divides {@code count}
     * @param groupsTaken how many of them experts are chosen from
     * @param groupBest how many of its best scores a group is judged by, added up
     * @param scale what shares are multiplied with in the end
     */
    public record Routing(
            Scoring scoring,
            boolean normalised,
            boolean corrected,
            int groups,
            int groupsTaken,
            int groupBest,
            double scale) {

        /** Checks that groups can be chosen. */
        public Routing {
            if (groups < 1 || groupsTaken < 1 || groupsTaken > groups || groupBest < 1) {
                throw new ModelException("%d of %d groups of experts".formatted(groupsTaken, groups));
            }
            if (!(scale > 0) || Double.isInfinite(scale)) {
                throw new ModelException("shares of experts are multiplied with %s".formatted(scale));
            }
        }

        /** By probability, without more. */
        public static Routing softmax(boolean normalised) {
            return new Routing(Scoring.SOFTMAX, normalised, false, 1, 1, 1, 1);
        }

        /** Whether there is no more to it. */
        public boolean isPlain() {
            return equals(softmax(normalised));
        }
    }

    /**
     * A feed-forward layer that all tokens go through beside their experts.
     *
     * @param width of it; 0 where there is none
     * @param gated whether what it gives is multiplied with the sigmoid of one more logit of the token
     */
    public record Shared(int width, boolean gated) {

        /** None. */
        public static final Shared NONE = new Shared(0, false);

        /** Whether there is one. */
        public boolean exists() {
            return width > 0;
        }
    }

    /** Checks that there are as many as a token goes through. */
    public Experts {
        layers = List.copyOf(layers);
        if (perToken > count) {
            throw new ModelException("num_experts_per_tok %d of %d experts".formatted(perToken, count));
        }
        int groups = routing.groups();
        if (groups > 1
                && (count % groups != 0
                        || perToken > count / groups * routing.groupsTaken()
                        || routing.groupBest() > count / groups)) {
            throw new ModelException("%d experts do not go into %d groups, of which %d have %d to choose"
                    .formatted(count, groups, routing.groupsTaken(), perToken));
        }
    }

    /** Whether a layer is of experts. */
    public boolean in(int layer) {
        return count > 0 && layers.get(layer);
    }

    /** Logits that a router gives: one for each expert, and one for the gate of what is shared. */
    public int logits() {
        return count + (shared.gated() ? 1 : 0);
    }
}
