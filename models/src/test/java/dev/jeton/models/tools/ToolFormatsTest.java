package dev.jeton.models.tools;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.tools.CallSink.End;
import dev.jeton.models.tools.Heard.Called;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What each format takes for a call, and what it makes of everything else. */
class ToolFormatsTest {

    private static final ToolFormat HERMES = new HermesFormat();
    private static final ToolFormat LLAMA = new LlamaFormat();
    private static final ToolFormat MISTRAL = new MistralFormat(MistralFormat.Version.ARRAY);
    private static final ToolFormat QWEN = new TaggedFormat(TaggedFormat.Family.QWEN3_CODER);
    private static final ToolFormat GLM = new GlmFormat(GlmFormat.Version.LINES);
    private static final ToolFormat SEED = new TaggedFormat(TaggedFormat.Family.SEED_OSS);
    private static final ToolFormat MINIMAX = new TaggedFormat(TaggedFormat.Family.MINIMAX_M2);
    private static final ToolFormat KIMI = new KimiFormat();
    private static final ToolFormat OLMO3 = new PythonicFormat(PythonicFormat.Version.OLMO3);
    private static final ToolFormat PYTHONIC = new PythonicFormat(PythonicFormat.Version.LLAMA4);
    private static final ToolFormat DEEPSEEK = new DeepSeekFormat(DeepSeekFormat.Version.V3);

    private static void calls(ToolFormat format, String text, Called... calls) {
        Heard heard = Heard.of(format, text);
        assertThat(heard.calls()).containsExactly(calls);
        assertThat(heard.content()).isEmpty();
    }

    private static void content(ToolFormat format, String text) {
        Heard heard = Heard.of(format, text);
        assertThat(heard.calls()).isEmpty();
        assertThat(heard.content()).isEqualTo(text);
    }

