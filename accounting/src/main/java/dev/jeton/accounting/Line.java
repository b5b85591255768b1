package dev.jeton.accounting;

/**
 * What one request used of one device in one window.
 *
 * @param request id of the request
 * @param prefill nanoseconds of useful prefill
 * @param decode nanoseconds of useful decode
 * @param recompute nanoseconds spent again because the server preempted it; the house pays
 * @param overrun nanoseconds past a stop or a limit, or of a failed row: nothing delivered; the house pays
 * @param cancelled nanoseconds of work that was thrown away because the client hung up; the tenant pays
 * @param saved nanoseconds that prefix hits saved, by the step-time model: a memo outside the balance
 * @param kvByteSeconds bytes of KV cache held, each divided by its holders, times seconds
 * @param joules microjoules apportioned to it
 */
public record Line(
        String request,
        long prefill,
        long decode,
        long recompute,
        long overrun,
        long cancelled,
        long saved,
        long kvByteSeconds,
        long joules) {

    /** All nanoseconds of device time. */
    public long nanos() {
        return prefill + decode + recompute + overrun + cancelled;
    }

    /** Nanoseconds that the tenant pays for. */
    public long payable() {
        return prefill + decode + cancelled;
    }

    /** Nanoseconds that the house pays for. */
    public long house() {
        return recompute + overrun;
    }
}
