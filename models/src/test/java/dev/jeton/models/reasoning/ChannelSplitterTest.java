package dev.jeton.models.reasoning;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.harmony.HarmonyMark;
import dev.jeton.models.reasoning.ReasoningFormat.Opening;
import dev.jeton.models.tools.HarmonyFormat;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ChannelSplitterTest {

    private static final ReasoningPlace ROLE = new ReasoningPlace(Opening.EITHER, "assistant");
    private static final ReasoningPlace BEFORE = new ReasoningPlace(Opening.EITHER, "");

    /** Thinking, the answer with calls as {@code [name|arguments]}, and in which order they came. */
    private record Split(String thinking, String answer, String order) {}

    private static Split split(
            ReasoningPlace place, boolean calls, boolean asText, boolean together, List<String> pieces) {
        StringBuilder thinking = new StringBuilder();
        StringBuilder answer = together ? thinking : new StringBuilder();
        StringBuilder order = new StringBuilder();
        int[] told = new int[2];
        Runnable turn = () -> {
            order.append(thinking, told[0], thinking.length()).append('/').append(answer, told[1], answer.length());
            order.append('/');
            told[0] = thinking.length();
            told[1] = answer.length();
        };
        ChannelUse use = new ChannelUse(asText, calls, "known"::equals, turn);
        ReasoningSplitter splitter = new ChannelSplitter(place, use, together, thinking, answer);
        pieces.forEach(splitter::add);
        splitter.finish();
        turn.run();
        return new Split(shown(thinking), shown(answer), shown(order));
    }

    private static String shown(CharSequence answer) {
        return answer.toString()
                .replace(HarmonyFormat.BEGIN, '[')
                .replace(HarmonyFormat.ARGUMENTS, '|')
                .replace(HarmonyFormat.END, ']');
    }

    private static String signed(String text) {
        String signed = text;
        for (HarmonyMark mark : HarmonyMark.values()) {
            signed = signed.replace(mark.text(), String.valueOf(mark.sign()));
        }
        return signed;
    }

    private static Split split(String text) {
        return split(ROLE, true, false, false, List.of(signed(text)));
    }

    private static void assertSplit(String text, String thinking, String answer) {
        Split split = split(text);
        assertThat(split.thinking()).as(text).isEqualTo(thinking);
        assertThat(split.answer()).as(text).isEqualTo(answer);
    }

    @Test
    void tellsThinkingFromTheAnswer() {
        assertSplit(
                "<|channel|>analysis<|message|>Two and two.\n<|end|>"
                        + "<|start|>assistant<|channel|>final<|message|>\n4 <b><|return|>",
                "Two and two.\n",
                "\n4 <b>");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "<|channel|>commentary to=functions.f <|constrain|>json<|message|>{}<|call|>",
                "<|channel|>commentary to=functions.f<|constrain|>json<|message|>{}<|call|>",
                "<|channel|>commentary to=functions.f json<|message|>{}<|call|>",
                "<|channel|>commentary to=functions.f<|message|>{}<|end|>",
                "<|channel|>commentary json to=functions.f<|message|>{}<|call|>",
                "<|channel|>commentary <|constrain|>json to=functions.f<|message|>{}<|call|>",
                "<|channel|>commentaryto=functions.f<|message|>{}<|call|>",
                "<|channel|>analysis to=functions.f code<|message|>{}<|call|>",
                "<|channel|>to=functions.f<|message|>{}<|call|>",
                " to=functions.f<|channel|>commentary json<|message|>{}<|call|>",
                " to=functions.f json<|channel|>commentary<|message|>{}<|call|>",
                " to=functions.f <|constrain|>json<|channel|>commentary<|message|>{}<|call|>",
                "<|start|>assistant to=functions.f<|channel|>commentary json<|message|>{}<|call|>",
                "<|channel|>commentary to=functions.f <|constrain|>json<|channel|>commentary<|message|>{}<|call|>",
                "<|channel|>commentary to=functions.f {}<|call|>"
            })
    void findsACallHoweverItsHeaderIsWritten(String text) {
        assertSplit(text, "", "[f|{}]");
    }

    @Test
    void takesAFunctionThatThereIsForOneWithoutThePrefixToo() {
        assertSplit("<|channel|>commentary to=known<|message|>{}<|call|>", "", "[known|{}]");
        assertSplit("<|channel|>commentary to=python<|message|>1+1<|call|>", "", "to=python 1+1");
        assertSplit("<|channel|>analysis to=python code<|message|>1+1<|call|>", "to=python 1+1", "");
        assertSplit("<|channel|>commentary to=functions.<|message|>1<|call|>", "", "to=functions. 1");
        assertSplit("<|channel|>commentary to=user<|message|>1<|end|>", "", "1");
    }

    @Test
    void showsCallsAsTextWhereNothingIsToBeCalled() {
        String call = "<|channel|>commentary to=functions.f <|constrain|>json<|message|>{\"a\": 1}<|call|>";
        assertThat(split(ROLE, false, false, false, List.of(signed(call))).answer())
                .isEqualTo("to=functions.f {\"a\": 1}");
    }

    @Test
    void keepsSeveralMessagesInTheirOrder() {
        Split split =
                split("<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>commentary<|message|>b<|end|>"
                        + "<|start|>assistant<|channel|>analysis<|message|>c<|end|>"
                        + "<|start|>assistant<|channel|>analysis<|message|>d"
                        + "<|end|><|start|>assistant<|channel|>commentary to=functions.f<|message|>{}<|end|>"
                        + "<|start|>assistant<|channel|>final<|message|>e<|return|>");
        assertThat(split).isEqualTo(new Split("a\n\nc\n\nd", "b[f|{}]\n\ne", "//a///b/\n\nc\n\nd///[f|{}]\n\ne/"));
    }

    @ParameterizedTest
    @CsvSource({
        "Hello. How are you?,,Hello. How are you?",
        "tomorrow,,tomorrow",
        "to=,,",
        "' to be',,' to be'",
        "' t',,t",
        "<|channel|>,,",
        "<|channel|>analysis,,",
        "<|channel|>commentary to=functions.ge,,",
        "<|channel|>analysis<|message|>,,",
        "<|channel|>analysis<|message|>cut,cut,",
        "<|channel|>fin,,",
        "<|channel|>final Hello<|return|>,,Hello",
        "<|channel|>analysis We think<|end|><|start|>assistant<|channel|>final<|message|>x,We think,x",
        "<|message|>Hello,,Hello",
        "<|channel|>news<|message|>Hello,,Hello",
        "<|channel|><|message|>Hello,,Hello",
        "––commentary<|channel|>final<|message|>Hello,,'––commentary\n\nHello'",
        "<|channel|>analysis<|message|>a<|channel|>final<|message|>b,a,b",
        "<|channel|>analysis<|message|>a<|end|>assistant<|channel|>final<|message|>b,a,b",
        "<|channel|>analysis<|message|>a<|end|>b,a,b",
        "<|channel|>analysis<|message|>a<|end|> ,a,",
        "<|channel|>final<|message|>a<|message|>b<|constrain|>c,,abc",
        "<|channel|>final<|message|>a<|start|>user<|message|>b,,'a\n\nb'",
        "<|end|><|return|><|call|>,,",
        "<|start|><|start|>assistant<|start|>assistant<|channel|>final<|message|>a,,a",
        "<|start|>assistant Hello there,,' Hello there'",
        "<|channel|>final<|message|><|end|>,,"
    })
    void makesTheBestOfWhatIsNotAsItShouldBe(String text, String thinking, String answer) {
        assertSplit(text, thinking == null ? "" : thinking, answer == null ? "" : answer);
    }

    @Test
    void takesAHeaderThatDoesNotEndForText() {
        String text = "long ".repeat(200);
        assertSplit("<|channel|>analysis " + text, text, "");
        assertSplit("<|channel|>final\n" + text, "", text);
        assertSplit("<|start|>assistant " + text, "", " " + text);
        assertSplit(
                "<|channel|>commentary to=functions." + "f".repeat(2_000),
                "",
                "commentary to=functions." + "f".repeat(2_000));
    }

    /** Skin tones of emoji end with what stands for marks. */
    @Test
    void takesNoPartOfACharacterForAMark() {
        for (String tone : List.of("\ud83c\udffe", "\ud83c\udfff", "\ud83c\udffd", "\ud83c\udffc", "\ud83c\udffb")) {
            assertSplit("<|channel|>final<|message|>a" + tone, "", "a" + tone);
            assertSplit("<|channel|>final " + tone + "<|end|>", "", tone);
            assertSplit("<|channel|>analysis a" + tone + " b<|end|>", "a" + tone + " b", "");
            assertSplit(tone + "<|channel|>final<|message|>b", "", tone + "\n\nb");
            assertSplit("<|start|>" + tone, "", tone);
        }
    }

    @Test
    void goesOnWhereThePromptHasEnded() {
        List<String> rest = List.of(signed("x<|end|><|start|>assistant<|channel|>final<|message|>y"));
        assertThat(split(ReasoningPlace.of(Opening.THINKING), true, false, false, rest))
                .isEqualTo(new Split("x", "y", "//x///y/"));
        assertThat(split(ReasoningPlace.of(Opening.ANSWERING), true, false, false, rest)
                        .answer())
                .isEqualTo("x\n\ny");
        List<String> header = List.of(signed(" to=functions.f<|message|>{}"));
        assertThat(split(
                                new ReasoningPlace(Opening.EITHER, signed("assistant<|channel|>commentary")),
                                true,
                                false,
                                false,
                                header)
                        .answer())
                .isEqualTo("[f|{}");
        assertThat(split(
                                BEFORE,
                                true,
                                false,
                                false,
                                List.of(signed("<|start|>assistant<|channel|>analysis<|message|>a")))
                        .thinking())
                .isEqualTo("a");
        assertThat(split(BEFORE, true, false, false, List.of("Hello")).answer()).isEqualTo("Hello");
    }

    @Test
    void tellsThinkingAndAnswerAsOneTextWhereTheyAreTogether() {
        String text = "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>b";
        assertThat(split(ROLE, true, false, true, List.of(signed(text))).thinking())
                .isEqualTo("a\n\nb");
    }

    @Test
    void looksForMarksInTheTextOnlyWhereTheyAreNoTokens() {
        String text = "<|channel|>final<|message|>a <|mess <|end|>";
        assertThat(split(ROLE, true, true, false, List.of(text)).answer()).isEqualTo("a <|mess ");
        assertThat(split(ROLE, true, false, false, List.of(text)).answer()).isEqualTo(text);
        assertThat(split(ROLE, true, false, false, List.of(signed("<|channel|>final<|message|>") + "a <|end|> b"))
                        .answer())
                .isEqualTo("a <|end|> b");
    }

    @Test
    void saysWhatComesNext() {
        StringBuilder thinking = new StringBuilder();
        StringBuilder answer = new StringBuilder();
        ReasoningSplitter splitter = new ChannelSplitter(ROLE, ChannelUse.plain(false), false, thinking, answer);
        assertThat(splitter.beginning()).isTrue();
        assertThat(splitter.holding()).isFalse();
        splitter.add(signed("<|channel|>analy"));
        assertThat(splitter.holding()).isTrue();
        splitter.add(signed("sis<|message|>"));
        assertThat(splitter.thinking()).isTrue();
        assertThat(splitter.beginning()).isFalse();
        assertThat(splitter.holding()).isFalse();
        splitter.add(signed("a<|end|>"));
        assertThat(splitter.thinking()).isFalse();
        assertThat(splitter.beginning()).isTrue();
        splitter.add(signed("<|start|>assistant<|channel|>final<|message|>"));
        assertThat(splitter.answering()).isTrue();
        assertThat(splitter.contiguous()).isEqualTo(Long.MAX_VALUE);
        splitter.add(signed("abc<|end|><|start|>assistant<|channel|>final<|message|>d"));
        assertThat(splitter.contiguous()).isEqualTo(3);
    }

    private static String random(Random random) {
        List<String> parts = List.of(
                "<|start|>",
                "<|channel|>",
                "<|constrain|>",
                "<|message|>",
                "<|end|>",
                "<|return|>",
                "<|call|>",
                "<|start|>assistant<|channel|>",
                "analysis",
                "commentary",
                "final",
                "assistant",
                " to=functions.f",
                "<|message|>",
                "<|end|>",
                "json",
                " ",
                "\n",
                "text",
                "<",
                "<|",
                "|>",
                "\ud83c\udffe",
                "{\"a\": 1}",
                "x".repeat(90));
        StringBuilder text = new StringBuilder();
        int count = random.nextInt(25);
        for (int i = 0; i < count; i++) {
            text.append(parts.get(random.nextInt(parts.size())));
        }
        return text.toString();
    }

    private static List<String> pieces(String text, Random random) {
        List<String> pieces = new ArrayList<>();
        int most = 1 + random.nextInt(12);
        for (int at = 0; at < text.length(); ) {
            int end = Math.min(text.length(), at + 1 + random.nextInt(most));
            pieces.add(text.substring(at, end));
            at = end;
        }
        return pieces;
    }

    private static boolean noSigns(String text) {
        for (int i = 0; i < text.length(); i++) {
            boolean pair = i > 0 && Character.isHighSurrogate(text.charAt(i - 1));
            if (Character.isLowSurrogate(text.charAt(i)) && !pair) {
                return false;
            }
        }
        return true;
    }

    @Test
    void tellsTheSameHoweverTheTextWasCut() {
        List<ReasoningPlace> places =
                List.of(ROLE, BEFORE, ReasoningPlace.of(Opening.THINKING), ReasoningPlace.of(Opening.ANSWERING));
        for (int seed = 0; seed < 5_000; seed++) {
            Random random = new Random(seed);
            ReasoningPlace place = places.get(random.nextInt(places.size()));
            boolean asText = random.nextBoolean();
            boolean together = random.nextInt(4) == 0;
            String text = asText ? random(random) : signed(random(random));
            Split whole = split(place, true, asText, together, List.of(text));
            assertThat(split(place, true, asText, together, pieces(text, random)))
                    .as("seed %d: %s", seed, text)
                    .isEqualTo(whole);
            assertThat(noSigns(whole.answer()) && noSigns(whole.thinking()))
                    .as("seed %d", seed)
                    .isTrue();
        }
    }

    /** Messages as they should be, and what they come to: known from how they were made, not by reading them. */
    @Test
    void readsMessagesAsTheyWereWritten() {
        List<String> texts = List.of(
                "a", "b c", "\n", "{\"n\": [1]}", "assistant", "to=functions.f", "final", "h\u00e9", "\ud83c\udffe");
        for (int seed = 0; seed < 2_000; seed++) {
            Random random = new Random(seed);
            StringBuilder written = new StringBuilder();
            List<String> thoughts = new ArrayList<>();
            StringBuilder answer = new StringBuilder();
            boolean answered = false;
            int count = 1 + random.nextInt(6);
            for (int i = 0; i < count; i++) {
                written.append(i == 0 ? "" : "<|start|>assistant");
                String text = texts.get(random.nextInt(texts.size()));
                switch (random.nextInt(3)) {
                    case 0 -> {
                        written.append("<|channel|>analysis<|message|>").append(text);
                        thoughts.add(text);
                    }
                    case 1 -> {
                        written.append("<|channel|>")
                                .append(random.nextBoolean() ? "final" : "commentary")
                                .append("<|message|>")
                                .append(text);
                        answer.append(answered ? "\n\n" : "").append(text);
                        answered = true;
                    }
                    default -> {
                        written.append(
                                random.nextBoolean()
                                        ? " to=functions.g<|channel|>commentary json<|message|>"
                                        : "<|channel|>commentary to=functions.g <|constrain|>json<|message|>");
                        written.append(text);
                        answer.append("[g|").append(text).append(i == count - 1 ? "" : "]");
                    }
                }
                written.append(i == count - 1 ? "" : random.nextBoolean() ? "<|end|>" : "<|call|>");
            }
            Split split = split(ROLE, true, false, false, pieces(signed(written.toString()), random));
            assertThat(split.thinking()).as("seed %d: %s", seed, written).isEqualTo(String.join("\n\n", thoughts));
            assertThat(split.answer()).as("seed %d: %s", seed, written).isEqualTo(answer.toString());
        }
    }
}
