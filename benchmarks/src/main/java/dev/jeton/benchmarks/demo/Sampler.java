package dev.jeton.benchmarks.demo;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.random.RandomGenerator;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Draws training conversations from the corpus, endlessly and reproducibly for a given random generator.
 *
 * <p>A disturbed phrasing that happens to be a held-out question is thrown away and drawn again.
 */
public final class Sampler {
    /** The usual share of exchanges that are arithmetic. */
    static final double ARITHMETIC = 0.16;

    private static final double UNKNOWN = 0.09;
    private static final double SMALL_TALK = 0.1;
    private static final double SYSTEM_PROMPT = 0.15;
    private static final double LONG_SYSTEM_PROMPT = 0.3;
    private static final int MAX_SYSTEM_LINES = 8;
    private static final double SECOND_TURN = 0.2;
    private static final double THIRD_TURN = 0.25;
    private static final double REPEAT = 0.15;
    private static final double WRITTEN_OUT = 0.6;
    private static final double OPENING = 0.12;
    private static final double CLOSING = 0.08;
    private static final double INVENTED_WORD = 0.25;
    private static final int MAX_DRAWS = 100;

    private final Corpus corpus;
    private final Noise noise;
    private final Arithmetic arithmetic;
    private final Map<String, List<String>> templated = new HashMap<>();
    private final Set<String> heldOut;
    private final double arithmeticShare;

    /** A sampler of the usual mixture. */
    public Sampler(Corpus corpus) {
        this(corpus, ARITHMETIC);
    }

    /** A sampler with that share of arithmetic; the rest keeps its proportions. */
    public Sampler(Corpus corpus, double arithmeticShare) {
        this.arithmeticShare = arithmeticShare;
        this.corpus = corpus;
        this.noise = new Noise(corpus.synonyms());
        this.arithmetic = Arithmetic.of(corpus);
        var phrasings = new Phrasings(corpus);
        Stream.of(corpus.topics(), corpus.chat(), corpus.unknown())
                .flatMap(List::stream)
                .forEach(topic -> templated.put(topic.id(), phrasings.templated(topic)));
        this.heldOut = corpus.heldOut().stream()
                .map(held -> HeldOut.phrasing(held.question()))
                .collect(Collectors.toUnmodifiableSet());
    }

    /** A conversation of one to three exchanges, sometimes under a system prompt. */
    public List<Turn> conversation(RandomGenerator random) {
        List<Turn> turns = new ArrayList<>();
        if (random.nextDouble() < SYSTEM_PROMPT) {
            turns.add(Turn.system(systemPrompt(random)));
        }
        turns.addAll(exchange(random));
        double more = SECOND_TURN;
        for (int turn = 2; turn <= 3 && random.nextDouble() < more; turn++) {
            if (random.nextDouble() < REPEAT) {
                String last = turns.getLast().text();
                turns.add(Turn.user(noise.disturb(pick(corpus.repeats(), random), random)));
                turns.add(Turn.assistant(last));
            } else {
                turns.addAll(exchange(random));
            }
            more = THIRD_TURN;
        }
        return turns;
    }

    /** One line, or now and then several with everyday sentences among them: no prompt must confuse the model. */
    private String systemPrompt(RandomGenerator random) {
        StringBuilder prompt = new StringBuilder(pick(corpus.systemPrompts(), random));
        if (random.nextDouble() < LONG_SYSTEM_PROMPT) {
            int lines = 1 + random.nextInt(MAX_SYSTEM_LINES);
            for (int i = 0; i < lines; i++) {
                prompt.append(' ')
                        .append(pick(random.nextBoolean() ? corpus.systemPrompts() : corpus.sentences(), random));
            }
        }
        return prompt.toString();
    }

    /** An everyday sentence, or an answer without its question, for plain completion. */
    public String sentence(RandomGenerator random) {
        return random.nextBoolean()
                ? pick(corpus.sentences(), random)
                : pick(pick(corpus.topics(), random).answers(), random);
    }

    private List<Turn> exchange(RandomGenerator random) {
        for (int draw = 0; draw < MAX_DRAWS; draw++) {
            List<Turn> exchange = draw(random);
            if (!heldOut.contains(HeldOut.phrasing(exchange.getFirst().text()))) {
                return exchange;
            }
        }
        throw new IllegalStateException("every question drawn is held out");
    }

    private List<Turn> draw(RandomGenerator random) {
        double kind = random.nextDouble();
        if (kind < arithmeticShare) {
            return arithmetic.exchange(random);
        }
        double scale = (1 - arithmeticShare) / (1 - ARITHMETIC);
        if (kind < arithmeticShare + UNKNOWN * scale) {
            return ask(pick(corpus.unknown(), random), random);
        }
        boolean small = kind < arithmeticShare + (UNKNOWN + SMALL_TALK) * scale;
        return ask(pick(small ? corpus.chat() : corpus.topics(), random), random);
    }

    private List<Turn> ask(Topic topic, RandomGenerator random) {
        String question = noise.disturb(question(topic, random), random);
        if (random.nextDouble() < OPENING) {
            String opening = pick(corpus.openings(), random);
            boolean sentence = opening.endsWith(".") || opening.endsWith("!");
            question = opening + " " + (sentence ? question : decapitalised(question));
        }
        if (random.nextDouble() < CLOSING) {
            question = question + " " + pick(corpus.closings(), random);
        }
        return List.of(Turn.user(question), Turn.assistant(pick(topic.answers(), random)));
    }

    private String question(Topic topic, RandomGenerator random) {
        List<String> templates = templated.getOrDefault(topic.id(), List.of());
        boolean written = templates.isEmpty() || random.nextDouble() < WRITTEN_OUT;
        if (written && !topic.questions().isEmpty()) {
            return pick(topic.questions(), random);
        }
        boolean invent = corpus.unknown().contains(topic) && random.nextDouble() < INVENTED_WORD;
        if (invent) {
            return pick(corpus.templates("name"), random).replace("{name}", inventedWord(random));
        }
        return pick(templates, random);
    }

    /** A word that means nothing, so that the model learns to decline what it has not met. */
    private static String inventedWord(RandomGenerator random) {
        String consonants = "bcdfghjklmnprstvwz";
        String vowels = "aeiou";
        StringBuilder word = new StringBuilder();
        int syllables = 2 + random.nextInt(2);
        for (int i = 0; i < syllables; i++) {
            word.append(consonants.charAt(random.nextInt(consonants.length())));
            word.append(vowels.charAt(random.nextInt(vowels.length())));
        }
        if (random.nextBoolean()) {
            word.append(consonants.charAt(random.nextInt(consonants.length())));
        }
        return word.toString();
    }

    private static String decapitalised(String question) {
        boolean name = question.length() > 1 && Character.isUpperCase(question.charAt(1));
        return name || question.startsWith("I ") || question.startsWith("Jeton")
                ? question
                : Character.toLowerCase(question.charAt(0)) + question.substring(1);
    }

    private static <T> T pick(List<T> from, RandomGenerator random) {
        return from.get(random.nextInt(from.size()));
    }
}
