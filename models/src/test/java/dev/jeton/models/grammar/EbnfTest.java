package dev.jeton.models.grammar;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.models.engine.TokenGrammar.Cursor;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Grammars in EBNF: which texts they take, and what of them is refused. */
class EbnfTest {

    private static final GuidedTexts TEXTS = GuidedTexts.of(new Random(1), false);

    private static Grammar grammar(String text) {
        return Grammar.compile(new GrammarSpec.Ebnf(text), TEXTS.vocabulary(), false);
    }

    private static void takes(String grammar, List<String> these, List<String> notThese) {
        Grammar compiled = grammar(grammar);
        Random random = new Random(2);
        assertThat(these).allMatch(text -> TEXTS.allows(compiled, text, random));
        assertThat(notThese).noneMatch(text -> TEXTS.allows(compiled, text, random));
    }

    private static void refuses(String grammar, String... said) {
        assertThatThrownBy(() -> grammar(grammar))
                .isInstanceOf(GrammarException.class)
                .hasMessageContainingAll(said);
    }

    // ---- what it may say ----

    @Test
    void shouldTakeAlternativesGroupsAndQuantifiers() {
        takes(
                "root ::= \"a\" (\"b\" | \"c\" \"d\")* \"e\"? \"f\"+",
                List.of("af", "abf", "acdbeff"),
                List.of("a", "acf", "aeef", "f"));
    }

    @Test
    void shouldCount() {
        takes(
                "root ::= \"a\"{2} \"b\"{1,3} \"c\"{ 0 , 1 } \"d\"{2,}",
                List.of("aabdd", "aabbbcdddd"), List.of("abdd", "aaabdd", "aabbbbdd", "aabccdd", "aabd"));
    }

    @Test
    void shouldCountWhatRecurs() {
        takes(
                "root ::= list{2,3} list{0,1} end{1,}\nlist ::= \"(\" list* \")\"\nend ::= \".\" | \"[\" end \"]\"",
                List.of("()().", "(())()()().[[.]]"),
                List.of("().", "()()()()().", "()()"));
    }

    @Test
    void shouldTakeClassesOfCharacters() {
        takes(
                "root ::= [a-cx] [^a-c] [-+] [+-] [\\]\\-\\\\^]",
                List.of("ax-+]", "x日+--", "bd-+\\", "ad-+^"),
                List.of("dx-+]", "aa-+]", "ax*+]"));
    }

    @Test
    void shouldTakeAnyCharacterForADot() {
        takes("root ::= .", List.of("a", "日", "😀", "\n"), List.of("", "ab"));
    }

    @Test
    void shouldReadEscapes() {
        takes(
                "root ::= \"\\n\\t\\r\\\\\\\"\\x41\\u00e9\\U0001F600\" [\\x30-\\x39\\u4e00\\U0001F601]",
                List.of("\n\t\r\\\"Aé😀5", "\n\t\r\\\"Aé😀一", "\n\t\r\\\"Aé😀😁"),
                List.of("\n\t\r\\\"Aé😀x"));
    }

    @Test
    void shouldTakePairsOfSurrogatesForOneCharacter() {
        takes("root ::= \"\\ud83d\\ude00\" [\\uD83D\\uDE01]", List.of("😀😁"), List.of("😀😀"));
    }

    @Test
    void shouldPassOverCommentsAndEndsOfLines() {
        takes(
                "# what it is\n\nroot ::= ( # in a group\n  \"a#\"\n\n  tail # and\n)\r\n\ttail ::=\n  \"b\" |\n  \"c\" # last\n  | \"d\"",
                List.of("a#b", "a#c", "a#d"),
                List.of("a#", "a#bc"));
    }

    @Test
    void shouldTakeNamesWithDashesDigitsUnderscoresAndDots() {
        takes(
                "root ::= a-1 b_2 c.d 3 .\na-1 ::= \"a\"\nb_2::=\"b\"\nc.d ::= \"c\"\n3 ::= \"3\"",
                List.of("abc3!"),
                List.of("abc3"));
    }

