package dev.jeton.models;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;

/** Finds data that lies outside the repository; tests that need it are skipped where it is not. */
public final class SharedData {

    private SharedData() {}

    /** A file or folder of the shared data. */
    public static Path find(String name) {
        String given = System.getProperty("jeton.shared", "");
        for (Path root : new Path[] {
            Path.of(given.isEmpty() ? "." : given),
            Path.of("../../shared/data"),
            Path.of("../shared/data"),
            Path.of("../../../shared/data")
        }) {
            if (Files.exists(root.resolve(name))) {
                return root.resolve(name);
            }
        }
        assumeTrue(false, name + " is not here; set -Djeton.shared to the folder that holds it");
        throw new AssertionError();
    }
}
