package dev.jeton.natives;

import static java.lang.foreign.SymbolLookup.libraryLookup;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A shared library that was found and loaded; it stays loaded until the process ends, since libraries that start
 * threads of their own do not survive being unloaded. Any thread may use it.
 */
public final class NativeLibrary {

    /** Where drivers, toolkits and containers put NVIDIA's libraries on Linux. */
    public static final List<Path> NVIDIA_FOLDERS = List.of(
            Path.of("/usr/lib/x86_64-linux-gnu"),
            Path.of("/usr/lib/aarch64-linux-gnu"),
            Path.of("/usr/lib64"),
            Path.of("/usr/lib"),
            Path.of("/usr/local/nvidia/lib64"),
            Path.of("/usr/local/cuda/lib64"),
            Path.of("/usr/lib/wsl/lib"),
            Path.of("/run/nvidia/driver/usr/lib/x86_64-linux-gnu"));

    private final String place;
    private final SymbolLookup symbols;

    private NativeLibrary(String place, SymbolLookup symbols) {
        this.place = place;
        this.symbols = symbols;
    }

    /**
     * Finds and loads a library: the configured file and nothing else where one is configured; otherwise each name as
     * the system's loader finds it (its cache, {@code LD_LIBRARY_PATH}), then the first name in each folder, the second
     * in each folder, and so on.
     *
     * @param title what it is, for the message
     * @param configured a file; empty where none is configured
     * @param names of its file, the best first
     * @throws LibraryMissingException listing what was tried
     */
    public static NativeLibrary find(String title, Optional<Path> configured, List<String> names, List<Path> folders) {
        List<String> tried = new ArrayList<>();
        if (configured.isPresent()) {
            return file(configured.get(), tried).orElseThrow(() -> missing(title, tried));
        }
        for (String name : names) {
            try {
                return new NativeLibrary(name, libraryLookup(name, Arena.global()));
            } catch (IllegalArgumentException e) {
                tried.add(name + " (the system's loader does not find it)");
            }
        }
        for (String name : names) {
            for (Path folder : folders) {
                Optional<NativeLibrary> found = file(folder.resolve(name), tried);
                if (found.isPresent()) {
                    return found.get();
                }
            }
        }
        throw missing(title, tried);
    }

    private static Optional<NativeLibrary> file(Path file, List<String> tried) {
        if (!Files.isRegularFile(file)) {
            tried.add(file + " (no such file)");
            return Optional.empty();
        }
        try {
            return Optional.of(new NativeLibrary(file.toString(), libraryLookup(file, Arena.global())));
        } catch (IllegalArgumentException e) {
            tried.add(file + " (it cannot be loaded: for another machine, or a library that it needs is missing)");
            return Optional.empty();
        }
    }

    private static LibraryMissingException missing(String title, List<String> tried) {
        return new LibraryMissingException("%s is not there; tried, in this order:%n  %s"
                .formatted(title, String.join("%n  ".formatted(), tried)));
    }

    /** The file, or the name by which the system's loader found it. */
    public String place() {
        return place;
    }

    /**
     * A function of the library.
     *
     * @throws NativeException where it has none of that name
     */
    MethodHandle function(String name, FunctionDescriptor descriptor) {
        MemorySegment address = symbols.find(name)
                .orElseThrow(() -> new NativeException(
                        "%s has no function %s: it is too old; update the driver or toolkit".formatted(place, name)));
        return Linker.nativeLinker().downcallHandle(address, descriptor);
    }

    @Override
    public String toString() {
        return place;
    }
}
