package dev.jeton.natives;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.regex.Pattern;

/**
 * The kernels that come with Jeton: CUDA sources among the resources, compiled for the device at hand when they are
 * loaded; or a cubin among the resources where the distribution was built with one (Maven profile {@code cubins}) for
 * this architecture and these options, and then without NVRTC. Any thread may use it.
 */
public final class Kernels {

    /** Stands for NVRTC's version in the names of shipped cubins. */
    static final String SHIPPED = "shipped";

    private static final Pattern INCLUDE = Pattern.compile("(?m)^#include \"(\\w+\\.cuh)\"");

    private final Optional<Nvrtc> nvrtc;
    private final Optional<KernelCache> cache;
    private final Function<String, Optional<byte[]>> resources;

    /**
     * Kernels of this distribution.
     *
     * @param nvrtc empty where there is none; then only shipped cubins load
     * @param cache of what NVRTC compiled; empty: compile each time
     */
    public Kernels(Optional<Nvrtc> nvrtc, Optional<KernelCache> cache) {
        this(nvrtc, cache, Kernels::resource);
    }

    Kernels(Optional<Nvrtc> nvrtc, Optional<KernelCache> cache, Function<String, Optional<byte[]>> resources) {
        this.nvrtc = nvrtc;
        this.cache = cache;
        this.resources = resources;
    }

    private static Optional<byte[]> resource(String name) {
        try (InputStream in = Kernels.class.getResourceAsStream("kernels/" + name)) {
            return in == null ? Optional.empty() : Optional.of(in.readAllBytes());
        } catch (IOException e) {
            throw new UncheckedIOException("the resource kernels/" + name + " cannot be read", e);
        }
    }

    /**
     * A source with its headers.
     *
     * @param name as {@code rows.cu}
     * @param options as {@code -DHEAD_DIM=128}
     * @throws NativeException where there is none of that name
     */
    public KernelSource source(String name, List<String> options) {
        String text = text(name);
        Map<String, String> headers = new TreeMap<>();
        addHeaders(text, headers);
        return new KernelSource(name, text, headers, options);
    }

    /** Those that a text includes, and that these include. */
    private void addHeaders(String text, Map<String, String> headers) {
        INCLUDE.matcher(text).results().map(found -> found.group(1)).forEach(name -> {
            if (!headers.containsKey(name)) {
                String header = text(name);
                headers.put(name, header);
                addHeaders(header, headers);
            }
        });
    }

    private String text(String name) {
        return new String(
                resources
                        .apply(name)
                        .orElseThrow(() -> new NativeException(
                                "%s is not among this distribution's kernels: it is not whole".formatted(name))),
                StandardCharsets.UTF_8);
    }

    /** The resource's name of a shipped cubin. */
    static String shipped(KernelSource source, String architecture) {
        return KernelCache.key(source, architecture, SHIPPED) + ".cubin";
    }

    /**
     * The cubin of a source for an architecture.
     *
     * @throws NativeException where it is not shipped and there is no NVRTC
     * @throws NvrtcException where it does not compile
     */
    public byte[] cubin(String name, List<String> options, String architecture) {
        KernelSource source = source(name, options);
        Optional<byte[]> shipped = resources.apply(shipped(source, architecture));
        if (shipped.isPresent()) {
            return shipped.get();
        }
        Nvrtc compiler = nvrtc.orElseThrow(() -> new NativeException(
                "%s for %s with %s is not shipped compiled, and NVRTC is not there to compile it: install it"
                        .formatted(name, architecture, options)));
        return cache.map(kept -> kept.cubin(compiler, source, architecture))
                .orElseGet(() -> compiler.compile(source, architecture));
    }

    /** Loads a source's kernels into a context. */
    public CudaModule load(CudaContext context, String name, List<String> options) {
        return context.module(cubin(name, options, context.device().architecture()));
    }
}
