package dev.jeton.accounting;

import java.util.OptionalLong;

/**
 * A counter in hardware of the energy that a device group has drawn. Read by one thread, a few times a minute. Where
 * there is none, or it cannot be read, energy is modelled ({@link EnergyModel}).
 */
@FunctionalInterface
public interface EnergyCounter {

    /** For a device group without a counter. */
    EnergyCounter NONE = OptionalLong::empty;

    /**
     * Energy drawn since some moment in the past.
     *
     * @return microjoules, never less than before; empty where it cannot be read just now
     */
    OptionalLong microjoules();
}
