package dev.jeton.natives;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.TreeMap;

/**
 * NVRTC, CUDA's compiler as a library: needs no GPU and no toolkit, but libnvrtc-builtins beside it. Any thread may
 * compile; NVRTC takes one at a time. It stays loaded until the process ends.
 *
 * <p>Source: nvrtc.h of CUDA 13.0.
 */
public final class Nvrtc {

    /** A longer log is cut: it repeats itself by then. */
    private static final int MOST_LOG = 1 << 20;

    private final NativeLibrary library;
    private final MethodHandle errorString;
    private final NativeCall createProgram;
    private final NativeCall compileProgram;
    private final NativeCall destroyProgram;
    private final NativeCall logSize;
    private final NativeCall log;
    private final NativeCall cubinSize;
    private final NativeCall cubin;
    private final String version;

    private Nvrtc(NativeLibrary library) {
        this.library = library;
        errorString = library.function("nvrtcGetErrorString", FunctionDescriptor.of(ADDRESS, JAVA_INT));
        createProgram = new NativeCall(library, "nvrtcCreateProgram", 6);
        compileProgram = new NativeCall(library, "nvrtcCompileProgram", 3);
        destroyProgram = new NativeCall(library, "nvrtcDestroyProgram", 1);
        logSize = new NativeCall(library, "nvrtcGetProgramLogSize", 2);
        log = new NativeCall(library, "nvrtcGetProgramLog", 2);
        cubinSize = new NativeCall(library, "nvrtcGetCUBINSize", 2);
        cubin = new NativeCall(library, "nvrtcGetCUBIN", 2);
        NativeCall versions = new NativeCall(library, "nvrtcVersion", 2);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(JAVA_LONG);
            int code = versions.call(out.address(), out.address() + 4);
            if (code != 0) {
                throw failed(versions, code, library.place(), "");
            }
            version = out.get(JAVA_INT, 0) + "." + out.get(JAVA_INT, 4);
        }
    }

    /**
     * Loads NVRTC.
     *
     * @param configured its file; empty to search the usual places
     * @param cudaVersion that the driver supports, as 13000 for 13.0: of several libraries one is taken whose code it
     *     runs
     * @throws LibraryMissingException where there is none, listing what was looked for
     */
    public static Nvrtc open(Optional<Path> configured, int cudaVersion) {
        NativeLibrary found = NativeLibrary.find(
                "NVRTC, CUDA's compiler (from the CUDA toolkit, or the Python package nvidia-cuda-nvrtc)",
                configured,
                LibraryPlaces.names("libnvrtc.so", cudaVersion),
                LibraryPlaces.toolkit());
        loadBuiltins(Path.of(found.place()));
        return new Nvrtc(found);
    }

    /**
     * NVRTC loads its builtins by name when it compiles, and does not look beside itself; once they are loaded it finds
     * them. Where it was found by name, the system's loader finds these too.
     */
    private static void loadBuiltins(Path nvrtc) {
        Path folder = nvrtc.getParent();
        if (folder == null) {
            return;
        }
        try (DirectoryStream<Path> files = Files.newDirectoryStream(folder, "libnvrtc-builtins.so*")) {
            for (Path file : files) {
                SymbolLookup.libraryLookup(file, Arena.global());
            }
        } catch (IOException | IllegalArgumentException e) {
            throw new NativeException("the builtins beside %s cannot be loaded: reinstall NVRTC".formatted(nvrtc), e);
        }
    }

    /** Its version, as {@code 13.0}. */
    public String version() {
        return version;
    }

    /** Where it was found. */
    public String place() {
        return library.place();
    }

    /**
     * Compiles a source to a cubin; takes from a tenth of a second to some.
     *
     * @param architecture as {@code sm_90a}: {@link CudaDevice#architecture}
     * @throws NvrtcException where the source has errors, with the compiler's log
     */
    public byte[] compile(KernelSource source, String architecture) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment program = arena.allocate(ADDRESS);
            var headers = new TreeMap<>(source.headers());
            check(
                    createProgram,
                    createProgram.call(
                            program.address(),
                            arena.allocateFrom(source.text()).address(),
                            arena.allocateFrom(source.name()).address(),
                            headers.size(),
                            strings(arena, List.copyOf(headers.values())),
                            strings(arena, List.copyOf(headers.keySet()))),
                    source.name());
            try {
                List<String> options = new ArrayList<>(source.options());
                options.add("--gpu-architecture=" + architecture);
                int code = compileProgram.call(program.get(JAVA_LONG, 0), options.size(), strings(arena, options));
                if (code != 0) {
                    throw failed(
                            compileProgram,
                            code,
                            "%s, options %s, NVRTC %s".formatted(source.name(), options, version),
                            log(arena, program.get(JAVA_LONG, 0)));
                }
                return bytes(arena, program.get(JAVA_LONG, 0), source.name());
            } finally {
                destroyProgram.call(program.address());
            }
        }
    }

    private byte[] bytes(Arena arena, long program, String name) {
        MemorySegment size = arena.allocate(JAVA_LONG);
        check(cubinSize, cubinSize.call(program, size.address()), name);
        MemorySegment bytes = arena.allocate(Math.max(1, size.get(JAVA_LONG, 0)));
        check(cubin, cubin.call(program, bytes.address()), name);
        return bytes.asSlice(0, size.get(JAVA_LONG, 0)).toArray(JAVA_BYTE);
    }

    private String log(Arena arena, long program) {
        MemorySegment size = arena.allocate(JAVA_LONG);
        if (logSize.call(program, size.address()) != 0 || size.get(JAVA_LONG, 0) <= 1) {
            return "";
        }
        long bytes = size.get(JAVA_LONG, 0);
        MemorySegment text = arena.allocate(bytes);
        if (log.call(program, text.address()) != 0) {
            return "";
        }
        return new String(text.asSlice(0, Math.min(MOST_LOG, bytes - 1)).toArray(JAVA_BYTE), StandardCharsets.UTF_8);
    }

    private static long strings(Arena arena, List<String> texts) {
        MemorySegment table = arena.allocate(ADDRESS, Math.max(1, texts.size()));
        for (int i = 0; i < texts.size(); i++) {
            table.setAtIndex(ADDRESS, i, arena.allocateFrom(texts.get(i)));
        }
        return table.address();
    }

    private void check(NativeCall call, int code, String where) {
        if (code != 0) {
            throw failed(call, code, where, "");
        }
    }

    private NvrtcException failed(NativeCall call, int code, String where, String said) {
        String message = "%s (%s) failed with %d, %s%s"
                .formatted(call.name(), where, code, text(code), said.isEmpty() ? "" : ":\n" + said);
        return new NvrtcException(call.name(), code, message, said);
    }

    private String text(int code) {
        try {
            MemorySegment text = (MemorySegment) errorString.invokeExact(code);
            return text.address() == 0
                    ? "a code that it does not know"
                    : text.reinterpret(Long.MAX_VALUE).getString(0);
        } catch (Throwable e) {
            throw Nvml.thrown(e, "nvrtcGetErrorString");
        }
    }
}
