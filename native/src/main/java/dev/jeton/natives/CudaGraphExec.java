package dev.jeton.natives;

/** Recorded work, ready to launch. Owned by one thread at a time; runs once at a time. */
public final class CudaGraphExec extends CudaResource {

    /** {@code CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE}. */
    private static final int NOT_THE_SAME = 910;

    CudaGraphExec(CudaContext context, long handle) {
        super(context, handle, true);
    }

    @Override
    String kind() {
        return "executable graph";
    }

    @Override
    int release(long handle) {
        return calls.graphExecDestroy.call(handle);
    }

    @Override
    NativeCall releasing() {
        return calls.graphExecDestroy;
    }

    /** Queues the work with the arguments as they were recorded; allocates nothing. */
    public void launch(CudaStream stream) {
        check(calls.graphLaunch, calls.graphLaunch.call(handle(), stream.handle()));
    }

    /** Brings it to the device ahead of the first launch. */
    public void upload(CudaStream stream) {
        check(calls.graphUpload, calls.graphUpload.call(handle(), stream.handle()));
    }

    /** Takes the arguments of another recording of the same operations; false, and unchanged, where they differ. */
    public boolean update(CudaGraph graph) {
        int code = calls.graphExecUpdate.call(
                handle(), graph.handle(), context.out().address());
        if (code == NOT_THE_SAME) {
            return false;
        }
        check(calls.graphExecUpdate, code);
        return true;
    }
}
