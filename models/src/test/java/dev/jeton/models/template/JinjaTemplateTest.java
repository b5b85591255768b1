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
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
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
