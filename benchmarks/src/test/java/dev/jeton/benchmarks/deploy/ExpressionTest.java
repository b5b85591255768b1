package dev.jeton.benchmarks.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.benchmarks.deploy.Expression.Matcher;
import dev.jeton.benchmarks.deploy.Expression.Selector;
import java.util.List;
import org.junit.jupiter.api.Test;

class ExpressionTest {

    private static final KnownMetrics KNOWN = new KnownMetrics().add("""
            # HELP a what it is
            a_total{state="idle",model="m"} 1.0
            b{model="m"} NaN
            """);

    @Test
    void findsMetricsMatchersAndGrouping() {
        Expression expression = Expression.of("""
                sum by (model, le) (rate(a_total{state=~"idle|b", model!="x{}\\"y"}[5m] offset 1h)) * 1e3
                  / on (model) group_left () (b > 0.5) unless c:d:rate5m or vector(0)""");

        assertThat(expression.selectors())
                .containsExactly(
                        new Selector(
                                "a_total",
                                List.of(new Matcher("state", "=~", "idle|b"), new Matcher("model", "!=", "x{}\"y"))),
                        new Selector("b", List.of()),
                        new Selector("c:d:rate5m", List.of()));
        assertThat(expression.grouping()).containsExactly("model", "le", "model");
    }

    @Test
    void takesWhatIsExported() {
        assertThat(KNOWN.unknown("sum by (job, model) (rate(a_total{state=\"idle\", instance=~\"$x\"}[5m])) > b"))
                .isEmpty();
    }

    @Test
    void namesWhatIsNot() {
        assertThat(KNOWN.unknown("sum by (modle) (a_totl) + a_total{stat=\"idle\"} + a_total{state=~\"idle|idel\"}"))
                .containsExactly("metric a_totl", "label stat of a_total", "state=idel of a_total", "label modle");
    }
}
