package dev.jeton.benchmarks.demo;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Checks of the corpus that is shipped. */
class CorpusTest {
    private final Corpus corpus = CorpusReader.read(folder());
    private final Phrasings phrasings = new Phrasings(corpus);

    private static Path folder() {
        Path fromRoot = Path.of("models/demo/corpus");
        return Files.isDirectory(fromRoot) ? fromRoot : Path.of("..").resolve(fromRoot);
    }

    private Stream<Topic> everything() {
        return Stream.of(corpus.topics(), corpus.chat(), corpus.unknown()).flatMap(List::stream);
    }

    @Test
    void shouldHaveTopicsEnoughAndPhrasingsEnoughForEach() {
        assertThat(corpus.topics()).hasSizeGreaterThanOrEqualTo(120);
        assertThat(corpus.topics())
                .allSatisfy(
                        topic -> assertThat(phrasings.all(topic)).as(topic.id()).hasSizeGreaterThanOrEqualTo(8));
    }

    @Test
    void shouldKeepHeldOutQuestionsOutOfEveryPhrasing() {
        Set<String> trained =
                everything().flatMap(topic -> phrasings.all(topic).stream()).collect(Collectors.toSet());

        assertThat(corpus.heldOut())
                .allSatisfy(held -> assertThat(trained).doesNotContain(HeldOut.phrasing(held.question())));
    }

    @Test
    void shouldNeverSampleAHeldOutQuestion() {
        Set<String> heldOut = corpus.heldOut().stream()
                .map(held -> HeldOut.phrasing(held.question()))
                .collect(Collectors.toSet());
        var sampler = new Sampler(corpus);
        long seed = 3;
        var random = new SplittableRandom(seed);

        Set<String> sampled = Stream.generate(() -> sampler.conversation(random))
                .limit(20_000)
                .flatMap(List::stream)
                .filter(turn -> turn.role() == SpecialToken.USER)
                .map(turn -> HeldOut.phrasing(turn.text()))
                .collect(Collectors.toSet());

        assertThat(sampled).as("seed %d", seed).doesNotContainAnyElementsOf(heldOut);
    }

    @Test
    void shouldHoldOutAParaphraseOfEveryTopic() {
        Set<String> heldOut = corpus.heldOut().stream().map(HeldOut::topic).collect(Collectors.toSet());

        assertThat(corpus.topics()).allSatisfy(topic -> assertThat(heldOut).contains(topic.id()));
    }

    @Test
    void shouldNotAskTheSameOfTwoTopics() {
        Map<String, String> owners = new HashMap<>();
        Set<String> clashes = new HashSet<>();
        everything()
                .forEach(topic -> phrasings.all(topic).forEach(phrasing -> {
                    if (!topic.id().equals(owners.getOrDefault(phrasing, topic.id()))) {
                        clashes.add(phrasing);
                    }
                    owners.put(phrasing, topic.id());
                }));

        assertThat(clashes).isEmpty();
    }

    @Test
    void shouldHaveShortAnswersInPlainCharacters() {
        assertThat(everything().flatMap(topic -> topic.answers().stream())).allSatisfy(answer -> {
            assertThat(answer).hasSizeBetween(10, 260);
            assertThat(answer.chars()).allMatch(c -> c >= ' ' && c <= '~');
        });
    }

    @Test
    void shouldDrawTheSameConversationsFromTheSameSeed() {
        var first = new SplittableRandom(9);
        var second = new SplittableRandom(9);
        var sampler = new Sampler(corpus);

        for (int i = 0; i < 200; i++) {
            assertThat(sampler.conversation(first)).isEqualTo(sampler.conversation(second));
        }
    }

    @Test
    void shouldExpandAlternatives() {
        assertThat(Alternatives.expand("{Can|Could} you wait{ here|}?"))
                .containsExactly("Can you wait here?", "Can you wait?", "Could you wait here?", "Could you wait?");
        assertThat(Alternatives.expand("What is {name}?")).containsExactly("What is {name}?");
    }
}
