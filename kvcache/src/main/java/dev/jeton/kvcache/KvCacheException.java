package dev.jeton.kvcache;

/** The cache was asked for something that its owner should have checked, or its books do not add up. */
public final class KvCacheException extends RuntimeException {

    /** With what was asked and what holds. */
    public KvCacheException(String message) {
        super(message);
    }
}
