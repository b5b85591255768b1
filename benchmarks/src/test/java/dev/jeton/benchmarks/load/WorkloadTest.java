package dev.jeton.benchmarks.load;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.benchmarks.load.Workload.Length;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WorkloadTest {

    @TempDir
    Path folder;

    @Test
    void theSameSeedGivesTheSamePromptsAndAnotherOthers() {
        Workload one = workload(20, 0.5, 7);
        Workload same = workload(20, 0.5, 7);
        Workload other = workload(20, 0.5, 8);

        for (int k = 0; k < 50; k++) {
            assertThat(one.prompt(k)).isEqualTo(same.prompt(k)).isNotEqualTo(other.prompt(k));
            assertThat(Arrays.stream(one.prompt(k))).allMatch(t -> t >= 10 && t < 250);
        }
        assertThat(one.prompt(1)).isNotEqualTo(one.prompt(2));
    }

    @Test
    void theStatedShareOfRequestsBeginsWithTheSharedPrefix() {
        Workload workload = workload(20, 0.25, 3);
        List<int[]> sharing = IntStream.range(0, 2_000)
                .mapToObj(workload::prompt)
                .filter(prompt -> prompt.length == 25)
                .toList();

        assertThat(sharing.size()).isBetween(400, 600);
        int[] prefix = Arrays.copyOf(sharing.getFirst(), 20);
        assertThat(sharing)
                .allSatisfy(prompt -> assertThat(Arrays.copyOf(prompt, 20)).isEqualTo(prefix));
    }

    @Test
    void allOrNoneShareAtTheEndsOfTheRange() {
        assertThat(IntStream.range(0, 100).map(k -> workload(20, 1, 3).prompt(k).length))
                .containsOnly(25);
        assertThat(IntStream.range(0, 100).map(k -> workload(20, 0, 3).prompt(k).length))
                .containsOnly(5);
    }

    @Test
    void readsTheColumnsOfTracesAndPlainOnes() throws IOException {
        Path trace = folder.resolve("trace.csv");
        Files.writeString(trace, "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16,374,44\n\n2023-11-16,396,109\n");
        Path plain = folder.resolve("plain.csv");
        Files.writeString(plain, "output, input\r\n1, 2\r\n");

        assertThat(Workload.read(trace)).containsExactly(new Length(374, 44), new Length(396, 109));
        assertThat(Workload.read(plain)).containsExactly(new Length(2, 1));
    }

    @Test
    void lengthsAreUsedInTurn() {
        Workload workload = new Workload(List.of(new Length(3, 1), new Length(4, 2)), 0, 0, 10, 20, 1);

        assertThat(IntStream.range(0, 4).map(k -> workload.prompt(k).length)).containsExactly(3, 4, 3, 4);
        assertThat(workload.length(3).output()).isEqualTo(2);
    }

    @Test
    void refusesWhatItCannotRead() throws IOException {
        Path empty = Files.createFile(folder.resolve("empty.csv"));
        Path other = folder.resolve("other.csv");
        Files.writeString(other, "a,b\n1,2\n");
        Path negative = folder.resolve("negative.csv");
        Files.writeString(negative, "input,output\n-1,2\n");

        assertThatThrownBy(() -> Workload.read(empty)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> Workload.read(other)).hasMessageContaining("ContextTokens or input");
        assertThatThrownBy(() -> Workload.read(negative)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> workload(-1, 1, 1)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> workload(1, 1.5, 1)).isInstanceOf(IllegalArgumentException.class);
    }

    private static Workload workload(int sharedPrefix, double share, long seed) {
        return new Workload(List.of(new Length(5, 3)), sharedPrefix, share, 10, 250, seed);
    }
}
