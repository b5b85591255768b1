package dev.jeton.accounting;

/**
 * The price of steps that say how much there was and not what it cost.
 *
 * @param kind of such steps
 * @param unit in which they count; {@link #ANY} for whatever unit
 * @param per quantity of which the rate is the price, 1 or more
 * @param price of that much
 */
public record StepPrice(TaskStep.Kind kind, String unit, long per, Rate price) {

    /** In place of a unit: whatever it is. */
    static final String ANY = "*";
}
