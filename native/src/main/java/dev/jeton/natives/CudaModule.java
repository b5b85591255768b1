package dev.jeton.natives;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;

/** Loaded kernels. Owned by one thread at a time; its functions live as long as it does. */
public final class CudaModule extends CudaResource {

    CudaModule(CudaContext context, long handle) {
        super(context, handle, true);
    }

    @Override
    String kind() {
        return "module";
    }

    @Override
    int release(long handle) {
        return calls.moduleUnload.call(handle);
    }

    @Override
    NativeCall releasing() {
        return calls.moduleUnload;
    }

    /**
     * A kernel by its name, which its source gives it as {@code extern "C"}.
     *
     * @throws CudaException where there is none
     */
    public CudaFunction function(String name) {
        var out = context.out();
        try (Arena arena = Arena.ofConfined()) {
            int code = calls.moduleGetFunction.call(
                    out.address(), handle(), arena.allocateFrom(name).address());
            if (code != 0) {
                throw failed(calls.moduleGetFunction, code, "function " + name);
            }
        }
        return new CudaFunction(this, out.get(JAVA_LONG, 0), name);
    }

    /** A variable of the module, as {@code __device__} or {@code __constant__}; closing it does nothing. */
    public DeviceMemory global(String name) {
        var out = context.out();
        try (Arena arena = Arena.ofConfined()) {
            int code = calls.moduleGetGlobal.call(
                    out.address(),
                    out.address() + 8,
                    handle(),
                    arena.allocateFrom(name).address());
            if (code != 0) {
                throw failed(calls.moduleGetGlobal, code, "variable " + name);
            }
        }
        return DeviceMemory.borrowed(context, out.get(JAVA_LONG, 0), out.get(JAVA_LONG, 8));
    }
}
