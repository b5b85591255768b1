package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

class StopStringsTest {

    private static StopStrings matcher(List<String> stops) {
        return new StopStrings(stops.stream().map(StopStrings.Stop::new).toList());
    }

    private static String released(List<String> stops, List<String> pieces) {
        StopStrings matcher = matcher(stops);
        StringBuilder text = new StringBuilder();
        pieces.forEach(piece -> matcher.add(piece, text));
        matcher.finish(text);
        return text.toString();
    }

    @Test
    void shouldReleaseEverythingWithoutStopStrings() {
        assertThat(released(List.of(), List.of("a", "b"))).isEqualTo("ab");
    }

    @Test
    void shouldCutAtAStopStringAcrossPieces() {
        assertThat(released(List.of("STOP"), List.of("abcS", "TO", "Pdef"))).isEqualTo("abc");
    }

    @Test
    void shouldReleaseWhatOnlyBeganAStopString() {
        assertThat(released(List.of("STOP"), List.of("abcS", "TO", "X"))).isEqualTo("abcSTOX");
        assertThat(released(List.of("STOP"), List.of("abcSTO"))).isEqualTo("abcSTO");
    }

    @Test
    void shouldHoldBackNoMoreThanCouldBeginAStopString() {
        StopStrings matcher = matcher(List.of("aab"));
        StringBuilder text = new StringBuilder();
        matcher.add("xaaa", text);
        assertThat(text).hasToString("xa");
    }

    @Test
    void shouldCutAtTheStopStringThatIsCompleteFirst() {
        assertThat(released(List.of("abcd", "bc"), List.of("xabcd"))).isEqualTo("xa");
        assertThat(released(List.of("abcd", "bc"), List.of("x", "a", "b", "c", "d")))
                .isEqualTo("xa");
    }

    @Test
    void shouldCutAtTheLongestOfThoseThatAreCompleteAtOnce() {
        assertThat(released(List.of("c", "abc", "bc"), List.of("xxabc"))).isEqualTo("xx");
    }

    @Test
    @Timeout(60)
    void shouldNotSearchAnewForEachPiece() {
        List<String> stops = new ArrayList<>();
        for (int i = 0; i < 64; i++) {
            stops.add("a".repeat(30_000) + "b" + "c".repeat(i + 1));
        }
        stops.add("a".repeat(60_000) + "b");
        List<String> pieces = Collections.nCopies(60_000, "a");

        assertThat(released(stops, pieces)).isEqualTo("a".repeat(60_000));
    }

    @Test
    void shouldReleaseTheSameHoweverTheTextIsCut() {
        for (long seed = 0; seed < 5_000; seed++) {
            Random random = new Random(seed);
            String text = letters(random, random.nextInt(30));
            List<String> stops = new ArrayList<>();
            for (int i = random.nextInt(4); i > 0; i--) {
                stops.add(letters(random, 1 + random.nextInt(4)));
            }
            List<String> pieces = new ArrayList<>();
            for (int at = 0; at < text.length(); ) {
                int end = Math.min(text.length(), at + 1 + random.nextInt(4));
                pieces.add(text.substring(at, end));
                at = end;
            }
            assertThat(released(stops, pieces))
                    .as("seed %d: %s stopped by %s in pieces %s", seed, text, stops, pieces)
                    .isEqualTo(released(stops, List.of(text)));
        }
    }

    private static String letters(Random random, int length) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < length; i++) {
            text.append((char) ('a' + random.nextInt(3)));
        }
        return text.toString();
    }
}
