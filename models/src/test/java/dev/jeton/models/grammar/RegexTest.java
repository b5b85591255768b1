package dev.jeton.models.grammar;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Random;
import java.util.regex.Pattern;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Against java.util.regex, on texts of the letters that the expressions are about. */
class RegexTest {

    private static final int[] LETTERS = "aabbcxyz019_- \n.é日😀A".codePoints().toArray();

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "a",
                "ab|c",
                "a*",
                "a+b?",
                "(ab)*c",
                "(?:a|bc){2,3}",
                "[a-c]+",
                "[^a-c]",
                "\\d+",
                "\\w*",
                "\\s",
                "\\S\\D\\W",
                ".",
                "a.c",
                "^a",
                "a$",
                "^a|b$",
                "^$",
                "(a|^)b",
                "(^a|b)$|c",
                "[\\d_-]+",
                "[-a]",
                "[a\\]]",
                "a{2}",
                "a{2,}",
                "a{0}",
                "(?<name>a)b",
                "a+?b*?c??",
                "\\u0061",
                "\\x62",
                "\\u{1F600}",
                "\\p{L}+",
                "\\p{Lu}",
                "\\P{L}",
                "\\.",
                "😀+",
                "[日é]",
                "(a|b)*a(a|b)",
                "x*y*z*",
                "^(?!a)(?!.*\\.\\.)([a-z.]*)[abc]$",
                "^(?!^[-b]*$)-?0*\\w*",
                "^(?=.*\\d)(?=a|b)",
                "^(?!(?:ab|c)$)"
            })
    void shouldMatchWhatJavaMatches(String pattern) {
        String java = pattern.replace("\\u{1F600}", "\\x{1F600}");
        // Java's end of a line before the last newline is no end here
        Pattern within = Pattern.compile(java.replace("$", "\\z"));
        // Java's dot leaves out U+0085, which is not among the letters
        TextAutomaton found = Regex.texts(pattern, false);
        TextAutomaton whole = Regex.texts(pattern, true);
        Random random = new Random(11);
        for (int i = 0; i < 3_000; i++) {
            StringBuilder text = new StringBuilder();
            for (int left = random.nextInt(6); left > 0; left--) {
                text.appendCodePoint(LETTERS[random.nextInt(LETTERS.length)]);
            }
            assertThat(found.accepts(text.toString()))
                    .as("'%s' within '%s'", pattern, text)
                    .isEqualTo(within.matcher(text).find());
            assertThat(whole.accepts(text.toString()))
                    .as("'%s' is '%s'", pattern, text)
                    .isEqualTo(within.matcher(text).matches());
        }
    }

    @ParameterizedTest
    @CsvSource({"[ab]+(c[ab]+)*,2", "a|b|ab,3", "(a|b)*abb,4", "a*,1", "(abc|dbc|ebc)*,3", "a{3}|b{3},6", "(?!),0"})
    void shouldMakeOneOfStatesThatGoOnAlike(String pattern, int states) {
        TextAutomaton texts = Regex.texts("^" + pattern, true);
        TextAutomaton reduced = texts.reduced();
        assertThat(reduced.useful().cardinality()).isEqualTo(states);
        Random random = new Random(11);
        for (int i = 0; i < 1_000; i++) {
            String text = random.ints(random.nextInt(7), 'a', 'f')
                    .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
                    .toString();
            assertThat(reduced.accepts(text)).as(text).isEqualTo(texts.accepts(text));
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '~',
            quoteCharacter = '`',
            value = {
                "(a~a group is not closed",
                "a)~closes nothing",
                "a**~nothing can be repeated",
                "*a~nothing can be repeated",
                "^*~nothing can be repeated",
                "(?=a)~look-around",
                "a(?=a)~look-around",
                "^(?!a)b|c~put what follows into a group",
                "^(?!a~a group is not closed",
                "(?<!a)~look-around",
                "(?i)a~flags are not supported",
                "\\1~'\\1' is not supported",
                "\\bword~word boundaries",
                "[b-a]~a range goes",
                "a{3,2}~a quantifier is",
                "a{~a quantifier is",
                "a{9999}~counts to 5000",
                "\\p{Nonsense}~'Nonsense' is not known",
                "[a~it ends too early",
                "\\~it ends too early",
                "((a{4000}){4000}){4000}~more than"
            })
    void shouldSayWhatOfAnExpressionIsNotSupported(String pattern, String message) {
        assertThatThrownBy(() -> Regex.texts(pattern, false))
                .isInstanceOf(GrammarException.class)
                .hasMessageContaining(message);
    }
}
