package dev.jeton.accounting;

/**
 * One side of a booking. The postings of one fact are zero-sum for each unit: what a device gave (negative) is what
 * tenants, idle, overhead, the house and rounding took (positive). Never changed; a correction is a reversal.
 *
 * @param account which kind of account
 * @param party whose: a device, a tenant; empty for the house
 * @param request the request it was for; empty for none
 * @param kind what for
 * @param unit unit of the amount
 * @param amount how much
 */
public record Posting(Account account, String party, String request, Kind kind, Unit unit, long amount) {

    /** Kinds of accounts. */
    public enum Account {
        /** Gives: a device group. */
        DEVICE,
        /** Takes what a tenant pays, reserved but unused share included. */
        TENANT,
        /** Takes the time without work. */
        IDLE,
        /** Takes copying, stalls on the host, loading, draining and time out of order. */
        OVERHEAD,
        /** Takes what the server wasted: recomputation, overrun, failed steps, cached blocks that nobody holds. */
        HOUSE,
        /** Takes what dividing left over. */
        ROUNDING
    }

    /** What for. */
    public enum Kind {
        /** Useful prefill. */
        PREFILL,
        /** Useful decode. */
        DECODE,
        /** Again, after preemption. */
        RECOMPUTE,
        /** Past a stop or a limit. */
        OVERRUN,
        /** Thrown away because the client hung up. */
        CANCELLED,
        /** KV memory held. */
        RESIDENCY,
        /** Reserved and not used. */
        RESERVED,
        /** A device's time in a state that is nobody's work. */
        STATE,
        /** The whole of a device's window. */
        WHOLE,
        /** What dividing left over. */
        REMAINDER
    }

    /** Units. */
    public enum Unit {
        /** Nanoseconds of device time. */
        NANOS,
        /** Nano-units of money, metered. */
        MONEY,
        /** Microjoules. */
        MICROJOULES
    }
}
