package dev.jeton.server.api;

import dev.jeton.models.VectorSpec;

/** Scores of labels from their logits. */
final class LabelScores {

    private LabelScores() {}

    /** One for each logit, in their order. */
    static float[] of(VectorSpec.Scores scores, float[] logits) {
        return switch (scores) {
            case NONE -> logits;
            case SIGMOID -> sigmoid(logits);
            case SOFTMAX -> softmax(logits);
        };
    }

    private static float[] sigmoid(float[] logits) {
        float[] scores = new float[logits.length];
        for (int i = 0; i < scores.length; i++) {
            scores[i] = (float) (1 / (1 + Math.exp(-logits[i])));
        }
        return scores;
    }

    private static float[] softmax(float[] logits) {
        float greatest = Float.NEGATIVE_INFINITY;
        for (float logit : logits) {
            greatest = Math.max(greatest, logit);
        }
        double sum = 0;
        for (float logit : logits) {
            sum += Math.exp(logit - (double) greatest);
        }
        float[] scores = new float[logits.length];
        for (int i = 0; i < scores.length; i++) {
            scores[i] = (float) (Math.exp(logits[i] - (double) greatest) / sum);
        }
        return scores;
    }
}
