package dev.jeton.accounting;

import dev.jeton.accounting.Posting.Unit;
import java.util.List;
import java.util.function.Function;

/**
 * Turns a window of device time into postings. What the window cost is fixed first, by the clock and the price of the
 * device and its energy; then exactly that is divided: what tenants are metered, idle, overhead, the house and rounding
 * sum to the device's cost, to the nano-unit. The same holds of nanoseconds and microjoules. Each result is checked.
 *
 * <ul>
 *   <li>Time in steps is the lines'. Prefill, decode and cancelled work are the tenant's; recomputation and overrun the
 *       house's, and so is all of a line without a request.
 *   <li>Idle time is idle, except what tenants reserved and did not use: that is theirs, as far as the device was idle.
 *   <li>Copying, stalls, loading, draining and time out of order are overhead.
 *   <li>Energy follows what the meter gave to the lines; where it gave nothing, time and power. The rest of it follows
 *       the time outside of steps.
 *   <li>Money follows time, and energy's money follows energy. The residency share of both is carved out before and
 *       follows the KV memory held; where none was held, nothing is carved out.
 *   <li>What cannot be given to anyone is rounding: the cost of a window without time, and any difference between the
 *       window's clock and its states, which is a fault that {@link #imbalance} shows.
 * </ul>
 *
 * @param book by which prices
 */
public record Costing(PriceBook book) {

    /**
     * The costing of the price book that is in force; policies do not change it.
     *
     * @param priceBook its content, empty where none was adopted yet: then everything is free
     */
    public static WindowCosting inForce(String priceBook, String policy) {
        PriceBook book = priceBook.isEmpty() ? PriceBook.free() : PriceBook.parse("the price book in force", priceBook);
        Costing costing = new Costing(book);
        return (window, payers) ->
                costing.postings(window, request -> payers.apply(request).tenant());
    }

    /**
     * By how much a window's clock and its states differ; 0 in sound books. Positive where time was dropped, negative
     * where it was booked twice.
     *
     * @return nanoseconds
     */
    public static long imbalance(Fact.Window window) {
        long states = 0;
        for (long state : window.states()) {
            states = Money.add(states, state);
        }
        return Money.add(span(window), -states);
    }

    private static long span(Fact.Window window) {
        return Money.add(window.toNanos(), -window.fromNanos());
    }

    /** What the device cost in the window, energy included, in nano-units. */
    public long cost(Fact.Window window) {
        DevicePrice price = book.device(window.device());
        return Money.add(price.cost(window.from(), window.at()), price.energyCost(window.joules(), book.electricity()));
    }

    /**
     * The postings of a window: for each unit they sum to zero.
     *
     * @param tenantOf the tenant that a request was opened for; asked for each line's request
     * @throws AccountingException if the window contradicts itself: something is negative, or its lines do not sum to
     *     its time in steps, or have more energy than it
     */
    public List<Posting> postings(Fact.Window window, Function<String, String> tenantOf) {
        WindowDivision division = new WindowDivision(book, window, tenantOf);
        List<Posting> result = division.postings();
        verify(window, result);
        return result;
    }

    /** The sum of the postings of a unit; 0 in sound books. */
    public static long balance(List<Posting> postings, Unit unit) {
        long sum = 0;
        for (Posting posting : postings) {
            if (posting.unit() == unit) {
                sum = Money.add(sum, posting.amount());
            }
        }
        return sum;
    }

    private static void verify(Fact.Window window, List<Posting> postings) {
        for (Unit unit : Unit.values()) {
            long sum = balance(postings, unit);
            if (sum != 0) {
                throw new AccountingException(
                        "the postings of %s for the window from %s sum to %d %s instead of 0: a fault of Jeton, report it"
                                .formatted(window.device(), Period.text(window.from()), sum, unit));
            }
        }
    }
}
