package dev.jeton.accounting;

/**
 * Which way the bytes of an answer go. A zone that is not known is empty, and has the price for any.
 *
 * @param from zone of the node that answers
 * @param to zone of who called
 */
public record Zones(String from, String to) {

    /** Where neither is known. */
    public static final Zones UNKNOWN = new Zones("", "");

    /** Names the way in a SKU; the same for the same zones, always. */
    String sku() {
        return "egress/%s/%s".formatted(from.isEmpty() ? EgressPrice.ANY : from, to.isEmpty() ? EgressPrice.ANY : to);
    }
}
