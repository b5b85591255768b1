package dev.jeton.models.tools;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.tools.CallSink.End;
import dev.jeton.models.tools.Heard.Called;
import dev.jeton.models.tools.ToolCallParser.Bounds;
import dev.jeton.models.tools.ToolCallParser.Limit;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class ToolCallParserTest {

    private static final ToolFormat HERMES = new HermesFormat();

    private static final List<String> PIECES = List.of(
            "<tool_call>",
            "</tool_call>",
            "<tool_",
            "[TOOL_CALLS]",
            "[ARGS]",
            "[CALL_ID]",
            "<|python_tag|>",
            "[",
            "]",
            "{\"name\": \"f\", \"arguments\": {\"a\": \"}\\\"{\", \"b\": [1, {\"c\": null}]}}",
            "{\"name\": \"f\", \"parameters\": {}}",
            "{\"arguments\": {\"x\": 1.5e3}, \"name\": \"g\"}",
            "{\"name\": \"f\"}",
            "{\"name\": \"f\", \"arguments\": {\"a\": ",
            "{\"name\": \"f\", \"arguments\": {bad",
            "{\"name\": ",
            "\"f\"",
            "}",
            "{",
            ";",
            ",",
            " ",
            "\n",
            "text",
            "\u00e9\ud83d\ude00",
            "<",
            "</",
            "<function=g>",
            "<parameter=text>",
            "\nline\n",
            "</parameter>",
            "<parameter=count>",
            "7",
            "</function>",
            DeepSeekFormat.CALLS_BEGIN,
            DeepSeekFormat.CALL_BEGIN,
            DeepSeekFormat.SEPARATOR,
            "function",
            "f",
            "\n```json\n",
            "\n```",
            DeepSeekFormat.CALL_END,
            DeepSeekFormat.CALLS_END,
            DeepSeekFormat.CALL_BEGIN + "function" + DeepSeekFormat.SEPARATOR + "f\n```json\n{\"a\": ",
            DeepSeekFormat.CALLS_BEGIN + DeepSeekFormat.CALL_BEGIN + "f" + DeepSeekFormat.SEPARATOR + "{}",
            "\"x\"}\n```" + DeepSeekFormat.CALL_END,
            "f\n<arg_key>",
            "<arg_key>text",
            "<arg_key>",
            "</arg_key>",
            "</arg_key>\n<arg_value>",
            "<arg_value>",
            "</arg_value>\n",
            "<tool_call>g<arg_key>count</arg_key><arg_value>7</arg_value>",
            "<seed:tool_call>\n",
            "</seed:tool_call>",
            "<minimax:tool_call>\n",
            "</minimax:tool_call>",
            "<invoke name=\"g\">\n",
            "<invoke name=\"",
            "<parameter name=\"text\">",
            "\">",
            "</invoke>",
            KimiFormat.CALLS_BEGIN,
            KimiFormat.CALL_BEGIN + "functions.f:0",
            KimiFormat.CALL_BEGIN + "functions.g:12" + KimiFormat.ARGUMENTS + "{\"a\": 1}",
            KimiFormat.ARGUMENTS,
            KimiFormat.CALL_END,
            KimiFormat.CALLS_END,
            "[f(a=1, b=\"text",
            "[g()]",
            PythonicFormat.CALLS_BEGIN + "g(a=true)\n",
            "[f(",
            "(",
            ")",
            "f(a='x', ",
            "a=",
            "None",
            "'",
            PythonicFormat.START,
            PythonicFormat.END,
            PythonicFormat.CALLS_BEGIN,
            PythonicFormat.CALLS_END,
            GraniteFormat.BEGIN,
            GraniteFormat.BEGIN + "[{\"name\": \"g\", \"arguments\": {\"a\": 1}}, ",
            // marks: what special tokens come as
            "\udc00",
            "\udc01",
            "\udc02",
            "\udc03",
            "\udc04",
            "\udc05");

    private static Stream<ToolFormat> formats() {
        return ToolFormat.ALL.stream().filter(format -> !format.signed());
    }

    private static String random(Random random) {
        StringBuilder text = new StringBuilder();
        int count = random.nextInt(14);
        for (int i = 0; i < count; i++) {
            text.append(PIECES.get(random.nextInt(PIECES.size())));
        }
        return text.toString();
    }

    @ParameterizedTest
    @MethodSource("formats")
    void tellsTheSameHoweverTheTextIsCut(ToolFormat format) {
        for (int seed = 0; seed < 4_000; seed++) {
            Random random = new Random(seed);
            String text = random(random);
            assertThat(Heard.inPieces(format, text, random).order())
                    .as("seed %d: %s", seed, text)
                    .isEqualTo(Heard.of(format, text).order());
        }
    }

    @ParameterizedTest
    @MethodSource("formats")
    void givesTextWithoutACallBackToTheLetter(ToolFormat format) {
        int without = 0;
        for (int seed = 0; seed < 4_000; seed++) {
            String text = random(new Random(seed)).replaceAll("[\udc00-\udc05](?<![\ud83d].)", "");
            Heard heard = Heard.of(format, text);
            if (heard.calls().isEmpty()) {
                without++;
                assertThat(heard.content()).as("seed %d", seed).isEqualTo(text);
            }
        }
        assertThat(without).isGreaterThan(1_000);
    }

    @ParameterizedTest
    @MethodSource("formats")
    void losesNothingOfATextButItsFrames(ToolFormat format) {
        for (int seed = 0; seed < 4_000; seed++) {
            // An id that the model gives a call is of its frame.
            String text = random(new Random(seed)).replace("[CALL_ID]", "").replaceAll("\udc02(?<![\ud83d].)", "");
            String told = Heard.of(format, text).order();
            for (String piece : List.of("text", "\u00e9\ud83d\ude00", "bad", "line", "7")) {
                assertThat(count(told, piece))
                        .as("seed %d: %s: %s", seed, text, told)
                        .isEqualTo(count(text, piece));
            }
        }
    }

    private static int count(String text, String piece) {
        return text.split(Pattern.quote(piece), -1).length;
    }

    @ParameterizedTest
    @MethodSource("formats")
    void endsEveryCallThatItBegins(ToolFormat format) {
        int calls = 0;
        for (int seed = 0; seed < 8_000; seed++) {
            String text = random(new Random(seed));
            Heard heard = Heard.of(format, text);
            calls += heard.calls().size();
            assertThat(heard.order().split(" begin ", -1))
                    .as("seed %d: %s", seed, text)
                    .hasSize(heard.calls().size() + 1);
            for (Called call : heard.calls()) {
                assertThat(call.end() != End.WHOLE || JsonScanner.valid(call.arguments()))
                        .as("seed %d: %s", seed, call)
                        .isTrue();
            }
        }
        assertThat(calls).isGreaterThan(50);
    }

    @ParameterizedTest
    @MethodSource("formats")
    void readsWhatItsFrameWrites(ToolFormat format) {
        CallFrame frame = format.frame();
        String first = switch (frame.body()) {
            case CallFrame.Body.Json() -> "{\"text\": \"a}\\n\", \"count\": 7}";
            case CallFrame.Body.Keywords keywords -> "text=\"a}\\n\", count=7";
            case CallFrame.Body.Parameters(String begin, String middle, String end) ->
                begin + "text" + middle + "a}\n" + end + begin + "count" + middle + "7" + end;
        };
        String second = frame.body().equals(CallFrame.Body.JSON) ? "{}" : "";
        String arguments = frame.arguments().replace(CallFrame.COUNT, "3");
        String text = frame.open() + frame.begin() + "g" + arguments + first + frame.end() + frame.between()
                + frame.begin() + "f" + arguments + second + frame.end() + frame.close();
        Heard heard = Heard.of(format, text);
        assertThat(heard.calls())
                .containsExactly(Called.whole("g", "{\"text\": \"a}\\n\", \"count\": 7}"), Called.whole("f", "{}"));
        assertThat(heard.content()).isEmpty();
    }

    @Test
    void holdsTextBackOnlyWhileItCouldBeginACall() {
        List<String> told = new ArrayList<>();
        Heard heard = new Heard();
        ToolCallParser parser = new ToolCallParser(HERMES, Heard.TOOLS, Heard.ROOMY, heard);
        for (String piece :
                List.of("a ", "<tool", "s> <tool_call>", "{\"name\": \"f\", \"arg", "uments\": {\"x\"", ": 1")) {
            parser.add(piece);
            told.add(heard.order() + "|" + parser.holding());
        }
        assertThat(told)
                .containsExactly(
                        "a|true",
                        "a|true",
                        "a <tools>|true",
                        "a <tools>|true",
                        "a <tools> begin f {\"x\"|false",
                        "a <tools> begin f {\"x\": 1|false");
    }

    @Test
    void leavesOutWhiteSpaceBesideCallsAndKeepsItWithinContent() {
        Heard heard = Heard.of(HERMES, "\n Hi  there\n\n<tool_call>{\"name\":\"f\"}</tool_call>\n");
        assertThat(heard.content()).isEqualTo("\n Hi  there");
        assertThat(heard.calls()).containsExactly(Called.whole("f", "{}"));
    }

    @Test
    void keepsContentBehindACall() {
        Heard heard = Heard.of(HERMES, "Hi\n<tool_call>{\"name\":\"f\"}</tool_call>\nbye ");
        assertThat(heard.content()).isEqualTo("Hi\n\nbye");
    }

    @Test
    void endsWithTheFirstCallWhereOneIsAskedFor() {
        Heard heard = new Heard();
        ToolCallParser parser = new ToolCallParser(HERMES, Heard.TOOLS, new Bounds(100, 1_000, true), heard);
        parser.add("<tool_call>{\"name\":\"f\",\"arguments\":{}}");
        assertThat(parser.limit()).isEqualTo(Limit.ENOUGH);
        parser.add("</tool_call><tool_call>{\"name\":\"g\",\"arguments\":{}}</tool_call> more");
        parser.finish();
        assertThat(heard.calls()).containsExactly(Called.whole("f", "{}"));
        assertThat(heard.content()).isEmpty();
    }

    @Test
    void passesItsLimitWithOneCallMoreThanMayBe() {
        Heard heard = new Heard();
        ToolCallParser parser = new ToolCallParser(HERMES, Heard.TOOLS, new Bounds(2, 1_000, false), heard);
        String call = "<tool_call>{\"name\":\"f\",\"arguments\":{}}</tool_call>";
        parser.add(call + call);
        assertThat(parser.limit()).isEqualTo(Limit.NONE);
        parser.add(call);
        assertThat(parser.limit()).isEqualTo(Limit.PASSED);
        parser.finish();
        assertThat(heard.calls()).hasSize(2);
    }

    @Test
    void cutsACallThatIsTooLong() {
        Heard heard = Heard.of(
                HERMES,
                "<tool_call>{\"name\":\"f\",\"arguments\":{\"a\":\"" + "x".repeat(100) + "\"}}",
                new Bounds(2, 50, false));
        assertThat(heard.calls()).hasSize(1);
        assertThat(heard.calls().getFirst().end()).isEqualTo(End.CUT);
        assertThat(heard.calls().getFirst().arguments())
                .startsWith("{\"a\":\"xxx")
                .hasSizeLessThan(50);
    }

    @Test
    void takesAFrameThatIsTooLongToBecomeACallForText() {
        String text = "<tool_call>{\"note\":\"" + "x".repeat(100) + "\",\"name\":\"f\"}</tool_call>";
        assertThat(Heard.of(HERMES, text, new Bounds(2, 50, false)).content()).isEqualTo(text);
    }

    @Test
    void cutsACallWhereTheTextEnds() {
        Heard heard = Heard.of(HERMES, "Hi<tool_call>{\"name\":\"f\",\"arguments\":{\"a\":[1,");
        assertThat(heard.calls()).containsExactly(new Called("f", "{\"a\":[1,", End.CUT));
        assertThat(heard.content()).isEqualTo("Hi");
    }

    @Test
    void findsACallRightBehindWhatWasNone() {
        Heard heard = Heard.of(HERMES, "<tool_call> is how <tool_call><tool_call>{\"name\":\"f\"}</tool_call>");
        assertThat(heard.content()).isEqualTo("<tool_call> is how <tool_call>");
        assertThat(heard.calls()).containsExactly(Called.whole("f", "{}"));
    }

    @Test
    void neverShowsTheFramesSpecialTokens() {
        assertThat(Heard.of(HERMES, "a\udc00 b\udc01 c").content()).isEqualTo("a b c");
        Heard heard = Heard.of(HERMES, "a\udc00{\"name\":\"f\",\"arguments\":{}}\udc01");
        assertThat(heard.content()).isEqualTo("a");
        assertThat(heard.calls()).containsExactly(Called.whole("f", "{}"));
    }

    @Test
    void findsAFrameRightBehindItsOwnBeginning() {
        String call = "{\"name\":\"f\",\"arguments\":{bad<</tool_call>";
        Heard heard = Heard.of(HERMES, "<<tool_<tool_call>" + call);
        assertThat(heard.content()).isEqualTo("<<tool_");
        assertThat(heard.calls()).containsExactly(new Called("f", "{bad<", End.MALFORMED));
    }

    @Test
    void losesNoTextThatASpecialTokenBreaksOff() {
        String call = "{\"name\":\"f\",\"arguments\":{}}";
        assertThat(Heard.of(HERMES, "<tool_\udc00" + call + "</tool\udc01_call>")
                        .content())
                .isEqualTo("<tool_</tool_call>");
        assertThat(Heard.of(HERMES, "\udc00{\"name\":\"f\",\"arguments\":{bad</tool\udc01")
                        .calls())
                .containsExactly(new Called("f", "{bad</tool", End.MALFORMED));
        ToolFormat deepSeek = new DeepSeekFormat(DeepSeekFormat.Version.V31);
        Heard heard = Heard.of(deepSeek, "<｜tool\udc00▁call▁begin｜>f<｜tool\udc02f\udc04{}<｜\udc03");
        assertThat(heard.content()).isEqualTo("<｜tool▁call▁begin｜>f<｜tool<｜");
        assertThat(heard.calls()).containsExactly(Called.whole("f", "{}"));
        ToolFormat mistral = new MistralFormat(MistralFormat.Version.NAMED);
        assertThat(Heard.of(mistral, "\udc00f[AR\udc01{}").content()).isEqualTo("f[AR{}");
        ToolFormat qwen = new TaggedFormat(TaggedFormat.Family.QWEN3_CODER);
        Heard cut = Heard.of(qwen, "\udc00<function=f></fun\udc01");
        assertThat(cut.calls()).containsExactly(new Called("f", "{}", End.MALFORMED));
        assertThat(cut.content()).isEqualTo("</fun");
        assertThat(Heard.of(qwen, "\udc00<function=f><parameter=a>x</par\udc01").calls())
                .containsExactly(new Called("f", "{\"a\": \"x</par\"}", End.MALFORMED));
    }

    @Test
    void takesALowSurrogateOfAPairForText() {
        Heard heard = Heard.of(HERMES, "\ud83d\udc00{\"name\":\"f\",\"arguments\":{}}");
        assertThat(heard.content()).isEqualTo("\ud83d\udc00{\"name\":\"f\",\"arguments\":{}}");
    }
}
