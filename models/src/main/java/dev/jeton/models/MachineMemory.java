package dev.jeton.models;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalLong;

/**
 * How much memory this process can still have, so that a model that is too large is refused before Linux ends the
 * process.
 *
 * @param root of the file system, {@code /} but in tests
 */
public record MachineMemory(Path root) {

    /** This machine's. */
    public static final MachineMemory OF_MACHINE = new MachineMemory(Path.of("/"));

    /**
     * Bytes: what the kernel says is available, or what the control group of the process leaves, whichever is less.
     * Empty where neither is known.
     */
    public OptionalLong available() {
        OptionalLong machine = number("proc/meminfo", "MemAvailable:", 1024);
        OptionalLong group = group();
        if (machine.isEmpty()) {
            return group;
        }
        return group.isEmpty() ? machine : OptionalLong.of(Math.min(machine.getAsLong(), group.getAsLong()));
    }

    private OptionalLong group() {
        OptionalLong limit = number("sys/fs/cgroup/memory.max", "", 1);
        OptionalLong used = number("sys/fs/cgroup/memory.current", "", 1);
        if (limit.isEmpty() || used.isEmpty()) {
            return OptionalLong.empty();
        }
        long files = number("sys/fs/cgroup/memory.stat", "inactive_file", 1).orElse(0);
        return OptionalLong.of(Math.max(0, limit.getAsLong() - used.getAsLong() + files));
    }

    /** The number after a word that begins a line; empty where file, line or number is missing ({@code max}). */
    private OptionalLong number(String file, String word, long unit) {
        List<String> lines;
        try {
            lines = Files.readAllLines(root.resolve(file));
        } catch (IOException e) {
            return OptionalLong.empty();
        }
        for (String line : lines) {
            if (line.startsWith(word)) {
                String[] parts = line.substring(word.length()).strip().split(" ", 2);
                return parts[0].matches("[0-9]{1,18}")
                        ? OptionalLong.of(Math.multiplyExact(Long.parseLong(parts[0]), unit))
                        : OptionalLong.empty();
            }
        }
        return OptionalLong.empty();
    }
}
