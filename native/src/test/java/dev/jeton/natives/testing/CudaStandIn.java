package dev.jeton.natives.testing;

import static java.lang.foreign.SymbolLookup.libraryLookup;
import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * A CUDA machine on the host for tests: libraries with the names, signatures and rules of the driver, NVRTC, cuBLASLt
 * and NCCL, compiled from C++ beside this class, and the knobs of them. Kernels compiled by it really run, each thread
 * of a block a fiber: see cuda_host.h for what is found there (stuck barriers, split warps, use of undefined values),
 * standin_cuda.cpp for streams and memory.
 *
 * <p>It is one library under four names. Each folder's copy is a machine of its own. Any thread may turn its knobs.
 */
public final class CudaStandIn {

    /** What can be counted while it is open. */
    public enum Resource {
        /** Device allocations. */
        ALLOCATIONS,
        /** Pinned host memory, allocated and registered. */
        PINNED,
        /** Streams. */
        STREAMS,
        /** Events. */
        EVENTS,
        /** Modules. */
        MODULES,
        /** Graphs, and executables of them. */
        GRAPHS,
        /** Primary contexts, as often as they are retained. */
        CONTEXTS,
        /** Ranks of NCCL. */
        COMMUNICATORS
    }

    private static final String COMPILER = "g++";
    private static final List<String> HEADERS = List.of("cuda_host.h", "cuda_host_fibers.h", "standin.h");
    private static final List<String> SOURCES =
            List.of("standin_cuda.cpp", "standin_nvrtc.cpp", "standin_cublaslt.cpp", "standin_nccl.cpp");

    private final Path driver;
    private final Path nvrtc;
    private final Path cublasLt;
    private final Path nccl;
    private final SymbolLookup symbols;

    private CudaStandIn(Path driver, Path nvrtc, Path cublasLt, Path nccl) {
        this.nccl = nccl;
        this.driver = driver;
        this.nvrtc = nvrtc;
        this.cublasLt = cublasLt;
        symbols = libraryLookup(driver, Arena.global());
    }

    /** Whether there is a C++ compiler. */
    public static boolean possible() {
        try {
            return run(List.of(COMPILER, "--version"), Path.of(".")) == 0;
        } catch (IOException e) {
            return false;
        }
    }

    /**
     * Makes a machine in a folder: one device of compute capability 9.0 with 1 GiB, work runs at once. The library is
     * compiled once for a machine and user and kept in the temporary folder, by the hash of its sources.
     */
    public static CudaStandIn compile(Path folder) throws IOException {
        for (String name : HEADERS) {
            Files.write(folder.resolve(name), resource(name));
        }
        Path driver = folder.resolve("libcuda.so.1");
        Files.copy(built(), driver, StandardCopyOption.REPLACE_EXISTING);
        Path nvrtc = link(folder.resolve("libnvrtc.so.13"), driver);
        Path cublasLt = link(folder.resolve("libcublasLt.so.13"), driver);
        Path nccl = link(folder.resolve("libnccl.so.2"), driver);
        CudaStandIn made = new CudaStandIn(driver, nvrtc, cublasLt, nccl);
        Path headers = folder.resolve("cuda_host.h.gch");
        Files.deleteIfExists(headers);
        Files.createLink(headers, made.headers());
        return made;
    }

    /** The header of kernels, compiled once likewise. */
    private Path headers() throws IOException {
        Path kept = kept(".gch");
        if (!Files.exists(kept)) {
            Path folder = Files.createTempDirectory("jeton-standin");
            Path made = folder.resolve("headers.gch");
            try (Arena arena = Arena.ofConfined()) {
                FunctionDescriptor descriptor = FunctionDescriptor.of(JAVA_INT, ADDRESS);
                if ((int) call("standin_headers", descriptor, arena.allocateFrom(made.toString())) != 0) {
                    throw new IOException("the header of kernels was not compiled; see " + folder);
                }
            }
            Files.move(made, kept, StandardCopyOption.ATOMIC_MOVE);
            delete(folder);
        }
        return kept;
    }

