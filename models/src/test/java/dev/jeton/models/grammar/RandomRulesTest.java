package dev.jeton.models.grammar;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Grammars that nobody thought of, against a recogniser that knows no automata. */
class RandomRulesTest {

    /** How many; more are tried by {@code -Djeton.grammars}, others by {@code -Djeton.seed}. */
    private static final int GRAMMARS = Integer.getInteger("jeton.grammars", 400);

    private static final long SEED = Long.getLong("jeton.seed", 0);
    private static final int LONGEST = 5;
    private static final GuidedTexts TOKENS = GuidedTexts.of("a", "b", "c", "ab", "ba", "aa", "bb", "aba", "bab", "a");

    @Test
    void shouldTakeTheTextsThatARecogniserTakes() {
        int taken = 0;
        int refused = 0;
        int followed = 0;
        for (long seed = SEED; seed < SEED + GRAMMARS; seed++) {
            Random random = new Random(seed);
            RandomRules rules = new RandomRules(random);
            Optional<Grammar> grammar = compiled(rules, rules.ebnf());
            if (grammar.isEmpty()) {
                continue;
            }
            followed++;
            for (String text : texts()) {
                boolean takes = rules.takes(text);
                assertThat(TOKENS.allows(grammar.get(), text, random))
                        .as("seed %d: '%s' of%n%s", seed, text, rules)
                        .isEqualTo(takes);
                taken += takes ? 1 : 0;
                refused += takes ? 0 : 1;
            }
        }
        assertThat(followed).as("grammars that could be followed").isGreaterThan(GRAMMARS / 2);
        assertThat(taken).as("texts that are taken").isGreaterThan(4 * GRAMMARS);
        assertThat(refused).as("texts that are not").isGreaterThan(4 * GRAMMARS);
    }

    @Test
    void shouldTakeTheSameTextsInLark() {
        int said = 0;
        for (long seed = SEED; seed < SEED + GRAMMARS; seed++) {
            Random random = new Random(seed);
            RandomRules rules = new RandomRules(random);
            if (!rules.inLark()) {
                continue;
            }
            Optional<Grammar> ebnf = compiled(rules, rules.ebnf());
            Optional<Grammar> lark = compiled(rules, rules.lark());
            assertThat(lark.isPresent()).as("seed %d:%n%s", seed, rules.lark()).isEqualTo(ebnf.isPresent());
            if (ebnf.isEmpty()) {
                continue;
            }
            said++;
            for (String text : texts()) {
                assertThat(TOKENS.allows(lark.get(), text, random))
                        .as("seed %d: '%s' of%n%s", seed, text, rules.lark())
                        .isEqualTo(TOKENS.allows(ebnf.get(), text, random));
            }
        }
        assertThat(said).as("grammars that Lark can say").isGreaterThan(GRAMMARS / 4);
    }

    /** Empty where a rule never ends, or nothing but the empty text fits: then no other is taken. */
    private static Optional<Grammar> compiled(RandomRules rules, String text) {
        try {
            return Optional.of(Grammar.compile(new GrammarSpec.Ebnf(text), TOKENS.vocabulary(), false));
        } catch (GrammarException e) {
            assertThat(e.getMessage()).as("%s", rules).containsAnyOf("ever ends", "only the empty text");
            if (e.getMessage().contains("only the empty text")) {
                assertThat(texts().stream().filter(rules::takes))
                        .as("%s", rules)
                        .containsExactly("");
            }
            return Optional.empty();
        }
    }

    /** All texts of few letters. */
    private static List<String> texts() {
        List<String> texts = new ArrayList<>(List.of(""));
        for (int i = 0; texts.get(i).length() < LONGEST; i++) {
            for (String letter : List.of("a", "b")) {
                texts.add(texts.get(i) + letter);
            }
        }
        return texts;
    }
}
