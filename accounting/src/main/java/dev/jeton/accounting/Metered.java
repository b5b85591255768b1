package dev.jeton.accounting;

import dev.jeton.scheduler.Allowance;

/**
 * An allowance that knows whose it is: how the meter finds whom a row's time belongs to without looking anything up.
 */
public interface Metered extends Allowance {

    /** Where the request's device time adds up. */
    RequestMeter meter();
}
