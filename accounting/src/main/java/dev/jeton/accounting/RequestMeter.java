package dev.jeton.accounting;

import dev.jeton.scheduler.StepRecord;
import java.util.Arrays;

/**
 * What one request used of a device, in the window under way and in the one being closed. Made once per request;
 * guarded by its {@link Meter}.
 */
public final class RequestMeter {

    private static final int OVERRUN = StepRecord.OVERRUN;
    private static final int SAVED = StepRecord.FAILED + 1;
    private static final int KV_BYTE_SECONDS = SAVED + 1;
    private static final int FIELDS = KV_BYTE_SECONDS + 1;

    private final String request;
    private final BudgetHold hold;
    private final long[][] used = new long[2][FIELDS];
    private final boolean[] listed = new boolean[2];

    /** For a request by its id, that no budget is above. */
    public RequestMeter(String request) {
        this(request, BudgetHold.NONE);
    }

    /** For a request whose budgets may count device time. */
    RequestMeter(String request, BudgetHold hold) {
        this.request = request;
        this.hold = hold;
    }

    /** The request's id. */
    public String request() {
        return request;
    }

    /** Adds nanoseconds of a kind of {@link StepRecord}; true where this is the bank's first of this request. */
    boolean add(int bank, byte kind, long nanos) {
        used[bank][kind] += nanos;
        if (StepRecord.tenantPays(kind)) {
            hold.device(nanos);
        }
        return list(bank);
    }

    /** Makes so much of its decoding overrun, or what there is of it. */
    void discard(int bank, long nanos) {
        long[] of = used[bank];
        long moved = Math.min(nanos, of[StepRecord.DECODE]);
        of[StepRecord.DECODE] -= moved;
        of[OVERRUN] += moved;
        hold.notDevice(moved);
    }

    /** Adds what is known at the end only. */
    boolean addMemo(int bank, long savedNanos, long kvByteSeconds) {
        used[bank][SAVED] += savedNanos;
        used[bank][KV_BYTE_SECONDS] += kvByteSeconds;
        return list(bank);
    }

    private boolean list(int bank) {
        boolean first = !listed[bank];
        listed[bank] = true;
        return first;
    }

    /** Nanoseconds of device time in a bank. */
    long nanos(int bank) {
        long sum = 0;
        for (int kind = 0; kind <= StepRecord.FAILED; kind++) {
            sum += used[bank][kind];
        }
        return sum;
    }

    /** The bank as a line; empties it. */
    Line take(int bank, long microjoules) {
        long[] of = used[bank];
        Line line = new Line(
                request,
                of[StepRecord.PREFILL],
                of[StepRecord.DECODE],
                of[StepRecord.RECOMPUTE],
                of[OVERRUN] + of[StepRecord.FAILED],
                of[StepRecord.CANCELLED],
                of[SAVED],
                of[KV_BYTE_SECONDS],
                microjoules);
        Arrays.fill(of, 0);
        listed[bank] = false;
        return line;
    }
}
