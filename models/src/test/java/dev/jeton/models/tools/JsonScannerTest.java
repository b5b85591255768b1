package dev.jeton.models.tools;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.json.JsonFactory;

class JsonScannerTest {

    private static final List<String> PIECES = List.of(
            "{", "}", "[", "]", ",", ":", "\"", "\"a\"", "\\", "\\u00e9", "\\n", "0", "1", "-", "+", ".", "e", "E5",
            "true", "false", "null", "nul", " ", "\n", "\t", "\u0001", "\u00e9", "{\"a\":", "[1,", "]}", "1.5e-3", "/");

    private static final JsonFactory FACTORY = JsonFactory.builder()
            .streamReadConstraints(
                    StreamReadConstraints.builder().maxNestingDepth(100).build())
            .build();

    private static boolean valid(String text) {
        try (JsonParser parser = FACTORY.createParser(ObjectReadContext.empty(), text)) {
            if (parser.nextToken() == null) {
                return false;
            }
            parser.skipChildren();
            // Texts are decoded only where somebody asks for them.
            return parser.nextToken() == null;
        } catch (JacksonException e) {
            return false;
        }
    }

    private static boolean allValid(String text) {
        try (JsonParser parser = FACTORY.createParser(ObjectReadContext.empty(), text)) {
            while (parser.nextToken() != null) {
                parser.getString();
            }
            return valid(text);
        } catch (JacksonException e) {
            return false;
        }
    }

    @Test
    void agreesWithAParserOnWhatIsJson() {
        int valid = 0;
        for (int seed = 0; seed < 300_000; seed++) {
            Random random = new Random(seed);
            StringBuilder text = new StringBuilder();
            int count = 1 + random.nextInt(6);
            for (int i = 0; i < count; i++) {
                text.append(PIECES.get(random.nextInt(PIECES.size())));
            }
            boolean expected = allValid(text.toString());
            valid += expected ? 1 : 0;
            assertThat(JsonScanner.valid(text)).as("seed %d: %s", seed, text).isEqualTo(expected);
        }
        assertThat(valid).isGreaterThan(5_000);
    }

    @Test
    void takesHundredLevelsAndNotMore() {
        assertThat(JsonScanner.valid("[".repeat(100) + "]".repeat(100))).isTrue();
        assertThat(JsonScanner.valid("[".repeat(101) + "]".repeat(101))).isFalse();
    }
}
