package dev.jeton.natives.testing;

import static java.lang.foreign.SymbolLookup.libraryLookup;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A library that the test compiles, with the names and layouts of NVML, and the knobs of nvml.c. */
public final class NvmlStandIn {

    private static final String COMPILER = "cc";

    private final Path file;
    private final SymbolLookup symbols;

    private NvmlStandIn(Path file) {
        this.file = file;
        symbols = libraryLookup(file, Arena.global());
    }

    /** Whether there is a C compiler. */
    public static boolean possible() {
        try {
            return run(List.of(COMPILER, "--version"), Path.of(".")) == 0;
        } catch (IOException e) {
            return false;
        }
    }

    /** Compiles it into a folder, whose name makes it another library than those in other folders. */
    public static NvmlStandIn compile(Path folder, String... definitions) throws IOException {
        Path source = folder.resolve("nvml.c");
        try (InputStream in = NvmlStandIn.class.getResourceAsStream("nvml.c")) {
            if (in == null) {
                throw new IOException("nvml.c is not among the test's resources");
            }
            Files.copy(in, source);
        }
        Path library = folder.resolve("libnvidia-ml.so.1");
        List<String> command = new ArrayList<>(List.of(COMPILER, "-shared", "-fPIC", "-O1", "-Wall", "-Werror"));
        for (String definition : definitions) {
            command.add("-D" + definition);
        }
        command.addAll(List.of("-o", library.toString(), source.toString()));
        if (run(command, folder) != 0) {
            throw new IOException("the stand-in was not compiled: " + command);
        }
        return new NvmlStandIn(library);
    }

    private static int run(List<String> command, Path folder) throws IOException {
        Process process = new ProcessBuilder(command)
                .directory(folder.toFile())
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try {
            return process.waitFor(60, TimeUnit.SECONDS) ? process.exitValue() : -1;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return -1;
        }
    }

    /** The library. */
    public Path file() {
        return file;
    }

    /** What every question about a device returns from now on. */
    public void result(int code) {
        turn("standin_result", code);
    }

    /** How many processes each device has. */
    public void processes(int count) {
        turn("standin_processes", count);
    }

    /** How often it was let go of. */
    public int shutdowns() {
        try {
            return (int) Linker.nativeLinker()
                    .downcallHandle(symbols.find("standin_shutdowns").orElseThrow(), FunctionDescriptor.of(JAVA_INT))
                    .invokeExact();
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    /** Energy of the first device; the second has twice as much. */
    public void energy(long millijoules) {
        try {
            Linker.nativeLinker()
                    .downcallHandle(symbols.find("standin_energy").orElseThrow(), FunctionDescriptor.ofVoid(JAVA_LONG))
                    .invokeExact(millijoules);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    private void turn(String knob, int value) {
        try {
            Linker.nativeLinker()
                    .downcallHandle(symbols.find(knob).orElseThrow(), FunctionDescriptor.ofVoid(JAVA_INT))
                    .invokeExact(value);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }
}