    @Test
    void shouldTakeEmptyAlternatives() {
        takes(
                "root ::= \"a\" b c () d\nb ::= | \"b\"\nc ::= \"c\" |\nd ::= \"d\" | \"\"",
                List.of("a", "ab", "acd"),
                List.of("b"));
    }

    @Test
    void shouldFollowRecursion() {
        takes(
                "root ::= \"(\" root \")\" root | \"[\" [a-z]* \"]\" | \"\"",
                List.of("", "()", "(())()", "(([ab]))[]"),
                List.of("(", "())", "([)]", ")("));
    }

    @Test
    void shouldTakeNoMemoryForRecursionAtTheEnd() {
        Grammar grammar = grammar("root ::= item root | \"b\" \"yes\"\nitem ::= \"a\" item \"c\" | \"x\"");
        Cursor cursor = grammar.begin();
        TEXTS.allowed(cursor);
        long bytes = grammar.bytes();
        for (int i = 0; i < 3_000; i++) {
            assertThat(cursor.accept(1 + 'x')).isTrue();
            TEXTS.allowed(cursor);
        }
        assertThat(grammar.bytes()).isLessThan(bytes + 20_000);
    }

    @Test
    void shouldFollowRulesThatBeginWithThemselves() {
        takes(
                "root ::= sum\nsum ::= sum [+-] product | product\nproduct ::= product \"*\" atom | atom\natom ::= [0-9]+ | \"(\" sum \")\"",
                List.of("1", "1+2*3", "(1-2)*(3+4)-5", "((1))"),
                List.of("", "+1", "1+", "1**2", "(1"));
    }

    @Test
    void shouldFollowRulesThatBeginWithOneAnother() {
        takes(
                "root ::= call | name\ncall ::= member \"()\"\nmember ::= root \".\" name\nname ::= [a-z]+",
                List.of("a", "a.b()", "a.b().cd()"),
                List.of("a()", "a.b", "a.b()()", ".a()"));
    }

    @Test
    void shouldFollowRulesThatBeginWithThemselvesBehindWhatMayBeEmpty() {
        takes(
                "root ::= space root \"x\" | root root | \"y\"\nspace ::= \" \"*",
                List.of("y", "yx", "  yxx", " y yxx"),
                List.of("", "x", " "));
    }

    @Test
    void shouldPassOverRulesThatAreNotUsed() {
        takes("root ::= \"a\"\nother ::= \"b\" other", List.of("a"), List.of("b"));
    }

    @Test
    void shouldTakeThousandsOfWords() {
        String words =
                IntStream.range(0, 6_000).mapToObj(i -> "\"w" + 7 * i + "\"").collect(Collectors.joining(" | "));
        takes("root ::= " + words, List.of("w7", "w41993"), List.of("w8", "w"));
    }

    @Test
    void shouldFollowWhatHasNoSmallAutomaton() {
        takes("root ::= [ab]* \"a\" [ab]{30}", List.of("ba" + "b".repeat(30)), List.of("bb" + "b".repeat(30)));
    }

    @Test
    void shouldAllowTheSpaceThatADecoderTakesAway() {
        Random random = new Random(5);
        GuidedTexts stripping = GuidedTexts.of(random, true);
        Grammar word = Grammar.compile(new GrammarSpec.Ebnf("root ::= \"yes\""), stripping.vocabulary(), false);
        assertThat(stripping.allows(word, " yes", random)).isTrue();
        assertThat(stripping.allows(word, "yes", random)).isTrue();
        assertThat(stripping.allows(word, "  yes", random)).isFalse();
        Grammar spaced = Grammar.compile(
                new GrammarSpec.Ebnf("root ::= rest\nrest ::= \" \" rest | \"yes\""), stripping.vocabulary(), false);
        assertThat(stripping.allows(spaced, "  yes", random)).isTrue();
        assertThat(stripping.allows(spaced, " yes", random)).isTrue();
        assertThat(stripping.allows(spaced, "yes", random)).isFalse();
    }

