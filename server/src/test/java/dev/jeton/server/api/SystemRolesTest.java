package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.template.JinjaTemplate;
import java.time.Clock;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class SystemRolesTest {

    private static SystemRoles of(String template) {
        return SystemRoles.of(new JinjaTemplate(template, Map.of(), Clock.systemUTC()));
    }

    @Test
    void knowsDevelopersWhereTheTemplateHasAPlaceForThem() {
        assertThat(of("{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"))
                .isEqualTo(SystemRoles.USUAL);
        assertThat(of("{% for m in messages %}{% if m.role == 'developer' %}#{% endif %}{{ m.content }}{% endfor %}")
                        .developer())
                .isTrue();
    }

    @Test
    void learnsThatOnlyTheFirstMessageIsShown() {
        String template = "{% if messages[0].role == 'system' %}{{ messages[0].content }}{% endif %}"
                + "{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}{% endif %}{% endfor %}";
        assertThat(of(template).onlyFirst()).isTrue();
        assertThat(of("{% if messages[1].role == 'system' %}{{ raise_exception('two') }}{% endif %}")
                        .onlyFirst())
                .isFalse();
    }

    @Test
    void leavesMessagesAsTheyAreWhereNoneIsLost() {
        List<Map<String, Object>> messages = List.of(
                Map.of("role", "system", "content", "a"),
                Map.of("role", "system", "content", "b"),
                Map.of("role", "user", "content", "c"));
        assertThat(SystemRoles.USUAL.fit(List.copyOf(messages))).isEqualTo(messages);
        assertThat(new SystemRoles(true, true).fit(List.copyOf(messages)))
                .isEqualTo(
                        List.of(Map.of("role", "system", "content", "a\n\nb"), Map.of("role", "user", "content", "c")));
    }
}
