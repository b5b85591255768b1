package dev.jeton.models.template;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.jeton.models.TemplateException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.json.JsonMapper;

/** Against what python3-jinja2 rendered; see {@code src/test/python/render_templates.py}. */
class JinjaTemplateTest {

    private static final Clock CLOCK = Clock.fixed(Instant.parse("2026-07-04T09:05:03Z"), ZoneOffset.UTC);
    private static final Map<String, String> TOKENS = Map.of("bos_token", "<s>", "eos_token", "</s>");
    private static final Path TEMPLATES =
            Path.of(System.getProperty("jeton.shared", "../../shared/data"), "chat_templates");

    /** One rendering by the oracle. */
    record Case(
            String template,
            String source,
            List<Map<String, Object>> messages,
            List<Map<String, Object>> tools,
            boolean prompt,
            String expected,
            boolean error) {
        @Override
        public String toString() {
            return template + source;
        }
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("snippets")
    void rendersSnippetsAsPythonDoes(Case wanted) {
        check(wanted, wanted.source());
    }

    @Test
    void rendersRealTemplatesAsPythonDoes() throws IOException {
        assumeTrue(Files.isDirectory(TEMPLATES), "no folder of real templates beside this checkout");
        for (Case wanted : cases()) {
            if (!wanted.template().isEmpty()) {
                check(wanted, Files.readString(TEMPLATES.resolve(wanted.template())));
            }
        }
    }

    @Test
    void coversEveryRealTemplate() throws IOException {
        assumeTrue(Files.isDirectory(TEMPLATES), "no folder of real templates beside this checkout");
        try (Stream<Path> files = Files.list(TEMPLATES)) {
            assertThat(cases().stream().map(Case::template).distinct())
                    .containsAll(files.map(f -> f.getFileName().toString()).toList());
        }
    }

    @Test
    void neverInterpretsTheTextOfMessages() {
        String rendered = template("{{ messages[0].content }}")
                .render(List.of(Map.of("content", "{{ 1 + 1 }}{% raw %}")), List.of(), false, Map.of());

        assertThat(rendered).isEqualTo("{{ 1 + 1 }}{% raw %}");
    }

    @Test
    void passesWhatTheTemplateRaisesToTheClient() {
        assertThatThrownBy(() -> render("{{ raise_exception('Only user roles!') }}"))
                .isInstanceOf(TemplateException.class)
                .hasMessage("Only user roles!");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
                "{% for a in range(99999) %}{{ 'x' * 1000 }}{% endfor %}",
                "{{ 'x' * 999999999 }}",
                "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
                "{% set ns = namespace(s='x') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
                "{% set ns = namespace(s=[1]) %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
                "{{ range(10000000) }}",
                "{{ 1 // 0 }}",
                "{{ [1][0:1:0] }}"
            })
    void cutsOffTemplateBombs(String bomb) {
        assertThatThrownBy(() -> render(bomb)).isInstanceOf(TemplateException.class);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{% if %}",
                "{% for x in y %}",
                "{{ 1 +",
                "{{ 'open }}",
                "{% include 'x' %}",
                "{{ x|unknown }}",
                "{{ x is unknown }}",
                "{# open",
                "{% endif %}",
                "{{ 1 2 }}",
                "{{ 99999999999999999999 }}"
            })
    void refusesBrokenAndUnsupportedTemplatesWhenCompiled(String source) {
        assertThatThrownBy(() -> template(source))
                .isInstanceOf(TemplateException.class)
                .hasMessageStartingWith("chat template");
    }

    @Test
    void refusesDeepNesting() {
        String deep = "{{ " + "(".repeat(5000) + "1" + ")".repeat(5000) + " }}";

        assertThatThrownBy(() -> template(deep)).isInstanceOf(TemplateException.class);
    }

    @Test
    @Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
    void splitsTextsOfManyPartsInOnePass() {
        List<Map<String, Object>> messages = List.of(Map.of("content", "x,".repeat(1 << 21)));

        String rendered = template(
                        "{% set c = messages[0].content %}{{ c.split(',')|length }} {{ c.rsplit(',')|length }}")
                .render(messages, List.of(), false, Map.of());

        assertThat(rendered).isEqualTo("2097153 2097153");
    }

    @Test
    @Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
    void rangesAndSlicesEndAtTheGreatestNumber() {
        assertThat(render("{{ range(9223372036854775800, 9223372036854775807, 5)|list }}"))
                .isEqualTo("[9223372036854775800, 9223372036854775805]");
        assertThat(render("{{ 'abc'[1::9223372036854775807] }}")).isEqualTo("b");
    }

    @ParameterizedTest
    @ValueSource(strings = {"|join('')", "|tojson", "|string", "~''", "|join(d='', attribute='x')"})
    void cutsOffTextsThatGrowTooLong(String operation) {
        String grown = "{% set ns = namespace(x=['a' * 4000000, {'x': 'a' * 4000000}]) %}"
                + "{% for i in range(12) %}{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x" + operation + " }}";

        assertThatThrownBy(() -> render(grown))
                .isInstanceOf(TemplateException.class)
                .hasMessageContaining("grew past");
    }

    @ParameterizedTest
    @ValueSource(strings = {"|tojson", "|string", "~''", "|join('')"})
    void cutsOffWhatHoldsItselfManyTimes(String operation) {
        String nested = "{% set ns = namespace(x=['a']) %}"
                + "{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x" + operation + " }}";

        assertThatThrownBy(() -> render(nested))
                .isInstanceOf(TemplateException.class)
                .hasMessageContaining("grew past");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{{ ('a' * 4000000)|replace('a', 'a' * 4000000) }}",
                "{{ ('a' * 4000000)|replace('a', 'a' * 4000000, 4000000) }}",
                "{{ ('a' * 4000000).replace('', 'a' * 4000000) }}",
                "{{ ('\n' * 4000000)|indent(200, true, true) }}"
            })
    void cutsOffWhatIsReplacedByMore(String source) {
        assertThatThrownBy(() -> render(source))
                .isInstanceOf(TemplateException.class)
                .hasMessageContaining("grew past");
    }

    @ParameterizedTest
    @Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
    @ValueSource(
            strings = {
                "messages|selectattr('role', 'equalto', 'tool')|list|length",
                "(text|upper)[0]",
                "text.strip('b')[0]",
                "'b' in text",
                "messages[::-1]|length",
                "{'role': 'tool'} in messages"
            })
    void countsWhatGoesOverMuchInEachTurnOfALoop(String expression) {
        List<Map<String, Object>> messages = Collections.nCopies(50_000, Map.of("role", "user", "content", "Hi"));
        String source = "{% set text = 'a' * 4000000 %}{% for m in messages %}{{ " + expression + " }}{% endfor %}";

        assertThatThrownBy(() -> template(source).render(messages, List.of(), false, Map.of()))
                .isInstanceOf(TemplateException.class)
                .hasMessageContaining("steps");
    }

    @ParameterizedTest
    @ValueSource(strings = {"{{ strftime_now() }}", "{{ (1e308 * 10)|round }}", "{{ range() }}", "{{ 'a'|map() }}"})
    void saysOfWrongArgumentsThatTheTemplateIsWrong(String source) {
        assertThatThrownBy(() -> render(source)).isInstanceOf(TemplateException.class);
    }

    @Test
    void takesWhiteSpaceAsPythonDoes() {
        List<Map<String, Object>> messages = List.of(Map.of("content", "\u00a0\u2007 a\u202fb \u0085\u00a0"));

        String rendered = template("{% set c = messages[0].content %}"
                        + "[{{ c|trim }}][{{ c.strip() }}][{{ c.lstrip().rstrip() }}][{{ c.split() }}]"
                        + "[{{ '\u00a0'.isspace() }}]")
                .render(messages, List.of(), false, Map.of());

        assertThat(rendered).isEqualTo("[a\u202fb][a\u202fb][a\u202fb][['a', 'b']][True]");
    }

    @Test
    void formatsTextsAsPythonDoes() {
        assertThat(render("{{ '%s is %d%%, %s' | format('a', 5, [1, 'b']) }}")).isEqualTo("a is 5%, [1, 'b']");
        for (String wrong : List.of("'%s' | format", "'%s' | format(1, 2)", "'%x' | format(1)", "'%' | format(1)")) {
            assertThatThrownBy(() -> render("{{ " + wrong + " }}"))
                    .as(wrong)
                    .isInstanceOf(TemplateException.class)
                    .hasMessageContaining("chat template");
        }
    }

    @Test
    void tellsTheTimeOfTheInjectedClock() {
        assertThat(render("{{ strftime_now('%d %b %Y %H:%M %-d') }}")).isEqualTo("04 Jul 2026 09:05 4");
    }

    @Test
    void seesVariablesOfTheRequest() {
        String rendered = template("{{ enable_thinking is defined and not enable_thinking }}")
                .render(List.of(), List.of(), false, Map.of("enable_thinking", false));

        assertThat(rendered).isEqualTo("True");
    }

    private static void check(Case wanted, String source) {
        if (wanted.error()) {
            assertThatThrownBy(() -> render(wanted, source))
                    .as(wanted.toString())
                    .isInstanceOf(TemplateException.class);
        } else {
            assertThat(render(wanted, source)).as(wanted.toString()).isEqualTo(wanted.expected());
        }
    }

    private static String render(Case wanted, String source) {
        return template(source).render(wanted.messages(), wanted.tools(), wanted.prompt(), Map.of());
    }

    private static String render(String source) {
        return template(source).render(List.of(), List.of(), false, Map.of());
    }

    private static JinjaTemplate template(String source) {
        return new JinjaTemplate(source, TOKENS, CLOCK);
    }

    static Stream<Case> snippets() throws IOException {
        return cases().stream().filter(c -> c.template().isEmpty());
    }

    @SuppressWarnings("unchecked")
    private static List<Case> cases() throws IOException {
        try (InputStream in = JinjaTemplateTest.class.getResourceAsStream("/templates/golden.json")) {
            List<Case> cases = new ArrayList<>();
            for (Object entry : JsonMapper.shared().readValue(in, List.class)) {
                Map<String, Object> c = (Map<String, Object>) entry;
                cases.add(new Case(
                        (String) c.get("template"),
                        (String) c.get("source"),
                        (List<Map<String, Object>>) c.get("messages"),
                        (List<Map<String, Object>>) c.get("tools"),
                        (Boolean) c.get("add_generation_prompt"),
                        (String) c.getOrDefault("expected", ""),
                        c.containsKey("error")));
            }
            return cases;
        }
    }
}