    @Test
    void shouldLetAStringsCharactersComeInOneToken() {
        Grammar grammar =
                grammar("root ::= value\nvalue ::= \"[\" value \"]\" | string\nstring ::= \"\\\"\" char* \"\\\"\"\n"
                        + "char ::= [^\"\\\\] | \"\\\\\" [\"\\\\n]");
        Cursor cursor = grammar.begin();
        assertThat(cursor.accept(1 + '[')).isTrue();
        assertThat(cursor.accept(1 + '"')).isTrue();
        assertThat(cursor.accept(1 + 'a')).isTrue();
        TEXTS.allowed(cursor);
        long steps = grammar.steps();
        for (int i = 0; i < 50; i++) {
            assertThat(cursor.accept(1 + 'a')).isTrue();
            TEXTS.allowed(cursor);
        }
        assertThat(grammar.steps()).as("the vocabulary is looked at once").isEqualTo(steps);
    }

    // ---- what it may not ----

    @ParameterizedTest
    @CsvSource(delimiter = '~', quoteCharacter = '`', textBlock = """
                    hello                              ~ a rule is expected
                    root ::= "a                        ~ a text is not closed (at line 1, character 10 of the grammar)
                    root ::= [a                        ~ a class of characters is not closed (at line 1, character 10 of the grammar)
                    root ::= []                        ~ is empty
                    root ::= [b-a]                     ~ from one character to a later one
                    root ::= ("a"                      ~ a group is not closed (at line 1, character 10 of the grammar)
                    root ::= "a")                      ~ ')' is not expected here (at line 1, character 13 of the grammar)
                    root ::= "a" ]                     ~ ']' is not expected here
                    root ::= * "a"                     ~ nothing can be repeated before '*'
                    root ::= "a"+?                     ~ '?' follows a quantifier
                    root ::= "a"{2,1}                  ~ 2 times at least and 1 at most
                    root ::= "a"{5001}                 ~ counts to 5000 at most
                    root ::= "a"{,3}                   ~ a number is expected
                    root ::= "a"{3                     ~ {n}, {n,} or {n,m}
                    root ::= "\\q"                      ~ '\\q' is no escape
                    root ::= "\\x4"                     ~ 2 hexadecimal digits
                    root ::= "\\ud800"                  ~ a surrogate is alone
                    root ::= "\\U00110000"              ~ no character
                    root ::= 'a'                       ~ double quotation marks
                    root ::= <think>                   ~ tokens are not supported
                    root ::= "a" (= "b")               ~ look-ahead is not supported
                    root ::= "a" b ::= "c"             ~ a line of its own
                    main ::= "a"                       ~ no rule 'root'
                    root ::= ""                        ~ only the empty text
                    """)
    void shouldSayWhatIsWrongAndWhere(String grammar, String said) {
        refuses(grammar, said);
    }

    @Test
    void shouldNameARuleThatIsNotDefined() {
        refuses("root ::= \"a\"\n| more", "the rule 'more' is not defined (at line 2, character 3 of the grammar)");
    }

    @Test
    void shouldNameARuleThatIsDefinedTwice() {
        refuses(
                "root ::= \"a\"\nb ::= \"b\"\nroot ::= \"c\"",
                "the rule 'root' is defined twice",
                "line 3, character 1");
    }

    @Test
    void shouldNameRulesThatNeverEnd() {
        refuses("root ::= \"a\" | b\nb ::= \"b\" c\nc ::= \"c\" b | [x] c", "'b', 'c' ever ends");
    }

    @Test
    void shouldRefuseGroupsThatAreTooDeep() {
        refuses("root ::= " + "(".repeat(200) + "\"a\"" + ")".repeat(200), "nested deeper than 100");
    }

    @Test
    void shouldRefuseWhatBecomesTooLarge() {
        refuses(
                "root ::= a{5000}\na ::= b{5000} | \"x\"\nb ::= \"(\" a \")\" | c{5000}\nc ::= \"[\" b \"]\" d{4000} | \"c\"\n"
                        + IntStream.range(0, 40)
                                .mapToObj(i -> "d%s ::= \"%d\" root | e{5000}\n".formatted(i == 0 ? "" : i, i))
                                .collect(Collectors.joining())
                        + "e ::= root "
                        + IntStream.range(1, 40).mapToObj(i -> "d" + i).collect(Collectors.joining(" ")),
                "automaton of more than");
    }

