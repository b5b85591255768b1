package dev.jeton.models;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MachineMemoryTest {

    @TempDir
    Path root;

    private void write(String file, String content) throws IOException {
        Path path = root.resolve(file);
        Files.createDirectories(path.getParent());
        Files.writeString(path, content);
    }

    @Test
    void shouldBeUnknownWhereNothingSaysIt() {
        assertThat(new MachineMemory(root).available()).isEmpty();
    }

    @Test
    void shouldBeWhatTheKernelSaysWithoutALimit() throws IOException {
        write("proc/meminfo", "MemTotal:  1000 kB\nMemFree:   5 kB\nMemAvailable:   700 kB\n");
        write("sys/fs/cgroup/memory.max", "max\n");
        write("sys/fs/cgroup/memory.current", "12345\n");
        assertThat(new MachineMemory(root).available()).hasValue(700 * 1024);
    }

    @Test
    void shouldBeWhatTheControlGroupLeavesWhereThatIsLess() throws IOException {
        write("proc/meminfo", "MemAvailable:   700 kB\n");
        write("sys/fs/cgroup/memory.max", "500000\n");
        write("sys/fs/cgroup/memory.current", "450000\n");
        write("sys/fs/cgroup/memory.stat", "anon 400000\ninactive_file 30000\n");
        assertThat(new MachineMemory(root).available()).hasValue(80_000);
    }
}
