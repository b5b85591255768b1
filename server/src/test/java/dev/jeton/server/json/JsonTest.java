package dev.jeton.server.json;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class JsonTest {

    @Test
    void shouldReadEveryKindOfValue() {
        assertThat(Json.parse("[1,-2,1.5,1e3,\"a\\u00e9\\ud83d\\ude00\",true,false,null,{\"a\":[]}]"))
                .isEqualTo(Arrays.asList(
                        1L, -2L, 1.5, 1000.0, "a\u00e9\ud83d\ude00", true, false, null, Map.of("a", List.of())));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                " ",
                "{",
                "[1,]",
                "{\"a\":1,}",
                "{'a':1}",
                "nul",
                "NaN",
                "Infinity",
                "01",
                "1 2",
                "\"\\x\"",
                "\"a",
                "{\"a\":1,\"a\":2}",
                "\"\\ud800\"",
                "1e999",
                "/* no */ 1",
                "\u0000"
            })
    void shouldRefuse(String text) {
        assertThatThrownBy(() -> Json.parse(text)).isInstanceOf(JsonException.class);
    }

    @Test
    void shouldBoundTheDepth() {
        String deep = "[".repeat(Json.MAX_DEPTH) + "]".repeat(Json.MAX_DEPTH);
        assertThat(Json.parse(deep)).isNotNull();
        assertThatThrownBy(() -> Json.parse("[" + deep + "]")).isInstanceOf(JsonException.class);
    }

    @ParameterizedTest
    @ValueSource(strings = {"{}", "[]", "\"\"", "[0]"})
    void shouldBoundWhatASmallTextBecomesInMemory(String piece) {
        String many = "[" + (piece + ",").repeat(1 << 18) + "0]";
        assertThatThrownBy(() -> Json.parse(many))
                .isInstanceOf(JsonException.class)
                .hasMessageContaining("more than 262144 objects, arrays, fields and strings");
    }

    @Test
    void shouldBoundTheFieldsOfOneObject() {
        String fields =
                IntStream.range(0, 1 << 18).mapToObj("\"%x\":0"::formatted).collect(Collectors.joining(","));
        assertThatThrownBy(() -> Json.parse("{" + fields + "}"))
                .isInstanceOf(JsonException.class)
                .hasMessageContaining("more than 262144 objects, arrays, fields and strings");
    }

    @Test
    void shouldTakeManyTokenIdsButNotAnyNumberOfThem() {
        String most = "[" + "7,".repeat((1 << 21) - 1) + "7]";
        assertThat((List<?>) Json.parse(most)).hasSize(1 << 21);
        assertThatThrownBy(() -> Json.parse("[7," + most.substring(1)))
                .isInstanceOf(JsonException.class)
                .hasMessageContaining("more than 2097152 numbers");
    }

    @Test
    void shouldNotTellItsClientsHowItsParserIsSetUp() {
        for (String text : new String[] {"NaN", "[".repeat(Json.MAX_DEPTH + 1), "9".repeat(500), "{\"a\":1,\"a\":2}"}) {
            assertThatThrownBy(() -> Json.parse(text))
                    .hasMessageStartingWith("invalid JSON")
                    .hasMessageNotContainingAny("Read", "`");
        }
    }

    @Test
    void shouldTakeBytesOfValidUtf8Only() {
        assertThat(Json.object("{\"a\":\"\u00e9\"}".getBytes(StandardCharsets.UTF_8))
                        .text("a"))
                .isEqualTo("\u00e9");
        for (byte[] bad :
                new byte[][] {{(byte) 0xc0, (byte) 0xaf}, {(byte) 0xed, (byte) 0xa0, (byte) 0x80}, {(byte) 0x80}}) {
            assertThatThrownBy(() -> Json.object(bad)).hasMessageContaining("UTF-8");
        }
    }

    @Test
    void shouldWriteWhatItReads() {
        for (long seed = 0; seed < 300; seed++) {
            Object value = value(new Random(seed), 3);
            String text = new String(new JsonWriter().tree(value).toBytes(), StandardCharsets.UTF_8);
            assertThat(Json.parse(text)).as("seed %d: %s", seed, text).isEqualTo(value);
        }
    }

    private static Object value(Random random, int depth) {
        return switch (random.nextInt(depth > 0 ? 7 : 5)) {
            case 0 -> random.nextLong();
            case 1 -> random.nextDouble() * Math.pow(10, random.nextInt(40) - 20);
            case 2 -> random.nextBoolean();
            case 3, 4 -> text(random);
            case 5 ->
                random.ints(random.nextInt(4))
                        .mapToObj(i -> value(random, depth - 1))
                        .toList();
            default -> {
                Map<String, Object> map = new LinkedHashMap<>();
                for (int i = random.nextInt(4); i > 0; i--) {
                    map.put(text(random), value(random, depth - 1));
                }
                yield map;
            }
        };
    }

    private static String text(Random random) {
        StringBuilder text = new StringBuilder();
        for (int i = random.nextInt(12); i > 0; i--) {
            int point = random.nextInt(random.nextBoolean() ? 0x80 : 0x110000);
            text.appendCodePoint(point >= 0xd800 && point < 0xe000 ? 'x' : point);
        }
        return text.toString();
    }

    @Test
    void shouldWriteALoneSurrogateAsAReplacement() {
        assertThat(new String(new JsonWriter().value("a\ud800b").toBytes(), StandardCharsets.UTF_8))
                .isEqualTo("\"a\ufffdb\"");
    }

    @Test
    void shouldWriteNumbersThatAreNotFiniteAsNull() {
        assertThat(new String(
                        new JsonWriter()
                                .beginArray()
                                .value(Double.NaN)
                                .value(Float.NEGATIVE_INFINITY)
                                .endArray()
                                .toBytes(),
                        StandardCharsets.UTF_8))
                .isEqualTo("[null,null]");
    }
}
