package dev.jeton.models.grammar;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.models.tools.CallFrame;
import dev.jeton.models.tools.PythonicFormat;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Arguments that a model writes one by one, and not as JSON. */
class ParameterRulesTest {

    private static final CallFrame FRAME =
            new CallFrame("", "<call>", ":", new CallFrame.Body.Parameters("<p ", ">", "</p>\n"), "</call>", "", "");

    private static Grammar grammar(String schema) {
        return grammar(FRAME, schema);
    }

    private static Grammar grammar(CallFrame frame, String schema) {
        GrammarSpec.Function function = new GrammarSpec.Function(
                "f", Objects.requireNonNull(GuidedTexts.json(schema.replace('\'', '"'))), true);
        return Grammar.compile(
                new GrammarSpec.Calls(frame, List.of(), List.of(function), true, Optional.empty()),
                TEXTS.vocabulary(),
                false);
    }

    private static final GuidedTexts TEXTS = GuidedTexts.of(new Random(7), false);

    private static boolean allows(String schema, String arguments) {
        return TEXTS.allows(grammar(schema), "<call>f:" + arguments + "</call>", new Random(arguments.hashCode()));
    }

    private static String schema(String properties, String required) {
        return "{'type':'object','properties':{" + properties + "},'required':[" + required + "]}";
    }

    private static boolean value(String schema, String value) {
        return allows(schema("'a':" + schema, "'a'"), "<p a>" + value + "</p>\n");
    }

    @Test
    void takesStringsAsTheyAreAndAnythingElseAsJson() {
        String schema = schema("'s':{'type':'string'},'n':{'type':'integer'},'l':{'type':'array'}", "'s','n','l'");
        assertThat(allows(schema, "<p s>say \"hi\"\n <b>\\</p>\n<p n>5</p>\n<p l>[1, \"a\"]</p>\n"))
                .isTrue();
        assertThat(allows(schema, "<p s>x</p>\n<p n>five</p>\n<p l>[]</p>\n")).isFalse();
        assertThat(allows(schema, "<p s>x</p>\n<p n>5</p>\n<p l>none</p>\n")).isFalse();
    }

    @Test
    void leavesOutOnlyWhatIsNotRequiredAndKeepsTheOrder() {
        String schema = schema("'a':{'type':'string'},'b':{'type':'string'},'c':{'type':'string'}", "'b'");
        assertThat(allows(schema, "<p b>x</p>\n")).isTrue();
        assertThat(allows(schema, "<p a>x</p>\n<p b>x</p>\n<p c>x</p>\n")).isTrue();
        assertThat(allows(schema, "<p a>x</p>\n")).isFalse();
        assertThat(allows(schema, "<p b>x</p>\n<p a>x</p>\n")).isFalse();
        assertThat(allows(schema, "<p b>x</p>\n<p b>x</p>\n")).isFalse();
    }

    @Test
    void takesNoArgumentsWhereThereAreNone() {
        String none = "{'type':'object','properties':{},'additionalProperties':false}";
        assertThat(allows(none, "")).isTrue();
        assertThat(allows(none, "<p a>x</p>\n")).isFalse();
    }

    @Test
    void takesNamesThatTheSchemaDoesNotNameWhereTextsMayStandUnderThem() {
        assertThat(allows("{'type':'object'}", "<p any.name-1>x</p>\n<p b>{}</p>\n"))
                .isTrue();
        assertThat(allows("{'type':'object','additionalProperties':{'type':'string'}}", "<p a>x</p>\n"))
                .isTrue();
        assertThat(allows("{'type':'object','additionalProperties':{'type':'integer'}}", "<p a>5</p>\n"))
                .isFalse();
        String named = "{'type':'object','properties':{'a':{'type':'integer'}},'additionalProperties':true}";
        assertThat(allows(named, "<p a>5</p>\n<p b>x</p>\n")).isTrue();
        assertThat(allows(named, "<p b>x</p>\n<p a>x</p>\n")).isFalse();
    }

