package dev.jeton.server.http;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class UnsentAnswersTest {

    private final UnsentAnswers unsent = new UnsentAnswers(100);
    private final List<String> dropped = new ArrayList<>();

    private Runnable hold(String name, int bytes) {
        return unsent.hold(bytes, () -> dropped.add(name));
    }

    @Test
    void dropsTheOneThatWaitedLongestFirst() {
        hold("first", 40);
        hold("second", 40);
        hold("third", 60);

        assertThat(dropped).containsExactly("first");
        assertThat(unsent.bytes()).isEqualTo(100);
    }

    @Test
    void forgetsWhatIsSent() {
        hold("first", 60).run();
        hold("second", 60);

        assertThat(dropped).isEmpty();
        assertThat(unsent.bytes()).isEqualTo(60);
    }

    @Test
    void holdsOneThatIsLongerThanAllMayBeAlone() {
        hold("first", 10);
        Runnable second = hold("second", 1_000);
        second.run();
        second.run();

        assertThat(dropped).containsExactly("first");
        assertThat(unsent.bytes()).isZero();
    }
}
