package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.server.testing.ByteTokenizer;
import dev.jeton.server.testing.PrometheusText;
import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class StreamEquivalenceTest {

    /**
     * A reply of random tokens, bytes that are no characters among them, mostly said twice, so that much of it can be
     * drafted; the same for the same prompt.
     */
    private static int[] randomReply(int[] prompt) {
        Random random = new Random(Arrays.hashCode(prompt));
        int[] once = tokens(random);
        return random.nextInt(3) == 0
                ? once
                : IntStream.concat(IntStream.of(once), IntStream.of(once)).toArray();
    }

    private static int[] tokens(Random random) {
        return random.ints(1 + random.nextInt(60), 0, 3)
                .flatMap(kind -> IntStream.of(
                        switch (kind) {
                            case 0 -> 'a' + random.nextInt(3);
                            case 1 -> ByteTokenizer.BOS + 1 + random.nextInt(ByteTokenizer.SIZE - 258);
                            default -> random.nextInt(256);
                        }))
                .toArray();
    }

    @Test
    void shouldStreamTheTextOfTheWholeAnswer() {
        try (TestServer server = TestServer.builder()
                .drafts(5)
                .replies(StreamEquivalenceTest::randomReply)
                .start()) {
            for (int seed = 0; seed < 150; seed++) {
                Random random = new Random(seed);
                String stops = IntStream.range(0, random.nextInt(3))
                        .mapToObj(i -> "'"
                                + new String[] {"a", "ab", " the", "ing and", "ca", "top a"}[random.nextInt(6)] + "'")
                        .collect(Collectors.joining(","));
                String request = "{'model':'test-model','prompt':'p" + seed + "','n':" + (1 + random.nextInt(2))
                        + ",'stop':[" + stops + "]";
                Answer whole = server.post("/v1/completions", request + "}");
                Answer streamed = server.post("/v1/completions", request + ",'stream':true}");
                assertThat(streamed.streamed("choices.0.text", 0))
                        .as("seed %d: %s", seed, request)
                        .isEqualTo(whole.at("choices.0.text"));
            }
            assertThat(PrometheusText.parse(server.get("/metrics").body())
                            .value("jeton_drafts_accepted_total", "model", TestServer.MODEL))
                    .isGreaterThan(500);
        }
    }
}