    @Test
    void holdsTextsToWhatIsSaidOfThem() {
        assertThat(value("{'type':'string','enum':['red','dark blue']}", "dark blue"))
                .isTrue();
        assertThat(value("{'type':'string','enum':['red','dark blue']}", "\"red\""))
                .isFalse();
        assertThat(value("{'type':'string','pattern':'^[a-c]+$'}", "abc")).isTrue();
        assertThat(value("{'type':'string','pattern':'^[a-c]+$'}", "abd")).isFalse();
        assertThat(value("{'type':'string','minLength':2,'maxLength':3}", "ab\u00e9"))
                .isTrue();
        assertThat(value("{'type':'string','minLength':2,'maxLength':3}", "a")).isFalse();
        assertThat(value("{'type':'string','minLength':2,'maxLength':3}", "abcd"))
                .isFalse();
        assertThat(value("{'type':'string','maxLength':3000}", "a</p")).isFalse();
        assertThat(value("{'type':'string','maxLength':3000}", "a<b>")).isTrue();
        assertThat(value("{'type':'string','format':'date'}", "2024-02-29")).isTrue();
        assertThat(value("{'type':'string','format':'date'}", "2023-02-29")).isFalse();
        assertThat(value("{'const':'x'}", "x")).isTrue();
        assertThat(value("{'const':'x'}", "y")).isFalse();
    }

    @Test
    void takesNullForNoText() {
        String maybe = "{'anyOf':[{'type':'string','enum':['a']},{'type':'null'}]}";
        assertThat(value(maybe, "a")).isTrue();
        assertThat(value(maybe, "null")).isTrue();
        assertThat(value(maybe, "b")).isFalse();
        assertThat(value("{'type':['string','null'],'maxLength':2}", "null")).isTrue();
        assertThat(value("{'enum':['a',null]}", "null")).isTrue();
        assertThat(value("{'enum':['a']}", "null")).isFalse();
    }

    @Test
    void takesATextWhereAStringMayStandBesideAnythingElse() {
        String either = "{'anyOf':[{'type':'string','pattern':'^[a-z]$'},{'type':'integer'}]}";
        assertThat(value(either, "x")).isTrue();
        assertThat(value(either, "5")).isFalse();
    }

    @Test
    void followsReferences() {
        String schema = "{'type':'object','properties':{'a':{'$ref':'#/$defs/c'},'b':{'$ref':'#/$defs/n'}},"
                + "'required':['a','b'],'$defs':{'c':{'type':'string','enum':['x']},"
                + "'n':{'type':'object','properties':{'n':{'$ref':'#/$defs/n'}}}}}";
        assertThat(allows(schema, "<p a>x</p>\n<p b>{\"n\": {}}</p>\n")).isTrue();
        assertThat(allows(schema, "<p a>\"x\"</p>\n<p b>{}</p>\n")).isFalse();
    }

    @Test
    void writesTheMarkOfAValuesEndInNoValue() {
        assertThat(value("{'type':'string'}", "a</p")).isTrue();
        assertThat(value("{'type':'string'}", "a</p>b")).isFalse();
        String list = "{'type':'array','items':{'type':'string'}}";
        assertThat(value(list, "[\"a</p\"]")).isTrue();
        assertThat(value(list, "[\"a</p>\"]")).isFalse();
        assertThat(value("{'type':'array'}", "[\"</p>\"]")).isFalse();
        assertThat(value("{'type':'array','items':{'type':'string','maxLength':9}}", "[\"</p>\"]"))
                .isFalse();
        assertThat(value("{'type':'array','items':{'enum':['</p>','b']}}", "[\"</p>\"]"))
                .isFalse();
        assertThat(value("{'type':'array','items':{'enum':[['</p>'],'b']}}", "[[\"</p>\"]]"))
                .isFalse();
        assertThat(value("{'type':'array','items':{'enum':[['</p>'],'b']}}", "[\"b\"]"))
                .isTrue();
        assertThat(value("{'type':'object'}", "{\"</p>\": 1}")).isFalse();
        assertThat(value("{'type':'object','properties':{'</p>':{}}}", "{\"</p>\": 1}"))
                .isFalse();
    }

    @Test
    void takesAnythingWhereTheSchemaSaysNothing() {
        assertThat(value("{}", "a \"b\n")).isTrue();
        assertThat(value("{'description':'what it is'}", "{\"a\": [")).isTrue();
        assertThat(value("true", "5")).isTrue();
    }

