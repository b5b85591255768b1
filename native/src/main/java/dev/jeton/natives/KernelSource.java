package dev.jeton.natives;

import java.util.List;
import java.util.Map;

/**
 * What a cubin is compiled from.
 *
 * @param name of the source, as the compiler's messages have it
 * @param text CUDA C++
 * @param headers that it may include, by name
 * @param options of NVRTC but for the architecture, as {@code -DHEAD_DIM=128}
 */
public record KernelSource(String name, String text, Map<String, String> headers, List<String> options) {

    /** Copies. */
    public KernelSource {
        headers = Map.copyOf(headers);
        options = List.copyOf(options);
    }

    /** Without headers and options. */
    public KernelSource(String name, String text) {
        this(name, text, Map.of(), List.of());
    }
}