    @Test
    void shouldRefuseTooManyRulesThatBeginWithOneAnother() {
        int rules = 101;
        String text = IntStream.range(0, rules)
                .mapToObj(i -> "r%d ::= r%d \"x\" | \"a\"\n".formatted(i, (i + 1) % rules))
                .collect(Collectors.joining());
        refuses("root ::= r0\n" + text, "101 rules begin with one another ('r0', 'r1'", "at most 100 may");
    }

    @Test
    void shouldRefuseWhatTakesTooLong() {
        refuses("root ::= " + "\"a\"? ".repeat(20_000) + "root \"z\" | \"y\"", "takes too long");
    }

    @Test
    void shouldFollowRulesThatAreEachTwoOfTheNext() {
        String rules = IntStream.range(0, 1_000)
                .mapToObj(i -> "r%d ::= r%d r%d\n".formatted(i, i + 1, i + 1))
                .collect(Collectors.joining());
        Grammar grammar = grammar("root ::= r0\n" + rules + "r1000 ::= \"a\"");
        Cursor cursor = grammar.begin();
        for (int i = 0; i < 100; i++) {
            assertThat(cursor.accept(1 + 'a')).isTrue();
            assertThat(cursor.mayEnd()).isFalse();
        }
    }

    @Test
    void shouldFollowLongChainsOfRules() {
        takes("root ::= r0\n" + chain(1_000, "\"\""), List.of("a"), List.of("b", ""));
        takes("root ::= r0\n" + chain(300, "root?"), List.of("a", "aa"), List.of("b", ""));
    }

    @Test
    void shouldRefuseChainsOfRulesThatAreTooLong() {
        refuses("root ::= r0\n" + chain(9_000, "root?"), "ways to begin");
        refuses(
                "root ::= r0\n" + chain(9_990, "\"\"")
                        + IntStream.range(0, 20)
                                .mapToObj(i -> "s%d ::= [s]\n".formatted(i))
                                .collect(Collectors.joining()),
                "more than 10000 rules");
    }

    /** So many rules, each of the next and something. */
    private static String chain(int rules, String with) {
        return IntStream.range(0, rules)
                        .mapToObj(i -> "r%d ::= r%d %s\n".formatted(i, i + 1, with))
                        .collect(Collectors.joining())
                + "r" + rules + " ::= \"a\"\n";
    }

    // ---- Lark ----

    @Test
    void shouldReadLark() {
        takes("""
                // a calculator
                ?start: sum          # what it is
                ?sum: product
                    | sum "+" product   -> add
                    | sum '-' product   -> sub
                ?product.2: atom
                    | product "*" atom  -> mul
                atom: NUMBER | "(" sum ")" | ["~"] NAME~1..2
                NUMBER: /[0-9]+(\\/[0-9]+)?/
                NAME: "a".."c" | "x"i
                """, List.of("1", "1/2+3*a", "(ab-~X)*x"), List.of("", "1+", "abc", "d", "1 + 2"));
    }

    @Test
    void shouldBeginLarkWithTheFirstRuleWhereNoneIsNamedStart() {
        takes("a: b 'x'\nb: 'y'", List.of("yx"), List.of("y"));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '~', quoteCharacter = '`', textBlock = """
                    start: "a" %ignore " "       ~ directives are not supported
                    start: WORD                  ~ 'WORD' is not defined
                    start: /[a-z]+/i             ~ flags
                    start: /^a/                  ~ '^' and '$'
                    start: /a                    ~ not closed
                    start: /(a/                  ~ a group is not closed
                    start: "a".."bc"             ~ from one character to a later one
                    start: list{"a"}             ~ templates
                    """)
    void shouldSayWhatOfLarkIsNotSupported(String grammar, String said) {
        refuses(grammar, said);
    }

    @Test
    void shouldRefuseDirectivesOfLark() {
        refuses("start: WORD\n%import common.WORD", "directives are not supported", "line 2");
    }
}
