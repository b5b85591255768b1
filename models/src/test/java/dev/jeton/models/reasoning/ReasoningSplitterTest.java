package dev.jeton.models.reasoning;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.reasoning.ReasoningFormat.Opening;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class ReasoningSplitterTest {

    private static final char BEGIN = ReasoningDialect.BEGIN;
    private static final char END = ReasoningDialect.END;
    /** What stands for a token of a tool call. */
    private static final char CALL = Character.MIN_LOW_SURROGATE;

    private record Split(String thinking, String answer) {}

    private static Split split(ReasoningFormat format, Opening opening, boolean verbatim, List<String> pieces) {
        StringBuilder thinking = new StringBuilder();
        StringBuilder answer = new StringBuilder();
        ReasoningSplitter splitter = ReasoningSplitter.byMarks(format, opening, verbatim, thinking, answer);
        pieces.forEach(splitter::add);
        splitter.finish();
        return new Split(thinking.toString(), answer.toString());
    }

    private static Split split(Opening opening, String text) {
        return split(ReasoningFormat.QWEN3, opening, false, List.of(text));
    }

    private static String leading(String text) {
        return text.replaceFirst("^\n+", "");
    }

    /** The same from the whole text. */
    private static Split expected(ReasoningFormat format, Opening opening, String text) {
        String begun = text.stripLeading();
        boolean marked = begun.startsWith(format.begin());
        if (opening == Opening.ANSWERING) {
            return new Split("", leading(text));
        }
        if (opening == Opening.EITHER && !marked) {
            return new Split("", text);
        }
        String body = marked ? begun.substring(format.begin().length()) : text;
        int end = body.indexOf(format.end());
        String thinking = end < 0 ? body : body.substring(0, end);
        return new Split(
                leading(thinking).replaceFirst("\n+$", ""),
                end < 0 ? "" : leading(body.substring(end + format.end().length())));
    }

    private static String random(Random random, ReasoningFormat format, boolean marks) {
        List<String> parts = List.of(
                format.begin(),
                format.end(),
                format.begin().substring(0, 3),
                format.end().substring(0, 4),
                format.end().substring(1),
                "<",
                "[",
                "\n",
                "\n\n",
                " ",
                "thought",
                "\ud83d\ude00",
                String.valueOf(marks ? BEGIN : 'b'),
                String.valueOf(marks ? END : 'e'),
                String.valueOf(marks ? CALL : 'c'));
        StringBuilder text = new StringBuilder();
        int count = random.nextInt(12);
        for (int i = 0; i < count; i++) {
            text.append(parts.get(random.nextInt(i == 0 ? 2 : parts.size())));
            if (i == 0 && random.nextInt(4) == 0) {
                text.setLength(0);
            }
        }
        return text.toString();
    }

    private static List<String> cut(Random random, String text) {
        List<String> pieces = new ArrayList<>();
        for (int at = 0; at < text.length(); ) {
            int next = Math.min(text.length(), at + 1 + random.nextInt(4));
            pieces.add(text.substring(at, next));
            at = next;
        }
        return pieces;
    }

    @ParameterizedTest
    @EnumSource(value = ReasoningFormat.class, mode = EnumSource.Mode.EXCLUDE, names = "HARMONY")
    void partsTextsAsTheWholeTextSaysHoweverTheyAreCut(ReasoningFormat format) {
        for (long seed = 0; seed < 4_000; seed++) {
            Random random = new Random(seed);
            String text = random(random, format, false);
            Opening opening = Opening.values()[random.nextInt(3)];
            assertThat(split(format, opening, false, cut(random, text)))
                    .as("seed %d: %s '%s'", seed, opening, text)
                    .isEqualTo(expected(format, opening, text));
        }
    }

    @ParameterizedTest
    @EnumSource(value = ReasoningFormat.class, mode = EnumSource.Mode.EXCLUDE, names = "HARMONY")
    void partsTextsWithSpecialTokensTheSameHoweverTheyAreCut(ReasoningFormat format) {
        for (long seed = 0; seed < 4_000; seed++) {
            Random random = new Random(seed);
            String text = random(random, format, true);
            Opening opening = Opening.values()[random.nextInt(3)];
            boolean verbatim = random.nextBoolean();
            assertThat(split(format, opening, verbatim, cut(random, text)))
                    .as("seed %d: %s '%s'", seed, opening, text)
                    .isEqualTo(split(format, opening, verbatim, List.of(text)));
        }
    }

    @ParameterizedTest
    @EnumSource(value = ReasoningFormat.class, mode = EnumSource.Mode.EXCLUDE, names = "HARMONY")
    void leavesEveryCharacterWhereItIsToStayAsWritten(ReasoningFormat format) {
        for (long seed = 0; seed < 4_000; seed++) {
            Random random = new Random(seed);
            String text = random(random, format, false);
            Opening opening = Opening.values()[random.nextInt(3)];
            Split split = split(format, opening, true, cut(random, text));
            assertThat(split.thinking() + split.answer())
                    .as("seed %d: %s '%s'", seed, opening, text)
                    .isEqualTo(text);
        }
    }

    @Test
    void takesWhatThePromptHasBegunForThinkingUntilItsEnd() {
        assertThat(split(Opening.THINKING, "why\n</think>\n\nso")).isEqualTo(new Split("why", "so"));
        assertThat(split(Opening.THINKING, "<think>\nwhy</think>so")).isEqualTo(new Split("why", "so"));
        assertThat(split(Opening.THINKING, "cut off")).isEqualTo(new Split("cut off", ""));
    }

    @Test
    void leavesAnAnswerWithoutTheMarkAlone() {
        assertThat(split(Opening.EITHER, " \nso <think>why</think>"))
                .isEqualTo(new Split("", " \nso <think>why</think>"));
    }

    @Test
    void readsMarksThatAreSpecialTokens() {
        String text = BEGIN + "why" + CALL + " not" + END + "\n" + CALL + "so" + BEGIN + END;
        assertThat(split(ReasoningFormat.MISTRAL, Opening.EITHER, false, List.of(text)))
                .isEqualTo(new Split("why not", CALL + "so"));
        assertThat(split(ReasoningFormat.MISTRAL, Opening.EITHER, true, List.of(text)))
                .isEqualTo(new Split("[THINK]why not[/THINK]", "\n" + CALL + "so"));
    }

    @Test
    void saysWhetherItThinksAndWhetherItHoldsTextBack() {
        ReasoningSplitter splitter = ReasoningSplitter.byMarks(
                ReasoningFormat.QWEN3, Opening.EITHER, false, new StringBuilder(), new StringBuilder());
        splitter.add("<thi");
        assertThat(splitter.thinking()).isFalse();
        assertThat(splitter.holding()).isTrue();
        splitter.add("nk>a");
        assertThat(splitter.thinking()).isTrue();
        assertThat(splitter.holding()).isFalse();
        splitter.add("\n");
        assertThat(splitter.holding()).isTrue();
        splitter.add("</think>");
        assertThat(splitter.thinking()).isFalse();
        assertThat(splitter.holding()).isFalse();
    }
}
