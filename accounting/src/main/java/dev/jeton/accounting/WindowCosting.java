package dev.jeton.accounting;

import java.util.List;
import java.util.function.Function;

/** Turns what a window of device time was used for into postings. */
@FunctionalInterface
public interface WindowCosting {

    /**
     * The postings of a window, zero-sum for each unit. Must give the same postings for the same window each time.
     *
     * @param payers who pays for a request; {@link Payer#UNKNOWN} for one that was never opened
     */
    List<Posting> postings(Fact.Window window, Function<String, Payer> payers);
}