    private static void delete(Path folder) throws IOException {
        try (var files = Files.list(folder)) {
            for (Path file : files.toList()) {
                Files.delete(file);
            }
        }
        Files.delete(folder);
    }

    private static Path kept(String end) throws IOException {
        return Path.of(System.getProperty("java.io.tmpdir"))
                .resolve("jeton-standin-" + System.getProperty("user.name") + "-" + hash() + end);
    }

    private static Path link(Path link, Path to) throws IOException {
        Files.deleteIfExists(link);
        return Files.createSymbolicLink(link, to.getFileName());
    }

    private static Path built() throws IOException {
        Path kept = kept(".so");
        if (Files.exists(kept)) {
            return kept;
        }
        Path folder = Files.createTempDirectory("jeton-standin");
        for (String name : HEADERS) {
            Files.write(folder.resolve(name), resource(name));
        }
        List<String> command = new ArrayList<>(List.of(
                COMPILER, "-shared", "-fPIC", "-O2", "-std=c++17", "-Wall", "-Wextra", "-Werror", "-o", "s.so"));
        for (String name : SOURCES) {
            Files.write(folder.resolve(name), resource(name));
            command.add(name);
        }
        if (run(command, folder) != 0) {
            throw new IOException("the stand-in was not compiled: " + command);
        }
        Files.move(folder.resolve("s.so"), kept, StandardCopyOption.ATOMIC_MOVE);
        delete(folder);
        return kept;
    }

    private static String hash() throws IOException {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            for (String name : HEADERS) {
                digest.update(resource(name));
            }
            for (String name : SOURCES) {
                digest.update(resource(name));
            }
            return HexFormat.of().formatHex(digest.digest(), 0, 12);
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }

    private static byte[] resource(String name) throws IOException {
        try (InputStream in = CudaStandIn.class.getResourceAsStream(name)) {
            if (in == null) {
                throw new IOException(name + " is not among the test's resources");
            }
            return in.readAllBytes();
        }
    }

    private static int run(List<String> command, Path folder) throws IOException {
        Process process = new ProcessBuilder(command)
                .directory(folder.toFile())
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try {
            return process.waitFor(300, TimeUnit.SECONDS) ? process.exitValue() : -1;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return -1;
        }
    }

    /** The driver's library. */
    public Path driver() {
        return driver;
    }

    /** NVRTC's library. */
    public Path nvrtc() {
        return nvrtc;
    }

    /** The library of cuBLASLt. */
    public Path cublasLt() {
        return cublasLt;
    }

    /** The library of NCCL. */
    public Path nccl() {
        return nccl;
    }

    /**
     * A folder where kernels that this machine compiled, without checking, can be kept for other tests and later runs.
     */
    public Path kernels() throws IOException {
        return kept("-kernels");
    }

    /** A new machine: nothing allocated, nothing ordered. What was open is gone, and must not be closed any more. */
    public void reset() {
        call("standin_reset", FunctionDescriptor.ofVoid());
    }

    /** How many devices there are, their compute capability and the bytes of each. */
    public void devices(int count, int major, int minor, long memory) {
        call(
                "standin_device",
                FunctionDescriptor.ofVoid(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG),
                count,
                major,
                minor,
                memory);
    }

    /** From now on work is queued and runs when somebody waits or asks, streams interleaved in an order of the seed. */
    public void deferred(long seed) {
        call("standin_deferred", FunctionDescriptor.ofVoid(JAVA_INT, JAVA_LONG), 1, seed);
    }

    /** From now on work runs at once. */
    public void immediate() {
        call("standin_deferred", FunctionDescriptor.ofVoid(JAVA_INT, JAVA_LONG), 0, 0L);
    }

    /** The order of blocks, warps and lanes from now on: any of a seed, or ascending for 0. */
    public void order(long seed) {
        call("standin_order", FunctionDescriptor.ofVoid(JAVA_LONG), seed);
    }

