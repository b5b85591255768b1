package dev.jeton.scheduler;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TextLookupTest {

    private static final int[] NONE = new int[0];

    /** What may come next, by a look-up in the first {@code length} of the tokens. */
    private static int[] next(TextLookup lookup, int[] tokens, int length, int most) {
        if (lookup.find(tokens, length) == 0) {
            return NONE;
        }
        int[] text = Arrays.copyOf(tokens, length + most);
        int count = lookup.copy(text, length, most);
        return Arrays.copyOfRange(text, length, length + count);
    }

    private static TextLookup over(int[] tokens, int... prediction) {
        return new TextLookup(tokens.length, prediction);
    }

    @Test
    void findsWhatFollowedTheSameWordsBefore() {
        int[] text = {1, 2, 3, 4, 5, 6, 9, 2, 3, 4};
        assertThat(next(over(text), text, text.length, 3)).containsExactly(5, 6, 9);
    }

    @Test
    void findsNothingWhereLessThanThreeTokensAgree() {
        int[] text = {1, 2, 3, 4, 5, 6, 9, 3, 4};
        assertThat(next(over(text), text, text.length, 3)).isEmpty();
    }

    @Test
    void takesThePlaceThatAgreesForTheLongest() {
        int[] text = {7, 1, 2, 3, 40, 8, 1, 2, 3, 50, 7, 1, 2, 3};
        TextLookup lookup = over(text);
        assertThat(next(lookup, text, text.length, 1)).containsExactly(40);
        assertThat(lookup.find(text, text.length)).isEqualTo(4);
    }

    @Test
    void takesTheNewestOfThoseThatAgreeForAsLong() {
        int[] text = {7, 1, 2, 3, 40, 8, 1, 2, 3, 50, 9, 1, 2, 3};
        assertThat(next(over(text), text, text.length, 1)).containsExactly(50);
    }

    @Test
    void goesOnWithATextThatRepeatsItself() {
        int[] text = {5, 1, 2, 1, 2, 1, 2};
        assertThat(next(over(text), text, text.length, 5)).containsExactly(1, 2, 1, 2, 1);
    }

    @Test
    void beginsWithWhatIsPredicted() {
        int[] text = {1, 2, 3};
        TextLookup lookup = over(text, 20, 21, 22);
        assertThat(next(lookup, text, 3, 8)).containsExactly(20, 21, 22);
        assertThat(lookup.predicted()).isTrue();
    }

    @Test
    void goesOnWithAPredictionBehindAWordThatIsAnother() {
        int[] text = {1, 2, 3, 20, 99, 22, 0};
        TextLookup lookup = new TextLookup(3, new int[] {20, 21, 22, 23, 24});
        for (int length = 3; length < 6; length++) {
            lookup.find(text, length);
        }
        assertThat(next(lookup, text, 6, 8)).containsExactly(23, 24);
    }

    @Test
    void findsAPlaceOfThePredictionAgain() {
        int[] text = {1, 2, 3, 90, 91, 92, 22, 23, 24};
        TextLookup lookup = new TextLookup(3, new int[] {20, 21, 22, 23, 24, 25, 26});
        assertThat(next(lookup, text, 9, 8)).containsExactly(25, 26);
    }

    @Test
    void doesNotGoOnFromThePredictionIntoThePrompt() {
        int[] text = {1, 2, 3, 20, 21, 22};
        TextLookup lookup = new TextLookup(3, new int[] {20, 21, 22});
        for (int length = 3; length < 6; length++) {
            lookup.find(text, length);
        }
        assertThat(next(lookup, text, 6, 8)).isEmpty();
    }

    @Test
    void findsNothingInALongPromptUntilItIsIndexed() {
        int[] text = IntStream.range(0, 2 * TextLookup.AT_ONCE).toArray();
        System.arraycopy(text, 10, text, text.length - 8, 8);
        TextLookup lookup = over(text);
        assertThat(lookup.find(text, text.length - 2)).isZero();
        assertThat(lookup.find(text, text.length - 1)).isEqualTo(7);
    }

    @Test
    void forgetsWhatIsFarBehind() {
        int[] text =
                new Random(5).ints(3 * TextLookup.WINDOW, 0, Integer.MAX_VALUE).toArray();
        TextLookup lookup = over(text);
        for (int length = 4; length <= text.length - 20; length++) {
            assertThat(lookup.find(text, length)).isZero();
        }
        int end = text.length - 16;
        System.arraycopy(text, 100, text, end - 4, 4);
        assertThat(next(lookup, text, end, 2)).isEmpty();
        System.arraycopy(text, end - TextLookup.WINDOW + 100, text, end, 4);
        assertThat(next(lookup, text, end + 4, 1)).containsExactly(text[end - TextLookup.WINDOW + 104]);
    }

    @ParameterizedTest(name = "seed {0}")
    @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10})
    void agreesWithALookAtEveryPlace(int seed) {
        Random random = new Random(seed);
        int letters = 4 + random.nextInt(20);
        int[] text = random.ints(400, 0, letters).toArray();
        for (int copies = 0; copies < 12; copies++) {
            int count = 5 + random.nextInt(25);
            System.arraycopy(text, random.nextInt(370), text, random.nextInt(370), count);
        }
        TextLookup lookup = new TextLookup(1, NONE);
        for (int end = 4; end < text.length; end++) {
            int length = end;
            int[] places = places(text, length);
            int found = lookup.find(text, length);
            int longest = Arrays.stream(places)
                    .map(place -> agreement(text, place, length))
                    .max()
                    .orElse(0);
            if (places.length <= 16) {
                // the place of last time, moved on, may do with less
                assertThat(found).isBetween(longest, Math.max(longest, TextLookup.LEAST - 1));
            } else {
                assertThat(found).isLessThanOrEqualTo(Math.max(longest, TextLookup.LEAST - 1));
            }
            if (found >= TextLookup.LEAST) {
                int next = next(lookup, text, length, 1)[0];
                assertThat(Arrays.stream(places)
                                .filter(place -> agreement(text, place, length) == found)
                                .map(place -> text[place]))
                        .as("seed %d, length %d", seed, length)
                        .contains(next);
            }
        }
    }

    private static int[] places(int[] text, int length) {
        return IntStream.range(TextLookup.LEAST, length)
                .filter(place -> agreement(text, place, length) >= TextLookup.LEAST)
                .toArray();
    }

    private static int agreement(int[] text, int place, int length) {
        int count = 0;
        while (count < Math.min(32, place) && text[place - 1 - count] == text[length - 1 - count]) {
            count++;
        }
        return count;
    }
}
