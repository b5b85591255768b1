package dev.jeton.benchmarks.demo;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * How well a model answers the held-out questions.
 *
 * @param loss mean cross-entropy in nats a token of the right answers, end token included
 * @param right held-out questions answered rightly under greedy decoding
 * @param asked held-out questions
 * @param byKind "right of asked" for each kind of topic
 * @param mistakes the questions answered wrongly, with what was said instead
 */
public record Evaluation(double loss, int right, int asked, Map<String, Score> byKind, List<Mistake> mistakes) {
    private static final int MAX_ANSWER_TOKENS = 120;

    /**
     * A count of right answers.
     *
     * @param right answered rightly
     * @param asked asked in all
     */
    public record Score(int right, int asked) {
        Score plus(boolean correct) {
            return new Score(right + (correct ? 1 : 0), asked + 1);
        }
    }

    /**
     * A question answered wrongly.
     *
     * @param question the held-out question
     * @param reply what the model said
     */
    public record Mistake(String question, String reply) {}

    public Evaluation {
        byKind = new TreeMap<>(byKind);
        mistakes = List.copyOf(mistakes);
    }

    /** The share of held-out questions answered rightly, 0 to 1. */
    public double share() {
        return asked == 0 ? 0 : (double) right / asked;
    }

    /** Asks the model every held-out question of the corpus. */
    public static Evaluation of(ReferenceModel model, BytePairTokenizer tokenizer, Corpus corpus) {
        var format = new ChatFormat(tokenizer);
        double loss = 0;
        long targets = 0;
        Map<String, Score> byKind = new TreeMap<>();
        List<Mistake> mistakes = new ArrayList<>();
        for (HeldOut held : corpus.heldOut()) {
            int[] prompt = format.prompt(List.of(Turn.user(held.question())));
            int[] said = model.greedy(prompt, tokenizer.id(SpecialToken.END), MAX_ANSWER_TOKENS);
            String reply = tokenizer.decode(said);
            boolean correct = held.answeredBy(reply);
            byKind.merge(kind(corpus, held), new Score(0, 0).plus(correct), (a, b) -> a.plus(correct));
            if (!correct) {
                mistakes.add(new Mistake(held.question(), reply));
            }
            int[] whole = format.sequence(List.of(
                            Turn.user(held.question()),
                            Turn.assistant(held.answers().getFirst())))
                    .ids();
            loss += loss(model, whole, prompt.length);
            targets += whole.length - prompt.length;
        }
        int asked = corpus.heldOut().size();
        return new Evaluation(loss / Math.max(1, targets), asked - mistakes.size(), asked, byKind, mistakes);
    }

    private static double loss(ReferenceModel model, int[] ids, int from) {
        ReferenceModel.Session session = model.session();
        double loss = 0;
        for (int i = 0; i + 1 < ids.length; i++) {
            float[] logits = session.accept(ids[i]);
            if (i + 1 >= from) {
                loss += ReferenceModel.loss(logits, ids[i + 1]);
            }
        }
        return loss;
    }

    private static String kind(Corpus corpus, HeldOut held) {
        return java.util.stream.Stream.of(corpus.topics(), corpus.chat(), corpus.unknown())
                .flatMap(List::stream)
                .filter(topic -> topic.id().equals(held.topic()))
                .map(Topic::kind)
                .findFirst()
                .orElse(held.topic());
    }
}
