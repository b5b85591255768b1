package dev.jeton.models.grammar;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.grammar.GrammarStates.State;
import org.junit.jupiter.api.Test;

class GrammarStatesTest {

    /**
     * A rule of an {@code a}, which two of the rule may follow, with a {@code b} or a {@code c} between: or nothing.
     */
    private static Network ambiguous() {
        NetworkBuilder network = new NetworkBuilder();
        int rule = network.rule();
        int first = network.text(network.begin(rule), "a");
        network.epsilon(first, network.end(rule));
        int between = network.call(first, rule);
        int second = network.node();
        for (String with : new String[] {"", "b", "c"}) {
            network.epsilon(network.text(between, with), second);
        }
        network.call(second, rule, network.end(rule));
        // and once more, so that what waits is not the same
        network.call(network.call(network.call(first, rule), rule), rule, network.end(rule));
        return network.build(rule);
    }

    @Test
    void shouldFollowATextThatCanBeReadInMoreWaysThanCanBeCounted() {
        GrammarStates states = new GrammarStates(ambiguous());
        State at = states.at(ambiguous().start());
        for (int i = 0; i < 200; i++) {
            at = states.next(at, 'a');
            assertThat(at.places.size()).as("places after %d", i + 1).isBetween(1, 3 * i + 3);
            assertThat(at.ends).as("after %d", i + 1).isEqualTo(i != 1);
        }
        assertThat(states.next(states.next(at, 'b'), 'b')).isSameAs(states.dead());
    }

    @Test
    void shouldBeWhereItWasOnceItHasForgotten() {
        GrammarStates states = new GrammarStates(ambiguous());
        State at = states.at(ambiguous().start());
        for (int i = 0; i < 20; i++) {
            at = states.next(at, 'a');
        }
        State expected = states.next(states.next(at, 'b'), 'a');
        int places = expected.places.size();
        states.clear();
        State adopted = states.adopt(at);
        assertThat(adopted).isNotSameAs(at);
        State again = states.next(states.next(adopted, 'b'), 'a');
        assertThat(again.places).hasSize(places);
        assertThat(again.ends).isEqualTo(expected.ends);
        assertThat(states.adopt(at)).as("equal states are one").isSameAs(adopted);
    }
}