    @Test
    void hermesTakesSeveralCalls() {
        calls(
                HERMES,
                "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": 1}}\n</tool_call>\n<tool_call>\n"
                        + "{\"name\": \"g\", \"arguments\": {}}\n</tool_call>",
                Called.whole("f", "{\"a\": 1}"),
                Called.whole("g", "{}"));
    }

    @Test
    void hermesTakesFieldsInAnyOrder() {
        calls(
                HERMES,
                "<tool_call>{\"id\": {\"name\": [1]}, \"arguments\": {\"name\": \"x\"}, \"name\": \"f\"}</tool_call>",
                Called.whole("f", "{\"name\": \"x\"}"));
    }

    @Test
    void hermesTakesACallWithoutArguments() {
        calls(HERMES, "<tool_call>{\"name\": \"f\"}</tool_call>", Called.whole("f", "{}"));
        calls(HERMES, "<tool_call>{\"name\": \"f\", \"arguments\": null}</tool_call>", Called.whole("f", "{}"));
    }

    @Test
    void hermesTakesEmptyTextForNoArguments() {
        calls(HERMES, "<tool_call>{\"name\": \"f\", \"arguments\": \"\"}</tool_call>", Called.whole("f", "{}"));
        calls(HERMES, "<tool_call>{\"arguments\": \" \", \"name\": \"f\"}</tool_call>", Called.whole("f", "{}"));
    }

    @Test
    void hermesTakesArgumentsThatAreTheTextOfAnObject() {
        calls(
                HERMES,
                "<tool_call>{\"name\": \"f\", \"arguments\": \"{\\\"a\\\": \\\"\\u00e9\\\"}\"}</tool_call>",
                Called.whole("f", "{\"a\": \"\u00e9\"}"));
    }

    @Test
    void hermesTakesAFrameThatIsNotClosed() {
        calls(HERMES, "<tool_call>{\"name\": \"f\", \"arguments\": {}}", Called.whole("f", "{}"));
        calls(HERMES, "<tool_call>{\"name\": \"f\", \"arguments\": {}</tool_call>", Called.whole("f", "{}"));
        calls(HERMES, "<tool_call>{\"name\": \"f\", \"arguments\": {}", Called.whole("f", "{}"));
    }

    @Test
    void hermesTakesTheCallBehindAFrameThatIsNotClosed() {
        String second = "<tool_call>\n{\"name\": \"g\", \"arguments\": {}}\n</tool_call>";
        Called[] both = {Called.whole("f", "{}"), Called.whole("g", "{}")};
        calls(HERMES, "<tool_call>\n{\"name\": \"f\", \"arguments\": {}}\n" + second, both);
        calls(HERMES, "<tool_call>\n{\"name\": \"f\", \"arguments\": {}\n" + second, both);
    }

    @Test
    void takesBracesTooManyBehindACallForItsFrames() {
        calls(HERMES, "<tool_call>{\"name\": \"f\", \"arguments\": {}}}\n</tool_call>", Called.whole("f", "{}"));
        calls(HERMES, "<tool_call>{\"name\": \"f\", \"arguments\": {}}}", Called.whole("f", "{}"));
        calls(LLAMA, "{\"name\": \"f\", \"parameters\": {}}}", Called.whole("f", "{}"));
        calls(
                LLAMA,
                "{\"name\": \"f\", \"parameters\": {}}}; {\"name\": \"g\", \"parameters\": {}}",
                Called.whole("f", "{}"),
                Called.whole("g", "{}"));
        assertThat(Heard.of(HERMES, "<tool_call>{\"name\": \"f\"}} so").content())
                .isEqualTo("} so");
        assertThat(Heard.of(LLAMA, "{\"name\": \"f\", \"parameters\": {}}} so").content())
                .isEqualTo("} so");
    }

    @Test
    void hermesGivesBackWhatIsNoCall() {
        content(HERMES, "<tool_call>hello</tool_call>");
        content(HERMES, "<tool_call>{\"name\": 5, \"arguments\": {}}</tool_call>");
        content(HERMES, "<tool_call>{\"name\": \"\", \"arguments\": {}}</tool_call>");
        content(HERMES, "<tool_call>{\"name\": \"f\", \"arguments\": [1]}</tool_call>");
        content(HERMES, "<tool_call>{\"name\": \"f\", \"arguments\": \"none\"}</tool_call>");
        content(HERMES, "<tool_call>{\"arguments\": {}}</tool_call>");
        content(HERMES, "<tool_call>[{\"name\": \"f\"}]</tool_call>");
        content(HERMES, "<tool_call>\n{\"name\": \"f\", ");
        content(HERMES, "\n <tool_cal");
        content(HERMES, "{\"name\": \"f\", \"arguments\": {}}");
    }

    @Test
    void hermesKeepsArgumentsThatAreNoJsonAsTheyAre() {
        Heard heard = Heard.of(HERMES, "<tool_call>{\"name\": \"f\", \"arguments\": {'a': 1}}\n</tool_call> and so on");
        assertThat(heard.calls()).containsExactly(new Called("f", "{'a': 1}}", End.MALFORMED));
        assertThat(heard.content()).isEqualTo("and so on");
    }

    @Test
    void llamaTakesAnAnswerThatIsACall() {
        calls(LLAMA, "{\"name\": \"f\", \"parameters\": {\"a\": 1}}", Called.whole("f", "{\"a\": 1}"));
        calls(LLAMA, "\n{\"name\": \"f\", \"arguments\": {}}\n", Called.whole("f", "{}"));
        calls(LLAMA, "<|python_tag|>{\"name\": \"f\", \"parameters\": {}}", Called.whole("f", "{}"));
        calls(LLAMA, "\udc00 {\"name\": \"unknown\"}", Called.whole("unknown", "{}"));
    }

    @Test
    void llamaTakesSeveralCalls() {
        calls(
                LLAMA,
                "{\"name\": \"f\", \"parameters\": {}}; {\"name\": \"g\", \"parameters\": {\"x\": []}}"
                        + "\n{\"name\": \"f\", \"parameters\": {}}",
                Called.whole("f", "{}"),
                Called.whole("g", "{\"x\": []}"),
                Called.whole("f", "{}"));
    }

    @Test
    void llamaTakesNoOtherAnswerInJsonForACall() {
        content(LLAMA, "{\"name\": \"unknown\", \"parameters\": {}}");
        content(LLAMA, "{\"name\": \"f\"}");
        content(LLAMA, "{\"answer\": 42}");
        content(LLAMA, "```json\n{\"name\": \"f\", \"parameters\": {}}\n```");
        content(LLAMA, "Like so: {\"name\": \"f\", \"parameters\": {}}");
        content(LLAMA, "<|python_tag|>brave_search.call(query=\"x\")");
    }

    @Test
    void llamaTakesACallOnALineOfItsOwn() {
        Heard heard =
                Heard.of(LLAMA, "Sure, `f`:\n```\nx\n```\n\n {\"name\": \"f\", \"parameters\": {\"a\": 1}}\n\nDone.");
        assertThat(heard.calls()).containsExactly(Called.whole("f", "{\"a\": 1}"));
        assertThat(heard.content()).isEqualTo("Sure, `f`:\n```\nx\n```\n\n \n\nDone.");
    }

    @Test
    void llamaHoldsBackNoJsonThatIsNoCall() {
        Heard heard = new Heard();
        ToolCallParser parser = new ToolCallParser(LLAMA, Heard.TOOLS, Heard.ROOMY, heard);
        parser.add("{\"answer\": [1, 2");
        assertThat(heard.content()).isEqualTo("{\"answer\": [1, 2");
    }

    @Test
    void llamaDropsTheTagOfWhatIsNoCallWhereItIsASpecialToken() {
        assertThat(Heard.of(LLAMA, "\udc00print(1)").content()).isEqualTo("print(1)");
    }

    @Test
    void mistralTakesAnArrayOfCalls() {
        calls(
                MISTRAL,
                "[TOOL_CALLS] [{\"name\": \"f\", \"arguments\": {\"a\": 1}, \"id\": \"abcdefghi\"}, "
                        + "{\"name\": \"g\", \"arguments\": {}}]",
                Called.whole("f", "{\"a\": 1}"),
                Called.whole("g", "{}"));
        calls(MISTRAL, "\udc00{\"name\": \"f\", \"arguments\": {}}", Called.whole("f", "{}"));
    }

    @Test
    void mistralTakesNamesInFrontOfArguments() {
        calls(
                MISTRAL,
                "[TOOL_CALLS]f[ARGS]{\"a\": \"]\"}[TOOL_CALLS]g[CALL_ID]abcdefghi[ARGS]{}",
                Called.whole("f", "{\"a\": \"]\"}"),
                Called.whole("g", "{}"));
        calls(MISTRAL, "\udc00f\udc01{\"a\": 1}\udc00g{}", Called.whole("f", "{\"a\": 1}"), Called.whole("g", "{}"));
    }

    @Test
    void mistralGivesBackWhatIsNoCall() {
        content(MISTRAL, "[TOOL_CALLS] I would call f");
        content(MISTRAL, "[TOOL_CALLS]f[ARGS]none");
        content(MISTRAL, "[TOOL_CALLS]f[0]{}");
        content(MISTRAL, "[TOOL_CALLS][1, 2]");
        content(MISTRAL, "[TOOL_CALLS]");
    }

    @Test
    void mistralGivesBackWhatFollowsACallAndIsNone() {
        Heard heard = Heard.of(MISTRAL, "[TOOL_CALLS][{\"name\": \"f\", \"arguments\": {}}, 5] bye");
        assertThat(heard.calls()).containsExactly(Called.whole("f", "{}"));
        assertThat(heard.content()).isEqualTo(", 5] bye");
    }

    @Test
    void qwenCoderMakesJsonOfParametersByTheirSchema() {
        calls(
                QWEN,
                """
                <tool_call>
                <function=g>
                <parameter=text>
                5 "lines"
                and <more>
                </parameter>
                <parameter=count>
                5
                </parameter>
                <parameter=list>
                [1, "a"]
                </parameter>
                <parameter=maybe>
                null
                </parameter>
                <parameter=any>
                True
                </parameter>
                <parameter=unknown>
                7
                </parameter>
                </function>
                </tool_call>""",
                Called.whole(
                        "g",
                        "{\"text\": \"5 \\\"lines\\\"\\nand <more>\", \"count\": 5, \"list\": [1, \"a\"], \"maybe\": null, "
                                + "\"any\": true, \"unknown\": \"7\"}"));
    }

    @Test
    void qwenCoderFindsStringsBehindReferencesAndInListsOfValues() {
        calls(
                QWEN,
                "<tool_call><function=g><parameter=size>1</parameter><parameter=code>2</parameter></function></tool_call>",
                Called.whole("g", "{\"size\": \"1\", \"code\": \"2\"}"));
    }

    @Test
    void qwenCoderTakesWhatIsNoJsonForAString() {
        calls(
                QWEN,
                "<tool_call><function=g><parameter=count>many</parameter></function></tool_call>",
                Called.whole("g", "{\"count\": \"many\"}"));
    }

    @Test
    void qwenCoderTakesAFunctionWithoutAFrame() {
        calls(QWEN, "<function=f>\n</function>", Called.whole("f", "{}"));
        calls(
                QWEN,
                "<tool_call>\n<function=f>\n</tool_call>\n<tool_call>\n<function=g>\n</function>\n</tool_call>",
                Called.whole("f", "{}"),
                Called.whole("g", "{}"));
    }

    @Test
    void qwenCoderTakesTheFunctionBehindOneWithoutAFrame() {
        Called[] both = {Called.whole("f", "{}"), Called.whole("g", "{}")};
        calls(QWEN, "<function=f>\n</function>\n<function=g>\n</function>", both);
        calls(QWEN, "<tool_call>\n<function=f>\n</function>\n<tool_call>\n<function=g>\n</function>", both);
        calls(
                QWEN,
                "<tool_call>\n<function=f>\n<function=g>\n</function>",
                new Called("f", "{}", End.MALFORMED),
                Called.whole("g", "{}"));
    }

    @Test
    void qwenCoderGivesBackWhatIsNoCall() {
        content(QWEN, "<tool_call>{\"name\": \"f\"}</tool_call>");
        content(QWEN, "<function= f>");
        content(QWEN, "<function=>");
    }

    @Test
    void qwenCoderClosesAnObjectThatIsFollowedByAnythingElse() {
        Heard heard = Heard.of(QWEN, "<tool_call><function=f><parameter=a>1</parameter>oops</function>");
        assertThat(heard.calls()).containsExactly(new Called("f", "{\"a\": \"1\"}", End.MALFORMED));
        assertThat(heard.content()).isEqualTo("oops</function>");
    }

    @Test
    void qwenCoderCutsAValueWhereTheTextEnds() {
        Heard heard = Heard.of(QWEN, "<tool_call><function=g><parameter=text>\nabc</para");
        assertThat(heard.calls()).containsExactly(new Called("g", "{\"text\": \"abc</para", End.CUT));
    }

    @Test
    void glmMakesJsonOfArgumentsByTheirSchema() {
        calls(
                GLM,
                """
                <tool_call>g
                <arg_key>text</arg_key>
                <arg_value>
                5 "lines" and <more>
                </arg_value>
                <arg_key>count</arg_key>
                <arg_value>5</arg_value>
                <arg_key>list</arg_key>
                <arg_value>[1, "a"]</arg_value>
                <arg_key>maybe</arg_key>
                <arg_value>null</arg_value>
                <arg_key>unknown</arg_key>
                <arg_value>7</arg_value>
                </tool_call>""",
                Called.whole(
                        "g",
                        "{\"text\": \"\\n5 \\\"lines\\\" and <more>\\n\", \"count\": 5, \"list\": [1, \"a\"], "
                                + "\"maybe\": null, \"unknown\": \"7\"}"));
    }

    @Test
    void glmTakesSeveralCallsWithLinesSpacesOrNothingBetweenTheirParts() {
        calls(
                GLM,
                "<tool_call>f<arg_key>a</arg_key><arg_value>1</arg_value></tool_call><tool_call>\nh <arg_key>b</arg_key> "
                        + "<arg_value>2</arg_value> </tool_call>\n<tool_call>f</tool_call>",
                Called.whole("f", "{\"a\": \"1\"}"),
                Called.whole("h", "{\"b\": \"2\"}"),
                Called.whole("f", "{}"));
        calls(
                GLM,
                "\udc00f\udc02a\udc03\udc04x\udc05\udc01\udc00g\n\udc01",
                Called.whole("f", "{\"a\": \"x\"}"),
                Called.whole("g", "{}"));
    }

    @Test
    void glmGivesBackWhatIsNoCall() {
        content(GLM, "<tool_call>hello</tool_call>");
        content(GLM, "<tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call>");
        content(GLM, "<tool_call>f and g</tool_call>");
        content(GLM, "<tool_call></tool_call>");
        content(GLM, "<tool_call>h");
    }

    @Test
    void glmClosesAnObjectThatIsFollowedByAnythingElse() {
        Heard heard = Heard.of(GLM, "<tool_call>f<arg_key>a</arg_key><arg_value>1</arg_value>oops</tool_call>");
        assertThat(heard.calls()).containsExactly(new Called("f", "{\"a\": \"1\"}", End.MALFORMED));
        assertThat(heard.content()).isEqualTo("oops</tool_call>");
        Heard next = Heard.of(
                GLM, "<tool_call>f<arg_key>a</arg_key><arg_value>1</arg_value>\n<tool_call>f</tool_call> and so on");
        assertThat(next.calls())
                .containsExactly(new Called("f", "{\"a\": \"1\"}", End.MALFORMED), Called.whole("f", "{}"));
        assertThat(next.content()).isEqualTo("and so on");
        Heard twice = Heard.of(
                GLM,
                "<tool_call>f<arg_key>a</arg_key><arg_value>1</arg_value><arg_key>a</arg_key><arg_value>2</arg_value>"
                        + "</tool_call>");
        assertThat(twice.calls()).containsExactly(new Called("f", "{\"a\": \"1\", \"a\": \"2\"}", End.MALFORMED));
    }

    @Test
    void glmCutsACallWhereTheTextEnds() {
        assertThat(Heard.of(GLM, "<tool_call>g<arg_key>text</arg_key><arg_value>abc</arg_v")
                        .calls())
                .containsExactly(new Called("g", "{\"text\": \"abc</arg_v", End.CUT));
        assertThat(Heard.of(GLM, "<tool_call>g<arg_key>te").calls())
                .containsExactly(new Called("g", "{\"te\"", End.CUT));
    }

    @Test
    void seedTakesValuesRightBetweenTheirTags() {
        calls(
                SEED,
                "<seed:tool_call>\n<function=g>\n<parameter=text>\nx\n</parameter>\n<parameter=count>5</parameter>\n"
                        + "</function>\n</seed:tool_call>\n<seed:tool_call>\n<function=f>\n</function>\n</seed:tool_call>",
                Called.whole("g", "{\"text\": \"\\nx\\n\", \"count\": 5}"),
                Called.whole("f", "{}"));
        calls(SEED, "\udc00<function=f></function>\udc01", Called.whole("f", "{}"));
    }

    @Test
    void miniMaxTakesSeveralFunctionsInOneFrame() {
        calls(
                MINIMAX,
                """
                <minimax:tool_call>
                <invoke name="g">
                <parameter name="text">5 "lines" and <more>
                </parameter>
                <parameter name="list">[1, "a"]</parameter>
                </invoke>
                <invoke name="f">
                </invoke>
                </minimax:tool_call>""",
                Called.whole("g", "{\"text\": \"5 \\\"lines\\\" and <more>\\n\", \"list\": [1, \"a\"]}"),
                Called.whole("f", "{}"));
        calls(MINIMAX, "<invoke name=\"f\">\n</invoke>", Called.whole("f", "{}"));
        calls(
                MINIMAX,
                "\udc00<invoke name=\"f\"></invoke><invoke name=\"f\"></invoke>\udc01",
                Called.whole("f", "{}"),
                Called.whole("f", "{}"));
    }

    @Test
    void miniMaxGivesBackWhatIsNoCall() {
        content(MINIMAX, "<minimax:tool_call>{\"name\": \"f\"}</minimax:tool_call>");
        content(MINIMAX, "<invoke name=\"f\"/>");
        content(MINIMAX, "<invoke name=\"\">");
        content(MINIMAX, "<invoke name=\"f g\">");
        Heard heard = Heard.of(MINIMAX, "<invoke name=\"f\"><parameter name=\"a\"/></invoke>");
        assertThat(heard.calls()).containsExactly(new Called("f", "{}", End.MALFORMED));
        assertThat(heard.content()).isEqualTo("<parameter name=\"a\"/></invoke>");
    }

    @Test
    void kimiTakesSeveralCallsAndKeepsTheirIds() {
        String text =
                "<|tool_calls_section_begin|><|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>{\"a\": 1}"
                        + "<|tool_call_end|><|tool_call_begin|> functions.a.b:12 <|tool_call_argument_begin|> {}<|tool_call_end|>"
                        + "<|tool_calls_section_end|>";
        calls(KIMI, text, Called.whole("f", "{\"a\": 1}"), Called.whole("a.b", "{}"));
        assertThat(Heard.of(KIMI, text).ids()).containsExactly("functions.f:0", "functions.a.b:12");
        calls(KIMI, "\udc00\udc02functions.f:3\udc04{}\udc03\udc01", Called.whole("f", "{}"));
    }

    @Test
    void kimiTakesNamesThatAreNoWholeIds() {
        Heard heard = Heard.of(
                KIMI,
                "<|tool_call_begin|>f:1<|tool_call_argument_begin|>{}<|tool_call_end|><|tool_call_begin|>functions.g"
                        + "<|tool_call_argument_begin|>{}<|tool_call_end|>");
        assertThat(heard.calls()).containsExactly(Called.whole("f", "{}"), Called.whole("g", "{}"));
        assertThat(heard.ids()).isEmpty();
    }

    @Test
    void kimiGivesBackWhatIsNoCall() {
        content(KIMI, "<|tool_calls_section_begin|>nothing");
        content(KIMI, "<|tool_call_begin|>functions.<|tool_call_argument_begin|>{}");
        content(KIMI, "<|tool_call_begin|>f and g<|tool_call_argument_begin|>{}");
        content(KIMI, "<|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>none");
    }

    @Test
    void pythonicMakesJsonOfLiterals() {
        calls(
                PYTHONIC,
                """
                [f(a="x \\"y\\" 'z'\\n", b='it\\'s "so"', c=-1.5e3, d=True, e=None, l=[1, .5, 2., +1_000,], \
                m={"k": [False, {}], 'n': "\\u00e9\\x41\\U0001F600\\d"}), g()]""",
                Called.whole(
                        "f",
                        "{\"a\": \"x \\\"y\\\" 'z'\\n\", \"b\": \"it's \\\"so\\\"\", \"c\": -1.5e3, \"d\": true, \"e\": null, "
                                + "\"l\": [1, 0.5, 2.0, 1000], \"m\": {\"k\": [false, {}], \"n\": \"\u00e9A\ud83d\ude00\\\\d\"}}"),
                Called.whole("g", "{}"));
    }

    @Test
    void pythonicTakesAListBehindItsMarkOrAtALinesBeginning() {
        calls(PYTHONIC, "<|python_start|>[unknown(a=1)]<|python_end|>", Called.whole("unknown", "{\"a\": 1}"));
        calls(PYTHONIC, "\udc00 [ f( a = 1 ) ] \udc01".replace("a = ", "a="), Called.whole("f", "{\"a\": 1}"));
        Heard heard = Heard.of(PYTHONIC, "Sure:\n\n[f(a=1), f()]\nDone.");
        assertThat(heard.calls()).containsExactly(Called.whole("f", "{\"a\": 1}"), Called.whole("f", "{}"));
        assertThat(heard.content()).isEqualTo("Sure:\n\n\nDone.");
    }

    @Test
    void pythonicTakesNoOtherBracketsForACall() {
        content(PYTHONIC, "[1, 2]");
        content(PYTHONIC, "[link](url)");
        content(PYTHONIC, "[unknown(a=1)]");
        content(PYTHONIC, "[f(x) is a function]");
        content(PYTHONIC, "[f]");
        content(PYTHONIC, "See [f(a=1)]");
        content(PYTHONIC, "```\n[f(a=1)]\n```");
        content(PYTHONIC, "<|python_start|>print(1)<|python_end|>");
        content(PYTHONIC, "[f(te");
    }

    @Test
    void pythonicKeepsArgumentsThatAreNoLiteralsAsTheyAre() {
        assertThat(Heard.of(PYTHONIC, "[f(a=1, b=today() - 1)]").calls())
                .containsExactly(new Called("f", "{\"a\": 1, \"b\": today() - 1)]", End.MALFORMED));
        assertThat(Heard.of(PYTHONIC, "[f(a=1, 2)]").calls())
                .containsExactly(new Called("f", "{\"a\": 1, 2)]", End.MALFORMED));
        assertThat(Heard.of(PYTHONIC, "[f(a={1: 2})]").calls())
                .containsExactly(new Called("f", "{\"a\": {1: 2})]", End.MALFORMED));
    }

    @Test
    void pythonicCutsACallWhereTheTextEnds() {
        assertThat(Heard.of(PYTHONIC, "[f(a=[1, \"x").calls())
                .containsExactly(new Called("f", "{\"a\": [1, \"x", End.CUT));
        assertThat(Heard.of(PYTHONIC, "[f(a=12").calls()).containsExactly(new Called("f", "{\"a\": 12", End.CUT));
        assertThat(Heard.of(PYTHONIC, "[f(").calls()).containsExactly(new Called("f", "{", End.CUT));
    }

    @Test
    void olmo3TakesCallsInLinesBetweenItsMarks() {
        calls(
                OLMO3,
                "<function_calls>f(a=true, b=null)\ng()</function_calls>",
                Called.whole("f", "{\"a\": true, \"b\": null}"),
                Called.whole("g", "{}"));
        calls(OLMO3, "\udc00\nunknown(a=1)\n\udc01", Called.whole("unknown", "{\"a\": 1}"));
        calls(OLMO3, "<function_calls>f(a=[1,\n2])", Called.whole("f", "{\"a\": [1, 2]}"));
        calls(OLMO3, "<function_calls>f( a = 1 ),\n</function_calls>", Called.whole("f", "{\"a\": 1}"));
        calls(PYTHONIC, "[f(a =1),]", Called.whole("f", "{\"a\": 1}"));
        Heard heard = Heard.of(OLMO3, "Sure:\n<function_calls>\nf(a='</function_calls>')\n</function_calls>\nDone.");
        assertThat(heard.calls()).containsExactly(Called.whole("f", "{\"a\": \"</function_calls>\"}"));
        assertThat(heard.content()).isEqualTo("Sure:\n\nDone.");
    }

    @Test
    void olmo3TakesNothingElseForACall() {
        content(OLMO3, "[f(a=1)]");
        content(OLMO3, "f(a=1)");
        content(OLMO3, "<function_calls></function_calls>");
        content(OLMO3, "<function_calls>I call f(a=1)</function_calls>");
    }

    @Test
    void olmo3EndsArgumentsThatAreNoLiteralsWithItsFrame() {
        Heard heard = Heard.of(OLMO3, "<function_calls>f(a=now())\ng()\n</function_calls> So.");
        assertThat(heard.calls()).containsExactly(new Called("f", "{\"a\": now())\ng()", End.MALFORMED));
        assertThat(heard.content()).isEqualTo("So.");
        Heard open = Heard.of(OLMO3, "\udc00f(a='x\n\udc01So.");
        assertThat(open.calls()).containsExactly(new Called("f", "{\"a\": \"x\\n", End.MALFORMED));
        assertThat(open.content()).isEqualTo("So.");
    }

    @Test
    void graniteTakesAnArrayOfCallsBehindEitherOfItsBeginnings() {
        ToolFormat granite = new GraniteFormat();
        String calls = "[{\"name\": \"f\", \"arguments\": {\"a\": 1}}, {\"name\": \"g\", \"arguments\": {}}]";
        Called[] both = {Called.whole("f", "{\"a\": 1}"), Called.whole("g", "{}")};
        calls(granite, "<|tool_call|>" + calls, both);
        calls(granite, "<tool_call>" + calls, both);
        calls(granite, "\udc00" + calls, both);
        content(granite, "<|tool_call|>f{}");
        content(granite, "<|tool_call|>[1, 2]");
    }

    @Test
    void deepSeekTakesCallsOfBothItsVersions() {
        calls(
                DEEPSEEK,
                "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n{\"a\": \"```\"}\n```"
                        + "<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>g\n```json\n{}\n```<｜tool▁call▁end｜>"
                        + "<｜tool▁calls▁end｜>",
                Called.whole("f", "{\"a\": \"```\"}"),
                Called.whole("g", "{}"));
        calls(
                DEEPSEEK,
                "\udc00\udc02f\udc04{\"a\": 1}\udc03\udc02g\udc04{}\udc03\udc01",
                Called.whole("f", "{\"a\": 1}"),
                Called.whole("g", "{}"));
    }

    @Test
    void deepSeekKeepsArgumentsThatAreNoJsonAsTheyAre() {
        Heard heard = Heard.of(
                DEEPSEEK,
                "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{a: 1} <｜tool▁call▁end｜><｜tool▁calls▁end｜>");
        assertThat(heard.calls()).containsExactly(new Called("f", "{a: 1}", End.MALFORMED));
        assertThat(heard.content()).isEmpty();
    }

    @Test
    void deepSeekTakesCallsThatAreNotClosed() {
        String calls = "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{}<｜tool▁call▁begin｜>g<｜tool▁sep｜>{}";
        Called[] both = {Called.whole("f", "{}"), Called.whole("g", "{}")};
        calls(DEEPSEEK, calls + "<｜tool▁calls▁end｜>", both);
        calls(DEEPSEEK, calls + "\n<｜tool▁call▁end｜>", both);
        calls(DEEPSEEK, "\udc00\udc02f\udc04{}\udc02g\udc04{}\udc01", both);
    }

    @ParameterizedTest
    @MethodSource("formats")
    void leavesOutAFramesEndThatTheTextEndsWithin(ToolFormat format) {
        CallFrame frame = format.frame();
        String arguments = frame.body().equals(CallFrame.Body.JSON) ? "{}" : "";
        String call = frame.open() + frame.begin() + "f" + frame.arguments().replace(CallFrame.COUNT, "3") + arguments;
        for (String end : List.of(frame.end() + frame.close(), frame.end() + frame.between())) {
            for (int length = 0; length <= end.length(); length++) {
                Heard heard = Heard.of(format, call + end.substring(0, length));
                assertThat(heard.content()).as("%d of %s", length, end).isEmpty();
                assertThat(heard.calls()).hasSize(1);
            }
        }
    }

    private static Stream<ToolFormat> formats() {
        return ToolFormat.ALL.stream().filter(format -> !format.signed());
    }

    @Test
    void deepSeekGivesBackWhatIsNoCall() {
        content(DEEPSEEK, "<｜tool▁calls▁begin｜>nothing");
        content(DEEPSEEK, "<｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\nnone");
    }
}