    /** Whether each access of a kernel compiled from now on is checked; about ten times slower. */
    public void checking(boolean on) {
        call("standin_check", FunctionDescriptor.ofVoid(JAVA_INT), on ? 1 : 0);
    }

    /** The device's clock advances by so much for each operation and stands still otherwise; 0: the host's clock. */
    public void clock(long nanosPerOperation) {
        call("standin_clock", FunctionDescriptor.ofVoid(JAVA_LONG), nanosPerOperation);
    }

    /**
     * How long cuBLASLt's algorithm 0, 1 or 2 (which splits k and is its first choice) takes beside the clock's
     * advance.
     */
    public void product(int algorithm, long nanos) {
        call("standin_product", FunctionDescriptor.ofVoid(JAVA_INT, JAVA_LONG), algorithm, nanos);
    }

    /** Products of fp8 with scales of rows are refused for so many rows of activations, as some libraries do. */
    public void refuseRowScales(int from, int to) {
        call("standin_row_scales", FunctionDescriptor.ofVoid(JAVA_INT, JAVA_INT), from, to);
    }

    /** The nth next call of a function (1: the next one; 0: every call) returns a code and does nothing else. */
    public void fail(String function, long nth, int code) {
        order(-1, function, nth, code, 0);
    }

    /** The same of the calls that threads make with a context of one device. */
    public void fail(int device, String function, long nth, int code) {
        order(device, function, nth, code, 0);
    }

    /** The same, and the device is lost with it: every later call of the driver returns the code. */
    public void lose(String function, long nth, int code) {
        order(-1, function, nth, code, 1);
    }

    /** The same of the calls that threads make with a context of one device, which is lost and no other. */
    public void lose(int device, String function, long nth, int code) {
        order(device, function, nth, code, 1);
    }

    private void order(int device, String function, long nth, int code, int sticky) {
        try (Arena arena = Arena.ofConfined()) {
            call(
                    "standin_fail",
                    FunctionDescriptor.ofVoid(JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT, JAVA_INT),
                    device,
                    arena.allocateFrom(function),
                    nth,
                    code,
                    sticky);
        }
    }

    /** How long an exchange between devices may wait for a rank, and who makes ranks for the others; then it fails. */
    public void patience(long millis) {
        call("standin_patience", FunctionDescriptor.ofVoid(JAVA_LONG), millis);
    }

    /** The device of this thread's context is lost now. */
    public void lose(int code) {
        call("standin_lose", FunctionDescriptor.ofVoid(JAVA_INT), code);
    }

    /** Nothing fails any more, and a lost device is back with all that it had. */
    public void heal() {
        call("standin_heal", FunctionDescriptor.ofVoid());
    }

    /** How often a function was called. */
    public long calls(String function) {
        try (Arena arena = Arena.ofConfined()) {
            return (long)
                    call("standin_calls", FunctionDescriptor.of(JAVA_LONG, ADDRESS), arena.allocateFrom(function));
        }
    }

    /** Why the device was lost; empty where it was not. */
    public String message() {
        MemorySegment text = (MemorySegment) call(
                "standin_message",
                FunctionDescriptor.of(ADDRESS.withTargetLayout(
                        MemoryLayout.sequenceLayout(Integer.MAX_VALUE, java.lang.foreign.ValueLayout.JAVA_BYTE))));
        return text.getString(0);
    }

    /** How many of something are open. */
    public long open(Resource what) {
        return (long) call("standin_open", FunctionDescriptor.of(JAVA_LONG, JAVA_INT), what.ordinal());
    }

    private Object call(String name, FunctionDescriptor descriptor, Object... arguments) {
        try {
            Object result = Linker.nativeLinker()
                    .downcallHandle(symbols.find(name).orElseThrow(), descriptor)
                    .invokeWithArguments(arguments);
            return result == null ? 0 : result;
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }
}