    @Test
    void takesEachAlternativeOfAllArguments() {
        String schema = "{'type':'object','anyOf':[" + schema("'a':{'type':'integer'}", "'a'") + ","
                + schema("'b':{'type':'string'}", "'b'") + "]}";
        assertThat(allows(schema, "<p a>5</p>\n")).isTrue();
        assertThat(allows(schema, "<p b>x</p>\n")).isTrue();
        assertThat(allows(schema, "<p a>5</p>\n<p b>x</p>\n")).isFalse();
    }

    private static final CallFrame PYTHON =
            new CallFrame("[", "", "(", new CallFrame.Body.Keywords(true), ")", ", ", "]");

    private static boolean allowsKeywords(String schema, String calls) {
        return TEXTS.allows(grammar(PYTHON, schema), calls, new Random(calls.hashCode()));
    }

    @Test
    void writesKeywordsWithJsonsWordsWhereTheModelDoes() {
        CallFrame frame = new PythonicFormat(PythonicFormat.Version.OLMO3).frame();
        Grammar grammar = grammar(frame, schema("'b':{'type':['boolean','null']},'c':{'type':'array'}", "'b'"));
        Random random = new Random(3);
        assertThat(TEXTS.allows(grammar, "<function_calls>f(b=true, c=[null])</function_calls>", random))
                .isTrue();
        assertThat(TEXTS.allows(grammar, "<function_calls>f(b=True)</function_calls>", random))
                .isFalse();
    }

    @Test
    void writesKeywordsWithCommasBetweenAndPythonsWords() {
        String schema = schema(
                "'a':{'type':'string','enum':['x']},'b':{'type':['boolean','null']},'c':{'type':'array'}", "'b'");
        assertThat(allowsKeywords(schema, "[f(a=\"x\", b=True, c=[None, False, {\"k\": 1}])]"))
                .isTrue();
        assertThat(allowsKeywords(schema, "[f(b=None)]")).isTrue();
        assertThat(allowsKeywords(schema, "[f(b=None, c=[])]")).isTrue();
        assertThat(allowsKeywords(schema, "[f(a=\"x\")]")).isFalse();
        assertThat(allowsKeywords(schema, "[f(, b=True)]")).isFalse();
        assertThat(allowsKeywords(schema, "[f(b=True, )]")).isFalse();
        assertThat(allowsKeywords(schema, "[f(b=true)]")).isFalse();
        assertThat(allowsKeywords(schema, "[f(a=x, b=True)]")).isFalse();
        assertThat(allowsKeywords("{'type':'object','properties':{},'additionalProperties':false}", "[f()]"))
                .isTrue();
        assertThat(allowsKeywords("{'type':'object'}", "[f(a=1, b=\"x\")]")).isTrue();
        assertThat(allowsKeywords("{'type':'object','additionalProperties':{'type':'integer'}}", "[f(a=1)]"))
                .isTrue();
        assertThat(allowsKeywords("{'type':'object','additionalProperties':{'type':'integer'}}", "[f(a=\"x\")]"))
                .isFalse();
        assertThatThrownBy(() -> grammar(PYTHON, schema("'$a':{'type':'string'}", "")))
                .isInstanceOf(GrammarException.class)
                .hasMessageContaining("'$a' cannot be written");
    }

    @Test
    void refusesWhatCannotBeWrittenOrEnforced() {
        assertThatThrownBy(() -> grammar(schema("'a b':{'type':'string'}", "")))
                .isInstanceOf(GrammarException.class)
                .hasMessageContaining("'a b' cannot be written");
        assertThatThrownBy(() -> grammar(schema("'a':{'type':'string','not':{'const':'x'}}", "")))
                .isInstanceOf(GrammarException.class)
                .hasMessageContaining("'not' cannot be enforced");
        assertThatThrownBy(() -> grammar("{'type':'object','minProperties':1}"))
                .isInstanceOf(GrammarException.class)
                .hasMessageContaining("cannot be enforced");
        assertThatThrownBy(() -> grammar("{'enum':[{'a':1}]}"))
                .isInstanceOf(GrammarException.class)
                .hasMessageContaining("arguments are an object");
    }
}
