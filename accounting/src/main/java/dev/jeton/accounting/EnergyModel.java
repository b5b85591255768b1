package dev.jeton.accounting;

import dev.jeton.scheduler.DeviceState;
import java.math.BigInteger;
import java.util.List;

/**
 * Energy where no counter measures it, and its division over a window: a device draws its busy power while a step runs
 * and its idle power otherwise. Windows whose energy comes from here say that it was modelled.
 *
 * @param price of the device: its powers
 */
public record EnergyModel(DevicePrice price) {

    private static final BigInteger NANOJOULES = BigInteger.valueOf(1_000);

    /**
     * Energy of a window by its states.
     *
     * @param states nanoseconds by {@link DeviceState#ordinal()}
     * @return microjoules, rounded half-even
     */
    public long microjoules(List<Long> states) {
        BigInteger busy = BigInteger.ZERO;
        BigInteger idle = BigInteger.ZERO;
        for (int i = 0; i < states.size(); i++) {
            BigInteger nanos = BigInteger.valueOf(states.get(i));
            if (i == DeviceState.STEP.ordinal()) {
                busy = busy.add(nanos);
            } else {
                idle = idle.add(nanos);
            }
        }
        Rate high = price.busyWatts();
        Rate low = price.idleWatts();
        BigInteger scaled = busy.multiply(BigInteger.valueOf(high.unscaled()))
                .multiply(low.denominator())
                .add(idle.multiply(BigInteger.valueOf(low.unscaled())).multiply(high.denominator()));
        return Money.round(
                scaled, high.denominator().multiply(low.denominator()).multiply(NANOJOULES));
    }

    /**
     * Divides a window's energy over its spans by time and power; by time alone where the book knows no power. What can
     * be given to no span, because none has time, is left over.
     *
     * @param microjoules of the window, 0 or more
     * @param nanos of each span, 0 or more
     * @param busy whether each was spent in a step
     * @return microjoules of each span; together all of them, or none
     */
    public long[] divide(long microjoules, long[] nanos, boolean[] busy) {
        long time = 0;
        for (long span : nanos) {
            time = Money.add(time, span);
        }
        if (time == 0) {
            return new long[nanos.length];
        }
        // Short spans are counted finer, so that their power is not rounded away.
        long finer = 1L << Math.clamp(Long.numberOfLeadingZeros(time) - 2, 0, 20);
        long[] weights = new long[nanos.length];
        boolean any = false;
        for (int i = 0; i < nanos.length; i++) {
            weights[i] = weight(nanos[i] * finer, busy[i] ? price.busyWatts() : price.idleWatts());
            any |= weights[i] > 0;
        }
        return Money.split(microjoules, any ? weights : nanos);
    }

    /** Time, less by as much as the power is below the greater of the two: never more than there are. */
    private long weight(long time, Rate watts) {
        Rate most = price.busyWatts().compareTo(price.idleWatts()) >= 0 ? price.busyWatts() : price.idleWatts();
        if (most.isZero()) {
            return 0;
        }
        return Money.round(
                BigInteger.valueOf(time)
                        .multiply(BigInteger.valueOf(watts.unscaled()))
                        .multiply(most.denominator()),
                watts.denominator().multiply(BigInteger.valueOf(most.unscaled())));
    }
}
