package dev.jeton.models.tools;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.reasoning.ChannelUse;
import dev.jeton.models.reasoning.ReasoningFormat.Opening;
import dev.jeton.models.reasoning.ReasoningPlace;
import dev.jeton.models.reasoning.ReasoningSplitter;
import dev.jeton.models.tools.Heard.Called;
import dev.jeton.models.tools.ToolCallParser.Bounds;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Calls in an answer whose channels were parted. */
class HarmonyFormatTest {

    private static final HarmonyFormat FORMAT = new HarmonyFormat();

    private static String call(String name, String arguments) {
        return HarmonyFormat.BEGIN + name + HarmonyFormat.ARGUMENTS + arguments + HarmonyFormat.END;
    }

    private static List<Called> calls(String text) {
        return Heard.of(FORMAT, text).calls();
    }

    @Test
    void findsCallsBetweenText() {
        Heard heard = Heard.of(FORMAT, "a " + call("f", "{\"x\": [1]}") + call("g", " {}\n") + "b");
        assertThat(heard.calls()).containsExactly(Called.whole("f", "{\"x\": [1]}"), Called.whole("g", "{}"));
        assertThat(heard.content()).isEqualTo("a b");
    }

    @Test
    void readsWhatItsFrameWritesOnceChannelsAreParted() {
        CallFrame frame = FORMAT.frame();
        String written = frame.open() + frame.begin() + "g" + frame.arguments() + "{\"count\": 1}" + frame.end()
                + frame.between() + frame.begin() + "f" + frame.arguments() + "{}" + frame.end() + frame.close();
        StringBuilder answer = new StringBuilder();
        ReasoningSplitter splitter = ReasoningSplitter.ofChannels(
                new ReasoningPlace(Opening.EITHER, "assistant"),
                new ChannelUse(true, true, name -> false, () -> {}),
                false,
                new StringBuilder(),
                answer);
        splitter.add(written);
        splitter.finish();
        assertThat(calls(answer.toString()))
                .containsExactly(Called.whole("g", "{\"count\": 1}"), Called.whole("f", "{}"));
    }

    @Test
    void takesNoArgumentsForAnEmptyObject() {
        assertThat(calls(call("f", ""))).containsExactly(Called.whole("f", "{}"));
        assertThat(calls(call("f", " \n"))).containsExactly(Called.whole("f", "{}"));
        assertThat(calls("" + HarmonyFormat.BEGIN + 'f' + HarmonyFormat.ARGUMENTS))
                .containsExactly(Called.whole("f", "{}"));
    }

    @Test
    void endsACallWithItsArgumentsWhetherOrNotItsFrameEnds() {
        String open = call("f", "{}");
        assertThat(calls(open.substring(0, open.length() - 1))).containsExactly(Called.whole("f", "{}"));
        assertThat(calls(open.substring(0, open.length() - 2))).containsExactly(new Called("f", "{", CallSink.End.CUT));
    }

    @Test
    void letsArgumentsThroughThatAreNoObject() {
        assertThat(calls(call("f", "print(1)"))).containsExactly(new Called("f", "print(1)", CallSink.End.MALFORMED));
        assertThat(calls(call("f", "{a}"))).containsExactly(new Called("f", "{a}", CallSink.End.MALFORMED));
        assertThat(calls(call("f", "[1]") + call("g", "{}")))
                .containsExactly(new Called("f", "[1]", CallSink.End.MALFORMED), Called.whole("g", "{}"));
    }

    @Test
    void showsWhatFollowsArgumentsThatWereWhole() {
        Heard heard = Heard.of(FORMAT, call("f", "{}} and more"));
        assertThat(heard.calls()).containsExactly(Called.whole("f", "{}"));
        assertThat(heard.content()).isEqualTo("} and more");
    }

    @Test
    void takesNoTextForACall() {
        String text = "call arguments end <|channel|>commentary to=functions.f<|message|>{}<|call|>";
        assertThat(Heard.of(FORMAT, text).content()).isEqualTo(text);
        assertThat(Heard.of(FORMAT, text).calls()).isEmpty();
    }

    @Test
    void keepsWithinItsBounds() {
        assertThat(Heard.of(FORMAT, call("f", "{}") + call("f", "{}"), new Bounds(1, 100, false))
                        .calls())
                .hasSize(1);
        assertThat(Heard.of(FORMAT, call("f", "{\"a\": \"" + "b".repeat(200) + "\"}"), new Bounds(1, 100, false))
                        .calls()
                        .getFirst()
                        .end())
                .isEqualTo(CallSink.End.CUT);
    }

    @Test
    void tellsTheSameHoweverTheTextWasCut() {
        List<String> parts = List.of(
                "a",
                " ",
                "{",
                "}",
                "{}",
                "\"b\": 1",
                call("f", "{}"),
                call("g", "x"),
                "" + HarmonyFormat.BEGIN,
                "" + HarmonyFormat.ARGUMENTS,
                "" + HarmonyFormat.END,
                "\ud83d\ude00");
        int found = 0;
        for (int seed = 0; seed < 2_000; seed++) {
            Random random = new Random(seed);
            StringBuilder text = new StringBuilder();
            int count = random.nextInt(12);
            for (int i = 0; i < count; i++) {
                text.append(parts.get(random.nextInt(parts.size())));
            }
            Heard whole = Heard.of(FORMAT, text.toString());
            assertThat(Heard.inPieces(FORMAT, text.toString(), random).order())
                    .as("seed %d", seed)
                    .isEqualTo(whole.order());
            found += whole.calls().size();
        }
        assertThat(found).isGreaterThan(1_000);
    }
}
