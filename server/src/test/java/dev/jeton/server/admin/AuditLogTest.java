package dev.jeton.server.admin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalLong;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AuditLogTest {

    private static final Author AUTHOR = new Author("ops", "127.0.0.1", "because", OptionalLong.empty());
    private static final long SIZE = 1 << 20;

    @TempDir
    private Path folder;

    private final List<AuditEntry> read = new ArrayList<>();

    private AuditLog open() {
        read.clear();
        return new AuditLog(folder, SIZE, read::add);
    }

    private static void append(AuditLog log, int entries) {
        for (int i = 0; i < entries; i++) {
            Change change = Change.set("tenant.create", "t" + log.sequence(), AuditEntry.object("name", "n\u00e4me"));
            log.append(log.next(1_000 + i, AUTHOR, change));
        }
    }

    private Path file() {
        return folder.resolve(AuditLog.NAME);
    }

    private void write(int entries) {
        try (AuditLog log = open()) {
            append(log, entries);
        }
    }

    @Test
    void whatWasAppendedIsReadAgain() {
        write(3);
        try (AuditLog log = open()) {
            append(log, 2);
        }
        try (AuditLog log = open()) {
            assertThat(read).extracting(AuditEntry::sequence).containsExactly(1L, 2L, 3L, 4L, 5L);
            assertThat(read.getFirst().previous()).isEqualTo(AuditEntry.NOTHING_BEFORE);
            assertThat(read.get(4).who()).isEqualTo("ops");
            assertThat(read.get(4).content().orElseThrow().text("name")).isEqualTo("n\u00e4me");
            assertThat(log.sequence()).isEqualTo(5);
        }
    }

    /** Whatever a crash leaves of a line that nobody was told of: nothing, a part, all of it, or that and rubbish. */
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3})
    void whatACrashLeavesOfALineIsDropped(long seed) throws IOException {
        Random random = new Random(seed);
        write(4);
        byte[] acknowledged = Files.readAllBytes(file());
        byte[] head = Files.readAllBytes(folder.resolve(AuditLog.HEAD));
        write(1);
        byte[] whole = Files.readAllBytes(file());
        for (int cut = acknowledged.length;
                cut <= whole.length;
                cut += cut + 9 < whole.length ? 1 + random.nextInt(9) : 1) {
            Files.write(file(), Arrays.copyOf(whole, cut));
            if (random.nextInt(4) == 0) {
                Files.write(file(), new byte[random.nextInt(5)], StandardOpenOption.APPEND);
            }
            Files.write(folder.resolve(AuditLog.HEAD), head);
            try (AuditLog log = open()) {
                assertThat(log.sequence()).isEqualTo(cut == whole.length ? 5 : 4);
                append(log, 1);
            }
            try (AuditLog log = open()) {
                assertThat(log.sequence()).isEqualTo(cut == whole.length ? 6 : 5);
            }
        }
    }

    /** Any byte of any line, and the end of each: nothing that was acknowledged can be changed or taken away unseen. */
    @Test
    void aChangedByteIsFound() throws IOException {
        write(4);
        byte[] whole = Files.readAllBytes(file());
        for (int i = 0; i < whole.length; i++) {
            byte[] changed = whole.clone();
            changed[i] ^= 1;
            Files.write(file(), changed);
            assertThatThrownBy(this::open)
                    .as("byte %d", i)
                    .isInstanceOf(PolicyException.class)
                    .hasMessageContaining("of the audit log")
                    .hasMessageContaining("put back admin.log and admin.head");
        }
        Files.write(file(), whole);
        open().close();
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2, 3})
    void aRemovedLineIsFound(int line) throws IOException {
        write(4);
        List<String> lines = new ArrayList<>(Files.readAllLines(file()));
        lines.remove(line);
        Files.writeString(file(), String.join("\n", lines) + "\n");
        assertThatThrownBy(this::open)
                .isInstanceOf(PolicyException.class)
                .hasMessageContaining("line %d of the audit log".formatted(line + 1));
    }

    @Test
    void aLogThatIsGoneOrAnOlderOneIsFound() throws IOException {
        write(2);
        byte[] older = Files.readAllBytes(file());
        write(2);
        Files.write(file(), older);
        assertThatThrownBy(this::open).hasMessageContaining("line 3 of the audit log");
        Files.delete(file());
        assertThatThrownBy(this::open).hasMessageContaining("line 1 of the audit log");
    }

    @Test
    void aHeadThatIsGoneIsFound() throws IOException {
        write(2);
        Files.delete(folder.resolve(AuditLog.HEAD));
        assertThatThrownBy(this::open).hasMessageContaining("has 2 lines");
    }

    @Test
    void oneProcessHasItAtATime() {
        try (AuditLog log = open()) {
            assertThat(log.sequence()).isZero();
            assertThatThrownBy(this::open).hasMessageContaining("another process");
        }
    }

    @Test
    void aPageIsTheLinesAfterANumber() throws IOException {
        try (AuditLog log = open()) {
            append(log, 200);
            List<String> lines = Files.readAllLines(file());
            for (int after : new int[] {0, 1, 62, 63, 64, 65, 127, 128, 190, 199}) {
                List<String> page = log.page(after, 20, SIZE).stream()
                        .map(line -> new String(line, StandardCharsets.UTF_8))
                        .toList();
                assertThat(page).isEqualTo(lines.subList(after, Math.min(200, after + 20)));
            }
            assertThat(log.page(200, 20, SIZE)).isEmpty();
            assertThat(log.page(0, 20, 1)).as("as many bytes as one line has").hasSize(1);
            append(log, 1);
            assertThat(log.page(200, 20, SIZE)).hasSize(1);
        }
    }

    @Test
    void aPageOfALineThatWasChangedMeanwhileIsRefused() throws IOException {
        try (AuditLog log = open()) {
            append(log, 3);
            String text = Files.readString(file());
            Files.writeString(file(), text.replaceFirst("because", "becausE"), StandardOpenOption.WRITE);
            assertThatThrownBy(() -> log.page(0, 10, SIZE)).hasMessageContaining("was changed since");
        }
    }

    @Test
    void whatDoesNotFitIsSeenBefore() {
        try (AuditLog log = new AuditLog(folder, 600, read::add)) {
            append(log, 2);
            byte[] line = log.next(0, AUTHOR, Change.gone("tenant.delete", "t")).line();
            assertThat(log.fits(line.length)).isFalse();
            assertThat(log.fits((int) (600 - log.bytes() - 1))).isTrue();
        }
    }
}
