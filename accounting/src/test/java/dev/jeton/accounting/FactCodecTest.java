package dev.jeton.accounting;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class FactCodecTest {

    @Test
    void everyFactComesBackAsItWas() {
        Set<Class<?>> kinds = new HashSet<>();
        for (int seed = 0; seed < 5_000; seed++) {
            Fact fact = Facts.any(Facts.random(seed));
            kinds.add(fact.getClass());
            assertThat(FactCodec.decode(ByteBuffer.wrap(FactCodec.encode(fact))))
                    .as("seed %d", seed)
                    .isEqualTo(fact);
        }
        assertThat(kinds).hasSize(Fact.class.getPermittedSubclasses().length);
    }

    @Test
    void whatIsCutShortIsAnErrorAndNeverAnotherFact() {
        for (int seed = 0; seed < 200; seed++) {
            byte[] bytes = FactCodec.encode(Facts.any(Facts.random(seed)));
            for (int length = 0; length < bytes.length; length += 1 + length / 20) {
                ByteBuffer cut = ByteBuffer.wrap(Arrays.copyOf(bytes, length));
                assertThatThrownBy(() -> FactCodec.decode(cut))
                        .as("seed %d, %d of %d bytes", seed, length, bytes.length)
                        .isInstanceOf(AccountingException.class);
            }
        }
    }

    @Test
    void randomBytesAreAnAccountingErrorOrAFact() {
        for (int seed = 0; seed < 20_000; seed++) {
            Random random = Facts.random(seed);
            byte[] bytes = new byte[random.nextInt(200)];
            random.nextBytes(bytes);
            if (bytes.length > 1) {
                bytes[0] = FactCodec.VERSION;
                bytes[1] = (byte) random.nextInt(14);
            }
            try {
                assertThat(FactCodec.decode(ByteBuffer.wrap(bytes))).isNotNull();
            } catch (AccountingException e) {
                assertThat(e).as("seed %d", seed).hasMessageContaining("cannot be read");
            }
        }
    }

    @Test
    void aGrantOfTheFirstVersionConfirmsNothing() {
        byte[] bytes = FactCodec.encode(new Fact.Granted(7, "a", Grant.ALL, 48, 0));
        byte[] first = Arrays.copyOf(bytes, bytes.length - 1);
        first[0] = 1;
        assertThat(FactCodec.decode(ByteBuffer.wrap(first))).isEqualTo(new Fact.Granted(7, "a", Grant.ALL, 48, 0));
    }

    /** The bytes are those that programs of these versions wrote. */
    @ParameterizedTest
    @ValueSource(strings = {"01", "02"})
    void requestsOfVersionsWithoutZonesHaveNoneAndOweNothingForBytes(String version) {
        String opened = version
                + "040e02720a616c69636506776562026b0a6c6c616d6102087461736b0673756d0a626f6f6b310e706f6c6963793106";
        String closed = version + "061202720114283ca006904e02040602";

        assertThat(FactCodec.decode(ByteBuffer.wrap(HexFormat.of().parseHex(opened))))
                .isEqualTo(new Fact.Opened(
                        7,
                        "r",
                        new Payer("alice", "web", "k"),
                        "llama",
                        Map.of("task", "sum"),
                        "book1",
                        "policy1",
                        3,
                        Zones.UNKNOWN,
                        Work.UNKNOWN));
        assertThat(FactCodec.decode(ByteBuffer.wrap(HexFormat.of().parseHex(closed))))
                .isEqualTo(new Fact.Closed(
                        9, "r", Fact.Outcome.CANCELLED, new Tokens(10, 20, 30), 400, 5_000, 0, 1, 2, 3, 1));
    }

    @Test
    void aRequestOfAVersionWithoutWorkHasWorkThatIsNotKnown() {
        byte[] bytes = FactCodec.encode(Facts.opened("r"));
        byte[] third = Arrays.copyOf(bytes, bytes.length - 1 - 6);
        third[0] = 3;
        Fact.Opened read = (Fact.Opened) FactCodec.decode(ByteBuffer.wrap(third));
        assertThat(read.work()).isEqualTo(Work.UNKNOWN);
        assertThat(read.request()).isEqualTo("r");
    }

    @Test
    void aRequestOfAVersionWithoutTasksIsPartOfNone() {
        byte[] bytes = FactCodec.encode(Facts.opened("r"));
        byte[] fifth = Arrays.copyOf(bytes, bytes.length - 6);
        fifth[0] = 5;
        assertThat(FactCodec.decode(ByteBuffer.wrap(fifth))).isEqualTo(Facts.opened("r"));
    }

    @Test
    void aCloseOfAVersionWithoutOtherNodesKnowsNone() {
        byte[] bytes = FactCodec.encode(new Fact.PeriodClosed(7, "2026-11"));
        byte[] fourth = Arrays.copyOf(bytes, bytes.length - 1);
        fourth[0] = 4;
        assertThat(FactCodec.decode(ByteBuffer.wrap(fourth))).isEqualTo(new Fact.PeriodClosed(7, "2026-11", Map.of()));
    }

    @Test
    void aZoneThatIsTooLongIsRefused() {
        Zones zones = new Zones("", "x".repeat(Fact.MAX_NAME + 1));
        Fact fact = new Fact.Opened(1, "r", Payer.UNKNOWN, "m", Map.of(), "", "", 1, zones, Work.GENERATION);
        assertThatThrownBy(() -> FactCodec.encode(fact))
                .isInstanceOf(AccountingException.class)
                .hasMessageContaining("a zone's name has 257 characters");
    }

    @Test
    void anUnknownVersionIsNamed() {
        byte[] bytes = FactCodec.encode(new Fact.Stopped(1));
        bytes[0] = 9;
        assertThatThrownBy(() -> FactCodec.decode(ByteBuffer.wrap(bytes)))
                .isInstanceOf(AccountingException.class)
                .hasMessageContaining("version 9");
    }

    @Test
    void anUnknownKindIsNamed() {
        byte[] bytes = FactCodec.encode(new Fact.Stopped(1));
        bytes[1] = 77;
        assertThatThrownBy(() -> FactCodec.decode(ByteBuffer.wrap(bytes)))
                .isInstanceOf(AccountingException.class)
                .hasMessageContaining("kind 77");
    }

    @Test
    void bytesThatFollowAFactAreAnError() {
        byte[] bytes = FactCodec.encode(new Fact.Stopped(1));
        assertThatThrownBy(() -> FactCodec.decode(ByteBuffer.wrap(Arrays.copyOf(bytes, bytes.length + 1))))
                .isInstanceOf(AccountingException.class);
    }

    @Test
    void aNameThatIsTooLongIsRefused() {
        assertThatThrownBy(() -> FactCodec.encode(new Fact.PeriodClosed(1, "x".repeat(Fact.MAX_NAME + 1))))
                .isInstanceOf(AccountingException.class)
                .hasMessageContaining("257 characters");
    }

    @Test
    void tooManyLabelsAreRefused() {
        Map<String, String> labels = new java.util.TreeMap<>();
        for (int i = 0; i <= Fact.MAX_LABELS; i++) {
            labels.put("label" + i, "");
        }
        Fact fact = new Fact.Opened(1, "r", Payer.UNKNOWN, "m", labels, "", "", 1, Zones.UNKNOWN, Work.GENERATION);
        assertThatThrownBy(() -> FactCodec.encode(fact))
                .isInstanceOf(AccountingException.class)
                .hasMessageContaining("17 labels");
    }

    @Test
    void tooManyLinesAreRefused() {
        List<Line> lines = Collections.nCopies(Fact.MAX_LINES + 1, new Line("r", 0, 0, 0, 0, 0, 0, 0, 0));
        Fact fact = new Fact.Window("d", 0, 1, 0, 1, List.of(), 0, false, lines);
        assertThatThrownBy(() -> FactCodec.encode(fact))
                .isInstanceOf(AccountingException.class)
                .hasMessageContaining("65537 lines");
    }

    @Test
    void theLargestUsualWindowFits() {
        Line line = new Line("chatcmpl-0123456789abcdef0123456789abcdef", 1L << 40, 1L << 40, 0, 0, 0, 0, 1L << 50, 1);
        Fact fact = new Fact.Window("d", 0, 1, 0, 1, List.of(), 0, false, Collections.nCopies(Fact.MAX_LINES, line));
        assertThat(FactCodec.decode(ByteBuffer.wrap(FactCodec.encode(fact)))).isEqualTo(fact);
    }
}
