package dev.jeton.natives;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

/** Work that was recorded. Owned by one thread at a time; not needed any more once it is instantiated. */
public final class CudaGraph extends CudaResource {

    CudaGraph(CudaContext context, long handle) {
        super(context, handle, true);
    }

    @Override
    String kind() {
        return "graph";
    }

    @Override
    int release(long handle) {
        return calls.graphDestroy.call(handle);
    }

    @Override
    NativeCall releasing() {
        return calls.graphDestroy;
    }

    /** How many operations it has. */
    public long nodes() {
        var out = context.out();
        check(calls.graphGetNodes, calls.graphGetNodes.call(handle(), 0, out.address()));
        return out.get(JAVA_LONG, 0);
    }

    /** Makes it ready to launch. */
    public CudaGraphExec instantiate() {
        var out = context.out();
        check(calls.graphInstantiate, calls.graphInstantiate.call(out.address(), handle(), 0));
        return new CudaGraphExec(context, out.get(JAVA_LONG, 0));
    }
}
