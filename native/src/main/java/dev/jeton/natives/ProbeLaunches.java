package dev.jeton.natives;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * The probe's step that launches small kernels by a graph, each of which needs what the one before has written: whether
 * programmatic launches keep their order, and what a launch costs with them and without.
 */
final class ProbeLaunches {

    private static final String SOURCE = """
            extern "C" __global__ void next(unsigned* x) {
            #ifdef JETON_HOST
                ::jeton::wait_for_previous();
            #elif __CUDA_ARCH__ >= 900
                asm volatile("griddepcontrol.launch_dependents;");
                asm volatile("griddepcontrol.wait;" ::: "memory");
            #endif
                if (threadIdx.x == 0) x[0] = x[0] * 1664525u + 1013904223u;
            }
            """;

    private static final int LAUNCHES = 200;
    private static final int ROUNDS = 5;
    private static final int THREADS = 32;

    private ProbeLaunches() {}

    static String result(CudaContext context, Nvrtc nvrtc) {
        byte[] cubin = nvrtc.compile(
                new KernelSource("next.cu", SOURCE), context.device().architecture());
        try (CudaModule module = context.module(cubin)) {
            double plain = micros(context, module.function("next"), false);
            String found = "%d kernels in a graph, each after the one before, %.2f us each".formatted(LAUNCHES, plain);
            if (!context.device().attributes().programmaticLaunches()) {
                return found + "; programmatic launches are for sm_90 and newer; right";
            }
            double programmatic = micros(context, module.function("next"), true);
            return "%s, launched programmatically %.2f us; right".formatted(found, programmatic);
        }
    }

    /** Of each launch, the best of some rounds after one that is not counted. */
    private static double micros(CudaContext context, CudaFunction function, boolean programmatic) {
        try (Arena arena = Arena.ofConfined();
                CudaStream stream = context.stream();
                CudaEvent start = context.event();
                CudaEvent end = context.event();
                DeviceMemory x = context.allocate(4)) {
            KernelArguments arguments = function.arguments().set(0, x);
            x.fill(0, 4, 1, stream);
            stream.beginCapture();
            for (int i = 0; i < LAUNCHES; i++) {
                if (programmatic) {
                    function.launchProgrammatic(1, 1, THREADS, 0, stream, arguments);
                } else {
                    function.launch(1, THREADS, 0, stream, arguments);
                }
            }
            try (CudaGraph graph = stream.endCapture();
                    CudaGraphExec exec = graph.instantiate()) {
                double best = Double.MAX_VALUE;
                for (int round = 0; round <= ROUNDS; round++) {
                    start.record(stream);
                    exec.launch(stream);
                    end.record(stream);
                    stream.synchronize();
                    if (round > 0) {
                        best = Math.min(best, 1e3 * end.millisSince(start) / LAUNCHES);
                    }
                }
                check(arena.allocate(4, 16), x);
                return best;
            }
        }
    }

    private static void check(MemorySegment read, DeviceMemory x) {
        int expected = 1;
        for (int i = 0; i < LAUNCHES * (ROUNDS + 1); i++) {
            expected = expected * 1664525 + 1013904223;
        }
        x.download(read);
        int found = read.get(JAVA_INT, 0);
        Probe.require(found == expected, "the kernels have left %08x, not %08x".formatted(found, expected));
    }
}
