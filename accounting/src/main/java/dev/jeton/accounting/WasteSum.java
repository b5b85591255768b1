package dev.jeton.accounting;

/** Sorts postings into kinds of waste. */
final class WasteSum {

    private Waste.Part recompute = Waste.Part.NONE;
    private Waste.Part overrun = Waste.Part.NONE;
    private Waste.Part house = Waste.Part.NONE;
    private Waste.Part cancelled = Waste.Part.NONE;
    private Waste.Part failed = Waste.Part.NONE;
    private Waste.Part idle = Waste.Part.NONE;
    private Waste.Part overhead = Waste.Part.NONE;

    /** Adds postings of one kind; {@code outcome} is that of their request, empty for none or one that is open. */
    void add(Posting.Account account, Posting.Kind kind, Posting.Unit unit, String outcome, long amount) {
        switch (account) {
            case HOUSE -> addHouse(kind, unit, amount);
            case TENANT -> addTenant(kind, unit, outcome, amount);
            case IDLE -> idle = idle.plus(unit, amount);
            case OVERHEAD -> overhead = overhead.plus(unit, amount);
            case DEVICE, ROUNDING -> {
                // What the device gave, and what dividing left: nothing was wasted.
            }
        }
    }

    private void addHouse(Posting.Kind kind, Posting.Unit unit, long amount) {
        switch (kind) {
            case RECOMPUTE -> recompute = recompute.plus(unit, amount);
            case OVERRUN -> overrun = overrun.plus(unit, amount);
            case PREFILL, DECODE, CANCELLED, RESIDENCY, RESERVED, STATE, WHOLE, REMAINDER ->
                house = house.plus(unit, amount);
        }
    }

    private void addTenant(Posting.Kind kind, Posting.Unit unit, String outcome, long amount) {
        if (kind == Posting.Kind.CANCELLED) {
            cancelled = cancelled.plus(unit, amount);
        } else if (isFailure(outcome)) {
            failed = failed.plus(unit, amount);
        }
    }

    private static boolean isFailure(String outcome) {
        if (outcome.isEmpty()) {
            return false;
        }
        return switch (Fact.Outcome.valueOf(outcome)) {
            case STOPPED, FAILED, ABORTED -> true;
            case COMPLETED, CANCELLED -> false;
        };
    }

    Waste waste() {
        return new Waste(recompute, overrun, house, cancelled, failed, idle, overhead);
    }
}
