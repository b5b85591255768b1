package dev.jeton.accounting;

/**
 * The price of bytes that leave a zone for another.
 *
 * @param from zone they leave; {@code *} for any
 * @param to zone they go to; {@code *} for any
 * @param perGigabyte of 1,000,000,000 bytes
 */
public record EgressPrice(String from, String to, Rate perGigabyte) {

    /** Bytes of which a rate is the price. */
    public static final long BYTES = 1_000_000_000;

    /** For the zones that no other entry names. */
    static final String ANY = "*";
}
